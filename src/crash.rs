//! Named points at which a test has the process end as a power cut would: nothing is unwound, flushed or closed.
//!
//! `BULKD_CRASH_AT=before-commit` ends it when the point is reached for the first time, `before-commit:3` when it is
//! for the third. Only builds with debug assertions know of it; in a release build a point is nothing at all.

/// A place between two steps that a crash must be able to come between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A group of changes was made, and not committed.
    BeforeCommit,
    /// It was committed, and no request was answered.
    AfterCommit,
    /// A part of a job's chunk is in the outbox, and the whole of the job is not yet known to be.
    AfterPart,
    /// A step of a migration was made, and not committed.
    Migration,
    /// Some of the write-ahead log was copied into the database.
    Checkpoint,
    /// A commit was written over what had been copied of it, and no request was answered.
    Restart,
    /// A piece of what is dropped was committed.
    Retention,
    /// A step of making a file smaller was done.
    Compact,
    /// Requests and jobs have ended, and the file is still open.
    Shutdown,
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
    ];
}

/// Ends the process if this is where it is to end.
#[cfg(debug_assertions)]
pub fn point(here: Point) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static AT: LazyLock<Option<(Point, AtomicU32)>> = LazyLock::new(|| {
        let setting = std::env::var("BULKD_CRASH_AT").ok()?;
        let (name, times) = setting.split_once(':').unwrap_or((&setting, "1"));
        let (_, point) = Point::NAMES.iter().find(|(known, _)| *known == name)?;
        Some((*point, AtomicU32::new(times.parse().ok()?)))
    });
    if let Some((point, times)) = &*AT
        && *point == here
        && times.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub fn point(_: Point) {}
