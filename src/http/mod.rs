//! The front door: listener, event loops, request threads, limits and deadlines. Bytes to [`Request`], [`Response`] to
//! bytes; of the API behind it, it knows only how an error looks, since it has some of its own to tell.
//!
//! A request's way: [`listener`] accepts its connection, [`event_loop`] waits for it, [`connection`] reads it with
//! [`incoming`], [`request_pool`] has the service answer it, if the event loop does not, and [`connection`] writes the
//! answer.
//!
//! Methods, versions and answers are tiny_http's, and so is the writing of an answer. Its `Server` is not used: it
//! leaves connections of a burst waiting for each other, has no deadlines, and can be ended by one header.

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
