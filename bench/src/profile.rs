//! Where the server's time goes, for whoever wants to make it less: `--perf` records each way of
//! asking once, with Linux's `perf`.
//!
//! Recording slows the server down, so the figures of such a run are not worth keeping.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;

/// A recording; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Recording(Child);

/// Where recordings go, if they are wanted.
#[derive(Debug)]
pub(crate) struct Profiler(Option<PathBuf>);

impl Profiler {
    /// Records into a folder, or nothing at all.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self(folder.map(Path::to_owned)))
    }

    /// Records what process `id` does from now on, once for each name.
    pub(crate) fn record(&self, name: &str, id: u32) -> Result<Option<Recording>> {
        let Some(file) = self.0.as_ref().map(|folder| folder.join(format!("{name}.data"))) else { return Ok(None) };
        if file.exists() {
            return Ok(None);
        }
        let child = Command::new("perf")
            .args(["record", "--quiet", "-F", "999", "--call-graph", "dwarf,8192", "-p", &id.to_string(), "-o"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // It says nothing when it has attached itself.
        std::thread::sleep(Duration::from_millis(300));
        Ok(Some(Recording(child)))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // What it has is written on SIGINT; if it is gone already there is nothing to end.
        let _ = i32::try_from(self.0.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGINT));
        let _ = self.0.wait();
    }
}
