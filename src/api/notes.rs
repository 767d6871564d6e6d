//! Where the work on a request notes what would hurt at Courier.

use std::hash::Hash;
use std::sync::Arc;

use crate::error::shown_up_to;
use crate::findings::{Check, Findings};
use crate::http::Request;
use crate::model::environment::Environment;

/// The findings, for one request.
#[derive(Clone)]
pub struct Notes {
    findings: Arc<Findings>,
    environment: Environment,
    request: String,
}

impl Notes {
    pub fn new(findings: &Arc<Findings>, environment: &Environment, request: &Request) -> Self {
        let request = format!("{} {}", request.method(), request.path());
        Notes { findings: findings.clone(), environment: environment.clone(), request }
    }

    /// Notes a finding. Each thing that it is about is logged once, and counted each time.
    pub fn note(&self, check: Check, about: impl Hash, what: impl FnOnce() -> String) {
        self.findings.note(&self.environment, check, about, Some(&self.request), what);
    }

    /// Notes that the request is one of the API's first version.
    pub fn deprecated(&self) {
        self.note(Check::DeprecatedV1, self.request.split('/').take(3).collect::<Vec<_>>(), || {
            format!("{} is a call of the API's first version, which is deprecated", shown_up_to(&self.request, 100))
        });
    }

    /// Notes several texts, each of which is about itself.
    pub fn note_all(&self, told: impl IntoIterator<Item = (Check, String)>) {
        for (check, what) in told {
            self.note(check, what.clone(), || what);
        }
    }

    /// The same for a send. It has no name, so members without effect are logged each time.
    pub fn note_send(&self, told: impl IntoIterator<Item = (Check, String)>) {
        for (check, what) in told {
            match check {
                Check::NoEffect | Check::UnknownElement => {
                    self.findings.note_each(&self.environment, check, Some(&self.request), what);
                }
                check => self.note(check, what.clone(), || what),
            }
        }
    }
}
