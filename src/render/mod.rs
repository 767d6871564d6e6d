//! From a job's definition and one user to what that user would receive. Pure: no clock, no file, no socket.
//!
//! [`Renderer`] is made once a job and used from many threads. Users and messages pass through it without being parsed
//! into trees: a text that is only words and `{{variables}}` looks up just the values that it names.

pub mod brand;
mod condition;
mod consent;
mod contact;
pub mod content;
mod elements;
mod escape;
pub mod frame;
pub mod helpers;
mod html;
mod markdown;
pub mod provider;
mod routing;
mod scope;
pub mod segments;
mod simulator;
mod text;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::model::bulk::JobKind;
use crate::model::channel::{Channel, Provider};
use crate::model::content::Content;
use crate::model::definition::{Definition, Source};
use crate::model::outcomes::{Outcomes, Write, Written};
use crate::model::resolved::{ResolvedDefinition, TemplateSource, Topic};
use crate::model::row::ProfileVersion;
use crate::model::stored_recipient::StoredRecipient;
use crate::model::user::User;
use crate::model::verdict::{MessageStatus, Reason, Verdict};
use crate::settings::UnknownTemplates;
use crate::template::Partials;

use condition::Condition;
use consent::Consent;
use contact::Contact;
use content::{Compiled, Texts};
use provider::Mails;
use routing::{End, Trip};
use scope::{JobData, JobWords, Names, Scope};

/// No subject or body grows longer than this many bytes: a template may repeat a user's data as often as it likes.
pub const TEXT_LIMIT: usize = crate::template::TEXT_BYTES;

/// What one message says on all its channels together is no longer than this many bytes.
pub const MESSAGE_LIMIT: usize = 4 * TEXT_LIMIT;

fn too_long() -> String {
    format!("the text would be longer than {TEXT_LIMIT} bytes")
}

/// Stack that a thread needs to compile and render texts: both recurse with the blocks and brackets in them.
pub const STACK: usize = 8 * 1024 * 1024;

/// A user of a job with what is stored under its recipient id.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    pub recipient: &'a str,
    /// As it was sent.
    pub user: &'a str,
    pub known: &'a StoredRecipient,
}

impl Recipient<'_> {
    fn profile_version(&self) -> Option<ProfileVersion> {
        self.known.profile.as_ref().map(|(version, _)| *version)
    }
}

/// Makes the messages of one job.
pub struct Renderer {
    definition: Definition,
    template_id: Option<String>,
    alias: Option<String>,
    /// How the definition called the template.
    named: Option<String>,
    topic: Option<Topic>,
    kind: JobKind,
    is_simulation: bool,
    data: JobData,
    names: Names,
    conditions: HashMap<String, Condition>,
    mails: Mails,
    words: Words,
}

enum Words {
    Content(Compiled),
    /// A template that is not here: its id.
    Elsewhere(String),
    /// Whatever the recipient, nothing goes out.
    Nothing(Verdict),
}

impl Renderer {
    /// Compiles the texts, of which some say which year it is `now`. Fails if one of them is malformed, naming it by its
    /// path in the request.
    pub fn new(plan: ResolvedDefinition, templates: UnknownTemplates, now: Timestamp) -> Result<Self> {
        let mut definition = plan.definition;
        let mut names = Names::default();
        let partials = brand::partials(plan.brand.as_ref());
        let (source, data) = (std::mem::replace(&mut definition.source, Source::Nothing), definition.data.clone());
        let (mut template_id, mut alias) = (None, None);
        let named = match &source {
            Source::Template(id) => Some(id.clone()),
            _ => None,
        };
        let words = match (source, plan.stored) {
            (Source::Content { path, content }, _) => {
                Words::Content(Compiled::compile(&content, path, &mut names, &partials)?)
            }
            (_, TemplateSource::Template { template_id: id, alias: of_template, content }) => {
                alias = of_template;
                let texts = Compiled::compile(&content, "content", &mut names, &partials)?;
                template_id = Some(id);
                Words::Content(texts)
            }
            (_, TemplateSource::Unpublished { template_id: id }) => {
                let error = format!("the template {id} is not published");
                template_id = Some(id);
                Words::Nothing(Verdict::new(MessageStatus::Undeliverable, Reason::Unpublished, error))
            }
            (Source::Template(id), TemplateSource::Nothing) if templates == UnknownTemplates::Lenient => {
                Words::Elsewhere(id)
            }
            (Source::Template(id), TemplateSource::Nothing) => {
                Words::Nothing(unmapped(format!("there is no template {id}")))
            }
            (Source::Nothing, TemplateSource::Nothing) => {
                Words::Nothing(unmapped("neither content nor a template was given".to_owned()))
            }
        };
        let mut conditions = HashMap::new();
        for (path, source) in &definition.conditions {
            conditions.insert(source.clone(), Condition::compile(source, path, &mut names)?);
        }
        let words_of_job = JobWords::new(&definition, plan.brand, template_id.as_deref(), plan.topic.as_ref(), now);
        Ok(Renderer {
            data: JobData::new(data, words_of_job, &names),
            conditions,
            mails: Mails::of(&definition.options),
            template_id,
            alias,
            named,
            topic: plan.topic,
            kind: plan.kind,
            is_simulation: plan.is_simulation,
            definition,
            names,
            words,
        })
    }

    /// The topic of the messages.
    pub fn topic_id(&self) -> Option<&str> {
        self.topic.as_ref().map(|topic| topic.topic_id.as_str())
    }

    /// The tenant that the messages are sent for.
    pub fn tenant_id(&self) -> Option<&str> {
        self.definition.options.tenant_id.as_deref()
    }

    /// Adds the outcome of one user: a message, or the reason why there is none. `now` decides whether a message has to
    /// wait; one that `is_due` has waited.
    pub fn render(&self, user: Recipient<'_>, now: Timestamp, is_due: bool, outcomes: &mut Outcomes) {
        let start = outcomes.bytes();
        let made = catch_unwind(AssertUnwindSafe(|| self.try_render(&user, now, is_due, outcomes)));
        let problem = match made {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.public_message(),
            Err(_) => {
                log::error!("rendering a message for {:?} panicked", user.recipient);
                "bulkd could not render this message; its log on standard error says more".to_owned()
            }
        };
        outcomes.forget(start);
        self.push_failure(&user, &problem, is_due, outcomes);
    }

    /// Adds that a message could not be made. Where there is no job whose failures could be looked at, or the message is
    /// there already, it is one that could not be delivered.
    fn push_failure(&self, user: &Recipient<'_>, problem: &str, is_due: bool, outcomes: &mut Outcomes) {
        if self.kind == JobKind::Bulk && !is_due {
            outcomes.push_failure(problem);
        } else {
            let verdict = Verdict::new(MessageStatus::Undeliverable, Reason::Failed, problem);
            outcomes.push_message(user.recipient, verdict, None, user.profile_version(), None, []);
        }
    }

    fn try_render(&self, it: &Recipient<'_>, now: Timestamp, is_due: bool, outcomes: &mut Outcomes) -> Result<()> {
        let recipient = it.recipient;
        let user = User::read(it.user, || "user".to_owned())?;
        let version = it.profile_version();
        let stored = it.known.profile.as_ref().map(|(_, profile)| profile.as_str());
        let nowhere = |verdict: Verdict, due_at: Option<Timestamp>, outcomes: &mut Outcomes| {
            outcomes.push_message(recipient, verdict, None, version, due_at.map(Timestamp::millis), []);
        };
        if let Words::Nothing(verdict) = &self.words {
            nowhere(verdict.clone(), None, outcomes);
            return Ok(());
        }
        let event = self.definition.options.event.as_deref();
        let named = [self.template_id.as_deref(), self.alias.as_deref(), event, self.named.as_deref()];
        let chosen = match consent::ask(&user, named, self.topic.as_ref(), it.known.preference.as_ref(), now) {
            Consent::Given => None,
            Consent::Channels(channels) => Some(channels),
            Consent::Refused(verdict) => {
                nowhere(verdict, None, outcomes);
                return Ok(());
            }
        };
        let delayed = Verdict::of(MessageStatus::Delayed);
        let due_at = self.definition.delay.filter(|_| !is_due).map(|delay| delay.due_at(now));
        if let Some(due_at) = due_at.filter(|due_at| *due_at > now) {
            nowhere(delayed, Some(due_at), outcomes);
            return Ok(());
        }
        let contact = Contact::new(recipient, &user, stored, &it.known.tokens)?;
        let scope = Scope::new(recipient, &user, stored, &self.data, &self.names)?;
        let trip = Trip::new(self, &contact, &scope, chosen, is_due, outcomes);
        match trip.follow().map_err(|problem| Error::new(Kind::Invalid, problem))? {
            End::Deliveries(deliveries) => self.push(recipient, version, deliveries, outcomes),
            End::Nowhere(verdict) => nowhere(verdict, None, outcomes),
            End::WithoutContent => {
                return Err(Error::new(Kind::Invalid, "the content has nothing for this channel"));
            }
            End::Waits(millis) => nowhere(delayed, Some(Timestamp(now.millis().saturating_add(millis))), outcomes),
        }
        Ok(())
    }

    /// The first delivery that succeeded decides, or else the last one.
    fn push(
        &self,
        recipient: &str,
        version: Option<ProfileVersion>,
        mut deliveries: Vec<(Verdict, Written)>,
        outcomes: &mut Outcomes,
    ) {
        let succeeded = |(verdict, _): &(Verdict, Written)| verdict.reason.is_none();
        let deciding = deliveries.iter().position(succeeded).unwrap_or(deliveries.len().saturating_sub(1));
        if deliveries.is_empty() {
            return;
        }
        let (verdict, written) = deliveries.remove(deciding);
        let further = deliveries.into_iter().enumerate().map(|(i, (verdict, written))| {
            let position = if i < deciding { i as i64 - deciding as i64 } else { (i - deciding) as i64 + 1 };
            (position, verdict, written)
        });
        outcomes.push_message(recipient, verdict, Some(written), version, None, further);
    }

    /// Writes what goes to one address; `None` if the content has nothing for the channel.
    fn write(
        &self,
        to: (Channel, Provider, &str),
        locale: Option<&str>,
        scope: &Scope<'_>,
        outcomes: &mut Outcomes,
    ) -> std::result::Result<Option<Written>, String> {
        match &self.words {
            Words::Content(content) => {
                let Some(Texts { subject, body, content }) = content.texts(to.0, to.1, locale) else {
                    return Ok(None);
                };
                let subject = subject.as_ref().map(|it| |out: &mut String| it.render(scope, out));
                let content = content.as_ref().map(|it| |out: &mut String| it.render(scope, out));
                let subject = subject.as_ref().map(|write| write as Write<'_>);
                let content = content.as_ref().map(|write| write as Write<'_>);
                outcomes.write(to, subject, &|out| body.render(scope, out), content).map(Some)
            }
            Words::Elsewhere(id) => {
                let write_id = |out: &mut String| {
                    out.push_str(id);
                    Ok(())
                };
                outcomes.write(to, Some(&write_id), &|out| scope.write_data(out), None).map(Some)
            }
            Words::Nothing(_) => Ok(None),
        }
    }

    /// Whether a condition of the definition holds.
    fn holds<'s>(&'s self, condition: &str, scope: &'s Scope<'s>) -> std::result::Result<bool, String> {
        self.conditions.get(condition).map_or(Ok(true), |condition| condition.holds(scope))
    }
}

fn unmapped(error: String) -> Verdict {
    Verdict { status: MessageStatus::Unmapped, reason: None, error: Some(error) }
}

/// Refuses content whose texts cannot be rendered for anybody. `path` is where it stands in the request.
pub fn check(content: &Content, path: &str) -> Result<()> {
    Compiled::compile(content, path, &mut Names::default(), &Partials::new()).map(drop)
}
