//! How many file descriptors connections may take: the only bound on their number.

use std::io;

/// Left for the database, webhooks and whatever else opens a file: half of all, within these bounds. A daemon at rest has
/// some 30 open, and twice as many readers of the database may be added.
const LEAST_RESERVE: usize = 48;
const RESERVE: usize = 256;
/// However few descriptors there are, so many connections there may be.
const LEAST: usize = 8;

/// How many connections there may be.
pub fn for_connections() -> usize {
    limit().map_or(usize::MAX, |limit| limit.saturating_sub(reserve(limit)).max(LEAST))
}

/// How many more there may be for a moment, of peers that are told that there is no room, or how the daemon is.
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

/// Whether this is because there are none left, in this process or in the system.
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
