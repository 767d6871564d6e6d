//! The front door: listener, event loops, connection threads, limits and deadlines. Bytes to [`Request`], [`Response`] to bytes; of
//! the API behind it, it knows only how an error looks, since it has some of its own to tell.
//!
//! Methods, versions and answers are tiny_http's, and so is the writing of an answer. Its `Server` is not used: it
//! leaves connections of a burst waiting for each other, has no deadlines, and can be ended by one header.

pub mod body;
mod connection;
#[cfg_attr(not(target_os = "linux"), path = "no_event_loop.rs")]
mod event_loop;
mod handle;
pub mod head;
mod limits;
mod reply;
mod request;
mod response;
mod server;
mod server_state;
mod socket;
mod write;

pub use limits::Limits;
pub use reply::{Answerer, Reply, StreamWriter};
pub use request::{Request, Service};
pub use response::{Response, final_refusal, header, json, of_error};
pub use server::{Server, reachable};
pub use tiny_http::{Header, Method};
