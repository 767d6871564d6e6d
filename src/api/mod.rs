//! Courier's API, and our own under `/_bulkd`: a table of routes, a file for each resource, and the one pipeline that all
//! requests take.

mod auth;
mod backup;
mod brand;
mod bulk;
mod call;
mod health;
mod hook;
mod hosts;
pub mod idempotency;
mod job;
mod late;
mod list;
mod message;
mod metrics;
mod nearest;
mod notices;
mod origins;
mod outbox;
pub mod paging;
mod pipeline;
mod preference;
mod preference_v1;
mod profile;
pub mod query;
mod reset;
mod routes;
mod send;
mod settings;
mod subscription;
mod template;
mod token;
mod wait;
mod webhook;

pub use auth::Keys;
pub use hosts::Hosts;
pub use late::LateRefusals;
pub use notices::Notices;
pub use origins::Origins;
pub use pipeline::Api;
pub use routes::{Access, ROUTES, Route};
pub use settings::Settings;
