//! How many file descriptors connections may take: the only bound on their number.

use std::io;

/// Kept for the database, webhooks and all else that opens a file: half of all descriptors, within these bounds. A
/// daemon at rest has some 30 open, and readers of the database may add twice as many.
const LEAST_RESERVE: usize = 48;
const RESERVE: usize = 256;
/// The least number of connections, however few descriptors there are.
const LEAST: usize = 8;

/// How many connections there may be.
pub fn for_connections() -> usize {
    limit().map_or(usize::MAX, |limit| limit.saturating_sub(reserve(limit)).max(LEAST))
}

/// How many more there may be for a moment: of peers that are refused for lack of room, or that ask for the daemon's
/// health.
pub fn for_refusals() -> usize {
    limit().map_or(RESERVE, reserve) / 8
}

fn reserve(limit: usize) -> usize {
    (limit / 2).clamp(LEAST_RESERVE, RESERVE)
}

#[cfg(unix)]
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    usize::try_from(limit).ok()
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

/// Whether an error means that no descriptors are left, in this process or in the system.
#[cfg(unix)]
pub fn are_lacking(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let lacks = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| lacks.contains(&code))
}

#[cfg(not(unix))]
pub fn are_lacking(_: &io::Error) -> bool {
    false
}
