//! The outcomes that tests have set, by environment. They live in the process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::environment::EnvironmentRow;
use crate::model::outcome::OutcomeRules;

#[derive(Clone, Default)]
pub struct Outcomes(Arc<RwLock<HashMap<EnvironmentRow, Arc<OutcomeRules>>>>);

impl Outcomes {
    /// Those of an environment, if there are any.
    pub fn of(&self, environment: EnvironmentRow) -> Option<Arc<OutcomeRules>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&environment).cloned()
    }

    /// Changes those of an environment.
    pub fn change<T>(&self, environment: EnvironmentRow, change: impl FnOnce(&mut OutcomeRules) -> T) -> T {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut rules = all.get(&environment).map(|rules| (**rules).clone()).unwrap_or_default();
        let changed = change(&mut rules);
        if rules.0.is_empty() {
            all.remove(&environment);
        } else {
            all.insert(environment, Arc::new(rules));
        }
        changed
    }
}
