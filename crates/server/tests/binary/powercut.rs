//! SIGKILL keeps what the kernel still holds in memory; a power cut does not. Here the server runs
//! over a file layer (`powercut.c`) that remembers what was synced, and each crash throws the rest
//! away. Without the sync of the WAL the same test must see the loss.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tokio::sync::watch;

use crate::crash::{Promises, furnish, verify, work};
use crate::dice::{Dice, rounds};
use crate::place::Place;
use crate::process::{Server, binary, block_on, command, sabotaged};

/// Compiles the file layer into a place.
fn file_layer(place: &Place) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/powercut/powercut.c");
    let library = place.file("powercut.so");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    let output = cc.args(["-ldl", "-lpthread"]).output().expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// A server over the file layer.
fn start(place: &Place, binary: PathBuf, layer: &Path, sabotage: &str) -> Server {
    let mut command = command(binary);
    command.env("LD_PRELOAD", layer).env("POWERCUT_FOLDER", place.data()).env("POWERCUT_MIRROR", place.file("mirror"));
    command.env("BANTER_SABOTAGE", sabotage);
    Server::start_as(command, place)
}

/// Cuts the power: kills the server, and leaves of its folder what was synced.
fn cut(server: &mut Server, place: &Place) {
    server.kill();
    std::fs::remove_dir_all(place.data()).expect("removed");
    let copied = Command::new("cp").arg("-r").args([place.file("mirror"), place.data()]).status().expect("cp runs");
    assert!(copied.success(), "nothing was ever synced");
}

/// Rounds of work and power cuts. Errors: what was lost.
async fn cuts(binary: PathBuf, sabotage: &str, rounds: u64) -> Result<(), String> {
    let place = Place::sqlite();
    let layer = file_layer(&place);
    let mut dice = Dice::new("powercut");
    let promises = Arc::new(Promises::default());
    let mut server = start(&place, binary.clone(), &layer, sabotage);
    furnish(&server.house()).await;
    for round in 0..rounds {
        let (done, mut seen) = watch::channel(0);
        let work = work(&server.house(), &promises, &done).await;
        let enough = 1 + dice.roll(400);
        seen.wait_for(|count| *count >= enough).await.expect("work is done");
        cut(&mut server, &place);
        work.join_all().await;
        server = start(&place, binary.clone(), &layer, sabotage);
        verify(&server.house(), &promises).await.map_err(|what| format!("power cut {round}: {what}"))?;
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_outlives_a_power_cut() {
    block_on(async {
        if let Err(what) = cuts(binary(), "", rounds("BANTER_CRASHES", 2)).await {
            panic!("{what}");
        }
    });
}

#[test]
fn without_the_sync_of_the_wal_a_power_cut_is_seen_to_lose() {
    let Some(sabotaged) = sabotaged() else { return };
    match block_on(cuts(sabotaged, "wal-sync", 5)) {
        Err(what) => println!("seen: {what}"),
        Ok(()) => panic!("the WAL was never synced, and nothing was lost: the test proves nothing"),
    }
}
