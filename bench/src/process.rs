//! Programs that are measured from outside: started, waited for, clocked, stopped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::Result;

/// How long a program may take until it listens.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that listens on a port of its choice and says so on stdout.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From start to the line that says it listens.
    pub(crate) ready_after: Duration,
}

impl Program {
    /// Starts it and waits for `… listening on http://ADDR`. What it logs goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let begin = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(log)?).spawn()?;
        let stdout = child.stdout.take().ok_or("a child without stdout")?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            // Reads on after the address, so that the program never blocks on a full pipe.
            for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                let elapsed = begin.elapsed();
                if let Some((_, address)) = line.split_once("listening on http://") {
                    // Nobody waits any more when the patience is gone.
                    let _ = tell.send((address.trim().to_owned(), elapsed));
                }
            }
        });
        let Ok((address, ready_after)) = told.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(format!("{command:?} did not start; it said:\n{said}").into());
        };
        Ok(Self { child, address: address.parse()?, ready_after })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it stand still, so that nothing it does in the background is in the way.
    pub(crate) fn freeze(&self) -> Result<()> {
        Ok(kill(pid(self.child.id())?, Signal::SIGSTOP)?)
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        Ok(kill(pid(self.child.id())?, Signal::SIGCONT)?)
    }

    /// Stops it as an operator does, and waits for its end.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill(pid(self.child.id())?, Signal::SIGTERM)?;
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(12) {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("a program did not stop within twelve seconds of SIGTERM".into())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end, and both calls say so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(id: u32) -> Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(id)?))
}

/// CPU time a process took so far, user and system, ended threads included, in microseconds.
/// The same quantity as `utime + stime` of `/proc/<pid>/stat`, without its 10 ms steps.
pub(crate) fn cpu_us(id: u32) -> Result<f64> {
    let time = clock_getcpuclockid(pid(id)?)?.now()?;
    Ok(time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3)
}

/// The processes whose parent is `parent`.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id| parent_of(*id) == Some(parent))
        .collect()
}

/// The parent of a process.
pub(crate) fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name may hold anything, brackets too; the fields follow the last one: state, parent.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) rss: u64,
    /// Resident and its own, not pages of files.
    pub(crate) anonymous: u64,
    /// The most that ever was resident, since the start or [`forget_peak`].
    pub(crate) peak: u64,
}

/// What `/proc/<pid>/status` says of its memory.
pub(crate) fn memory(id: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    let bytes = |name: &str| field(name).map(|kib| kib * 1024).ok_or_else(|| format!("no {name} of process {id}"));
    Ok(Memory { rss: bytes("VmRSS")?, anonymous: bytes("RssAnon")?, peak: bytes("VmHWM")? })
}

/// Lets this process, and those it starts, open as many files as the machine allows; returns how many.
pub(crate) fn open_many_files() -> Result<usize> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(usize::try_from(most)?)
}

/// Lets the peak begin again at what is resident now.
pub(crate) fn forget_peak(id: u32) -> Result<()> {
    fs::write(format!("/proc/{id}/clear_refs"), "5")?;
    Ok(())
}
