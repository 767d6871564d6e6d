//! Who gets what: from a job's definition and one user to the message that this user would receive. Pure: no clock, no
//! file, no socket.
//!
//! One [`Renderer`] is made for a job and used by many threads. For each user it asks whether the recipient wants the
//! message (`consent`), where the recipient can be reached (`contact`), and which deliveries that leads to (`router`).
//! Then it renders their texts.

mod body;
mod condition;
mod consent;
mod contact;
mod job;
mod passed_over;
mod renderer;
mod router;
mod simulator;
mod unused;

use crate::error::Result;
use crate::model::content::Content;
use crate::render::content::Compiled;
use crate::render::scope::NameTable;
use crate::template::Partials;

pub use passed_over::PassedOver;
pub use renderer::{Recipient, Renderer};
pub use simulator::DELAY_MILLIS as SIMULATED_DELAY_MILLIS;

/// Refuses content whose texts cannot be rendered for any recipient. `path` is its place in the request.
pub fn check(content: &Content, path: &str) -> Result<()> {
    Compiled::compile(content, path, &mut NameTable::default(), &Partials::new()).map(drop)
}
