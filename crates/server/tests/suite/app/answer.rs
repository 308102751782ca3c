//! An answer that was read to its end.

use reqwest::{Response, header::HeaderMap};
use serde_json::Value;

/// Status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(super) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// A header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a 200.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The body of a problem, which must have all that every problem has.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.any_problem();
        assert_eq!((self.status, body["code"].as_str().unwrap()), (status, code), "{self:?}");
        body
    }

    /// The same, whatever went wrong.
    pub(crate) fn any_problem(&self) -> Value {
        assert!(self.status >= 400, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        for member in ["type", "title", "detail", "code", "request_id"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
        assert_eq!(body["status"], self.status, "{self:?}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{self:?}");
        if self.status == 503 {
            assert!(self.header("retry-after").parse::<u32>().unwrap() > 0, "{self:?}");
        }
        if self.status == 401 {
            assert_eq!(self.header("www-authenticate"), "Bearer", "{self:?}");
        }
        body
    }

    /// The pointers and codes of a 422's faults.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 422, "{self:?}");
        let body = self.any_problem();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let faults = body["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        faults.iter().map(|fault| (text(&fault["pointer"]), text(&fault["code"]))).collect()
    }

    /// Everything that another answer would have to have in common with this one in order to tell
    /// nothing: status, headers and the bytes of the body, but for the name of the request and
    /// what counts calls.
    pub(crate) fn indistinct(&self) -> (u16, Vec<(String, String)>, String) {
        let id = self.header("x-request-id");
        assert!(!id.is_empty(), "{self:?}");
        let telling = |name: &str| {
            !matches!(name, "x-request-id" | "date" | "ratelimit" | "ratelimit-policy")
                && name != "x-ratelimit-limit"
        };
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| telling(name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        (self.status, headers, self.text.replace(id, "ID"))
    }
}
