//! Files over HTTP: how they come, how they go, and that they can run nothing.

use std::path::Path;

use banter_domain::file::MediaTypes;
use banter_server::ServeSettings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Answer, Caller, Form, House};
use crate::host::{another_door, other_app, stored};

/// Eight bytes that begin a PNG, and some that do not matter.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

fn id(file: &Value) -> String {
    file["_id"].as_str().unwrap_or_else(|| panic!("no id: {file}")).to_owned()
}

fn address(file: &Value) -> String {
    format!("/files/{}/{}", file["bucketName"].as_str().expect("a bucket"), id(file))
}

async fn with(caller: &Caller, path: &str, header: &'static str, value: &str) -> Answer {
    caller.clone().with_header(header, value).get(path).await
}

/// Asks for an address somebody was given, without any headers.
async fn follows(house: &House, url: &str) -> Answer {
    let path = url.strip_prefix(house.base()).unwrap_or_else(|| panic!("{url} leads elsewhere"));
    house.nobody().get(path).await
}

async fn signed(caller: &Caller, path: &str) -> String {
    caller.signs(path).await.expect_ok()["url"].as_str().expect("an address").to_owned()
}

each_store! {
    async fn a_file_comes_back_as_it_went(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let bytes: Vec<u8> = (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let file = ann.uploads("chatserver-upload", "den", "%E4%BD%A0%20%E5%A5%BD.jpg", "image/jpeg", &bytes).await.expect_ok();
        let golden = ["_id", "id", "appID", "bucketName", "filename", "mimetype", "length", "chunkSize", "md5", "uploadDate", "uploadDateMS", "client", "extra"];
        assert!(golden.iter().all(|field| file.get(field).is_some()) && file.as_object().unwrap().len() == golden.len(), "{file}");
        assert_eq!((&file["filename"], &file["mimetype"], &file["client"]), (&json!("你 好.jpg"), &json!("image/jpeg"), &json!("ann")));
        assert_eq!((&file["length"], &file["extra"]), (&json!(200_000), &json!({"roomId": "den"})));
        let path = address(&file);
        let got = bob.get(&path).await;
        assert_eq!((got.status, &got.bytes), (200, &bytes));
        let tag = format!("\"{}\"", file["md5"].as_str().unwrap());
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("content-length", "200000"),
            ("accept-ranges", "bytes"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "*"),
            ("etag", &tag),
            ("x-imkit-id", &id(&file)),
            ("x-imkit-bucket", "chatserver-upload"),
            ("x-imkit-filename", "%E4%BD%A0%20%E5%A5%BD.jpg"),
            ("x-imkit-mimetype", "image/jpeg"),
            ("x-imkit-length", "200000"),
            ("x-imkit-client", "ann"),
            ("content-disposition", "inline; filename=\"_ _.jpg\"; filename*=UTF-8''%E4%BD%A0%20%E5%A5%BD.jpg"),
            ("cache-control", "private, no-cache, no-transform"),
        ] {
            assert_eq!(got.header(name), value, "{name}");
        }
        assert!(got.header("content-security-policy").contains("default-src 'none'"));
        let head = bob.ask(Method::HEAD, &path, None).await;
        assert_eq!((head.status, head.header("content-length"), head.header("etag")), (200, "200000", tag.as_str()));
        let metadata = bob.get(&format!("{path}/metadata")).await.expect_ok();
        assert_eq!(metadata, file);
        let stats = bob.post("/files/stats", json!({"ids": [id(&file), "0123456789abcdef01234567"]})).await.expect_ok();
        assert_eq!(stats, json!({"totalCount": 1, "totalLength": 200_000, "data": [file]}));
        for bad in [json!({}), json!({"ids": "x"}), json!({"ids": ["x"]}), json!({"ids": vec!["0123456789abcdef01234567"; 101]})] {
            bob.post("/files/stats", bad).await.expect_some_refusal();
        }
    }

    async fn a_part_of_a_file_can_be_had(house: House) {
        let ann = house.user("ann").await;
        let file = ann.uploads("b", "", "a.txt", "text/plain", "0123456789").await.expect_ok();
        let path = address(&file);
        for (range, status, part, place) in [
            ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
            ("bytes=7-", 206, "789", "bytes 7-9/10"),
            ("bytes=-2", 206, "89", "bytes 8-9/10"),
            ("bytes=5-99", 206, "56789", "bytes 5-9/10"),
            ("bytes=0-1,3-4", 200, "0123456789", ""),
            ("lines=1-2", 200, "0123456789", ""),
        ] {
            let got = with(&ann, &path, "range", range).await;
            assert_eq!((got.status, String::from_utf8_lossy(&got.bytes).as_ref(), got.header("content-range")), (status, part, place), "{range}");
            assert_eq!(got.header("content-length"), part.len().to_string());
        }
        let beyond = with(&ann, &path, "range", "bytes=10-").await;
        beyond.expect_error(416, "RANGE_NOT_SATISFIABLE");
        assert_eq!(beyond.header("content-range"), "bytes */10");
        let tag = format!("\"{}\"", file["md5"].as_str().unwrap());
        let known = with(&ann, &path, "if-none-match", &tag).await;
        assert_eq!((known.status, known.bytes.len(), known.header("etag")), (304, 0, tag.as_str()));
        let ranged = ann.clone().with_header("range", "bytes=0-3");
        assert_eq!(with(&ranged, &path, "if-range", &tag).await.status, 206);
        assert_eq!(with(&ranged, &path, "if-range", "\"other\"").await.status, 200);
        let long = "x".repeat(5_000);
        let long = ann.uploads("b", "", "a.txt", "text/plain", &long).await.expect_ok();
        let got = with(&ann, &address(&long), "accept-encoding", "gzip").await;
        assert_eq!((got.header("content-encoding"), got.bytes.len()), ("", 5_000), "files are given out as they are");
        let empty = ann.uploads("b", "", "a.txt", "text/plain", "").await.expect_ok();
        let got = ann.get(&address(&empty)).await;
        assert_eq!((got.status, got.bytes.len(), got.header("content-length")), (200, 0, "0"));
    }

    async fn a_large_file_passes_and_one_over_the_limit_leaves_nothing(house: House) {
        let ann = house.user("ann").await;
        let large: Vec<u8> = (0..30 << 20_u32).map(|at| u8::try_from(at % 253).unwrap()).collect();
        let file = ann.uploads("b", "", "large.bin", "application/x-large", &large).await.expect_ok();
        assert_eq!(file["length"], large.len());
        assert!(ann.get(&address(&file)).await.bytes == large, "30 MiB come back");
        let small = ServeSettings { file_limit: 1 << 20, ..ServeSettings::default() };
        let small = another_door(&house, small).await;
        let there = small.bearer("ann", ann.token());
        let before = stored(&house).await;
        let most = vec![7; 1 << 20];
        for over in [(1 << 20) + 1, 3 << 20] {
            there.uploads("b", "", "x", "text/plain", vec![7; over]).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        }
        assert_eq!(stored(&house).await, before);
        there.uploads("b", "", "x", "text/plain", &most).await.expect_ok();
        let many = MediaTypes::parse("image/*").expect("a list");
        let pictures = another_door(&house, ServeSettings { file_types: many, ..ServeSettings::default() }).await;
        let there = pictures.bearer("ann", ann.token());
        there.uploads("b", "", "x", "text/plain", "x").await.expect_error(415, "FILE_TYPE_NOT_ALLOWED");
        there.uploads("b", "", "x", "image/png", "x").await.expect_ok();
        ann.uploads("b", "", "x.exe", "application/x-msdownload", "MZ").await.expect_error(415, "FILE_TYPE_NOT_ALLOWED");
    }

    async fn what_can_run_is_saved_and_not_shown(house: House) {
        let ann = house.user("ann").await;
        for (name, media, how, kind) in [
            ("page.html", "text/html", "attachment", "text/html"),
            ("page.html", "TEXT/HTML; charset=utf-8", "attachment", "text/html"),
            ("page.xhtml", "application/xhtml+xml", "attachment", "application/xhtml+xml"),
            ("picture.svg", "image/svg+xml", "attachment", "image/svg+xml"),
            ("feed.xml", "text/xml", "attachment", "text/xml"),
            ("code.js", "text/javascript", "attachment", "text/javascript"),
            ("paper.pdf", "application/pdf", "attachment", "application/pdf"),
            ("what", "nonsense", "attachment", "application/octet-stream"),
            ("picture.png", "image/png", "inline", "image/png"),
            ("sound.mp3", "audio/mpeg", "inline", "audio/mpeg"),
            ("film.mp4", "video/mp4", "inline", "video/mp4"),
        ] {
            let file = ann.uploads("b", "", name, media, "<script>alert(1)</script>").await.expect_ok();
            let url = signed(&ann, &address(&file)).await;
            for got in [ann.get(&address(&file)).await, follows(&house, &url).await] {
                assert_eq!(got.status, 200, "{got}");
                assert!(got.header("content-disposition").starts_with(how), "{media}: {}", got.header("content-disposition"));
                assert_eq!(got.header("content-type"), kind);
                assert_eq!(got.header("x-content-type-options"), "nosniff");
                let policy = got.header("content-security-policy");
                assert!(policy.starts_with("sandbox;") && policy.contains("default-src 'none'") && !policy.contains("allow-scripts"), "{policy}");
            }
        }
        let tricky = ann.uploads("b", "", "a%22%3B%20x%3D1.txt%0D%0Aset-cookie%3A%20a", "text/plain", "x").await.expect_ok();
        let got = ann.get(&address(&tricky)).await;
        assert_eq!(got.header("set-cookie"), "");
        assert!(got.header("content-disposition").contains("filename=\"a_; x=1.txtset-cookie: a\""), "{}", got.header("content-disposition"));
    }

    async fn nothing_that_a_user_names_becomes_a_path(house: House) {
        let ann = house.user("ann").await;
        for bucket in ["a/b", "a..b", "a\u{7f}"] {
            ann.uploads(bucket, "", "x", "text/plain", "x").await.expect_error(400, "INVALID_ID");
        }
        for name in ["../../../etc/passwd", "..%2F..%2Fbanter.db", "/etc/passwd", "C:\\x", "%00", "con"] {
            let file = ann.uploads("桶 %&?#", "", name, "text/plain", "mine").await.expect_ok();
            assert!(!file["filename"].as_str().unwrap().contains(['/', '\\', '\0']), "{file}");
            assert_eq!(ann.get(&format!("/files/%E6%A1%B6%20%25%26%3F%23/{}", id(&file))).await.bytes, b"mine");
        }
        for path in stored(&house).await {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", path.display());
        }
        let file = ann.uploads("b", "", "x", "text/plain", "x").await.expect_ok();
        let id = id(&file);
        for path in [format!("/files/b/..%2F{id}"), "/files/b/banter.db".to_owned(), "/files/b/%2e%2e%2fsecret".to_owned(), format!("/files/b/{id}%00")] {
            ann.get(&path).await.expect_error(400, "INVALID_ID");
        }
        for path in [format!("/files/other/{id}"), format!("/files/b/{}", "0".repeat(24))] {
            ann.get(&path).await.expect_error(404, "FILE_NOT_FOUND");
        }
        ann.get(&format!("/files/b/{}", id.to_uppercase())).await;
    }

    async fn an_upload_that_is_none_is_refused_and_leaves_nothing(house: House) {
        let ann = house.user("ann").await;
        let before = stored(&house).await;
        ann.post("/files/b", json!({"file": "x"})).await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        ann.posts("/files/b").await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        let form = |fill: &dyn Fn(&mut Form)| {
            let mut form = Form::default();
            fill(&mut form);
            form
        };
        ann.posts_form("b", form(&|form| form.extra("{}"))).await.expect_error(400, "MISSING_PARAMETER");
        for bad in [
            form(&|form| { form.file("a", "text/plain", b"x"); form.file("b", "text/plain", b"y"); }),
            form(&|form| { form.extra("{}"); form.extra("{}"); form.file("a", "text/plain", b"x"); }),
            form(&|form| { form.file("a", "text/plain", &vec![1; 2 << 20]); form.extra("no json"); }),
            form(&|form| { form.file("a", "text/plain", b"x"); form.extra("[]"); }),
            form(&|form| { form.file("a", "text/plain", b"x"); form.extra(r#"{"roomId": 7}"#); }),
            form(&|form| { form.file("a", "text/plain", b"x"); form.extra(r#"{"a": "\u0000"}"#); }),
            form(&|form| { form.file("a", "text/plain", b"x"); form.extra(&format!("{{\"a\": \"{}\"}}", "x".repeat(20_000))); }),
            form(&|form| form.part(&format!("Content-Disposition: form-data; name=\"file\"\r\nx: {}", "y".repeat(3 << 20)), b"x")),
            form(&|form| form.part("x", &vec![b'z'; 3 << 20])),
        ] {
            let answer = ann.posts_form("b", bad).await;
            assert!(matches!(answer.status, 400 | 413), "{answer}");
            answer.expect_some_refusal();
        }
        let (media, mut bytes) = form(&|form| form.file("a", "text/plain", &vec![1; 2 << 20])).done();
        bytes.truncate(1 << 20);
        let cut = ann.request(Method::POST, "/files/b").header("content-type", media).body(bytes).send().await.expect("an answer");
        Answer::of("an upload that is cut off".to_owned(), cut).await.expect_error(400, "INVALID_BODY");
        assert_eq!(stored(&house).await, before);
        ann.uploads("video-info", "", "a.mp4", "video/mp4", "x").await.expect_error(404, "NOT_FOUND");
        // Other parts are passed over, and the names of both fields are what counts.
        let mut odd = Form::default();
        odd.part("Content-Disposition: form-data; name=\"other\"", &vec![1; 300_000]);
        odd.part("Content-Disposition: form-data; name=file", b"x");
        let file = ann.posts_form("b", odd).await.expect_ok();
        assert_eq!((&file["filename"], &file["mimetype"], &file["extra"]), (&json!("file"), &json!("application/octet-stream"), &json!({})));
    }

    async fn a_signed_address_works_without_headers_until_it_expires_and_for_one_file(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let one = ann.uploads("b", "den", "one", "text/plain", "one").await.expect_ok();
        let two = ann.uploads("b", "den", "two", "text/plain", "two").await.expect_ok();
        let url = signed(&bob, &address(&one)).await;
        let got = follows(&house, &url).await;
        assert_eq!((got.status, got.bytes.as_slice()), (200, b"one".as_slice()));
        assert!(got.header("cache-control").starts_with("private, max-age="), "{}", got.header("cache-control"));
        let path = url.strip_prefix(house.base()).unwrap().to_owned();
        let part = with(&house.nobody(), &path, "range", "bytes=1-1").await;
        assert_eq!((part.status, part.bytes.as_slice()), (206, b"n".as_slice()));
        // Bad credentials beside a good address do not matter: a session is not lost over a picture.
        assert_eq!(house.bearer("x", "no token").get(&path).await.status, 200);
        let until: i64 = url.split("Expires=").nth(1).unwrap().split('&').next().unwrap().parse().expect("seconds");
        let foreign = other_app(&house).await;
        for forged in [
            url.replace(&id(&one), &id(&two)),
            url.replace("/files/b/", "/files/c/"),
            url.replace(&until.to_string(), &(until + 1).to_string()),
            url.replace(&format!("App={}", house.keys().app), &format!("App={}", foreign.keys().app)),
            format!("{}0", &url[..url.len() - 1]),
            url.split("&Signature").next().unwrap().to_owned(),
            format!("{}&Signature=", url.split("&Signature").next().unwrap()),
            url.split('?').next().unwrap().to_owned(),
        ] {
            if forged != url {
                follows(&house, &forged).await.expect_error(403, "INVALID_SIGNATURE");
            }
        }
        house.nobody().get(&format!("{path}&signedUrlOnly=1")).await.expect_error(401, "INVALID_TOKEN");
        let hasty = another_door(&house, ServeSettings { file_url_seconds: 0, public_url: Some(house.base().to_owned()), ..ServeSettings::default() }).await;
        let over = signed(&hasty.bearer("bob", bob.token()), &address(&one)).await;
        assert!(over.starts_with(house.base()), "the operator says where clients find the server: {over}");
        follows(&house, &over).await.expect_error(403, "INVALID_SIGNATURE");
        let plain = bob.get(&format!("{}?signedUrlOnly=0", address(&one))).await;
        assert_eq!(plain.bytes, b"one");
        house.nobody().get(&address(&one)).await.expect_error(403, "INVALID_SIGNATURE");
        house.bearer("x", "no token").get(&address(&one)).await.expect_error(401, "INVALID_TOKEN");
    }

    async fn pictures_in_the_public_bucket_are_for_everybody(house: House) {
        let ann = house.user("ann").await;
        let face = ann.uploads("public", "", "face.png", "text/html", PNG).await.expect_ok();
        assert_eq!(face["mimetype"], "image/png", "what it is, and not what it is said to be");
        let got = house.nobody().get(&address(&face)).await;
        assert_eq!((got.status, got.bytes.as_slice(), got.header("content-type")), (200, PNG, "image/png"));
        assert!(got.header("cache-control").starts_with("public"));
        other_app(&house).await.user("fay").await.get(&address(&face)).await.expect_error(404, "FILE_NOT_FOUND");
        for other in [&b"<html>"[..], b"<svg/>", b"", b"%PDF-1.7"] {
            ann.uploads("public", "", "x.png", "image/png", other).await.expect_error(415, "FILE_TYPE_NOT_ALLOWED");
        }
        let own = ann.uploads("b", "", "x.png", "image/png", PNG).await.expect_ok();
        house.nobody().get(&format!("/files/public/{}", id(&own))).await.expect_error(404, "FILE_NOT_FOUND");
    }

    async fn bytes_that_are_missing_are_no_fault(house: House) {
        let ann = house.user("ann").await;
        let file = ann.uploads("b", "", "x", "text/plain", "x").await.expect_ok();
        let lies = |path: &&std::path::PathBuf| path.file_name() == Path::new(&id(&file)).file_name();
        let path = stored(&house).await.iter().find(lies).cloned().expect("it is stored");
        std::fs::remove_file(path).expect("removed");
        ann.get(&address(&file)).await.expect_error(404, "FILE_NOT_FOUND");
        assert_eq!(ann.ask(Method::HEAD, &address(&file), None).await.status, 404);
        ann.get(&format!("{}/metadata", address(&file))).await.expect_ok();
    }

    async fn a_page_elsewhere_may_ask_for_a_part(house: House) {
        let preflight = house.nobody()
            .with_header("origin", "https://app.example")
            .with_header("access-control-request-method", "GET")
            .with_header("access-control-request-headers", "range,if-range,im-authorization")
            .ask(Method::OPTIONS, "/files/b/0123456789abcdef01234567", None).await;
        let allowed = preflight.header("access-control-allow-headers").to_owned();
        assert!(["range", "if-range"].iter().all(|name| allowed.split(',').any(|one| one.trim() == *name)), "{allowed}");
    }
}
