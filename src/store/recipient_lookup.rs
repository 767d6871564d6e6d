//! What is stored of a recipient: profile, preference, push tokens.

use super::engine::Db;
use super::{preference, profile, token};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::stored_recipient::StoredRecipient;
use crate::model::user::tenant_id as tenant_of;

/// Looks recipients of one environment up. Skips kinds that the environment has no rows of.
pub struct RecipientLookup {
    environment: EnvironmentRow,
    profiles: bool,
    preferences: bool,
    tokens: bool,
}

impl RecipientLookup {
    pub fn new(db: &Db<'_>, environment: EnvironmentRow) -> Result<Self> {
        Ok(RecipientLookup {
            environment,
            profiles: profile::any(db, environment)?,
            preferences: preference::any(db, environment)?,
            tokens: token::any(db, environment)?,
        })
    }

    /// Whether nothing is stored of any recipient.
    pub fn is_empty(&self) -> bool {
        !(self.profiles || self.preferences || self.tokens)
    }

    /// What is stored of a recipient; `user` is what was sent of it. Its tenant goes before that of the message.
    pub fn get(
        &self,
        db: &Db<'_>,
        (recipient, user): (&str, &str),
        topic_id: Option<&str>,
        tenant_id: Option<&str>,
    ) -> Result<StoredRecipient> {
        let mut stored = StoredRecipient::default();
        if self.profiles {
            stored.profile = profile::find_current(db, self.environment, recipient)?;
        }
        if self.preferences
            && let Some(topic_id) = topic_id
        {
            let own = tenant_of(user);
            let tenant_id = own.as_deref().or(tenant_id).unwrap_or_default();
            stored.preference = preference::find(db, self.environment, recipient, tenant_id, topic_id)?;
        }
        if self.tokens {
            stored.tokens = token::list_active(db, self.environment, recipient)?;
        }
        Ok(stored)
    }
}
