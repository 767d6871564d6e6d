//! The relay: what is to be delivered goes onto a Redis Stream, so that any number of machines deliver it, and what they
//! say of it comes back. All of it is behind the feature `relay`.
//!
//! Two threads: one appends (`appender.rs`), one takes what the senders say (`statuses.rs`). `bulkd deliver` is such a
//! sender (`remote.rs`), with a thread (`worker.rs`) for each channel (`leg.rs`). What the streams hold: `keys.rs` and `report.rs`.

#[cfg(not(feature = "relay"))]
mod absent;
#[cfg(feature = "relay")]
mod appender;
#[cfg(feature = "relay")]
mod held;
#[cfg(feature = "relay")]
mod keys;
#[cfg(feature = "relay")]
mod leg;
#[cfg(feature = "relay")]
mod link;
#[cfg(feature = "relay")]
mod outcomes;
#[cfg(feature = "relay")]
mod present;
#[cfg(feature = "relay")]
mod queue;
#[cfg(feature = "relay")]
mod remote;
#[cfg(feature = "relay")]
mod report;
#[cfg(feature = "relay")]
mod state;
#[cfg(feature = "relay")]
mod statuses;
#[cfg(feature = "relay")]
mod stream;
#[cfg(feature = "relay")]
mod worker;

#[cfg(not(feature = "relay"))]
pub use absent::{Prepared, Relay, deliver};
#[cfg(feature = "relay")]
pub use present::{Prepared, Relay};
#[cfg(feature = "relay")]
pub use remote::run as deliver;

use crate::model::deliver_target;

/// The route under which it has its entries in the queue.
pub const ROUTE: &str = deliver_target::RELAY;

/// How it goes.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Entries that Redis does not have yet.
    pub lag: u64,
    /// The last entry that Redis has.
    pub last_entry: i64,
    /// Entries in the stream, which no sender has brought to an end.
    pub in_stream: u64,
    /// Whether the stream has as many as it may.
    pub is_full: bool,
    /// Why nothing is appended, or no statuses are taken, if so.
    pub error: Option<String>,
}
