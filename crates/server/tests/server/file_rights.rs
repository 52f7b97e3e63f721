//! Who brings files where, and who may read them: L-32, L-37, and what follows from a message, a ban, a deletion.

use std::time::Duration;

use banter_server::ServeSettings;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::common::{Answer, Caller, Form, House};
use crate::host::{another_door, cleans_up, other_app, stored};

const BUCKET: &str = "chatserver-upload";

/// Uploads it, and returns its address.
async fn brings(caller: &Caller, room: &str, bytes: &str) -> String {
    let file = caller.uploads(BUCKET, room, "a.txt", "text/plain", bytes).await.expect_ok();
    format!("/files/{BUCKET}/{}", file["_id"].as_str().expect("an id"))
}

/// Can he read it, by every way there is? All ways agree.
async fn can_read(caller: &Caller, file: &str) -> bool {
    let [got, signed, metadata] =
        [caller.get(file).await, caller.signs(file).await, caller.get(&format!("{file}/metadata")).await];
    let all = [got.status, signed.status, metadata.status];
    let id = file.rsplit('/').next().expect("an id");
    let stats = caller.post("/files/stats", json!({"ids": [id]})).await.expect_ok();
    assert_eq!(stats["totalCount"] == 1, got.status == 200, "{file} {all:?} {stats}");
    match got.status {
        200 => assert_eq!(all, [200; 3]),
        403 => {
            for answer in [got, signed, metadata] {
                answer.expect_refused("INSUFFICIENT_PERMISSIONS")
            }
        }
        404 => assert_eq!(all, [404; 3]),
        _ => panic!("{got}"),
    }
    all[0] == 200
}

/// Sends a message that names a file.
async fn shows(caller: &Caller, room: &str, file: &str) -> Answer {
    let url = format!("https://chat.example{file}");
    caller.sends(room, json!({"messageType": "image", "originalUrl": url})).await
}

fn message(answer: &Answer) -> String {
    answer.expect_ok()["_id"].as_str().expect("an id").to_owned()
}

/// An upload whose first half was sent; the rest waits.
struct Halfway {
    rest: Vec<u8>,
    pipe: mpsc::UnboundedSender<Result<Vec<u8>, std::io::Error>>,
    answer: tokio::task::JoinHandle<Answer>,
}

impl Halfway {
    /// Sends the first half of two MiB, and returns when some of it is stored on its way.
    async fn of(house: &House, caller: &Caller, room: &str) -> Self {
        let mut form = Form::default();
        form.extra(&if room.is_empty() { json!({}) } else { json!({"roomID": room}) }.to_string());
        form.file("slow.bin", "application/x-slow", &vec![b'x'; 2 << 20]);
        let (media, mut bytes) = form.done();
        let rest = bytes.split_off(1 << 20);
        let (pipe, mut out) = mpsc::unbounded_channel();
        let stream = futures_util::stream::poll_fn(move |context| out.poll_recv(context));
        let request = caller.request(Method::POST, &format!("/files/{BUCKET}")).header("content-type", media);
        let request = request.body(reqwest::Body::wrap_stream(stream));
        let answer = tokio::spawn(async move {
            Answer::of("a slow upload".to_owned(), request.send().await.expect("an answer")).await
        });
        pipe.send(Ok(bytes)).expect("somebody reads");
        let mut often = tokio::time::interval(Duration::from_millis(5));
        let coming = async {
            while !stored(house).await.iter().any(|path| path.to_string_lossy().ends_with("#1")) {
                often.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), coming).await.expect("the first half is on its way");
        Self { rest, pipe, answer }
    }

    async fn ends(self) -> Answer {
        // Who was refused already does not listen any more.
        let _ = self.pipe.send(Ok(self.rest));
        drop(self.pipe);
        self.answer.await.expect("no panic")
    }
}

each_store! {
    async fn a_file_may_come_behind_other_parts_all_at_once(house: House) {
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        // The first one makes its connection read much at a time.
        for _ in 0..4 {
            let mut form = Form::default();
            for number in 0..6 {
                form.part(&format!("Content-Disposition: form-data; name=\"n{number}\""), b"small");
            }
            form.extra(&json!({"roomID": "den"}).to_string());
            form.file("a.txt", "text/plain", "x".repeat(3 << 20).as_bytes());
            ann.posts_form(BUCKET, form).await.expect_ok();
        }
    }

    async fn l_37_nothing_is_uploaded_into_a_room_in_which_one_may_not_speak(house: House) {
        let dm = house.direct("ann", "bob").await;
        house.room("den").owner("ann").members(["bob", "mia"]).await;
        house.room("cold").owner("ann").members(["bob"]).await;
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        let old = brings(&ann, &dm, "old").await;
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        ann.freezes("cold").await.expect_ok_saying("Room frozen successfully");
        let before = stored(&house).await;
        let long = "x".repeat(2 << 20);
        for (who, room, status, code) in [
            (&bob, dm.as_str(), 403, "USER_BLOCKED"),
            (&ann, &dm, 403, "USER_BLOCKED"),
            (&house.platform_for("bob"), &dm, 403, "USER_BLOCKED"),
            (&bob, "den", 403, "USER_BANNED"),
            (&house.platform_for("bob"), "den", 403, "USER_BANNED"),
            (&bob, "cold", 403, "ROOM_FROZEN"),
            (&ann, "cold", 403, "ROOM_FROZEN"),
            (&eve, "den", 403, "NOT_ROOM_MEMBER"),
            (&eve, &dm, 403, "NOT_ROOM_MEMBER"),
            (&bob, "nowhere", 404, "ROOM_NOT_FOUND"),
        ] {
            for bytes in ["short", &long] {
                // The room is said behind the file, before it, and by its older name.
                who.uploads(BUCKET, room, "a.txt", "text/plain", bytes).await.expect_error(status, code);
                let mut first = Form::default();
                first.extra(&json!({"roomID": room}).to_string());
                first.file("a.txt", "text/plain", bytes.as_bytes());
                who.posts_form(BUCKET, first).await.expect_error(status, code);
            }
        }
        assert_eq!(stored(&house).await, before, "not a byte of it is there");
        assert!(can_read(&ann, &old).await && can_read(&bob, &old).await);
        // The platform speaks into a blocked room (L-29), and so it brings files there.
        let notice = brings(&house.platform(), &dm, "notice").await;
        assert!(can_read(&ann, &notice).await && can_read(&bob, &notice).await);
        ann.unblocks("bob").await.expect_ok();
        brings(&bob, &dm, "again").await;
    }

    async fn l_37_a_ban_or_block_that_comes_during_an_upload_refuses_it(house: House) {
        let dm = house.direct("ann", "bob").await;
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        for (room, code) in [("den", "USER_BANNED"), (dm.as_str(), "USER_BLOCKED")] {
            let before = stored(&house).await;
            let halfway = Halfway::of(&house, &bob, room).await;
            if room == "den" { ann.bans("den", "bob").await.expect_ok() } else { ann.blocks("bob").await.expect_ok() };
            halfway.ends().await.expect_refused(code);
            assert_eq!(stored(&house).await, before, "its bytes are gone");
        }
        let cat = house.user("cat").await;
        let halfway = Halfway::of(&house, &cat, "").await;
        house.platform().delete("/admin/clients/cat/token").await;
        halfway.ends().await.expect_error(401, "INVALID_TOKEN");
    }

    async fn an_upload_that_falls_silent_is_over(house: House) {
        let settings = ServeSettings { body_timeout: Duration::from_secs(1), ..ServeSettings::default() };
        let hasty = another_door(&house, settings).await;
        let ann = house.user("ann").await;
        let before = stored(&house).await;
        let Halfway { pipe, answer, .. } = Halfway::of(&house, &hasty.bearer("ann", ann.token()), "").await;
        answer.await.expect("no panic").expect_error(408, "REQUEST_TIMEOUT");
        drop(pipe);
        assert_eq!(stored(&house).await, before);
    }

    async fn l_37_an_upload_that_nothing_stops_ends_well(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let bob = house.user("bob").await;
        let file = Halfway::of(&house, &bob, "den").await.ends().await.expect_ok();
        assert_eq!((&file["length"], &file["extra"]), (&json!(2 << 20), &json!({"roomID": "den"})));
        assert!(can_read(&house.user("ann").await, &format!("/files/{BUCKET}/{}", file["_id"].as_str().unwrap())).await);
    }

    async fn l_32_the_blocked_gets_no_address_of_what_comes_after_the_block(house: House) {
        let dm = house.direct("ann", "bob").await;
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let old = brings(&ann, &dm, "old").await;
        let given = bob.signs(&old).await.expect_ok()["url"].as_str().expect("an address").to_owned();
        let unsent = brings(&ann, "", "not yet sent").await;
        ann.blocks("bob").await.expect_ok();
        // What was there stays as readable as the words around it, and an address from before works until it expires.
        assert!(can_read(&bob, &old).await);
        assert_eq!(house.nobody().get(given.strip_prefix(house.base()).unwrap()).await.status, 200);
        // What Ann brings now does not reach him: not by the room, nor by a message in it.
        let later = brings(&ann, "", "later").await;
        ann.uploads(BUCKET, &dm, "a", "text/plain", "x").await.expect_refused("USER_BLOCKED");
        for file in [&unsent, &later] {
            shows(&ann, &dm, file).await.expect_refused("USER_BLOCKED");
            house.platform().sends(&dm, json!({"sender": "ann", "messageType": "image", "originalUrl": file})).await.expect_refused("USER_BLOCKED");
            assert!(can_read(&ann, file).await && !can_read(&bob, file).await, "{file}");
        }
        house.room("other").owner("ann").members(["cat"]).await;
        let elsewhere = brings(&ann, "other", "elsewhere").await;
        assert!(!can_read(&bob, &elsewhere).await);
        // A block is nothing in groups, and what is forced comes with its file.
        let in_group = brings(&ann, "den", "in a group").await;
        assert!(can_read(&bob, &in_group).await);
        let forced = json!({"sender": "ann", "force": true, "messageType": "image", "originalUrl": later});
        house.platform().sends(&dm, forced).await.expect_ok();
        assert!(can_read(&bob, &later).await && !can_read(&bob, &unsent).await);
    }

    async fn a_file_is_read_by_who_reads_its_room(house: House) {
        house.room("den").owner("ann").members(["bob", "mia", "grp"]).await;
        let [ann, bob, mia, eve] = house.users(["ann", "bob", "mia", "eve"]).await;
        let file = brings(&bob, "den", "x").await;
        assert!(can_read(&ann, &file).await && can_read(&mia, &file).await && can_read(&house.platform(), &file).await);
        assert!(can_read(&house.platform_for("mia"), &file).await && !can_read(&house.platform_for("eve"), &file).await);
        assert!(!can_read(&eve, &file).await);
        let foreign = other_app(&house).await;
        for stranger in [foreign.user("fay").await, foreign.user("ann").await, foreign.platform()] {
            assert_eq!(stranger.get(&file).await.status, 404);
            assert_eq!(stranger.signs(&file).await.status, 404);
        }
        // A banned user reads on (N-04); whoever is put out does not, be it his own file.
        ann.bans("den", "bob").await.expect_ok();
        assert!(can_read(&bob, &file).await);
        ann.removes("den", ["bob"]).await.expect_ok();
        assert!(!can_read(&bob, &file).await, "he may not know the room any more");
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        assert!(can_read(&mia, &file).await, "a frozen room can be read");
        let mine = brings(&house.platform(), "den", "the platform's").await;
        assert!(can_read(&mia, &mine).await && !can_read(&eve, &mine).await);
    }

    async fn a_hidden_room_hides_its_files(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let block = ann.blocks("bob").await.expect_ok();
        let room = block["room"].as_str().expect("a room").to_owned();
        bob.uploads(BUCKET, &room, "a", "text/plain", "x").await.expect_error(404, "ROOM_NOT_FOUND");
        let file = brings(&house.platform(), &room, "x").await;
        assert!(can_read(&ann, &file).await && !can_read(&bob, &file).await);
    }

    async fn what_is_out_of_the_members_sight_takes_its_files_along(house: House) {
        house.room("den").owner("ann").members(["bob", "cat"]).await;
        let [ann, bob, cat] = house.users(["ann", "bob", "cat"]).await;
        let file = brings(&bob, "den", "x").await;
        let first = message(&shows(&bob, "den", &file).await);
        assert!(can_read(&cat, &file).await);
        ann.posts(&format!("/messages/{first}/hidden")).await.expect_ok();
        assert!(!can_read(&cat, &file).await && can_read(&ann, &file).await, "superusers see what is hidden");
        message(&shows(&bob, "den", &file).await);
        assert!(can_read(&cat, &file).await, "sent again, it is there by the second message");
    }

    async fn a_file_is_its_uploaders_until_he_sends_it(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        house.room("lab").owner("ann").members(["cat"]).await;
        let [ann, bob, cat] = house.users(["ann", "bob", "cat"]).await;
        for naming in [
            json!({"messageType": "image", "originalUrl": "URL"}),
            json!({"messageType": "video", "originalUrl": "http://x.example/film", "thumbnailUrl": "URL?App=a&Expires=1&Signature=0"}),
            json!({"messageType": "image", "images": [{"originalUrl": "http://x.example", "thumbnailUrl": "URL"}]}),
            json!({"messageType": "file", "url": "URL"}),
            json!({"messageType": "file", "originalUrl": "x", "extra": {"thumb": ["URL"]}}),
            json!({"messageType": "file", "originalUrl": "x", "extra": "{\"url\": \"URL\"}"}),
        ] {
            let file = brings(&ann, "", "mine").await;
            assert!(can_read(&ann, &file).await && !can_read(&bob, &file).await && can_read(&house.platform(), &file).await);
            let naming: Value = serde_json::from_str(&naming.to_string().replace("URL", &format!("https://chat.example{file}"))).unwrap();
            // Somebody else who names it gives nobody anything.
            bob.sends("den", naming.clone()).await.expect_ok();
            assert!(!can_read(&bob, &file).await);
            ann.sends("den", naming.clone()).await.expect_ok();
            assert!(can_read(&bob, &file).await && !can_read(&cat, &file).await, "{naming}");
            ann.sends("lab", naming).await.expect_ok();
            assert!(can_read(&cat, &file).await && can_read(&bob, &file).await);
        }
        // What was brought into one room can be sent to another by its uploader, and by nobody else.
        let file = brings(&ann, "den", "for the den").await;
        assert!(!can_read(&cat, &file).await);
        shows(&cat, "lab", &file).await.expect_ok();
        assert!(!can_read(&cat, &file).await);
        shows(&ann, "lab", &file).await.expect_ok();
        assert!(can_read(&cat, &file).await && can_read(&bob, &file).await);
        // A message that is refused carries nothing.
        let file = brings(&bob, "", "of the banned").await;
        ann.bans("den", "bob").await.expect_ok();
        shows(&bob, "den", &file).await.expect_refused("USER_BANNED");
        assert!(!can_read(&ann, &file).await);
        // An edit may bring one, and a backend sends what it uploaded itself in a robot's name.
        let file = brings(&ann, "", "by an edit").await;
        let said = ann.said("lab", "look").await;
        ann.sends("lab", json!({"_id": said, "message": "look here", "originalUrl": file})).await.expect_ok();
        assert!(can_read(&cat, &file).await);
        let file = brings(&house.platform(), "", "of the backend").await;
        house.platform().post("/messages", json!({"room": "lab", "sender": "ann", "messageType": "image", "message": "x", "originalUrl": file})).await.expect_ok();
        assert!(can_read(&cat, &file).await);
    }

    async fn what_is_deleted_takes_its_files_along(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        house.room("lab").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let before = stored(&house).await;
        let kept = brings(&ann, "den", "kept").await;
        shows(&ann, "lab", &kept).await.expect_ok();
        let (deleted, recalled, twice) = (brings(&ann, "den", "1").await, brings(&bob, "", "2").await, brings(&ann, "den", "3").await);
        let url = bob.signs(&deleted).await.expect_ok()["url"].as_str().unwrap().strip_prefix(house.base()).unwrap().to_owned();
        let one = message(&shows(&ann, "den", &deleted).await);
        let two = message(&shows(&bob, "den", &recalled).await);
        let [three, again] = [message(&shows(&ann, "den", &twice).await), message(&shows(&ann, "den", &twice).await)];
        assert!(can_read(&bob, &deleted).await && can_read(&ann, &recalled).await);
        ann.erases("den", &one).await.expect_ok_saying("Message deleted successfully");
        bob.recalls("den", &two).await.expect_ok();
        for file in [&deleted, &recalled] {
            for who in [&ann, &bob, &house.platform()] {
                assert_eq!(who.get(file).await.status, 404, "{file}");
            }
        }
        assert_eq!(house.nobody().get(&url).await.status, 404, "an address of it leads nowhere any more");
        ann.erases("den", &three).await.expect_ok_saying("Message deleted successfully");
        assert!(can_read(&bob, &twice).await, "another message has it still");
        ann.erases("den", &again).await.expect_ok_saying("Message deleted successfully");
        assert!(!can_read(&bob, &twice).await);
        // Who names it again does not bring it back.
        shows(&ann, "den", &deleted).await.expect_ok();
        assert_eq!(bob.get(&deleted).await.status, 404);
        let (all, with_room) = (brings(&ann, "den", "4").await, brings(&ann, "den", "5").await);
        shows(&ann, "den", &all).await.expect_ok();
        ann.erases("den", "_all").await.expect_ok_saying("All messages deleted successfully");
        assert!(!can_read(&bob, &all).await && can_read(&bob, &with_room).await);
        ann.delete("/rooms/den").await.expect_ok();
        assert_eq!(ann.get(&with_room).await.status, 404);
        assert!(can_read(&bob, &kept).await, "another room has it");
        // A user who goes takes along what he sent nowhere.
        let cat = house.user("cat").await;
        let loose = brings(&cat, "", "loose").await;
        house.platform().delete("/admin/clients/cat").await.expect_ok();
        assert_eq!(house.platform().get(&loose).await.status, 404);
        cleans_up(&house).await;
        let left = stored(&house).await;
        assert_eq!(left.len(), before.len() + 1, "{left:?}");
    }

    async fn files_are_found_by_their_names(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let file = brings(&ann, "den", "x").await;
        let send = |name: &str| json!({"messageType": "file", "originalUrl": file, "extra": {"fileName": name, "bytes": 1}});
        let one = message(&ann.sends("den", send("budget 2026.pdf")).await);
        let two = message(&ann.sends("den", send("budget 2027.pdf")).await);
        ann.said("den", "no file, but a budget").await;
        let found = bob.post("/search", json!({"type": ["files"], "keyword": "budget"})).await.expect_ok();
        let hits = found["files"].as_array().expect("a list");
        assert_eq!(hits.len(), 1, "{found}");
        assert_eq!((&hits[0]["messages"], &hits[0]["messageID"], &hits[0]["room"]["_id"]), (&json!([one, two]), &json!(two), &json!("den")));
        let nothing = bob.post("/search", json!({"type": ["files"], "keyword": "nowhere"})).await.expect_ok();
        assert_eq!(nothing, json!({"files": []}));
    }

    async fn bytes_are_counted(house: House) {
        let ann = house.user("ann").await;
        let file = brings(&ann, "", "12345").await;
        ann.get(&file).await;
        let metrics = house.platform().get("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
        for counter in ["banter_file_bytes_total{direction=\"stored\"}", "banter_file_bytes_total{direction=\"served\"}"] {
            let line = text.lines().find_map(|line| line.strip_prefix(counter)).unwrap_or_else(|| panic!("no {counter}"));
            assert!(line.trim().parse::<u64>().expect("a count") >= 5);
        }
    }
}
