//! `POST /send`: one message, or one to each of many.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Act, Answer, Call, Change, Contract};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::json;
use crate::json::members::{self, Raw, members};
use crate::model::bulk::JobKind;
use crate::model::definition::{Definition, Reading};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::list::Pattern;
use crate::model::outcomes::Outcomes;
use crate::model::plan::Plan;
use crate::model::recipient::{self, Filter, To};
use crate::render::{Recipient, Renderer, UnknownTemplates};
use crate::store::job::PinnedVersions;
use crate::store::plan::{self, References};
use crate::store::{self, Db, Tx, environment, list, profile};

/// Subscribers of all lists of one send: they are written in one commit,
const FAN_OUT_LIMIT: usize = 1_000_000;
/// and so is their text, with the data of its list in each.
const FAN_OUT_BYTES: usize = 256 * 1024 * 1024;

/// Text of one send's messages, and what is stored of its recipients, that is held to be written in the request's own
/// commit.
const COMMIT_BYTES: usize = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

members! {
    struct Message<'a> {
        #[serde(borrow)]
        to: Raw<'a> = "to",
    }
}

/// `POST /send` with `{message}`: 202 `{requestId}`, which for a single recipient is the message's id. Whoever is named
/// gets the message in this request, unless that is too much to hold; the subscribers of lists get theirs from the
/// runner.
pub fn send(mut call: Call<'_>) -> Result<Act> {
    let body = call.json()?;
    let message = json::read::<Body<'_>>(&body, String::new)?.message.get();
    let lenient = call.settings.contract == Contract::OpenApi;
    let definition = Definition::read(message, if lenient { Reading::Lenient } else { Reading::Send })?;
    let to = match members::read::<Message<'_>>(message, || "message".to_owned())?.to {
        Some(Raw(to)) => recipient::read(to)?,
        _ if lenient => Vec::new(),
        _ => return Err(Error::invalid("message.to", "expected a recipient, or an array of them")),
    };
    let send =
        Sending { definition: message.to_owned(), environment: call.environment, templates: call.settings.templates };
    match users(&to) {
        Some(users) => {
            let answer = |request_id| format!("{{\"requestId\":\"{request_id}\"}}");
            Act::staged(move |db| send.stage(db, definition, users, answer))
        }
        None => Act::staged(move |db| send.fan_out(db, definition, to)),
    }
}

/// Whether filters of a list take a subscriber. Those of whom no profile is stored are taken by none.
fn takes(db: &Db<'_>, environment: EnvironmentRow, filters: &[Filter], subscriber: &str) -> Result<bool> {
    if filters.is_empty() {
        return Ok(true);
    }
    let profile = profile::find_current(db, environment, subscriber)?;
    let profile = profile.and_then(|(_, profile)| serde_json::from_str::<Value>(&profile).ok());
    Ok(profile.is_some_and(|profile| filters.iter().all(|filter| filter.takes(&profile))))
}

/// Recipients and users, if nobody has to be looked up in a list.
fn users(to: &[To]) -> Option<Vec<(String, String)>> {
    let user = |to: &To| match to {
        To::User { recipient, user } => Some((recipient.clone(), user.clone())),
        _ => None,
    };
    to.iter().map(user).collect()
}

/// A message that is about to be sent.
pub struct Sending {
    /// The `message`, as it was sent.
    pub definition: String,
    pub environment: Environment,
    pub templates: UnknownTemplates,
}

impl Sending {
    /// Looks up what there is to know; then, without the file, renders; then writes everything in one commit.
    /// `definition` is the send's own, understood.
    pub fn stage(
        self,
        db: &Db<'_>,
        definition: Definition,
        users: Vec<(String, String)>,
        answer: fn(String) -> String,
    ) -> Result<super::Make> {
        let sent: Vec<_> = users.iter().map(|(recipient, user)| (recipient.as_str(), user.as_str())).collect();
        let found = store::send::resolve(db, &self.environment, definition, &sent, COMMIT_BYTES)?;
        let now = db.now();
        Ok(Box::new(move || {
            let renderer = Renderer::new(found.plan, self.templates, now)?;
            let mut outcomes = Outcomes::default();
            for ((recipient, user), known) in users.iter().zip(&found.known) {
                if outcomes.bytes() > COMMIT_BYTES {
                    break;
                }
                renderer.render(Recipient { recipient, user, known }, now, false, &mut outcomes);
            }
            let outcomes = Some(outcomes).filter(|outcomes| outcomes.len() == users.len());
            Ok(Change::sure(move |tx| {
                let request_id = self.write(tx, found.environment, &found.versions, &users, outcomes.as_ref())?;
                Ok(Answer::new(202, answer(request_id)))
            }))
        }))
    }

    /// Makes a job of everybody who is meant, and leaves the rest to the runner.
    fn fan_out(self, db: &Db<'_>, definition: Definition, to: Vec<To>) -> Result<super::Make> {
        let environment = environment::find(db, &self.environment)?;
        let row = environment.unwrap_or(environment::NOTHING);
        let versions = plan::resolve(db, row, &References::of(&definition))?;
        let users = everybody(db, row, &to)?;
        Ok(Box::new(move || {
            // Compiled only to see whether it can be: the runner does it again.
            Renderer::new(Plan::new(definition, JobKind::Send), self.templates, Timestamp::default())?;
            if users.is_empty() {
                log::warn!(
                    "a send to {to:?} reaches nobody: no list that it means has a subscriber whom its filters take"
                );
            }
            Ok(Change::sure(move |tx| {
                let request_id = self.write(tx, environment, &versions, &users, None)?;
                Ok(Answer::new(202, format!("{{\"requestId\":\"{request_id}\"}}")))
            }))
        }))
    }

    /// Writes the job and its messages, or leaves these to the runner. Returns the id of the request.
    fn write(
        &self,
        tx: &mut Tx<'_>,
        environment: Option<EnvironmentRow>,
        versions: &PinnedVersions,
        users: &[(String, String)],
        outcomes: Option<&Outcomes>,
    ) -> Result<String> {
        let users: Vec<(&str, &str)> =
            users.iter().map(|(recipient, user)| (recipient.as_str(), user.as_str())).collect();
        // Should it have been reset meanwhile, this was sent before.
        let environment = match environment {
            Some(environment) => environment,
            None => environment::find_or_create(tx, &self.environment)?,
        };
        store::send::create(tx, environment, &self.definition, versions, &users, outcomes)
    }
}

/// Recipients and users: those who are named, and the subscribers of the lists.
fn everybody(db: &Db<'_>, environment: EnvironmentRow, to: &[To]) -> Result<Vec<(String, String)>> {
    let mut users: Vec<(String, String)> = Vec::new();
    let mut bytes = 0;
    // A list that is meant twice, with the same data and filters, is meant once.
    let mut seen = HashSet::new();
    for to in to {
        let (lists, data, filters) = match to {
            To::User { recipient, user } => {
                users.push((recipient.clone(), user.clone()));
                continue;
            }
            To::List { list_id, data, filters } => (vec![list_id.clone()], data, filters),
            To::Pattern { pattern, data, filters } => {
                let lists = list::match_pattern(db, environment, &Pattern::new(pattern))?;
                (lists.into_iter().map(|list| list.list_id).collect(), data, filters)
            }
        };
        for list_id in lists {
            if !seen.insert((list_id.clone(), data, filters)) {
                continue;
            }
            list::subscribers(db, environment, &list_id, |subscriber, preferences| {
                if !takes(db, environment, filters, subscriber)? {
                    return Ok(true);
                }
                let user = recipient::subscriber(subscriber, &list_id, data.as_deref(), preferences);
                bytes += subscriber.len() + user.len();
                users.push((subscriber.to_owned(), user));
                if users.len() > FAN_OUT_LIMIT {
                    let expected = format!("expected lists of at most {FAN_OUT_LIMIT} subscribers together");
                    return Err(Error::invalid("message.to", expected));
                }
                if bytes > FAN_OUT_BYTES {
                    let expected = format!(
                        "expected lists whose subscribers, each with the list's data, take at most {FAN_OUT_BYTES} \
                         bytes together; what is the same for all belongs into message.data"
                    );
                    return Err(Error::invalid("message.to", expected));
                }
                Ok(true)
            })?;
        }
    }
    Ok(users)
}
