//! JSON from outside: bounded in depth and breadth, with doubled members kept for the report.

use std::{cell::Cell, fmt};

use actix_web::http::StatusCode;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::problem::ApiError;

/// How many objects and arrays may be open at once.
const MAX_DEPTH: usize = 32;
/// Most items of an array.
const MAX_ITEMS: usize = 1_000;

/// A JSON value; members stand as they came, doubled ones included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    /// Any other number: a fraction, or too large.
    Number,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads one JSON value.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, ApiError> {
    let excess = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { depth: 0, excess: &excess }.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) if excess.get() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "json_too_complex",
            format!(
                "The JSON may be {MAX_DEPTH} levels deep and its arrays {MAX_ITEMS} items long."
            ),
        )),
        Err(error) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            format!(
                "The body is not valid JSON: line {}, column {}.",
                error.line(),
                error.column()
            ),
        )),
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    excess: &'a Cell<bool>,
}

impl Seed<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse());
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn refuse<E: Error>(self) -> E {
        self.excess.set(true);
        E::custom("too complex")
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Number, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            if list.len() == MAX_ITEMS {
                return Err(self.refuse());
            }
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut object = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            object.push((name, members.next_value_seed(inner)?));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, MAX_DEPTH, MAX_ITEMS, parse};
    use proptest::prelude::*;

    fn code(text: &[u8]) -> Result<Json, &'static str> {
        parse(text).map_err(|error| error.code())
    }

    #[test]
    fn the_depth_is_bounded_before_the_end_is_looked_for() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(code(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(code(nested(MAX_DEPTH + 1).as_bytes()), Err("json_too_complex"));
        assert_eq!(code("[".repeat(100_000).as_bytes()), Err("json_too_complex"));
        assert_eq!(code("{\"a\":".repeat(100_000).as_bytes()), Err("json_too_complex"));
    }

    #[test]
    fn arrays_are_bounded() {
        let array = |items: usize| format!("[{}]", vec!["1"; items].join(","));
        assert!(code(array(MAX_ITEMS).as_bytes()).is_ok());
        assert_eq!(code(array(MAX_ITEMS + 1).as_bytes()), Err("json_too_complex"));
    }

    #[test]
    fn doubled_members_are_kept() {
        let expected = vec![("a".to_owned(), Json::Integer(1)), ("a".to_owned(), Json::Null)];
        assert_eq!(code(br#"{"a":1,"a":null}"#), Ok(Json::Object(expected)));
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for text in [
            &b""[..],
            b"{",
            b"{}x",
            b"{} {}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00\\ud800\"}",
            b"{\"\\ud800\":1}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\0\"}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":1e999}",
            b"NaN",
        ] {
            assert_eq!(code(text), Err("malformed_json"), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn numbers_that_are_no_integers_are_told_apart() {
        assert_eq!(code(b"1.5"), Ok(Json::Number));
        assert_eq!(code(b"18446744073709551615"), Ok(Json::Number));
        assert_eq!(code(b"-3"), Ok(Json::Integer(-3)));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
