//! Courier's API, and our own under `/_bulkd`: a table of routes, a file for each resource, and the one pipeline that all
//! requests take.

mod auth;
mod backup;
mod brand;
mod bulk;
mod call;
mod doctor;
mod fault;
mod health;
mod hook;
mod hosts;
pub mod idempotency;
mod journal;
mod late;
mod list;
mod message;
mod metrics;
mod nearest;
mod notes;
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
mod webhook;
mod wrong_keys;

pub use auth::Keys;
pub use hosts::Hosts;
pub use late::LateAnswers;
pub use origins::Origins;
pub use pipeline::Api;
pub use routes::{Access, ROUTES, Route};
pub use settings::Settings;
pub use wrong_keys::LateRefusals;
