//! What is stored of a recipient, whoever asks: profile, preference, push tokens.

use super::{Db, preference, profile, token};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::known::Known;
use crate::model::user::tenant_id as tenant_of;

/// Looks recipients of one environment up; of what the environment has none at all, nobody is asked for.
pub struct Lookup {
    environment: EnvironmentRow,
    profiles: bool,
    preferences: bool,
    tokens: bool,
}

impl Lookup {
    pub fn new(db: &Db<'_>, environment: EnvironmentRow) -> Result<Self> {
        Ok(Lookup {
            environment,
            profiles: profile::any(db, environment)?,
            preferences: preference::any(db, environment)?,
            tokens: token::any(db, environment)?,
        })
    }

    /// Whether nothing is stored of anybody.
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
    ) -> Result<Known> {
        let mut known = Known::default();
        if self.profiles {
            known.profile = profile::find_current(db, self.environment, recipient)?;
        }
        if self.preferences
            && let Some(topic_id) = topic_id
        {
            let own = tenant_of(user);
            let tenant_id = own.as_deref().or(tenant_id).unwrap_or_default();
            known.preference = preference::find(db, self.environment, recipient, tenant_id, topic_id)?;
        }
        if self.tokens {
            known.tokens = token::list_active(db, self.environment, recipient)?;
        }
        Ok(known)
    }
}
