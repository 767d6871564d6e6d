//! What the answers depend on besides the request.

use std::path::PathBuf;
use std::sync::Arc;

use super::auth::Keys;
use super::hosts::Hosts;
use super::late::LateRefusals;
use super::mailbox_state::MailboxState;
use super::notices::Notices;
use super::origins::Origins;
use crate::clock::ManualClock;
use crate::feed::Feed;
use crate::lifecycle::Lifecycle;
use crate::meter::Meter;
use crate::model::environment::Environment;
use crate::settings::{Contract, MessageSettings};
use crate::waits::Waits;

/// What the answers depend on besides the request.
pub struct Settings {
    pub contract: Contract,
    pub messages: MessageSettings,
    pub keys: Keys,
    /// What answers wrong keys late. `None` where any key is accepted.
    pub late: Option<Arc<LateRefusals>>,
    pub hosts: Hosts,
    /// Whose pages may call from a browser.
    pub origins: Origins,
    pub notices: Arc<Notices>,
    /// The requests that wait until something is so.
    pub waits: Arc<Waits>,
    /// Where backups may be put.
    pub backup_dir: Option<PathBuf>,
    /// Whose e-mails Mailpit's API shows, and what was done to them there.
    pub mailbox: Option<Environment>,
    pub mailbox_state: Arc<MailboxState>,
    pub meter: Arc<Meter>,
    pub feed: Arc<Feed>,
    /// The daemon's clock, if requests may move it.
    pub test_clock: Option<ManualClock>,
    /// How jobs go on.
    pub lifecycle: Lifecycle,
}
