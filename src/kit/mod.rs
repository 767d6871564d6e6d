//! bulkd in a test: a daemon inside the test's process, and what a test asks of it. The calls are those of the kits for
//! Python and Node, and like theirs fail the test where something is not so: they panic, and say what came nearest.
//!
//! ```no_run
//! use bulkd::Bulkd;
//! use bulkd::kit::{contains, json};
//!
//! let bulkd = Bulkd::start();
//! let ada = bulkd.environment();
//! // ... the application calls ada.base_url() with ada.api_key() ...
//! let message = ada.wait_for_message(json!({ "recipient": "ada@example.com", "subject": contains("Welcome") }));
//! assert_eq!(message.code(), "482913");
//! ```

mod environment;
mod message;
mod wire;
mod words;

use std::path::Path;

use clap::builder::{OsStr, Resettable};
use clap::{CommandFactory, FromArgMatches};

use crate::app::App;
use crate::cli::{Cli, Command};
use crate::error::{Error, Result};

pub use environment::{Clock, Environment, Fault};
pub use message::{Delivery, Message};
pub use serde_json::{Value, json};
pub use wire::Failure;
pub use words::{absent, contains, equals, matches, present};

/// What tests need: a free port, a file that is thrown away, and a clock that can be moved.
const FLAGS: [&str; 4] = ["--ephemeral", "--listen", "127.0.0.1:0", "--test-clock"];

/// A daemon of a test's own, in its process. It stops when it is dropped. Tests that run in parallel share one, each with an
/// [environment](Bulkd::environment) of its own:
///
/// ```no_run
/// use std::sync::LazyLock;
/// static BULKD: LazyLock<bulkd::Bulkd> = LazyLock::new(bulkd::Bulkd::start);
/// ```
pub struct Bulkd {
    base_url: String,
    /// `None` when it has stopped.
    app: Option<App>,
}

impl Bulkd {
    /// Starts it, and returns when it answers.
    ///
    /// # Panics
    /// If it cannot be started, such as where no file can be made.
    #[track_caller]
    pub fn start() -> Self {
        Bulkd::start_with([])
    }

    /// The same with flags of `bulkd serve`, such as `["--contract", "live"]`. What the environment says of settings does
    /// not count, nor do flags of the process: the test's own logger has the log's lines, and standard input is the test's.
    ///
    /// # Panics
    /// If it cannot be started, or there is no such flag.
    #[track_caller]
    pub fn start_with<'a>(flags: impl IntoIterator<Item = &'a str>) -> Self {
        match Bulkd::try_start(flags) {
            Ok(bulkd) => bulkd,
            Err(error) => panic!("bulkd cannot be started: {error}"),
        }
    }

    /// The same, with an error for what [`Bulkd::start_with`] panics on.
    pub fn try_start<'a>(flags: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let refused = |error: clap::Error| Error::startup(error.to_string().trim_end().to_owned());
        let command = Cli::command().mut_args(|arg| arg.env(Resettable::<OsStr>::Reset));
        let given = ["bulkd"].into_iter().chain(FLAGS).chain(flags);
        let matches = command.try_get_matches_from(given).map_err(refused)?;
        let cli = Cli::from_arg_matches(&matches).map_err(refused)?;
        let flags = match cli.command {
            None => cli.serve,
            Some(Command::Serve(flags)) => *flags,
            Some(_) => return Err(Error::startup("expected flags of bulkd serve")),
        };
        let app = App::start(flags.config())?;
        Ok(Bulkd { base_url: app.url(), app: Some(app) })
    }

    /// Where it answers, such as `http://127.0.0.1:43210`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A new environment, which is empty. No other test knows its key.
    #[track_caller]
    pub fn environment(&self) -> Environment {
        self.environment_of(&format!("test-{:032x}", rand::random::<u128>()))
    }

    /// The environment of a key.
    ///
    /// # Panics
    /// With `--tls`, if the file with its authority's certificate is gone.
    #[track_caller]
    pub fn environment_of(&self, api_key: &str) -> Environment {
        match Environment::at(&self.base_url, api_key, self.ca()) {
            Ok(environment) => environment,
            Err(error) => panic!("{error}"),
        }
    }

    /// With `--tls` the file with the certificate of its authority.
    pub fn ca(&self) -> Option<&Path> {
        self.app.as_ref().and_then(App::authority)
    }

    /// Finishes what is in flight. Dropping it does the same.
    pub fn stop(self) {}
}

impl Drop for Bulkd {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop();
        }
    }
}
