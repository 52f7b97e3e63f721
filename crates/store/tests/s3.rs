//! Bytes of files in an S3-compatible store: what is asked of it, and that they come back.
#![cfg(test)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use banter_domain::id::ObjectId;
use banter_store::{Remote, Vault};
use futures_util::TryStreamExt;

/// As much of such a store as the vault needs, in memory.
#[derive(Default)]
struct Objects {
    whole: BTreeMap<String, Vec<u8>>,
    /// Of uploads under way: their parts.
    parts: HashMap<String, BTreeMap<u32, Vec<u8>>>,
    unsigned: usize,
}

type Shared = Arc<Mutex<Objects>>;

fn answer(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert("etag", "\"tag\"".parse().expect("a header"));
    response.headers_mut().insert("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".parse().expect("a header"));
    response
}

async fn asked(State(objects): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.expect("a body").to_vec();
    let key = parts.uri.path().to_owned();
    let query: HashMap<String, String> = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut objects = objects.lock().expect("a lock");
    if parts.headers.get("authorization").is_none_or(|value| !value.as_bytes().starts_with(b"AWS4-HMAC-SHA256")) {
        objects.unsigned += 1;
    }
    match (parts.method, query.get("uploadId")) {
        (Method::POST, None) => {
            objects.parts.insert(key.clone(), BTreeMap::new());
            let xml = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>one</UploadId></InitiateMultipartUploadResult>";
            answer(StatusCode::OK, xml)
        }
        (Method::PUT, Some(_)) => {
            let number = query["partNumber"].parse().expect("a number");
            objects.parts.get_mut(&key).expect("begun").insert(number, body);
            answer(StatusCode::OK, Body::empty())
        }
        (Method::POST, Some(_)) => {
            let whole = objects.parts.remove(&key).expect("begun").into_values().flatten().collect();
            objects.whole.insert(key, whole);
            let xml = "<CompleteMultipartUploadResult><ETag>\"tag\"</ETag></CompleteMultipartUploadResult>";
            answer(StatusCode::OK, xml)
        }
        (Method::DELETE, Some(_)) => {
            objects.parts.remove(&key);
            answer(StatusCode::NO_CONTENT, Body::empty())
        }
        (Method::PUT, None) => {
            objects.whole.insert(key, body);
            answer(StatusCode::OK, Body::empty())
        }
        (Method::DELETE, None) => {
            objects.whole.remove(&key);
            answer(StatusCode::NO_CONTENT, Body::empty())
        }
        (method, _) => {
            let Some(whole) = objects.whole.get(&key) else { return answer(StatusCode::NOT_FOUND, Body::empty()) };
            let range = parts.headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
            let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
                let body = if method == Method::HEAD { Body::empty() } else { Body::from(whole.clone()) };
                let mut response = answer(StatusCode::OK, body);
                response.headers_mut().insert("content-length", whole.len().into());
                return response;
            };
            let from: usize = from.parse().expect("a number");
            let to = to.parse::<usize>().expect("a number").min(whole.len() - 1);
            let mut response = answer(StatusCode::PARTIAL_CONTENT, whole[from..=to].to_vec());
            let place = format!("bytes {from}-{to}/{}", whole.len());
            response.headers_mut().insert("content-range", place.parse().expect("a header"));
            response
        }
    }
}

#[tokio::test]
async fn s3_gives_back_what_it_was_given() {
    let objects = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let app = axum::Router::new().fallback(asked).with_state(objects.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let remote = Remote {
        bucket: "bucket".to_owned(),
        prefix: "in/here".to_owned(),
        endpoint: Some(endpoint),
        region: "us-east-1".to_owned(),
        access_key: "key".to_owned(),
        secret_key: "secret".to_owned(),
    };
    assert!(!format!("{remote:?}").contains("secret"), "a secret is not told");
    let vault = Vault::remote(&remote).expect("a vault");
    for (number, length) in [0_usize, 10, 12 << 20].into_iter().enumerate() {
        let id = ObjectId::from_bytes([u8::try_from(number + 1).expect("few"); 12]);
        let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("a byte")).collect();
        let mut deposit = vault.deposit(7, id);
        for piece in bytes.chunks(1 << 20) {
            deposit.write(piece).await.expect("taken");
        }
        let (told, _) = deposit.finish().await.expect("whole");
        let key = objects.lock().expect("a lock").whole.keys().next().cloned().expect("a key");
        assert!(key.starts_with("/bucket/in/here/7/") && key.ends_with(&id.to_string()), "{key}");
        for range in [0..told, told / 3..told / 2] {
            let stream = vault.read(7, id, range.clone()).await.expect("read").expect("it is here");
            let got: Vec<Bytes> = stream.try_collect().await.expect("bytes");
            let [from, to] = [range.start, range.end].map(|at| usize::try_from(at).expect("few"));
            assert!(got.concat() == bytes[from..to], "{range:?} of {length}");
        }
        assert!(vault.has(7, id).await.expect("an answer"));
        vault.remove(7, id).await.expect("gone");
        vault.remove(7, id).await.expect("gone already");
        assert!(!vault.has(7, id).await.expect("an answer"));
        assert!(vault.read(7, id, 0..5).await.expect("an answer").is_none());
    }
    let mut unwanted = vault.deposit(7, ObjectId::from_bytes([9; 12]));
    unwanted.write(&vec![1; 6 << 20]).await.expect("taken");
    unwanted.abandon().await.expect("gone");
    let objects = objects.lock().expect("a lock");
    assert!(objects.whole.is_empty() && objects.parts.is_empty(), "nothing is left");
    assert_eq!(objects.unsigned, 0, "every request is signed");
}

#[test]
fn a_place_that_cannot_be_one_is_a_bad_setting() {
    let remote = Remote {
        bucket: "bucket".to_owned(),
        prefix: "a//b".to_owned(),
        endpoint: Some("https://s3.example".to_owned()),
        region: "us-east-1".to_owned(),
        access_key: "key".to_owned(),
        secret_key: "secret".to_owned(),
    };
    assert!(Vault::remote(&remote).is_err());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("written");
    assert!(Vault::folder(&file.join("below")).is_err());
}
