//! Files through a kill: what was acknowledged is there, what was half-way is not.

use reqwest::{Body, Method};
use serde_json::{Value, json};

use crate::common::Form;
use crate::place::Place;
use crate::process::{Server, block_on};

#[test]
fn an_acknowledged_file_outlives_a_kill_and_half_of_one_does_not_show() {
    block_on(async {
        for (name, place) in Place::each().await {
            let mut server = Server::start(&place);
            let house = server.house();
            house.room("den").owner("ann").members(["bob"]).await;
            let ann = house.user("ann").await;
            let mut files: Vec<(String, Vec<u8>)> = Vec::new();
            for length in [0, 10, 700_000, 3 << 20] {
                let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("a byte")).collect();
                let file: Value = ann.uploads("b", "den", "a.bin", "application/x-a", &bytes).await.expect_ok();
                files.push((format!("/files/b/{}", file["_id"].as_str().expect("an id")), bytes));
            }
            let mut half = Form::default();
            half.extra(&json!({"roomId": "den"}).to_string());
            half.file("half.bin", "application/x-half", &vec![b'x'; 2 << 20]);
            let (media, mut bytes) = half.done();
            bytes.truncate(1 << 20);
            let first = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes)]);
            let stream = futures_util::StreamExt::chain(first, futures_util::stream::pending());
            let request = ann.request(Method::POST, "/files/b").header("content-type", media);
            let upload = tokio::spawn(request.body(Body::wrap_stream(stream)).send());
            // Whoever asks after the file was begun is answered: the server is busy with half of it when it dies.
            ann.get(&files[1].0).await;
            server.kill();
            assert!(upload.await.expect("no panic").is_err(), "{name}: nobody acknowledged it");

            let server = Server::start(&place);
            let house = server.house();
            let ann = house.bearer("ann", ann.token());
            for (path, bytes) in &files {
                let got = ann.get(path).await;
                assert!(got.status == 200 && got.bytes == *bytes, "{name}: {path} is {} long", bytes.len());
            }
        }
    });
}
