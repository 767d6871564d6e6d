//! What may be typed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::clock::ClockStart;
use crate::config::{ANY_KEY, Config, DELIVER_ERRORS, RELAY_ENTRIES, Tls, default_limits, default_workers};
use crate::http::Limits;
use crate::memory;
use crate::model::deliver_target::{DeliverRate, DeliverTo};
use crate::model::webhook::Destination;
use crate::settings::{
    Contract, Durability, Keep, KeepSpan, LogFormat, ProviderLimits, RateLimitSetting, UnknownTemplates,
};

/// The values of `--log`.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// A local daemon compatible with Courier's Bulk API.
///
/// Create a bulk job, ingest users, run it, watch it, and find every message that would have gone out in a local
/// outbox. One binary, one SQLite file. Point any of Courier's SDKs at it: COURIER_BASE_URL=http://127.0.0.1:4010
#[derive(Debug, Parser)]
#[command(name = "bulkd", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: Serve,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the daemon. The same as `bulkd` alone.
    Serve(Box<Serve>),
    /// Start a daemon on a fresh file and play a customer: a job, 1,000 users, a full outbox.
    Demo(Demo),
    /// Say whether a database file is sound.
    Check {
        /// The file to look at. It is not changed.
        file: PathBuf,
    },
    /// Give the disk back what a database file has free, such as after a reset. No daemon may have it open.
    Compact {
        /// The file to make smaller.
        file: PathBuf,
    },
    /// Copy a database to another file, also while it is served, and check the copy.
    Backup(Backup),
    /// Put a backup in place of a database that is not served. It is checked before.
    Restore(Restore),
    /// Wait until a daemon answers, for scripts and health checks: exit code 0 if it does, 1 if it does not.
    Ready(Ready),
    /// Ask a running daemon what passed there and would hurt at Courier.
    Doctor(Doctor),
    /// Create a job that was built here in another place, such as the real service, with its users, and run it there.
    Promote(Promote),
    /// Deliver for a daemon that runs with --relay, from this machine or any other that reaches its Redis.
    Deliver(Box<Deliver>),
    /// Print the certificate of the authority that vouches for --tls.
    Ca(Ca),
}

#[derive(Args, Debug)]
pub struct Serve {
    /// Where to listen: HOST:PORT, or :PORT. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", env = "BULKD_LISTEN", default_value = "127.0.0.1:4010", value_parser = listen)]
    pub listen: Listen,

    /// The database file. It is created if there is none.
    #[arg(long, value_name = "FILE", env = "BULKD_DB", default_value = "bulkd.db", value_parser = database())]
    pub db: PathBuf,

    /// Stop when standard input ends. What has started the daemon leaves none behind that way, however it ends itself: it
    /// holds the other end of a pipe.
    #[arg(long, env = "BULKD_STOP_WITH_STDIN", value_parser = FalseyValueParser::new())]
    pub stop_with_stdin: bool,

    /// Use a database file that is thrown away at the end, instead of --db.
    #[arg(long, env = "BULKD_EPHEMERAL", value_parser = FalseyValueParser::new())]
    pub ephemeral: bool,

    /// Speak https, with a certificate that is made at the start for localhost, 127.0.0.1, ::1, api.courier.com and the names
    /// of --listen and --allow-host. `bulkd ca` prints who vouches for it.
    #[arg(long, env = "BULKD_TLS", value_parser = FalseyValueParser::new())]
    pub tls: bool,

    /// Speak https with this certificate, in PEM, with those that lead to its root behind it.
    #[arg(long, value_name = "FILE", env = "BULKD_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of --tls-cert, in PEM and unencrypted.
    #[arg(long, value_name = "FILE", env = "BULKD_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Accept this API key, and no others but those given. Repeatable; in the environment separated by commas. Without
    /// it, every key is accepted; with *, every key from other machines as well. Each key has an environment of its own.
    #[arg(long = "api-key", value_name = "KEY", env = "BULKD_API_KEY", value_delimiter = ',', hide_env_values = true)]
    #[arg(value_parser = api_key)]
    pub api_keys: Vec<String>,

    /// Answer requests to this host as well. Without --api-key, others than this machine's own names and addresses are
    /// refused. Repeatable; in the environment separated by commas.
    #[arg(long = "allow-host", value_name = "NAME", env = "BULKD_ALLOW_HOST", value_delimiter = ',', value_parser = host)]
    pub hosts: Vec<String>,

    /// Let pages of this origin, such as https://app.test, call the API from a browser, or those of any with *. Repeatable;
    /// in the environment separated by commas.
    #[arg(long = "allow-origin", value_name = "ORIGIN", env = "BULKD_ALLOW_ORIGIN", value_delimiter = ',')]
    #[arg(value_parser = origin)]
    pub origins: Vec<String>,

    /// Threads that drain jobs [default: one more than processors].
    #[arg(long, value_name = "N", env = "BULKD_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,

    /// What an acknowledged request survives.
    #[arg(long, env = "BULKD_DURABILITY", value_enum, default_value = "full")]
    pub durability: Durability,

    /// Leave copying the write-ahead log into the database to Litestream, which has to run: else the log only grows.
    #[arg(long, env = "BULKD_LITESTREAM", value_parser = FalseyValueParser::new())]
    pub litestream: bool,

    /// Which of three readings of Courier's documentation to answer by.
    #[arg(long, env = "BULKD_CONTRACT", value_enum, default_value = "tutorial")]
    pub contract: Contract,

    /// What to do with an event or template that is not stored here.
    #[arg(long, env = "BULKD_TEMPLATES", value_enum, default_value = "lenient")]
    pub templates: UnknownTemplates,

    /// What to do with a message that its provider would refuse.
    #[arg(long, env = "BULKD_PROVIDER_LIMITS", value_enum, default_value = "on")]
    pub provider_limits: ProviderLimits,

    /// Which limits of requests hold.
    #[arg(long, env = "BULKD_RATE_LIMITS", value_enum, default_value = "off")]
    pub rate_limits: RateLimitSetting,

    /// Post an event to this URL whenever a message changes, in whichever environment; with `,secret=...` behind it,
    /// signed. Repeatable; in the environment separated by spaces.
    #[arg(long = "webhook", value_name = "URL", env = "BULKD_WEBHOOK", value_delimiter = ' ', hide_env_values = true)]
    #[arg(value_parser = Destination::parse)]
    pub webhooks: Vec<Destination>,

    /// Deliver the messages of a channel, or of all, for real: by smtp://[USER@]HOST[:PORT], smtps://..., smtp+starttls://...,
    /// provider, http://... or https://..., file:PATH or - (standard output). Repeatable; in the environment separated by
    /// spaces.
    #[arg(long = "deliver", value_name = "CHANNEL=TARGET", env = "BULKD_DELIVER", value_delimiter = ' ')]
    #[arg(hide_env_values = true, value_parser = DeliverTo::parse)]
    pub deliver: Vec<DeliverTo>,

    /// Deliver so many messages of a channel in a second, at most. Repeatable; in the environment separated by spaces.
    #[arg(long = "deliver-rate", value_name = "CHANNEL=N", env = "BULKD_DELIVER_RATE", value_delimiter = ' ')]
    #[arg(value_parser = DeliverRate::parse)]
    pub deliver_rates: Vec<DeliverRate>,

    /// Pause a channel that is delivered after so many failures one after the other.
    #[arg(long, value_name = "N", env = "BULKD_DELIVER_ERRORS", default_value_t = DELIVER_ERRORS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub deliver_errors: u32,

    /// Put the messages of all channels that have no --deliver onto a stream of this Redis, such as redis://127.0.0.1:6379,
    /// from where any number of `bulkd deliver` send them.
    #[arg(long, value_name = "URL", env = "BULKD_RELAY", hide_env_values = true)]
    pub relay: Option<String>,

    /// Pause the relay while so many messages are on the stream that nobody has sent.
    #[arg(long, value_name = "N", env = "BULKD_RELAY_ENTRIES", default_value_t = RELAY_ENTRIES)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_RELAY_ENTRIES))]
    pub relay_entries: u64,

    /// What every environment begins with: a JSON file, or a folder of them. It is put there before the first request
    /// since the start is answered.
    #[arg(long, value_name = "FILE", env = "BULKD_SEED")]
    pub seed: Option<PathBuf>,

    /// Drop jobs that were over so long ago, with their users and messages: days, hours or minutes, such as 30d. Without
    /// it and --keep-messages, all are kept.
    #[arg(long, value_name = "SPAN", env = "BULKD_KEEP", value_parser = KeepSpan::parse)]
    pub keep: Option<KeepSpan>,

    /// Drop the oldest jobs that are over, as long as so many messages are left.
    #[arg(long, value_name = "N", env = "BULKD_KEEP_MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_messages: Option<u64>,
    /// Memory for bodies and answers in flight, such as 64M or 2G [default: a quarter of what the machine or the
    /// container has, and 512M at most].
    #[arg(long, value_name = "SIZE", env = "BULKD_MEMORY", value_parser = memory::size)]
    pub memory: Option<u64>,
    /// Where POST /_bulkd/backup may put backups. Without it, that is refused.
    #[arg(long, value_name = "FOLDER", env = "BULKD_BACKUP_DIR")]
    pub backup_dir: Option<PathBuf>,

    /// Answer Mailpit's API, without a key, with the e-mails of this key's environment.
    #[arg(long, value_name = "KEY", env = "BULKD_MAILPIT_API", hide_env_values = true, value_parser = api_key)]
    pub mailpit_api: Option<String>,

    /// Go by a clock that requests move, by /_bulkd/clock: from the machine's time on, or from an instant on, at which it
    /// stands still.
    #[arg(long, value_name = "INSTANT", env = "BULKD_TEST_CLOCK", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "now", value_parser = ClockStart::parse)]
    pub test_clock: Option<ClockStart>,

    /// Make ids of this number: the same requests have the same answers each time. Jobs are drained one after the other.
    #[arg(long, value_name = "N", env = "BULKD_SEED_IDS")]
    pub seed_ids: Option<u64>,

    /// Serve the page from the files of this folder, such as src/ui, for work on it.
    #[arg(long, value_name = "FOLDER", env = "BULKD_UI_DIR")]
    pub ui_dir: Option<PathBuf>,

    /// What to log on standard error: error, warn, info, debug, trace or off.
    #[arg(long, value_name = "LEVEL", env = "BULKD_LOG", default_value = "info", value_parser = LEVELS)]
    #[arg(hide_possible_values = true)]
    pub log: String,

    /// How a line of the log is written.
    #[arg(long, env = "BULKD_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Args, Debug)]
pub struct Demo {
    /// Where to listen. If the address is taken, a free port is used.
    #[arg(long, value_name = "ADDRESS", env = "BULKD_LISTEN", default_value = "127.0.0.1:4010", value_parser = address)]
    pub listen: SocketAddr,

    /// End when the outbox is full, with an error if anything was not as expected.
    #[arg(long)]
    pub exit: bool,

    /// Show the page in the browser.
    #[arg(long)]
    pub open: bool,
}

#[derive(Args, Debug)]
pub struct Ready {
    /// How long to wait at most, such as 10s, 500ms or 1m.
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = span)]
    pub wait: Duration,

    /// Where the daemon listens.
    #[arg(long, value_name = "ADDRESS", env = "BULKD_LISTEN", default_value = "127.0.0.1:4010", value_parser = address)]
    pub listen: SocketAddr,

    /// Where the daemon itself answers, if that is not where it listens. At https, too, it is asked by plain HTTP, which
    /// needs no certificate and which a proxy before it may refuse.
    #[arg(long, value_name = "URL", value_parser = base_url)]
    pub url: Option<String>,
}

#[derive(Args, Debug)]
pub struct Backup {
    /// The file to make.
    #[arg(value_parser = database())]
    pub file: PathBuf,

    /// The database file to copy.
    #[arg(long, value_name = "FILE", env = "BULKD_DB", default_value = "bulkd.db", value_parser = database())]
    pub db: PathBuf,

    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Args, Debug)]
pub struct Restore {
    /// The backup. It is not changed.
    #[arg(value_parser = database())]
    pub file: PathBuf,

    /// The database file to put it in place of.
    #[arg(long, value_name = "FILE", env = "BULKD_DB", default_value = "bulkd.db", value_parser = database())]
    pub db: PathBuf,

    /// Give a database that is there another name, under which it is kept.
    #[arg(long)]
    pub force: bool,
}

#[derive(Args, Debug)]
pub struct Doctor {
    /// The daemon to ask.
    #[arg(long, value_name = "URL", env = "COURIER_BASE_URL", default_value = "http://127.0.0.1:4010")]
    pub url: String,

    /// The API key whose environment is looked at.
    #[arg(long, value_name = "KEY", env = "COURIER_API_KEY", hide_env_values = true, value_parser = api_key)]
    pub api_key: String,

    /// Whom to trust where the daemon speaks https: certificates in PEM, and not those that browsers trust.
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE")]
    pub ca: Option<PathBuf>,

    /// End with exit code 3 if something of this level or worse was found.
    #[arg(long, value_name = "LEVEL", value_parser = ["info", "warn", "error"])]
    pub fail_on: Option<String>,
}

#[derive(Args, Debug)]
pub struct Promote {
    /// The job to promote. It stays as it is.
    #[arg(value_name = "JOB", value_parser = job_id)]
    pub job_id: String,

    /// Where to create it, such as https://api.courier.com.
    #[arg(long, value_name = "URL", value_parser = service)]
    pub to: String,

    /// Whom to trust there: certificates in PEM, and not those that browsers trust.
    #[arg(long, value_name = "FILE")]
    pub to_ca: Option<PathBuf>,

    /// The API key there.
    #[arg(long, value_name = "KEY", env = "BULKD_PROMOTE_API_KEY", hide_env_values = true, value_parser = api_key)]
    pub api_key: String,

    /// The running daemon that has the job.
    #[arg(long, value_name = "URL", env = "COURIER_BASE_URL", default_value = "http://127.0.0.1:4010")]
    #[arg(value_parser = base_url)]
    pub from: String,

    /// Whom to trust where that daemon speaks https: certificates in PEM, and not those that browsers trust.
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE")]
    pub from_ca: Option<PathBuf>,

    /// The API key whose environment the job is in.
    #[arg(long, value_name = "KEY", env = "COURIER_API_KEY", hide_env_values = true, value_parser = api_key)]
    pub from_api_key: String,

    /// Users in one call.
    #[arg(long, value_name = "N", default_value = "500", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub batch: u64,

    /// Add the users, and leave the job for somebody else to run.
    #[arg(long)]
    pub no_run: bool,

    /// Show what would be sent, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args, Debug)]
pub struct Deliver {
    /// The Redis that the daemon relays to, such as redis://127.0.0.1:6379.
    #[arg(long, value_name = "URL", env = "BULKD_RELAY", hide_env_values = true)]
    pub from: String,

    /// The file whose messages to deliver: the 12 hex digits in the name of its stream. Without it, there must be only
    /// one.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,

    /// Deliver the messages of a channel, or of all: by smtp://[USER@]HOST[:PORT], smtps://..., smtp+starttls://...,
    /// provider, http://... or https://..., file:PATH or - (standard output). Repeatable; in the environment separated by
    /// spaces. Those of other channels are left to other senders.
    #[arg(
        long = "deliver",
        value_name = "CHANNEL=TARGET",
        env = "BULKD_DELIVER",
        value_delimiter = ' ',
        required = true
    )]
    #[arg(hide_env_values = true, value_parser = DeliverTo::parse)]
    pub to: Vec<DeliverTo>,

    /// Deliver so many messages of a channel in a second, at most. Repeatable; in the environment separated by spaces.
    #[arg(long = "deliver-rate", value_name = "CHANNEL=N", env = "BULKD_DELIVER_RATE", value_delimiter = ' ')]
    #[arg(value_parser = DeliverRate::parse)]
    pub rates: Vec<DeliverRate>,

    /// Give a channel up after so many failures one after the other, and leave what was taken of it to others; end once no
    /// other channel is at work.
    #[arg(long = "deliver-errors", value_name = "N", env = "BULKD_DELIVER_ERRORS", default_value_t = DELIVER_ERRORS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub errors: u32,

    /// What this sender is called in Redis, where names must be unique [default: made of host and process].
    #[arg(long, value_name = "NAME", value_parser = sender)]
    pub name: Option<String>,

    /// Try a message so often before it becomes a dead letter.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub tries: u32,

    /// Take over what another sender has, once nothing was heard of it for so long. A sender is heard of while it sends, too.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = claim_span)]
    pub claim_after: Duration,

    /// What to log on standard error: error, warn, info, debug, trace or off.
    #[arg(long, value_name = "LEVEL", env = "BULKD_LOG", default_value = "info", value_parser = LEVELS)]
    #[arg(hide_possible_values = true)]
    pub log: String,

    /// How a line of the log is written.
    #[arg(long, env = "BULKD_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Args, Debug)]
pub struct Ca {
    /// The database file that the authority is kept beside. The authority is made if there is none.
    #[arg(long, value_name = "FILE", env = "BULKD_DB", default_value = "bulkd.db", value_parser = database())]
    pub db: PathBuf,
}

impl Serve {
    /// The settings that these flags mean.
    pub fn config(self) -> Config {
        let any_key = self.api_keys == [ANY_KEY];
        Config {
            listen: self.listen.address,
            listen_too: self.listen.other,
            durability: if self.ephemeral { Durability::Ephemeral } else { self.durability },
            database: (!self.ephemeral).then_some(self.db),
            any_key,
            api_keys: if any_key { Vec::new() } else { self.api_keys },
            hosts: self.hosts.into_iter().chain(self.listen.name).collect(),
            origins: self.origins,
            workers: self.workers.map_or_else(default_workers, usize::from),
            litestream: self.litestream,
            contract: self.contract,
            templates: self.templates,
            provider_limits: self.provider_limits,
            webhooks: self.webhooks,
            deliver: self.deliver,
            deliver_rates: self.deliver_rates,
            deliver_errors: self.deliver_errors,
            relay: self.relay,
            relay_entries: self.relay_entries,
            seed: self.seed,
            keep: Keep { span: self.keep, messages: self.keep_messages },
            rate_limits: self.rate_limits,
            backup_dir: self.backup_dir,
            mailpit_key: self.mailpit_api,
            test_clock: self.test_clock,
            seed_ids: self.seed_ids,
            ui_dir: self.ui_dir,
            tls: match (self.tls_cert, self.tls_key) {
                (Some(certificate), Some(key)) => Some(Tls::Given { certificate, key }),
                _ => self.tls.then_some(Tls::Made),
            },
            limits: Limits {
                bodies_bytes: self.memory.unwrap_or_else(memory::share).try_into().unwrap_or(usize::MAX),
                ..default_limits()
            },
        }
    }
}

/// A number of seconds, or of the unit behind it.
fn span(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "expected a span such as 10s, 500ms or 1m";
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        _ => return Err(EXPECTED),
    };
    Ok(Duration::from_millis(number.saturating_mul(millis).min(LONGEST_WAIT_MILLIS)))
}

/// A span after which a sender is taken for gone. One that is too short would take messages from senders that are at
/// work.
fn claim_span(text: &str) -> Result<Duration, &'static str> {
    match span(text)? {
        span if span < Duration::from_secs(1) => Err("expected a second at least, such as 60s"),
        span => Ok(span),
    }
}

/// A day: no script waits for longer.
const LONGEST_WAIT_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// More would be no bound.
const MOST_RELAY_ENTRIES: u64 = 100_000_000;

/// The name of a sender. Redis and its tools must see one word.
fn sender(text: &str) -> Result<String, &'static str> {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > 100 || text == "released" || !text.bytes().all(is_of_name) {
        return Err("expected up to 100 letters, digits, '-', '_' and '.', and not 'released'");
    }
    Ok(text.to_owned())
}

/// The URL of a daemon, by either scheme.
fn base_url(text: &str) -> Result<String, &'static str> {
    without_path(text, &["http://", "https://"]).ok_or("expected the URL of a daemon, such as http://127.0.0.1:4010")
}

/// The URL of a service's API, by either scheme.
fn service(text: &str) -> Result<String, &'static str> {
    let base = without_path(text, &["https://", "http://"]);
    base.ok_or("expected the URL of a service without a path, such as https://api.courier.com")
}

/// A URL of one of these schemes that names a host and nothing else, without a slash at its end.
fn without_path(text: &str, schemes: &[&str]) -> Option<String> {
    let base = text.trim_end_matches('/');
    let host = schemes.iter().find_map(|scheme| base.strip_prefix(scheme))?;
    (!host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])).then(|| base.to_owned())
}

/// The id of a job, as it can stand in a path.
fn job_id(text: &str) -> Result<String, &'static str> {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.is_empty() || !text.bytes().all(is_of_id) {
        return Err("expected the id of a job, such as 1-67890abc-0123456789abcdef01234567");
    }
    Ok(text.to_owned())
}

/// Where to listen, and the name by which it was given.
#[derive(Clone, Debug)]
pub struct Listen {
    pub address: SocketAddr,
    /// `localhost` is both loopback addresses: what resolves it may try either.
    pub other: Option<IpAddr>,
    pub name: Option<String>,
}

fn listen(text: &str) -> Result<Listen, String> {
    let name = text.rsplit_once(':').map(|(name, _)| name).filter(|name| host(name).is_ok());
    let name = name.map(str::to_owned);
    if name.as_deref().is_some_and(|name| name.trim_end_matches('.').eq_ignore_ascii_case("localhost")) {
        let (_, port) = text.rsplit_once(':').unwrap_or_default();
        return Ok(Listen { address: address(&format!(":{port}"))?, other: Some(Ipv6Addr::LOCALHOST.into()), name });
    }
    Ok(Listen { address: address(text)?, other: None, name })
}

/// An origin as a browser sends it: a scheme and a host, and the port unless it is the scheme's default. `*` is all of
/// them.
fn origin(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected * or an origin without a path, such as https://app.test or http://localhost:3000";
    let origin = text.trim().trim_end_matches('/').to_ascii_lowercase();
    if origin == "*" {
        return Ok(origin);
    }
    let (scheme, host) = origin.split_once("://").ok_or(EXPECTED)?;
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if scheme.is_empty() || host.is_empty() || !scheme.bytes().all(is_of_scheme) || !host.bytes().all(is_of_host) {
        return Err(EXPECTED);
    }
    Ok(origin)
}

/// The name of a host, as a `Host` header has it before the port.
fn host(text: &str) -> Result<String, &'static str> {
    let is_part_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = text.trim().trim_end_matches('.');
    if name.is_empty() || !name.bytes().all(is_part_of_name) {
        return Err("expected the name of a host without a port, such as bulkd.test");
    }
    Ok(name.to_owned())
}

/// `HOST:PORT` or `:PORT`, the host a name or a number.
fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.to_owned() };
    let is_whole = full.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !is_whole {
        return Err("expected HOST:PORT or :PORT with a port of at most 65535, such as 127.0.0.1:4010".to_owned());
    }
    let failed = |why: &dyn std::fmt::Display| format!("the host has no address: {why}");
    let mut found = full.to_socket_addrs().map_err(|error| failed(&error))?;
    found.next().ok_or_else(|| failed(&"none was found"))
}

/// The name of a file. SQLite's name for no file at all is refused.
fn database() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|name| match name.to_str() {
        Some(":memory:") => Err("expected the name of a file; for one that is thrown away there is --ephemeral"),
        _ => Ok(name),
    })
}

/// A key as it can stand in a header. An empty one, such as an unset variable leaves, is refused: it must not be taken
/// for no key at all.
fn api_key(text: &str) -> Result<String, &'static str> {
    let key = text.trim();
    if key.is_empty() || key.contains(char::is_control) {
        return Err("expected a key that is not empty");
    }
    Ok(key.to_owned())
}
