//! `bulkd deliver`: delivers for a daemon on another machine, by a Redis that both reach.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::rate::Rate;
use super::relay;
use super::sender::{self, Sender};
use crate::error::{Error, Result};
use crate::model::deliver_target::{DeliverRate, DeliverTo, Target};
use crate::output::LineOutput;

/// As the flags have it.
pub struct Flags {
    pub from: String,
    pub tag: Option<String>,
    pub to: Vec<DeliverTo>,
    pub rates: Vec<DeliverRate>,
    pub errors: u32,
    pub name: Option<String>,
    pub tries: u32,
    pub claim_after: Duration,
}

/// What a channel goes out by.
pub struct Outlet {
    /// The channel's name.
    pub channel: String,
    pub sender: Arc<dyn Sender>,
    pub rate: Rate,
}

/// What a sender does.
pub struct Settings {
    /// The URL of Redis.
    pub from: String,
    /// The file whose messages are delivered.
    pub tag: Option<String>,
    pub outlets: Vec<Outlet>,
    /// What is said of them at the start.
    pub shown: Vec<String>,
    /// What it is called in the consumer group.
    pub name: String,
    /// How often a message is tried.
    pub tries: u32,
    /// Failures one after the other with which a channel is given up.
    pub errors: u32,
    /// Whoever has not moved for so long has lost what it has.
    pub claim_after: Duration,
}

/// Delivers until `stopped` says so.
pub fn run(flags: Flags, out: &LineOutput, stopped: &Receiver<()>) -> Result<()> {
    let (mut outlets, mut shown) = (Vec::<Outlet>::new(), Vec::new());
    for DeliverTo { channels, target } in &flags.to {
        let sender = make(target)?;
        for channel in channels {
            let name = channel.name();
            if outlets.iter().any(|outlet| outlet.channel == name) {
                return Err(Error::startup(format!("--deliver {name}: expected one target, and there are two")));
            }
            let rate = flags.rates.iter().rev().find(|rate| rate.channels.contains(channel));
            shown.push(format!("{name}: {target}"));
            let (channel, rate) = (name.to_owned(), Rate::new(rate.map(|rate| rate.per_second)));
            outlets.push(Outlet { channel, sender: sender.clone(), rate });
        }
    }
    let is_of_none =
        |rate: &&DeliverRate| !rate.channels.iter().any(|it| outlets.iter().any(|outlet| outlet.channel == it.name()));
    if flags.rates.iter().any(|rate| is_of_none(&rate)) {
        return Err(Error::startup("--deliver-rate: there is no --deliver for a channel that it names"));
    }
    let name = flags.name.unwrap_or_else(own_name);
    let Flags { from, tag, tries, errors, claim_after, .. } = flags;
    relay::deliver(Settings { from, tag, outlets, shown, name, tries, errors, claim_after }, out, stopped)
}

fn make(target: &Target) -> Result<Arc<dyn Sender>> {
    if target.needs_tls() && !cfg!(feature = "tls") {
        return Err(Error::startup(format!(
            "--deliver {target}: this bulkd was built without TLS; --features tls,relay has both"
        )));
    }
    sender::make(target).map_err(|error| Error::startup(format!("--deliver {target}: {}", error.public_message())))
}

/// A name that no other sender has.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String =
        host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(64).collect();
    let host = if host.is_empty() { "sender" } else { host.as_str() };
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}
