//! What the answers depend on besides the request.

use super::auth::Keys;
use crate::render::UnknownTemplates;

/// Which of two readings of Courier's documentation is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// The tutorial: 201 with the job id, 200 with `errors` and `total`, 202.
    Tutorial,
    /// The published OpenAPI: 200, 204, 204, and `event` is required.
    OpenApi,
}

/// What the answers depend on besides the request.
pub struct Settings {
    pub contract: Contract,
    pub templates: UnknownTemplates,
    pub keys: Keys,
}
