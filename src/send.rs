//! One send: what it needs is looked up, its messages are rendered, and all is written in one commit. For `POST /send`,
//! for a resend, and for the messages of a seed.

use std::collections::HashSet;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::compose::{Recipient, Renderer};
use crate::error::{Error, Result, shown};
use crate::findings::{Check, OUTCOMES};
use crate::model::bulk::JobKind;
use crate::model::definition::Definition;
use crate::model::environment::EnvironmentRow;
use crate::model::list::ListPattern;
use crate::model::rendered_batch::RenderedBatch;
use crate::model::resolved::ResolvedDefinition;
use crate::model::send_to::{self, Filter, SendRecipient};
use crate::model::send_v1;
use crate::settings::MessageSettings;
use crate::store::environment::View;
use crate::store::job::PinnedVersions;
use crate::store::plan::{self, References};
use crate::store::{self, Db, Tx, list, profile};

/// The most subscribers of all lists of one send: they are written in one commit.
const FAN_OUT_RECIPIENTS: usize = 1_000_000;
/// The most bytes of their text, with the data of its list for each, for the same reason.
const FAN_OUT_BYTES: usize = 256 * 1024 * 1024;

/// The most bytes of one send's messages, and of what is stored of its recipients, that are held in memory to be
/// written in the request's own commit.
const COMMIT_BYTES: usize = 16 * 1024 * 1024;

/// A message that is to be sent.
pub struct SendRequest {
    /// The `message`, as it was sent.
    pub definition: String,
    pub messages: MessageSettings,
    /// Whether it is of the first version, whose members stand at the top level.
    pub is_v1: bool,
}

/// A send that only has to be written.
pub struct PreparedSend {
    definition: String,
    /// The environment in which all was looked up.
    environment: EnvironmentRow,
    versions: PinnedVersions,
    /// Recipients, and the users as they were sent.
    users: Vec<(String, String)>,
    /// What became of each of them. `None` leaves them to the runner.
    outcomes: Option<RenderedBatch>,
    told: Vec<(Check, String)>,
}

impl SendRequest {
    pub fn new(definition: String, messages: MessageSettings) -> Self {
        SendRequest { definition, messages, is_v1: false }
    }

    /// Looks up what is known of the recipients, and then renders without the file. `definition` is the send's own,
    /// parsed.
    pub fn prepare(
        self,
        view: &View<'_>,
        definition: Definition,
        users: Vec<(String, String)>,
    ) -> Result<PreparedSend> {
        let is_v1 = self.is_v1;
        self.try_prepare(view, definition, users).map_err(|error| if is_v1 { send_v1::error(error) } else { error })
    }

    fn try_prepare(
        self,
        view: &View<'_>,
        definition: Definition,
        users: Vec<(String, String)>,
    ) -> Result<PreparedSend> {
        let sent: Vec<_> = users.iter().map(|(recipient, user)| (recipient.as_str(), user.as_str())).collect();
        let mut plan = ResolvedDefinition::new(definition, JobKind::Send);
        plan.is_simulation = view.environment().is_simulation();
        let (environment, found, now) = view.read(|db, environment| {
            Ok((environment, store::send::resolve(db, environment, plan, &sent, COMMIT_BYTES)?, db.now()))
        })?;
        let renderer = Renderer::new(found.plan, self.messages, now)?;
        let title = title_of(users.first().map(|(recipient, _)| ("", recipient.as_str())), users.len());
        let mut told = found.missing.told(&title);
        told.extend(
            renderer.overrides_without_effect(&title, self.is_v1).into_iter().map(|what| (Check::NoEffect, what)),
        );
        told.extend(told_of_content(&renderer, &title));
        let mut outcomes = RenderedBatch::default();
        for ((recipient, user), known) in users.iter().zip(&found.known) {
            if outcomes.bytes() > COMMIT_BYTES {
                break;
            }
            renderer.render(Recipient { recipient, user, known }, now, false, &mut outcomes);
        }
        told.extend(OUTCOMES.iter().filter_map(|of| Some((of.check, of.told(&outcomes, &title)?))));
        let outcomes = Some(outcomes).filter(|outcomes| outcomes.len() == users.len());
        Ok(PreparedSend { definition: self.definition, environment, versions: found.versions, users, outcomes, told })
    }

    /// The same if some recipients are the subscribers of lists. All are left to the runner.
    pub fn prepare_lists(self, view: &View<'_>, definition: Definition, to: &[SendRecipient]) -> Result<PreparedSend> {
        let is_v1 = self.is_v1;
        let (environment, (versions, missing), users) = view.read(|db, environment| {
            let resolved = plan::resolve(db, environment, &References::of(&definition))?;
            Ok((environment, resolved, expand_recipients(db, environment, to, is_v1)?))
        })?;
        let title = title(to);
        // Compiled only as a check: the runner does it again.
        let renderer =
            Renderer::new(ResolvedDefinition::new(definition, JobKind::Send), self.messages, Timestamp::default());
        let renderer = renderer.map_err(|error| if is_v1 { send_v1::error(error) } else { error })?;
        let mut told = missing.told(&title);
        told.extend(told_of_content(&renderer, &title));
        if users.is_empty() {
            log::warn!("{title} reaches no recipient: no list that it names has a subscriber who matches");
        }
        Ok(PreparedSend { definition: self.definition, environment, versions, users, outcomes: None, told })
    }
}

/// The log's name for a send, which has no id yet: the first of its recipients.
pub fn title(to: &[SendRecipient]) -> String {
    let first = to.first().map(|to| match to {
        SendRecipient::User { recipient, .. } => ("", recipient.as_str()),
        SendRecipient::List { list_id, .. } => ("list ", list_id.as_str()),
        SendRecipient::Pattern { pattern, .. } => ("pattern ", pattern.as_str()),
    });
    title_of(first, to.len())
}

fn title_of(first: Option<(&str, &str)>, count: usize) -> String {
    match (first, count) {
        (Some((kind, name)), 1) => format!("a send to {kind}'{}'", shown(name)),
        (Some((kind, name)), _) => format!("a send to {kind}'{}' and {} more", shown(name), count - 1),
        (None, _) => "a send to nobody".to_owned(),
    }
}

impl PreparedSend {
    /// The environment in which all was looked up. If it was reset meanwhile, this send came before the reset, and is
    /// written there.
    pub fn environment(&self) -> EnvironmentRow {
        self.environment
    }

    /// What there is to note of it.
    pub fn told(&self) -> &[(Check, String)] {
        &self.told
    }

    /// Writes the job and its messages, or leaves these to the runner. Returns the id of the request: with one
    /// recipient its message's, else the job's.
    pub fn write(&self, tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<String> {
        let users: Vec<(&str, &str)> =
            self.users.iter().map(|(recipient, user)| (recipient.as_str(), user.as_str())).collect();
        store::send::create(tx, environment, &self.definition, &self.versions, &users, self.outcomes.as_ref())
    }
}

/// What there is to note of a content.
fn told_of_content(renderer: &Renderer, what: &str) -> impl Iterator<Item = (Check, String)> {
    let unused = renderer.unused(what).map(|it| (Check::NoEffect, it));
    unused.into_iter().chain(renderer.unknown_elements(what).map(|it| (Check::UnknownElement, it)))
}

/// Whether a subscriber of a list matches all filters. One without a stored profile matches none.
fn matches_filters(db: &Db<'_>, environment: EnvironmentRow, filters: &[Filter], subscriber: &str) -> Result<bool> {
    if filters.is_empty() {
        return Ok(true);
    }
    let profile = profile::find_current(db, environment, subscriber)?;
    let profile = profile.and_then(|(_, profile)| serde_json::from_str::<Value>(&profile).ok());
    Ok(profile.is_some_and(|profile| filters.iter().all(|filter| filter.matches(&profile))))
}

/// Recipients and users: those that are named, and the subscribers of the lists.
fn expand_recipients(
    db: &Db<'_>,
    environment: EnvironmentRow,
    to: &[SendRecipient],
    is_v1: bool,
) -> Result<Vec<(String, String)>> {
    // Where the request names the lists, and where its data is.
    let (at, data_at) = match to {
        [SendRecipient::Pattern { .. }] if is_v1 => ("pattern", "data"),
        _ if is_v1 => ("list", "data"),
        _ => ("message.to", "message.data"),
    };
    let mut users: Vec<(String, String)> = Vec::new();
    let mut bytes = 0;
    // A list that is named twice, with the same data and filters, counts once.
    let mut seen = HashSet::new();
    for to in to {
        let (lists, data, filters) = match to {
            SendRecipient::User { recipient, user } => {
                users.push((recipient.clone(), user.clone()));
                continue;
            }
            SendRecipient::List { list_id, data, filters } => (vec![list_id.clone()], data, filters),
            SendRecipient::Pattern { pattern, data, filters } => {
                let lists = list::match_pattern(db, environment, &ListPattern::new(pattern))?;
                (lists.into_iter().map(|list| list.list_id).collect(), data, filters)
            }
        };
        for list_id in lists {
            if !seen.insert((list_id.clone(), data, filters)) {
                continue;
            }
            list::subscribers(db, environment, &list_id, |subscriber, preferences| {
                if !matches_filters(db, environment, filters, subscriber)? {
                    return Ok(true);
                }
                let user = send_to::subscriber(subscriber, &list_id, data.as_deref(), preferences);
                bytes += subscriber.len() + user.len();
                users.push((subscriber.to_owned(), user));
                if users.len() > FAN_OUT_RECIPIENTS {
                    let expected = format!("expected lists of at most {FAN_OUT_RECIPIENTS} subscribers together");
                    return Err(Error::invalid(at, expected));
                }
                if bytes > FAN_OUT_BYTES {
                    let expected = format!(
                        "expected lists whose subscribers, each with the list's data, take at most {FAN_OUT_BYTES} \
                         bytes together; what is the same for all belongs into {data_at}"
                    );
                    return Err(Error::invalid(at, expected));
                }
                Ok(true)
            })?;
        }
    }
    Ok(users)
}
