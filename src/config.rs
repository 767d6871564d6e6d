//! What the settings mean: one plain struct, with its defaults.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::clock::ClockStart;
use crate::error::{Error, Result};
use crate::http::Limits;
use crate::model::deliver_target::{DeliverRate, DeliverTo};
use crate::model::webhook::Destination;
use crate::render::RENDER_STACK_BYTES;
use crate::settings::{
    Contract, Durability, Keep, MessageSettings, ProviderLimits, RateLimitSetting, UnknownTemplates,
};

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Where else to listen, at the same port, if the machine has this address.
    pub listen_too: Option<IpAddr>,
    /// `None` is a file that is thrown away at the end.
    pub database: Option<PathBuf>,
    /// Keys that are accepted; none means any.
    pub api_keys: Vec<String>,
    /// Any key is accepted from other machines as well, as `--api-key '*'` says.
    pub any_key: bool,
    /// Names by which the daemon may be called besides this machine's own, where any key is accepted.
    pub hosts: Vec<String>,
    /// Origins whose pages may call the API from a browser.
    pub origins: Vec<String>,
    /// Threads that drain jobs.
    pub workers: usize,
    pub durability: Durability,
    /// Copying the log into the database is left to Litestream.
    pub litestream: bool,
    pub contract: Contract,
    pub templates: UnknownTemplates,
    pub provider_limits: ProviderLimits,
    /// Where the events of all environments are posted to.
    pub webhooks: Vec<Destination>,
    /// Where messages are delivered for real.
    pub deliver: Vec<DeliverTo>,
    pub deliver_rates: Vec<DeliverRate>,
    /// Failures one after the other that pause a channel.
    pub deliver_errors: u32,
    /// The Redis that gets the messages of channels without a target here.
    pub relay: Option<String>,
    /// The most entries that its stream has.
    pub relay_entries: u64,
    /// A JSON file, or a folder of them, with what every environment begins with.
    pub seed: Option<PathBuf>,
    /// Which jobs are kept once they are over.
    pub keep: Keep,
    pub rate_limits: RateLimitSetting,
    /// Where requests may put backups.
    pub backup_dir: Option<PathBuf>,
    /// The key whose e-mails Mailpit's API shows.
    pub mailpit_key: Option<String>,
    /// The start of a clock that requests may move. `None`: the machine's clock is used.
    pub test_clock: Option<ClockStart>,
    /// The number that ids are made from, so that they repeat. `None`: they are random.
    pub seed_ids: Option<u64>,
    /// Where the page's files are read from, for work on it. `None`: those that are built in.
    pub ui_dir: Option<PathBuf>,
    /// How https is spoken. `None`: plain HTTP.
    pub tls: Option<Tls>,
    pub limits: Limits,
}

/// Where the certificate of https is from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// It is made at the start, and bulkd's own authority vouches for it.
    Made,
    /// Files in PEM.
    Given { certificate: PathBuf, key: PathBuf },
}

impl Config {
    /// A daemon on a throw-away file and a free port, with every other setting at its default.
    pub fn ephemeral() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_too: None,
            database: None,
            api_keys: Vec::new(),
            any_key: false,
            hosts: Vec::new(),
            origins: Vec::new(),
            workers: default_workers(),
            durability: Durability::Ephemeral,
            litestream: false,
            contract: Contract::Tutorial,
            templates: UnknownTemplates::Lenient,
            provider_limits: ProviderLimits::On,
            webhooks: Vec::new(),
            deliver: Vec::new(),
            deliver_rates: Vec::new(),
            deliver_errors: DELIVER_ERRORS,
            relay: None,
            relay_entries: RELAY_ENTRIES,
            seed: None,
            keep: Keep::default(),
            rate_limits: RateLimitSetting::Off,
            backup_dir: None,
            mailpit_key: None,
            test_clock: None,
            seed_ids: None,
            ui_dir: None,
            tls: None,
            limits: default_limits(),
        }
    }

    /// The settings that decide what becomes of a message.
    pub fn messages(&self) -> MessageSettings {
        MessageSettings { templates: self.templates, limits: self.provider_limits }
    }

    /// Checks settings that depend on one another.
    pub fn validate(&self) -> Result<()> {
        if self.api_keys.iter().any(|key| key == ANY_KEY) {
            return Err(Error::startup(format!("--api-key '{ANY_KEY}' lets in every key; give it alone")));
        }
        let is_public = !self.listen.ip().is_loopback();
        if is_public && self.api_keys.is_empty() && !self.any_key {
            return Err(Error::startup(format!(
                "--listen {} can be reached from other machines; name the keys that are let in with --api-key",
                self.listen
            )));
        }
        // Every client that reaches the port could have mail sent to anywhere.
        if is_public && self.any_key && (!self.deliver.is_empty() || self.relay.is_some()) {
            return Err(Error::startup(format!(
                "--listen {} with --api-key '{ANY_KEY}' would let anyone send; name the keys that may use \
                 --deliver or --relay",
                self.listen
            )));
        }
        if let Some(folder) = self.backup_dir.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(Error::startup(format!("--backup-dir {} is not a folder", folder.display())));
        }
        if let Some(folder) = self.ui_dir.as_ref().filter(|folder| !folder.join("index.html").is_file()) {
            return Err(Error::startup(format!("--ui-dir {} has no file index.html", folder.display())));
        }
        Ok(())
    }
}

/// What `--api-key` takes for any key.
pub const ANY_KEY: &str = "*";

/// Failures one after the other that pause a channel, unless said otherwise.
pub const DELIVER_ERRORS: u32 = 50;

/// Entries that the stream of --relay has at most, unless said otherwise.
pub const RELAY_ENTRIES: u64 = 100_000;

/// Request threads compile templates, which takes a deep stack.
pub fn default_limits() -> Limits {
    Limits { stack_bytes: RENDER_STACK_BYTES, ..Limits::default() }
}

/// One more than processors, since one of the threads mostly waits for its turn. With more, a small job beside a large
/// one would wait longer, and nothing would be faster.
pub fn default_workers() -> usize {
    1 + std::thread::available_parallelism().map_or(1, usize::from)
}
