//! Tests from outside, in one binary: linking is paid for once, and no core idles while one file ends.
//!
//! `cargo test NAME` runs what has the name in its path, such as `webhooks` or `send::a_delay`.

mod answers;
mod architecture;
mod backups;
mod brands;
mod bulk;
mod crash;
mod crowds;
mod daemon;
mod demo;
mod disk;
mod docs;
mod door;
mod emails;
mod environments;
mod events;
#[cfg(unix)]
mod file_faults;
mod fixtures;
mod handlebars;
mod http;
mod idempotency;
mod lists;
mod lookups;
mod mailpit;
mod mcp;
mod memory;
mod metrics;
mod migration;
mod model;
mod openapi;
mod overrides;
mod peers;
mod preferences;
mod process_faults;
mod profiles;
mod properties;
mod providers;
mod providers_refusing;
mod reach;
mod rendering;
mod replies;
mod retention;
mod security;
mod seed;
mod send;
mod send_v1;
mod soak;
mod support;
mod templates;
mod time;
mod tokens;
mod webhooks;
mod words;
