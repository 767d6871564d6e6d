//! The connections of all webhooks that are followed, so that a stop can abort their calls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::post::{AllowedHosts, Poster};
use crate::store::webhook::Webhook;

#[derive(Default)]
pub struct Posters {
    stopping: AtomicBool,
    /// By the webhooks' ids.
    posters: Mutex<HashMap<String, Poster>>,
}

impl Posters {
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Aborts the calls in progress; there are no others afterwards.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let posters: Vec<Poster> = self.lock().drain().map(|(_, poster)| poster).collect();
        posters.into_iter().for_each(Poster::stop);
    }

    /// The webhook's connections. `None` after the stop, which could not abort them.
    pub fn of(&self, webhook: &Webhook) -> Option<Poster> {
        let mut posters = self.lock();
        if self.is_stopping() {
            return None;
        }
        let hosts = if webhook.environment.is_some() { AllowedHosts::Loopback } else { AllowedHosts::Any };
        Some(posters.entry(webhook.webhook_id.clone()).or_insert_with(|| Poster::new(hosts)).clone())
    }

    pub fn remove(&self, webhook_id: &str) {
        self.lock().remove(webhook_id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Poster>> {
        self.posters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
