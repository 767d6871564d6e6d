//! What the answers depend on besides the request.

use std::path::PathBuf;

use super::auth::Keys;
use super::hosts::Hosts;
use crate::settings::{Contract, UnknownTemplates};

/// What the answers depend on besides the request.
pub struct Settings {
    pub contract: Contract,
    pub templates: UnknownTemplates,
    pub keys: Keys,
    pub hosts: Hosts,
    /// Where backups may be put.
    pub backup_dir: Option<PathBuf>,
}
