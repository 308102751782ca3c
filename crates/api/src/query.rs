//! Queries: of a list, which passes over parameters that it does not know, and of an export, which
//! refuses them. A doubled one is refused everywhere.

use std::collections::{BTreeMap, HashSet};

use actix_web::http::StatusCode;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use domain::{CaptionSettings, Invalid, ListFilter, PageRequest, PageSize, Status};
use url::form_urlencoded;

use crate::{
    body::members::pointer,
    cursor,
    problem::{ApiError, Fault},
};

/// What a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListQuery {
    pub(crate) filter: ListFilter,
    pub(crate) page: PageRequest,
    pub(crate) with_total: bool,
    /// All parameters but those that say where a page begins.
    kept: Vec<(String, String)>,
}

impl ListQuery {
    /// Reads a query string.
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        let pairs = single(query)?;
        let after = match pairs.iter().find(|(name, _)| name == "cursor") {
            None => None,
            Some((_, word)) => Some(cursor::decode(word).ok_or_else(malformed_cursor)?),
        };
        let mut values = Values { left: pairs.iter().cloned().collect(), faults: Vec::new() };
        let page = PageRequest {
            after,
            skip: values.read("skip", skip).unwrap_or_default(),
            size: values.read("limit", limit).unwrap_or_default(),
        };
        let filter = ListFilter {
            status: values.read("status", status),
            created_after: values.read("created_after", after_instant),
            created_before: values.read("created_before", before_instant),
        };
        let with_total = values.read("include", include).unwrap_or_default();
        if !values.faults.is_empty() {
            return Err(ApiError::invalid(values.faults));
        }
        let begins = |name: &str| matches!(name, "cursor" | "skip");
        let kept = pairs.into_iter().filter(|(name, _)| !begins(name)).collect();
        Ok(Self { filter, page, with_total, kept })
    }

    /// The address of the page that begins at `cursor`, everything else unchanged.
    pub(crate) fn next(&self, path: &str, cursor: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.kept)
            .append_pair("cursor", cursor)
            .finish();
        format!("{path}?{query}")
    }
}

/// Reads the settings of an export.
pub(crate) fn captions(query: &str) -> Result<CaptionSettings, ApiError> {
    let pairs = single(query)?;
    let given = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    CaptionSettings::parse(given).map_err(|faults| {
        let faults = faults.iter().map(|(name, fault)| Fault::invalid(pointer("", name), fault));
        ApiError::invalid(faults.collect())
    })
}

/// The parameters, each of which may occur once.
fn single(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut seen = HashSet::new();
    if pairs.iter().any(|(name, _)| !seen.insert(name)) {
        let detail = "Every query parameter may occur once.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "duplicate_parameter", detail));
    }
    Ok(pairs)
}

struct Values {
    left: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Values {
    fn read<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, Invalid>) -> Option<T> {
        let value = self.left.remove(name)?;
        parse(&value)
            .map_err(|invalid| self.faults.push(Fault::invalid(format!("/{name}"), &invalid)))
            .ok()
    }
}

fn malformed_cursor() -> ApiError {
    let detail = "The cursor is not one that this service gave out.";
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_cursor", detail)
}

fn limit(value: &str) -> Result<PageSize, Invalid> {
    // What is not a number is out of range as well.
    PageSize::parse(value.parse().unwrap_or_default())
}

fn skip(value: &str) -> Result<u64, Invalid> {
    value
        .parse::<i64>()
        .ok()
        .and_then(|skip| u64::try_from(skip).ok())
        .ok_or_else(|| Invalid::new("out_of_range", "must be from 0 to 9223372036854775807"))
}

fn status(value: &str) -> Result<Status, Invalid> {
    let detail = "must be pending, processing, completed, failed or canceled";
    Status::from_word(value).ok_or_else(|| Invalid::new("unknown_value", detail))
}

fn include(value: &str) -> Result<bool, Invalid> {
    match value {
        "total" => Ok(true),
        _ => Err(Invalid::new("unknown_value", "must be total")),
    }
}

fn instant(value: &str) -> Result<DateTime<Utc>, Invalid> {
    let detail = "must be an instant such as 2026-11-22T17:05:09Z";
    DateTime::parse_from_rfc3339(value)
        .ok()
        .map(|instant| instant.to_utc())
        .filter(|instant| (0..=9_999).contains(&instant.year()))
        .ok_or_else(|| Invalid::new("invalid_instant", detail))
}

/// Stored instants are whole microseconds: cutting the rest changes no answer.
fn after_instant(value: &str) -> Result<DateTime<Utc>, Invalid> {
    instant(value).map(whole)
}

/// Rounded up, for the same reason.
fn before_instant(value: &str) -> Result<DateTime<Utc>, Invalid> {
    let exact = instant(value)?;
    let whole = whole(exact);
    Ok(if whole < exact { whole + TimeDelta::microseconds(1) } else { whole })
}

fn whole(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(instant.timestamp_micros()).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::ListQuery;
    use chrono::DateTime;
    use domain::{CaptionSettings, Cursor, TranscriptionId};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn code(query: &str) -> Option<&'static str> {
        ListQuery::parse(query).err().map(|error| error.code())
    }

    fn a_cursor() -> String {
        let created_at = DateTime::from_timestamp_micros(1).expect("in range");
        let id = TranscriptionId::from_uuid(Uuid::from_u128(7));
        crate::cursor::encode(&Cursor { created_at, id })
    }

    #[test]
    fn nothing_asked_is_the_first_twenty() {
        let query = ListQuery::parse("").expect("valid");
        assert_eq!((query.page.size.get(), query.page.skip, query.with_total), (20, 0, false));
    }

    #[test]
    fn wrong_values_are_told_apart() {
        for (query, expected) in [
            ("limit=0", "out_of_range"),
            ("limit=101", "out_of_range"),
            ("limit=ten", "out_of_range"),
            ("limit=", "out_of_range"),
            ("skip=-1", "out_of_range"),
            ("skip=9223372036854775808", "out_of_range"),
            ("skip=99999999999999999999999999", "out_of_range"),
            ("status=done", "unknown_value"),
            ("include=everything", "unknown_value"),
            ("created_after=yesterday", "invalid_instant"),
            ("created_before=2026-13-01T00:00:00Z", "invalid_instant"),
            ("created_before=9999-12-31T23:59:59-23:00", "invalid_instant"),
            ("cursor=x", "malformed_cursor"),
            ("cursor=", "malformed_cursor"),
            ("limit=5&limit=6", "duplicate_parameter"),
            ("x=1&x=1", "duplicate_parameter"),
            ("limit=0&status=done", "validation_failed"),
        ] {
            assert_eq!(code(query), Some(expected), "{query}");
        }
        assert_eq!(code("skip=9223372036854775807&limit=100&unknown=1"), None);
    }

    #[test]
    fn settings_of_an_export_are_refused_all_at_once() {
        let faults = |query: &str| {
            let error = super::captions(query).expect_err("it is refused");
            let faults = error.faults().iter().map(|fault| (fault.pointer.clone(), fault.code));
            (error.code(), faults.collect::<Vec<_>>())
        };
        assert_eq!(super::captions("").ok(), Some(CaptionSettings::default()));
        assert_eq!(super::captions("lines=3").map(|s| s.lines()).ok(), Some(3));
        assert_eq!(faults("lines=1&lines=1"), ("duplicate_parameter", vec![]));
        let expected = vec![
            ("/lines".to_owned(), "out_of_range"),
            ("/a~1b".to_owned(), "unknown_parameter"),
            ("/speakers".to_owned(), "unknown_value"),
        ];
        assert_eq!(faults("lines=9&a%2Fb=1&speakers=x"), ("validation_failed", expected));
    }

    #[test]
    fn the_next_page_keeps_everything_but_its_beginning() {
        let text = format!("status=failed&skip=5&cursor={}&limit=2&x=%22%3E", a_cursor());
        let query = ListQuery::parse(&text).expect("valid");
        assert_eq!(query.next("/p", "C"), "/p?status=failed&limit=2&x=%22%3E&cursor=C");
    }

    #[test]
    fn a_bound_between_microseconds_is_rounded_away_from_the_answer() {
        let text = "created_after=2026-01-01T00:00:00.0000009Z&created_before=2026-01-01T00:00:00.0000001Z";
        let filter = ListQuery::parse(text).expect("valid").filter;
        let at = |micros: i64| DateTime::from_timestamp_micros(1_767_225_600_000_000 + micros);
        assert_eq!((filter.created_after, filter.created_before), (at(0), at(1)));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,200}") {
            let _ = ListQuery::parse(&text);
            let _ = super::captions(&text);
        }
    }
}
