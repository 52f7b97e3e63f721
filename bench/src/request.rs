//! Requests as the bytes they are on the wire, written once and sent often.

use serde_json::Value;

/// Who asks, with the headers that say so.
#[derive(Debug, Clone)]
pub(crate) enum Asker {
    /// The platform, by its API key.
    Platform(String),
    /// A user, by client key and token.
    User {
        /// The app's client key.
        client_key: String,
        /// His token.
        token: String,
    },
}

impl Asker {
    fn headers(&self) -> String {
        match self {
            Self::Platform(key) => format!("IM-API-KEY: {key}\r\n"),
            Self::User { client_key, token } => format!("IM-CLIENT-KEY: {client_key}\r\nIM-Authorization: {token}\r\n"),
        }
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{}\r\n", self.headers()).into_bytes()
    }

    /// `GET path`, unless it still is what it was.
    pub(crate) fn get_unless(&self, path: &str, etag: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{}If-None-Match: {etag}\r\n\r\n", self.headers()).into_bytes()
    }

    /// `POST path` with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Vec<u8> {
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.headers(),
            body.len()
        )
        .into_bytes()
    }

    /// `DELETE path`.
    pub(crate) fn delete(&self, path: &str) -> Vec<u8> {
        format!("DELETE {path} HTTP/1.1\r\nHost: bench\r\n{}\r\n", self.headers()).into_bytes()
    }

    /// `POST path` with nothing in it.
    pub(crate) fn post_empty(&self, path: &str) -> Vec<u8> {
        format!("POST {path} HTTP/1.1\r\nHost: bench\r\n{}Content-Length: 0\r\n\r\n", self.headers()).into_bytes()
    }
}

/// `POST path` with a body, by nobody in particular.
pub(crate) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_its_askers_headers_and_its_length() {
        let user = Asker::User { client_key: "ck".into(), token: "t".into() };
        let bytes = user.post("/x", &serde_json::json!({"a": 1}));
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "POST /x HTTP/1.1\r\nHost: bench\r\nIM-CLIENT-KEY: ck\r\nIM-Authorization: t\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
        );
        assert!(Asker::Platform("k".into()).get("/").ends_with(b"Host: bench\r\nIM-API-KEY: k\r\n\r\n"));
    }
}
