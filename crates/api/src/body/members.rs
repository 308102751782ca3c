//! Takes the members of a JSON object one by one and remembers every fault, so that a client
//! learns of all of them at once.

use std::collections::{BTreeMap, HashSet};

use domain::Invalid;

use super::json::Json;
use crate::problem::{ApiError, Fault};

/// The members of an object that were not yet taken, and the faults so far.
#[derive(Debug)]
pub(crate) struct Members {
    left: BTreeMap<String, Json>,
    faults: Vec<Fault>,
}

impl Members {
    /// Begins to read; 422 for anything but an object.
    pub(crate) fn of(value: Json) -> Result<Self, ApiError> {
        let mut faults = Vec::new();
        doubled("", &value, &mut faults);
        let Json::Object(members) = value else {
            return Err(ApiError::invalid(vec![wrong_type(String::new(), "an object")]));
        };
        Ok(Self { left: members.into_iter().collect(), faults })
    }

    /// The next member; `null` is the same as absent.
    fn take(&mut self, name: &str) -> Option<Json> {
        self.left.remove(name).filter(|value| *value != Json::Null)
    }

    /// A text that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            None => {
                self.faults.push(required(name));
                None
            }
            Some(value) => self.text(pointer("", name), value),
        }
    }

    /// A text.
    pub(crate) fn optional_text(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        self.text(pointer("", name), value)
    }

    /// `true` or `false`.
    pub(crate) fn optional_bool(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Json::Bool(value) => Some(value),
            _ => self.refuse(pointer("", name), "true or false"),
        }
    }

    /// A whole number.
    pub(crate) fn optional_integer(&mut self, name: &str) -> Option<i64> {
        match self.take(name)? {
            Json::Integer(value) => Some(value),
            _ => self.refuse(pointer("", name), "a whole number"),
        }
    }

    /// A list of texts.
    pub(crate) fn optional_texts(&mut self, name: &str) -> Option<Vec<String>> {
        let at = pointer("", name);
        match self.take(name)? {
            Json::List(items) => {
                let texts = items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.text(format!("{at}/{index}"), item));
                // Every item is looked at before the first fault ends it.
                texts.collect::<Vec<_>>().into_iter().collect()
            }
            _ => self.refuse(at, "a list of texts"),
        }
    }

    /// Pairs of texts.
    pub(crate) fn optional_pairs(&mut self, name: &str) -> Option<BTreeMap<String, String>> {
        let at = pointer("", name);
        match self.take(name)? {
            Json::Object(members) => {
                let pairs = members.into_iter().map(|(key, value)| {
                    let value = self.text(pointer(&at, &key), value);
                    value.map(|value| (key, value))
                });
                pairs.collect::<Vec<_>>().into_iter().collect()
            }
            _ => self.refuse(at, "an object of texts"),
        }
    }

    /// What the domain made of a member; its refusal is remembered.
    pub(crate) fn judged<T>(&mut self, name: &str, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|invalid| self.faults.push(Fault::invalid(pointer("", name), &invalid))).ok()
    }

    /// Passes over a member.
    pub(crate) fn skip(&mut self, name: &str) {
        self.left.remove(name);
    }

    /// Adds faults that were found elsewhere.
    pub(crate) fn add(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults);
    }

    /// Ends reading: 422 if anything was wrong, or is left over.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        let unknown = |name: &String| {
            Fault::new(pointer("", name), "unknown_member", "is not a member of this body")
        };
        self.faults.extend(self.left.keys().map(unknown));
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.faults)) }
    }

    fn text(&mut self, at: String, value: Json) -> Option<String> {
        match value {
            Json::Text(text) => Some(text),
            _ => self.refuse(at, "a text"),
        }
    }

    fn refuse<T>(&mut self, at: String, wanted: &str) -> Option<T> {
        self.faults.push(wrong_type(at, wanted));
        None
    }
}

/// A member or field that is missing.
pub(crate) fn required(name: &str) -> Fault {
    Fault::new(pointer("", name), "required", "is required")
}

fn wrong_type(at: String, wanted: &str) -> Fault {
    Fault::new(at, "wrong_type", format!("must be {wanted}"))
}

/// Longest name that is repeated in a pointer, in characters.
const MAX_NAME: usize = 64;

/// A JSON pointer (RFC 6901) one step further.
/// A JSON pointer, its last name escaped and shortened.
pub(crate) fn pointer(parent: &str, name: &str) -> String {
    let short: String = name.chars().take(MAX_NAME).collect();
    format!("{parent}/{}", short.replace('~', "~0").replace('/', "~1"))
}

fn doubled(at: &str, value: &Json, faults: &mut Vec<Fault>) {
    match value {
        Json::Object(members) => {
            let mut seen = HashSet::new();
            for (name, value) in members {
                let here = pointer(at, name);
                if !seen.insert(name) {
                    faults.push(Fault::new(&here, "duplicate_member", "occurs more than once"));
                }
                doubled(&here, value, faults);
            }
        }
        Json::List(items) => {
            for (index, item) in items.iter().enumerate() {
                doubled(&format!("{at}/{index}"), item, faults);
            }
        }
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Number | Json::Text(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{super::json, Members, pointer};

    fn members(text: &str) -> Members {
        Members::of(json::parse(text.as_bytes()).expect("JSON")).expect("an object")
    }

    fn faults(members: Members) -> Vec<(String, String)> {
        let error = members.finish().expect_err("faults");
        error.faults().iter().map(|f| (f.pointer.clone(), f.code.to_owned())).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let mut body = members(r#"{"b":1,"l":["x",2,3],"m":{"k":null},"x/y":0,"d":1,"d":2}"#);
        assert_eq!(body.required_text("a"), None);
        assert_eq!(body.optional_bool("b"), None);
        assert_eq!(body.optional_texts("l"), None);
        assert_eq!(body.optional_pairs("m"), None);
        assert_eq!(body.optional_integer("d"), Some(2));
        let expected = [
            ("/d", "duplicate_member"),
            ("/a", "required"),
            ("/b", "wrong_type"),
            ("/l/1", "wrong_type"),
            ("/l/2", "wrong_type"),
            ("/m/k", "wrong_type"),
            ("/x~1y", "unknown_member"),
        ];
        assert_eq!(faults(body), pairs(&expected));
    }

    #[test]
    fn a_doubled_member_is_found_at_any_depth() {
        let mut body = members(r#"{"m":{"k":"a","k":"b"}}"#);
        assert!(body.optional_pairs("m").is_some());
        assert_eq!(faults(body), pairs(&[("/m/k", "duplicate_member")]));
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let mut body = members(r#"{"a":null,"b":null}"#);
        assert_eq!(body.optional_text("a"), None);
        assert_eq!(body.required_text("b"), None);
        assert_eq!(faults(body), pairs(&[("/b", "required")]));
    }

    #[test]
    fn only_an_object_is_a_body() {
        for text in ["[]", "1", "\"a\"", "null", "true"] {
            let error = Members::of(json::parse(text.as_bytes()).expect("JSON"));
            assert_eq!(error.map_err(|e| e.code()).err(), Some("wrong_type"), "{text}");
        }
    }

    #[test]
    fn pointers_are_escaped_and_short() {
        assert_eq!(pointer("/a", "b/c~d"), "/a/b~1c~0d");
        assert_eq!(pointer("", &"x".repeat(1_000)).len(), 65);
    }
}
