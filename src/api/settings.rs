//! What the answers depend on besides the request.

use std::path::PathBuf;
use std::sync::Arc;

use super::auth::Keys;
use super::frames::Frames;
use super::handles::Handles;
use super::hosts::Hosts;
use super::late::LateAnswers;
use super::mailbox_state::MailboxState;
use super::origins::Origins;
use super::wrong_keys::LateRefusals;
use crate::clock::{Clock, ManualClock};
use crate::deliver::Deliver;
use crate::faults::{Faults, RateLimits};
use crate::feed::Feed;
use crate::findings::Findings;
use crate::journal::Journal;
use crate::lifecycle::Lifecycle;
use crate::meter::Meter;
use crate::model::environment::Environment;
use crate::settings::{Contract, MessageSettings};
use crate::steer::Steering;
use crate::waits::Waits;

/// What the answers depend on besides the request.
pub struct Settings {
    pub contract: Contract,
    pub messages: MessageSettings,
    pub keys: Keys,
    /// What answers wrong keys late. `None` where any key is accepted.
    pub late: Option<Arc<LateRefusals>>,
    pub hosts: Hosts,
    /// The origins whose pages may call from a browser.
    pub origins: Origins,
    /// The requests that wait until something is so.
    pub waits: Arc<Waits>,
    /// The daemon's.
    pub clock: Clock,
    /// What would hurt at Courier.
    pub findings: Arc<Findings>,
    pub journal: Arc<Journal>,
    pub faults: Arc<Faults>,
    /// Courier's limits of requests, if they are to hold.
    pub rate_limits: Option<Arc<RateLimits>>,
    /// Gives the answers that faults hold back.
    pub delayed: Arc<LateAnswers>,
    /// Where backups may be put.
    pub backup_dir: Option<PathBuf>,
    /// The environment whose e-mails Mailpit's API shows, and what was done to them there.
    pub mailbox: Option<Environment>,
    pub mailbox_state: Arc<MailboxState>,
    pub meter: Arc<Meter>,
    pub feed: Arc<Feed>,
    /// The daemon's clock, if requests may move it.
    pub test_clock: Option<ManualClock>,
    /// How jobs go on.
    pub lifecycle: Lifecycle,
    /// Moves the clock, and has jobs go on by steps.
    pub steering: Arc<Steering>,
    /// The handles by which the page names environments.
    pub handles: Handles,
    /// The HTML that the page shows in frames.
    pub frames: Frames,
    /// What is delivered for real, if anything is.
    pub deliver: Option<Arc<Deliver>>,
    /// Where the page's files are read from, in place of those that are built in.
    pub ui_dir: Option<PathBuf>,
    /// `http` or `https`, by which it is called.
    pub scheme: &'static str,
}

/// What the process holds of environments.
pub struct Bench {
    findings: Arc<Findings>,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    rate_limits: Option<Arc<RateLimits>>,
}

impl Settings {
    pub fn bench(&self) -> Bench {
        Bench {
            findings: self.findings.clone(),
            journal: self.journal.clone(),
            faults: self.faults.clone(),
            rate_limits: self.rate_limits.clone(),
        }
    }
}

impl Bench {
    /// Removes what it holds of one.
    pub fn clear(&self, environment: &Environment) {
        self.findings.clear(environment);
        self.journal.clear(environment);
        self.faults.clear(environment);
        if let Some(limits) = &self.rate_limits {
            limits.clear(environment);
        }
    }
}
