//! Environments by the handles under which the page knows them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::environment::Environment;

/// Environments that were listed or named. After a reset the file does not know an environment until something is made
/// in it.
#[derive(Clone, Default)]
pub struct Handles(Arc<Mutex<HashMap<String, Environment>>>);

impl Handles {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Environment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, handle: &str) -> Option<Environment> {
        self.known().get(handle).cloned()
    }

    pub fn add(&self, environment: &Environment) {
        let mut known = self.known();
        if known.len() < REMEMBERED {
            known.insert(environment.handle(), environment.clone());
        }
    }
}

/// Environments that are remembered by their handles.
const REMEMBERED: usize = 10_000;
