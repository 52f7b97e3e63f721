//! When a commit may be told: one `fdatasync` of the WAL for all commits that wait.
//!
//! Every writer's turn has a number. It begins to count when the turn ends, is announced before the
//! `COMMIT` that carries it and finished after that: so whoever can see what was written can also
//! see that it was announced, and whatever is finished lies in the WAL when the next `fdatasync`
//! begins. A reader waits for all that was announced when its snapshot was taken; a writer for its
//! own number. Nothing is told before it is durable.
//!
//! After a failed `fdatasync` the kernel may have dropped what it could not write, so trying again
//! proves nothing: from then on nothing is written, checkpointed or told until a restart, which
//! reads the WAL anew and believes only its checksums.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};

use tokio::sync::watch;

use crate::{Error, Result};

/// What makes the WAL durable; a field so that a test can make it fail.
pub(super) type MakeDurable = Box<dyn FnMut() -> io::Result<()> + Send>;

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// All commits up to this number are durable.
    upto: u64,
    failed: bool,
}

/// What the writer, the readers and the two threads share.
#[derive(Debug)]
pub(super) struct Durability {
    begun: AtomicU64,
    announced: AtomicU64,
    finished: AtomicU64,
    /// The same as in `progress`, for the look that costs nothing.
    upto: AtomicU64,
    failed: AtomicBool,
    /// Commits that failed, and undid turns others had seen.
    lost: AtomicU64,
    progress: watch::Sender<Progress>,
    syncs: AtomicU64,
    stopping: AtomicBool,
    sync_thread: OnceLock<Thread>,
    /// Whom a sync tells that the WAL has grown, if it sleeps.
    checkpoints: OnceLock<Thread>,
    checkpoints_asleep: AtomicBool,
}

impl Durability {
    pub(super) fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            announced: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            upto: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            progress: watch::Sender::new(Progress::default()),
            syncs: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            sync_thread: OnceLock::new(),
            checkpoints: OnceLock::new(),
            checkpoints_asleep: AtomicBool::new(false),
        }
    }

    /// The number of a turn that ends. Only who holds the write lock may ask.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The highest number of a turn that has ended, committed or not.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// All turns that have begun to count are about to be committed. As above.
    pub(super) fn announce(&self) {
        self.announced.store(self.begun(), Ordering::SeqCst);
    }

    /// What was announced was committed, or failed and left nothing. As above.
    pub(super) fn finish(&self) {
        self.finished.store(self.announced(), Ordering::SeqCst);
        if let Some(thread) = self.sync_thread.get() {
            thread.unpark();
        }
    }

    /// The highest number anybody could have seen by now.
    pub(super) fn announced(&self) -> u64 {
        self.announced.load(Ordering::SeqCst)
    }

    /// The highest number that is surely in the WAL by now.
    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::SeqCst)
    }

    /// Returns when the turn of this number and all before it are durable.
    pub(super) async fn wait(&self, number: u64) -> Result<()> {
        if self.upto.load(Ordering::Acquire) >= number {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        let told = progress.wait_for(|now| now.upto >= number || now.failed).await;
        match told {
            Ok(now) if now.upto >= number => Ok(()),
            _ => Err(not_durable()),
        }
    }

    /// A commit failed, and with it all turns it was to carry. Only who holds the write lock may say so, before
    /// [`Durability::finish`].
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }

    /// How many commits failed so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    /// How many wait for a sync.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.progress.receiver_count()
    }

    /// How often the WAL was made durable.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Refuses once a sync has failed.
    pub(super) fn check(&self) -> Result<()> {
        if self.has_failed() { Err(not_durable()) } else { Ok(()) }
    }

    /// Stops all writing, loudly, until a restart.
    pub(super) fn fail(&self, error: &dyn std::error::Error) {
        self.failed.store(true, Ordering::SeqCst);
        tracing::error!(
            %error,
            "writes can no longer be made durable; nothing is written any more until a restart"
        );
        self.progress.send_modify(|progress| progress.failed = true);
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for thread in [&self.sync_thread, &self.checkpoints] {
            if let Some(thread) = thread.get() {
                thread.unpark();
            }
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Names the checkpoint thread, before the first commit.
    pub(super) fn wakes(&self, checkpoints: &Thread) {
        let _ = self.checkpoints.set(checkpoints.clone());
    }

    /// The calling thread sleeps until something beyond `number` was made durable. Only the
    /// checkpoint thread calls it.
    pub(super) fn sleep_until_after(&self, number: u64) {
        loop {
            // Said before looking, and again after each waking: a sync of something older than
            // `number` wakes it as well.
            self.checkpoints_asleep.store(true, Ordering::SeqCst);
            if self.finished() != number || self.is_stopping() || self.has_failed() {
                break;
            }
            std::thread::park();
        }
        self.checkpoints_asleep.store(false, Ordering::SeqCst);
    }

    /// Starts the thread that makes commits durable. It ends after [`Durability::stop`], with
    /// everything durable that was finished by then, or when a sync fails.
    pub(super) fn start(self: &Arc<Self>, sync: MakeDurable) -> Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("banter-sync".to_owned())
            .spawn(move || shared.keep_syncing(sync))
            .map_err(|error| Error::Database(format!("no thread for the WAL: {error}")))?;
        let _ = self.sync_thread.set(thread.thread().clone());
        // It may have been asked for before its handle was known here.
        thread.thread().unpark();
        Ok(thread)
    }

    fn keep_syncing(&self, mut sync: MakeDurable) {
        loop {
            let finished = self.finished();
            if finished == self.upto.load(Ordering::Relaxed) {
                if self.is_stopping() {
                    return;
                }
                std::thread::park();
                continue;
            }
            if let Err(error) = sync() {
                self.fail(&error);
                return;
            }
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.upto.store(finished, Ordering::Release);
            self.progress.send_modify(|progress| progress.upto = finished);
            if self.checkpoints_asleep.swap(false, Ordering::SeqCst)
                && let Some(thread) = self.checkpoints.get()
            {
                thread.unpark();
            }
        }
    }
}

fn not_durable() -> Error {
    Error::NotDurable("an earlier write could not be made durable; restart banter".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A sync that waits to be told how it ends.
    fn told(answers: Receiver<io::Result<()>>) -> MakeDurable {
        let answers = Mutex::new(answers);
        Box::new(move || answers.lock().unwrap().recv().unwrap())
    }

    fn commit(durability: &Durability) -> u64 {
        let number = durability.begin();
        durability.announce();
        durability.finish();
        number
    }

    #[tokio::test]
    async fn a_commit_waits_for_a_sync_that_began_after_it() {
        let (answer, answers) = channel();
        let durability = Arc::new(Durability::new());
        let thread = durability.start(told(answers)).unwrap();

        let first = commit(&durability);
        // The thread is inside its first sync, or about to begin it.
        let waiting = tokio::spawn({
            let durability = Arc::clone(&durability);
            async move { durability.wait(first).await }
        });
        answer.send(Ok(())).unwrap();
        waiting.await.unwrap().unwrap();

        let second = durability.begin();
        assert_eq!((durability.begun(), durability.announced()), (second, first));
        durability.announce();
        assert_eq!(durability.announced(), second);
        assert!(durability.upto.load(Ordering::SeqCst) < second, "nothing synced it yet");
        durability.finish();
        answer.send(Ok(())).unwrap();
        durability.wait(second).await.unwrap();
        assert_eq!(durability.syncs(), 2);

        durability.stop();
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn a_failed_sync_stops_everything() {
        let durability = Arc::new(Durability::new());
        let thread = durability.start(Box::new(|| Err(io::Error::other("broken disk")))).unwrap();

        let number = commit(&durability);
        assert!(matches!(durability.wait(number).await, Err(Error::NotDurable(_))));
        assert!(matches!(durability.check(), Err(Error::NotDurable(_))));
        thread.join().unwrap();

        // Whoever comes later hears it as well, and nobody hangs.
        assert!(matches!(durability.wait(number + 1).await, Err(Error::NotDurable(_))));
        durability.wait(0).await.unwrap();
    }

    #[tokio::test]
    async fn the_checkpoint_thread_wakes_for_what_is_new_to_it() {
        let (answer, answers) = channel();
        let durability = Arc::new(Durability::new());
        let thread = durability.start(told(answers)).unwrap();
        let first = commit(&durability);

        // It knows of the first commit before that is synced, so that sync wakes it for nothing.
        let checkpoints = std::thread::spawn({
            let durability = Arc::clone(&durability);
            move || durability.sleep_until_after(first)
        });
        durability.wakes(checkpoints.thread());
        while !durability.checkpoints_asleep.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        answer.send(Ok(())).unwrap();
        durability.wait(first).await.unwrap();
        while !durability.checkpoints_asleep.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }

        commit(&durability);
        answer.send(Ok(())).unwrap();
        checkpoints.join().unwrap();
        durability.stop();
        thread.join().unwrap();
    }

    #[test]
    fn stopping_makes_the_last_commits_durable() {
        let durability = Arc::new(Durability::new());
        let number = commit(&durability);
        durability.stop();
        durability.start(Box::new(|| Ok(()))).unwrap().join().unwrap();
        assert_eq!(durability.upto.load(Ordering::SeqCst), number);
    }
}
