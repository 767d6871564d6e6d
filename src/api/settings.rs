//! What the answers depend on besides the request.

use std::path::PathBuf;
use std::sync::Arc;

use super::auth::Keys;
use super::hosts::Hosts;
use super::late::LateRefusals;
use super::notices::Notices;
use super::origins::Origins;
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
}
