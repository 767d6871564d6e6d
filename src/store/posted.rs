//! How many events were posted since the start. The clock compares two counts when a test moves it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::environment::EnvironmentRow;

/// Attempts to deliver events, successful or not, by the environments of their webhooks. `None` is for webhooks of all
/// environments.
#[derive(Clone, Default)]
pub struct Posted(Arc<Mutex<HashMap<Option<EnvironmentRow>, u64>>>);

impl Posted {
    pub fn add(&self, environment: Option<EnvironmentRow>, events: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(environment).or_default() += events as u64;
    }

    /// Those of the webhooks that an environment sees.
    pub fn of(&self, environment: EnvironmentRow) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        [None, Some(environment)].iter().filter_map(|it| counts.get(it)).sum()
    }
}
