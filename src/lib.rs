//! bulkd: a local daemon compatible with Courier's Bulk API, in one binary with one SQLite file.
//!
//! The modules, in the order in which a request meets them. A folder is a room on the path of a request. In `api`, `model`
//! and `store` a file is a resource, most often under one name. Imports run downward only.
//!
//! For tests in Rust there is [`Bulkd::start`], with the calls of `kits/python` and `kits/node`.
#![forbid(unsafe_code)]

pub use kit::Bulkd;

pub mod cli;
pub mod config;

pub mod app;
pub mod demo;
pub mod doctor;
pub mod kit;
pub mod promote;
pub mod ready;

pub mod tls;

pub mod http;

pub mod api;
pub mod faults;
pub mod findings;
pub mod journal;
pub mod ui;

pub mod seed;
pub mod send;
pub mod steer;

pub mod deliver;
pub mod outbound;
pub mod retention;
pub mod runner;
pub mod search;
pub mod waits;

pub mod feed;
pub mod follow;
pub mod lifecycle;
pub mod outbox;
pub mod store;

pub mod compose;
pub mod provider;
pub mod render;

pub mod model;

pub mod template;

pub mod json;

pub mod clock;
pub mod crash;
pub mod dial;
pub mod error;
pub mod id;
pub mod logging;
pub mod memory;
pub mod meter;
pub mod outage;
pub mod output;
pub mod retry;
pub mod settings;
pub mod threads;
