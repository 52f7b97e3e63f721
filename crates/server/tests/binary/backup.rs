//! `banter backup`: a consistent copy while the server works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::House;
use crate::place::Place;
use crate::process::{Server, block_on, run, said};

/// Bans and unbans until told to stop; Bob's words and his ban never hold together.
async fn work(house: House, stop: Arc<AtomicBool>) {
    let [ann, bob] = house.users(["ann", "bob"]).await;
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        bob.says("den", &format!("word {round}")).await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        ann.unblocks("bob").await.expect_ok();
        ann.unbans("den", "bob").await.expect_ok();
    }
}

/// What the lists say, and whether they agree with the audit beside them.
async fn lists(house: &House) -> Vec<String> {
    let ann = house.platform_for("ann");
    let mut seen = ann.shuts_out().await;
    seen.push("in the room".to_owned());
    seen.extend(house.platform().sees_banned("den").await);
    seen
}

#[test]
fn l_33_a_copy_made_at_work_is_whole_and_restores_to_equal_lists() {
    block_on(async {
        let place = Place::sqlite();
        let mut server = Server::start(&place);
        let house = server.house();
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        house.user("ann").await.bans("den", "cid").await.expect_ok();
        let stop = Arc::new(AtomicBool::new(false));
        let working = tokio::spawn(work(house.clone(), Arc::clone(&stop)));
        for round in 0..5 {
            let copy = place.file("copy.db");
            let flags =
                ["--data".to_owned(), place.data().to_string_lossy().into_owned(), copy.to_string_lossy().into_owned()];
            let output = tokio::task::spawn_blocking(move || run(&["backup"], &flags)).await.expect("no panic");
            assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));

            let restored = restore(&copy);
            let other = Server::start(&restored);
            let house = other.house();
            // As it was at one moment: the last relation that changed agrees with the audit's last word on it.
            let entries = house.platform().get("/admin/audit?target=bob&room=den&limit=1").await.expect_list();
            let banned = house.platform().sees_banned("den").await.contains(&"bob".to_owned());
            assert_eq!(entries.first().is_some_and(|entry| entry["action"] == "ban"), banned, "round {round}");
            let said = house.said("den").await;
            let total = house.platform().reads("den").await.expect_ok()["totalCount"].as_u64().unwrap();
            assert!(said.len() as u64 == total.min(100), "round {round}");
        }
        stop.store(true, Ordering::SeqCst);
        working.await.expect("the work went on all the while");

        // At rest, the copy gives the very same lists.
        let copy = place.file("copy.db");
        let flags =
            ["--data".to_owned(), place.data().to_string_lossy().into_owned(), copy.to_string_lossy().into_owned()];
        assert_eq!(run(&["backup"], &flags).status.code(), Some(0));
        let before = lists(&house).await;
        let bytes = house.platform().bans_of("den").await.bytes;
        server.kill();
        let restored = restore(&copy);
        let other = Server::start(&restored);
        assert_eq!(lists(&other.house()).await, before);
        assert_eq!(other.house().platform().bans_of("den").await.bytes, bytes);
        // Tokens are good there too: the secret came along.
        let token = house.user("ann").await;
        other.house().bearer("ann", token.token()).my_blocks().await.expect_ok();
    });
}

/// The copied file alone, under its name in an empty folder.
fn restore(copy: &std::path::Path) -> Place {
    let place = Place::sqlite();
    std::fs::create_dir(place.data()).expect("a folder");
    std::fs::copy(copy, place.data().join("banter.db")).expect("copied");
    place
}

#[test]
fn two_copies_to_one_file_do_not_meet() {
    let place = Place::sqlite();
    let server = Server::start(&place);
    block_on(async { server.house().room("den").owner("ann").members(["bob"]).await });
    let folder = place.file("copies");
    std::fs::create_dir(&folder).expect("a folder");
    let flags = [
        "--data".to_owned(),
        place.data().to_string_lossy().into_owned(),
        folder.join("copy.db").to_string_lossy().into_owned(),
    ];
    for _ in 0..5 {
        std::thread::scope(|scope| {
            let copies: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&["backup"], &flags))).collect();
            for copy in copies {
                let output = copy.join().expect("no panic");
                assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
            }
        });
        let restored = restore(&folder.join("copy.db"));
        let other = Server::start(&restored);
        block_on(async { other.house().platform().room("den").await.expect_ok() });
    }
    assert_eq!(folder.read_dir().expect("a folder").count(), 1, "nothing but the copy stays");
}

#[test]
fn there_must_be_something_to_copy() {
    let place = Place::sqlite();
    let output = run(&["backup"], &["--data".to_owned(), place.data().to_string_lossy().into_owned(), "x".to_owned()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output.stderr));
}
