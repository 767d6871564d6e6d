//! Tests from outside, in one binary: linking is paid for once, and no core idles while one file ends.
//!
//! `cargo test NAME` runs what has the name in its path, such as `webhooks` or `send::a_delay`.

mod answers;
mod architecture;
mod backups;
mod brands;
mod bulk;
mod clock;
mod crash;
mod crowds;
mod daemon;
mod deliver;
mod demo;
mod disk;
mod docs;
mod doctor;
mod door;
mod emails;
mod environments;
mod events;
mod faults;
#[cfg(unix)]
mod file_faults;
mod fixtures;
#[path = "../kits/guide/rust/app_test.rs"]
mod guide;
mod handlebars;
mod http;
mod idempotency;
mod jobs;
mod journal;
mod kit;
mod lifecycle;
mod lists;
mod lookups;
mod mailpit;
mod mcp;
mod memory;
mod metrics;
mod migration;
mod model;
mod openapi;
mod outbox;
mod outcomes;
mod overrides;
mod page;
mod peers;
mod preferences;
mod process_faults;
mod profiles;
mod promote;
mod properties;
mod providers;
mod providers_refusing;
mod reach;
mod relay;
#[cfg(all(feature = "relay", unix))]
mod relay_steer;
mod rendering;
mod replies;
mod retention;
mod security;
mod seed;
mod send;
mod send_v1;
mod snapshots;
mod soak;
mod support;
mod templates;
mod time;
mod tls;
mod tokens;
mod wait;
mod webhooks;
mod words;
