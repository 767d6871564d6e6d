//! Named points at which a test ends the process as a power cut would: nothing is unwound, flushed or closed.
//!
//! `BULKD_CRASH_AT=before-commit` ends it when the point is reached for the first time, `before-commit:3` when it is
//! reached for the third time. `BULKD_STOP_AT` stops it there (SIGSTOP), so that a test can do something before it goes
//! on. Only builds with debug assertions know either; in a release build a point does nothing.

/// A place between two steps where a test can end the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A group of changes was made, and not committed.
    BeforeCommit,
    /// It was committed, and no request was answered.
    AfterCommit,
    /// A part of a job's chunk is in the outbox, but it is not yet known whether the whole job is.
    AfterPart,
    /// A step of a migration was made, and not committed.
    Migration,
    /// Some of the write-ahead log was copied into the database.
    Checkpoint,
    /// A commit has overwritten the copied part of the log, and no request was answered.
    Restart,
    /// A piece of what is dropped was committed.
    Retention,
    /// A step of making a file smaller was done.
    Compact,
    /// Requests and jobs have ended, and the file is still open.
    Shutdown,
    /// A part of a backup was copied, or of a file that is restored.
    Copy,
    /// All was copied and checked, and does not have its name yet.
    Copied,
    /// A file that is to be replaced has another name as well, under which it is kept.
    Kept,
    /// A backup, or the file that was restored, has its name.
    Placed,
    /// Redis has taken entries of the queue.
    RelayAppended,
    /// What senders said is committed, and still in Redis.
    RelaySettled,
    /// A sender has sent a message, and not said so.
    RelaySent,
    /// A sender has said what came of some messages.
    RelayWritten,
}

impl Point {
    /// The points by their names.
    pub const NAMES: &[(&str, Point)] = &[
        ("before-commit", Point::BeforeCommit),
        ("after-commit", Point::AfterCommit),
        ("after-part", Point::AfterPart),
        ("migration", Point::Migration),
        ("checkpoint", Point::Checkpoint),
        ("restart", Point::Restart),
        ("retention", Point::Retention),
        ("compact", Point::Compact),
        ("shutdown", Point::Shutdown),
        ("copy", Point::Copy),
        ("copied", Point::Copied),
        ("kept", Point::Kept),
        ("placed", Point::Placed),
        ("relay-appended", Point::RelayAppended),
        ("relay-settled", Point::RelaySettled),
        ("relay-sent", Point::RelaySent),
        ("relay-written", Point::RelayWritten),
    ];
}

/// Ends or stops the process if it is to end or stop here.
#[cfg(debug_assertions)]
pub fn point(here: Point) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct At(Point, AtomicU32);

    impl At {
        fn setting(name: &str) -> Option<Self> {
            let setting = std::env::var(name).ok()?;
            let (name, times) = setting.split_once(':').unwrap_or((&setting, "1"));
            let (_, point) = Point::NAMES.iter().find(|(known, _)| *known == name)?;
            Some(At(*point, AtomicU32::new(times.parse().ok()?)))
        }

        fn is(&self, here: Point) -> bool {
            self.0 == here && self.1.fetch_sub(1, Ordering::SeqCst) == 1
        }
    }

    static CRASH: LazyLock<Option<At>> = LazyLock::new(|| At::setting("BULKD_CRASH_AT"));
    static STOP: LazyLock<Option<At>> = LazyLock::new(|| At::setting("BULKD_STOP_AT"));
    if CRASH.as_ref().is_some_and(|at| at.is(here)) {
        std::process::abort();
    }
    #[cfg(target_os = "linux")]
    if STOP.as_ref().is_some_and(|at| at.is(here)) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        // Another thread may take the signal: this one waits here until all are stopped.
        std::thread::park_timeout(std::time::Duration::from_millis(200));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = &STOP;
}

#[cfg(not(debug_assertions))]
pub fn point(_: Point) {}
