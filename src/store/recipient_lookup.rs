//! What is stored of a recipient: profile, preference, push tokens.

use std::sync::Arc;

use super::engine::Db;
use super::preference::PreferenceOwner;
use super::{preference, profile, token};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::outcome::OutcomeRules;
use crate::model::stored_recipient::{StoredRecipient, Subject};
use crate::model::user::tenant_id as tenant_of;

/// Looks up recipients of one environment. Skips what the environment has no rows of.
pub struct RecipientLookup {
    environment: EnvironmentRow,
    profiles: bool,
    preferences: bool,
    tokens: bool,
    outcomes: Option<Arc<OutcomeRules>>,
}

impl RecipientLookup {
    pub fn new(db: &Db<'_>, environment: EnvironmentRow) -> Result<Self> {
        Ok(RecipientLookup {
            environment,
            profiles: profile::any(db, environment)?,
            preferences: preference::any(db, environment)?,
            tokens: token::any(db, environment)?,
            outcomes: db.outcomes.and_then(|outcomes| outcomes.of(environment)),
        })
    }

    /// Whether nothing is stored of any recipient.
    pub fn is_empty(&self) -> bool {
        !(self.profiles || self.preferences || self.tokens || self.outcomes.is_some())
    }

    /// What is stored of a recipient; `user` is what was sent of it. The user's tenant takes precedence over the
    /// message's.
    pub fn get(&self, db: &Db<'_>, (recipient, user): (&str, &str), asked: Subject<'_>) -> Result<StoredRecipient> {
        let mut stored = StoredRecipient { outcomes: self.outcomes.clone(), ..StoredRecipient::default() };
        if self.profiles {
            stored.profile = profile::find_current(db, self.environment, recipient)?;
        }
        if self.preferences {
            let tenant_id = tenant_of(user).or_else(|| asked.tenant_id.map(str::to_owned)).unwrap_or_default();
            let owner = PreferenceOwner { user_id: recipient.to_owned(), tenant_id };
            let chosen = preference::list_of_notifications(db, self.environment, &owner)?;
            let named = asked.names.into_iter().flatten();
            let of_notification = named.filter_map(|name| chosen.iter().find(|(id, _)| id == name)).next();
            stored.preference = match (of_notification, asked.topic_id) {
                (Some((_, choice)), _) => Some(choice.clone()),
                (None, Some(topic_id)) => {
                    preference::find(db, self.environment, recipient, &owner.tenant_id, topic_id)?
                }
                (None, None) => None,
            };
        }
        if self.tokens {
            stored.tokens = token::list_active(db, self.environment, recipient)?;
        }
        Ok(stored)
    }
}
