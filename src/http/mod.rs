//! The front door: listener, event loops, request threads, limits and deadlines. It turns bytes into a [`Request`], and
//! a [`Response`] into bytes. Of the API behind it, it knows only what an error looks like, since it answers with some
//! of its own.
//!
//! A request's way: [`listener`] accepts its connection, [`event_loop`] waits for it, [`connection`] reads it with
//! [`incoming`], [`request_pool`] has the service answer it, unless the event loop does, and [`connection`] writes the
//! answer.
//!
//! Methods, versions and answers are tiny_http's, and so is the writing of an answer. Its `Server` is not used: there
//! the connections of a burst wait for each other, it has no deadlines, and one header can end it.

pub mod body;
mod connection;
mod descriptors;
mod event_loop;
mod eviction;
mod handle;
pub mod head;
mod incoming;
mod limits;
mod listener;
mod outgoing;
mod pieces;
mod reply;
mod request;
mod request_pool;
mod response;
mod server;
mod server_state;
#[cfg(feature = "tls")]
mod session;
mod transport;
mod wakes;
mod write;

pub use head::Head;
pub use limits::Limits;
pub use pieces::Pieces;
pub use reply::{Answerer, Broken, Given, Reply, Responder, StreamWriter};
pub use request::{Request, Service};
pub use response::{JSON, Response, envelope, final_refusal, header, json, of_error, typed};
pub use server::{Server, reachable};
pub use tiny_http::{Header, Method};
pub use transport::TlsConfig;
