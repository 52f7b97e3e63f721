//! Node's `socket.io`, where Node is installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;

/// How to start it. What it needs is installed beside the results first, once for each lock file.
/// Errors: there is no Node here, or the package cannot be had; the text says which.
pub(crate) fn command(out: &Path) -> Result<Command> {
    let ours = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/node"));
    let folder = out.join("node");
    fs::create_dir_all(&folder)?;
    let mark = folder.join("installed.json");
    let wanted = fs::read(ours.join("package-lock.json"))?;
    if fs::read(&mark).ok().as_ref() != Some(&wanted) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(ours.join(file), folder.join(file))?;
        }
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))?;
        fs::write(&mark, wanted)?;
    }
    run(Command::new("node").arg("--version"))?;
    let mut command = Command::new("node");
    command.arg(ours.join("server.js")).arg(&folder);
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().map_err(|error| format!("{program} cannot be run: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{program} failed: {said}").into())
}
