//! What came back, and what a test expects of it.

use std::fmt;
use std::sync::LazyLock;

use banter_server::http::openapi::all_errors;
use banter_server::{Route, routes};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(routes);

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// The route that answers a request; `None`: there is none, or it does not take this method.
fn route(method: &str, path: &str) -> Option<&'static Route> {
    let asked: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = |route: &&Route| {
        let known: Vec<&str> = route.path.trim_matches('/').split('/').collect();
        let fit = |(known, asked): (&&str, &&str)| known.starts_with('{') || known == asked;
        route.method.as_str() == method && known.len() == asked.len() && known.iter().zip(&asked).all(fit)
    };
    // A name goes before a place for any.
    let places = |route: &&Route| route.path.split('/').map(|part| part.starts_with('{')).collect::<Vec<_>>();
    ROUTES.iter().filter(fits).min_by_key(places)
}

/// An answer to one request. It remembers what was asked, for the message of a failed expectation.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    asked: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(asked: String, response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let path = response.url().path().to_owned();
        let bytes = response.bytes().await.unwrap_or_else(|error| panic!("{asked}: {error}")).to_vec();
        let answer = Self { asked, status, headers, bytes };
        answer.expect_documented(&path);
        answer
    }

    /// An error is one that its endpoint's documentation names: that no test meets another is itself a test.
    fn expect_documented(&self, path: &str) {
        let code = serde_json::from_slice::<Value>(&self.bytes)
            .ok()
            .and_then(|body| Some(body.pointer("/error/code")?.as_str()?.to_owned()));
        let method = self.asked.split(' ').find(|word| METHODS.contains(word));
        if let (Some(code), Some(method)) = (code, method)
            && let Some(route) = route(method, path)
        {
            let named = all_errors(route).iter().any(|row| row.status == self.status && row.code == code);
            assert!(named, "{route:?} does not document this: {self}");
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// One header as text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A success in its envelope. Returns `result`.
    #[track_caller]
    pub(crate) fn expect_ok(&self) -> Value {
        self.expect_ok_saying("OK")
    }

    /// A success whose `RM` is not the usual one.
    #[track_caller]
    pub(crate) fn expect_ok_saying(&self, rm: &str) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self}");
        let mut body = self.body();
        assert_eq!(body["RC"], 0, "{self}");
        assert_eq!(body["RM"], rm, "{self}");
        assert!(body.get("error").is_none(), "a success with an error: {self}");
        body.get_mut("result").map(Value::take).unwrap_or_else(|| panic!("no result: {self}"))
    }

    /// A refusal: 403 with this code.
    #[track_caller]
    pub(crate) fn expect_refused(&self, code: &str) {
        self.expect_error(403, code);
    }

    /// An error in its envelope, with this status and code. Returns `RM` and the message.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> (String, String) {
        assert_eq!(self.status, status, "expected {status} {code}: {self}");
        let body = self.body();
        assert_eq!(body["RC"], status, "RC is the status: {self}");
        assert_eq!(body["error"]["code"], code, "{self}");
        assert!(body.get("result").is_none(), "an error with a result: {self}");
        let text = |value: &Value| match value.as_str() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => panic!("an error says what is wrong: {self}"),
        };
        (text(&body["RM"]), text(&body["error"]["message"]))
    }

    /// An error to the letter.
    #[track_caller]
    pub(crate) fn expect_error_saying(&self, status: u16, rm: &str, code: &str, message: &str) {
        let said = self.expect_error(status, code);
        assert_eq!(said, (rm.to_owned(), message.to_owned()), "{self}");
    }

    /// Some 4xx in its envelope: returns its code.
    #[track_caller]
    pub(crate) fn expect_some_refusal(&self) -> String {
        assert!((400..500).contains(&self.status), "expected a 4xx: {self}");
        let body = self.body();
        assert_eq!(body["RC"], self.status, "RC is the status: {self}");
        match body["error"]["code"].as_str() {
            Some(code) if !code.is_empty() => code.to_owned(),
            _ => panic!("a refusal has a code: {self}"),
        }
    }

    /// The `data` of a list.
    #[track_caller]
    pub(crate) fn expect_list(&self) -> Vec<Value> {
        match self.expect_ok().get_mut("data").map(Value::take) {
            Some(Value::Array(entries)) => entries,
            _ => panic!("not a list: {self}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes);
        write!(f, "{} answered {} {}", self.asked, self.status, text.chars().take(1500).collect::<String>())
    }
}
