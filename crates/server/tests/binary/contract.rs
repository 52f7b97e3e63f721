//! The contract with whoever runs it: readiness, exit codes, signals, keys, help.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::common::House;
use crate::place::Place;
use crate::process::{Server, binary, block_on, command, keys, run, said};

/// A setting that cannot work: exit code 2, nothing on stdout, one line that says `what`.
#[track_caller]
fn expect_refused(words: &[&str], flags: &[String], what: &str) {
    let output = run(words, flags);
    let line = said(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {line}");
    assert_eq!(line.trim_end().lines().count(), 1, "one line: {line}");
    assert!(line.contains(what), "{words:?} should name {what:?}: {line}");
    assert_eq!(said(&output.stdout), "");
}

#[test]
fn ready_is_one_line_with_the_real_port() {
    let place = Place::sqlite();
    let server = Server::start(&place);
    let port: u16 = server.address.rsplit(':').next().unwrap().parse().expect("a port");
    assert!(port > 0 && server.address == format!("http://127.0.0.1:{port}"), "{}", server.address);
    block_on(async {
        assert_eq!(server.house().nobody().get("/healthz").await.status, 200, "ready means ready");
        assert_eq!(server.house().nobody().get("/readyz").await.status, 200);
    });
}

#[test]
fn either_signal_ends_it_with_everything_accepted_answered() {
    for signal in ["TERM", "INT"] {
        let place = Place::sqlite();
        let server = Server::start(&place);
        let address = server.address.strip_prefix("http://").unwrap().to_owned();
        let mut accepted = TcpStream::connect(&address).expect("connected");
        let body = r#"{"greeting":"still here"}"#;
        let head = format!(
            "POST /config HTTP/1.1\r\nhost: x\r\nim-api-key: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            keys().api,
            body.len()
        );
        accepted.write_all(head.as_bytes()).expect("written");
        // The server has begun with it when it asks for the body.
        let mut go_on = [0; 25];
        accepted.read_exact(&mut go_on).expect("100 Continue");
        assert!(go_on.starts_with(b"HTTP/1.1 100"));
        server.signal(signal);
        // It takes nobody new …
        assert!((0..1_000_000).any(|_| TcpStream::connect(&address).is_err()), "it still takes new connections");
        // … and answers what it had.
        accepted.write_all(body.as_bytes()).expect("written");
        let mut answer = String::new();
        accepted.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(server.wait().code(), Some(0), "SIG{signal}");
        let again = Server::start(&place);
        let config = block_on(async { again.house().platform().get("/config").await.expect_ok() });
        assert_eq!(config["greeting"], "still here");
    }
}

#[test]
fn an_idle_connection_does_not_hold_it() {
    let place = Place::sqlite();
    let server = Server::start(&place);
    let house = server.house();
    block_on(async { house.platform().get("/config").await.expect_ok() });
    let open = TcpStream::connect(server.address.strip_prefix("http://").unwrap()).expect("connected");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    drop(open);
}

#[test]
fn a_setting_that_cannot_work_is_exit_2_and_one_line() {
    let place = Place::sqlite();
    let flags = place.flags();
    expect_refused(&["serve", "--listen", "nowhere"], &flags, "--listen");
    expect_refused(&["serve", "--listen", "127.0.0.1:99999"], &flags, "--listen");
    expect_refused(&["serve", "--no-such-flag"], &flags, "--no-such-flag");
    expect_refused(&["serve", "--app-id", "a"], &flags, "--api-key");
    expect_refused(
        &["serve", "--app-id", "a/b", "--api-key", "0123456789abcdef", "--client-key", "0123456789"],
        &flags,
        "--app-id",
    );
    let secret = place.file("long-enough").to_string_lossy().into_owned();
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").expect("written");
    expect_refused(&["serve", "--database", "mysql://x/y", "--secret-file", &secret], &flags, "--database");
    expect_refused(
        &["serve", "--database", "postgres://nobody@127.0.0.1:1/none", "--secret-file", &secret],
        &flags,
        "--database",
    );
    expect_refused(&["serve", "--database", "postgres://x/y", "--secret-file", "/dev/null"], &flags, "--secret-file");
    expect_refused(&["serve", "--database", "postgres://nobody@127.0.0.1:1/none"], &flags, "secret");
    expect_refused(&["demo", "--listen", "0.0.0.0:0"], &[], "--listen");
    expect_refused(&["dance"], &[], "dance");
    for switch in ["BANTER_SANDBOX", "BANTER_TRUST_FORWARDED", "BANTER_WEBHOOK_PRIVATE"] {
        let output = command(binary()).arg("serve").args(&flags).env(switch, "maybe").output().expect("it runs");
        let line = said(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{switch}: {line}");
        let flag = switch.replace("BANTER_", "--").replace('_', "-").to_lowercase();
        assert!(line.contains("maybe") && line.contains(&flag), "{line}");
    }
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = busy.local_addr().unwrap().to_string();
    expect_refused(&["serve", "--listen", &address], &flags, &address);
    std::fs::write(place.file("file"), "x").expect("written");
    let file = ["--data".to_owned(), place.file("file").to_string_lossy().into_owned()];
    expect_refused(&["serve", "--listen", "127.0.0.1:0"], &file, "--data");
}

#[test]
fn a_folder_belongs_to_one_server() {
    let place = Place::sqlite();
    let server = Server::start(&place);
    expect_refused(&["serve", "--listen", "127.0.0.1:0"], &place.flags(), "--data");
    block_on(async { server.house().platform().get("/config").await.expect_ok() });
    server.signal("TERM");
    server.wait();
    Server::start(&place);
}

#[test]
fn of_first_starts_at_once_one_makes_the_secret() {
    for _ in 0..5 {
        let place = Place::sqlite();
        let keys = keys();
        let create = || {
            let words = ["app", "create", "--app-id", &keys.app, "--api-key", &keys.api, "--client-key", &keys.client];
            run(&words, &place.flags()).status.code()
        };
        let codes = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
            starts.into_iter().map(|start| start.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == Some(2)).count(), 3, "{codes:?}");
        // The app's key is known: it was hashed with the secret that is there.
        Server::start(&place);
    }
}

#[test]
fn other_keys_for_a_known_app_are_refused_by_the_name_of_what_changes_them() {
    block_on(async {
        for (_, place) in Place::each().await {
            drop(Server::start(&place));
            let other = ["--app-id", "SampleApp", "--api-key", "another-api-key-01", "--client-key", "the-client-key"];
            let words: Vec<&str> = ["serve", "--listen", "127.0.0.1:0"].into_iter().chain(other).collect();
            expect_refused(&words, &place.flags(), "app rotate-key");
            Server::start(&place);
        }
    });
}

#[test]
fn a_first_start_shows_its_keys_once() {
    let place = Place::sqlite();
    let serve = || {
        let mut command = command(binary());
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(place.flags());
        Server::of(command)
    };
    let mut first = serve();
    let mut lines = Vec::new();
    while lines.iter().filter(|line: &&String| line.contains("curl ")).count() < 2 {
        lines.push(first.line());
    }
    let text = lines.join("\n");
    let curls: Vec<&String> = lines.iter().filter(|line| line.contains("curl ")).collect();
    assert!(curls.iter().all(|curl| curl.contains(&first.address)), "{text}");
    let key = text.split("IM-API-KEY: ").nth(1).and_then(|rest| rest.split('\'').next()).expect("a key to paste");
    let http = banter_server::outgoing::client().build().expect("a client");
    let asked = http.get(format!("{}/config", first.address)).header("im-api-key", key);
    let answer = block_on(async { asked.send().await });
    assert_eq!(answer.expect("an answer").status(), 200);
    first.kill();

    let second = serve();
    second.signal("TERM");
    if let Ok(line) = second.next_line() {
        panic!("keys are shown once: {line}");
    }
}

#[test]
fn every_flag_has_a_twin_in_the_environment() {
    let place = Place::sqlite();
    let mut command = command(binary());
    command.arg("serve").env("BANTER_LISTEN", "127.0.0.1:0").env("BANTER_DATA", place.data());
    command.env("BANTER_APP_ID", keys().app).env("BANTER_API_KEY", keys().api).env("BANTER_CLIENT_KEY", keys().client);
    let server = Server::of(command);
    block_on(async { server.house().platform().get("/config").await.expect_ok() });
    assert!(place.data().join("banter.db").exists());
}

#[test]
fn help_shows_everything_with_its_default() {
    for words in [&["help"][..], &["--help"], &["help", "serve"], &["serve", "--help"]] {
        let output = run(words, &[]);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        let help = said(&output.stdout);
        for part in ["--listen", "BANTER_LISTEN", "127.0.0.1:3100", "--data", "./banter-data", "--database", "--app-id"]
        {
            assert!(help.contains(part), "{words:?} does not show {part}:\n{help}");
        }
    }
    let all = said(&run(&["help"], &[]).stdout);
    for command in ["serve", "demo", "import", "create", "list", "rotate-key", "backup"] {
        assert!(all.contains(command), "{command}:\n{all}");
    }
    assert!(said(&run(&["--version"], &[]).stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn apps_are_made_listed_and_given_new_keys() {
    block_on(async {
        for (_, place) in Place::each().await {
            let flags = place.flags();
            let made = run(
                &["app", "create", "--app-id", "One", "--api-key", "first-api-key-01", "--client-key", "first-client"],
                &flags,
            );
            assert_eq!(made.status.code(), Some(0), "{}", said(&made.stderr));
            let random = said(&run(&["app", "create", "--app-id", "Two"], &flags).stdout);
            assert!(random.contains("Two"), "{random}");
            let twice = run(&["app", "create", "--app-id", "One"], &flags);
            assert_ne!(twice.status.code(), Some(0));
            let list = said(&run(&["app", "list"], &flags).stdout);
            assert!(list.contains("One") && list.contains("Two"), "{list}");
            assert!(!list.contains("first-api-key-01"), "R-18: a key is shown once: {list}");
            let rotated = run(&["app", "rotate-key", "--app-id", "One", "--api-key", "second-api-key-01"], &flags);
            assert_eq!(rotated.status.code(), Some(0), "{}", said(&rotated.stderr));
            assert_ne!(run(&["app", "rotate-key", "--app-id", "Nine"], &flags).status.code(), Some(0));
            let server = Server::start(&place);
            let mut one = keys();
            for (key, status) in [("first-api-key-01", 401), ("second-api-key-01", 200)] {
                key.clone_into(&mut one.api);
                let house = House::new(server.address.clone(), one.clone());
                assert_eq!(house.platform().get("/admin/stats").await.status, status, "{key}");
            }
        }
    });
}

/// The example answer of a founding document.
pub(crate) fn seed(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../golden/answers.json")).expect("examples");
    all[name].clone()
}

#[test]
fn the_demo_shows_both_founding_lists() {
    let mut command = command(binary());
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::of(command);
    let mut curls = Vec::new();
    while curls.len() < 2 {
        let line = server.line();
        if line.contains("curl ") {
            curls.push(line.trim().to_owned());
        }
    }
    // As a newcomer pastes them.
    let paste = |curl: &str| -> Value {
        let output =
            std::process::Command::new("sh").args(["-c", curl]).stderr(Stdio::null()).output().expect("sh runs");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{curl}: {error}: {}", said(&output.stdout)))
    };
    let blocks = paste(&curls[0]);
    let bans = paste(&curls[1]);
    assert_eq!(bans, seed("seed-list-banned-members"));
    let listed: Vec<&Value> = blocks["result"]["data"].as_array().expect("a list").iter().collect();
    let mut expected = seed("seed-list-blocked-users")["result"]["data"].as_array().unwrap().clone();
    let mut ban = seed("seed-list-banned-members")["result"]["data"][0].clone();
    ban["blocker"] = "aaa".into();
    expected.insert(0, ban);
    assert_eq!(listed, expected.iter().collect::<Vec<_>>(), "the ban comes first: it is the newest");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn it_starts_at_once_and_is_small() {
    if std::env::var_os("BANTER_BIN").is_none() {
        return;
    }
    // The best of a few: other things run on this machine as well.
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let place = Place::sqlite();
        std::fs::create_dir(place.data()).expect("a folder");
        let start = tokio::time::Instant::now();
        let server = Server::start(&place);
        best = best.min(start.elapsed());
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(kib < 30 << 10, "{kib} KiB when idle");
    }
    assert!(best < Duration::from_millis(200), "listening after {best:?}");
}
