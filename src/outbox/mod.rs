//! From a row of the outbox to what went out in full, and to what happened to it.

mod deliveries;
pub mod detail;
pub mod entry;
mod found;
pub mod history;
mod origin;
mod way;

pub use crate::provider::{Attachment, DEFAULT_SENDER, Email};
pub use deliveries::Deliveries;
