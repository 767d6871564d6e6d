//! The text of a message: content and the values of one user become texts, elements and e-mails. Pure: no clock, no
//! file, no socket.
//!
//! Texts are compiled once for a job and rendered by many threads. A text of only words and `{{variables}}` looks up
//! just the values that it names.

mod chat;
pub mod content;
mod elements;
pub mod email;
mod escape;
pub mod helpers;
mod limits;
pub mod markdown;
mod mjml;
pub mod node;
pub mod palette;
pub mod scope;
mod stripped;
mod target;
pub mod text;

pub use limits::{MESSAGE_BYTES, RENDER_STACK_BYTES, TEXT_BYTES};
