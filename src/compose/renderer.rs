//! The messages of one job: a user at a time, in many threads.

use super::body::MessageBody;
use super::consent::{self, Consent};
use super::contact::Contact;
use super::job::CompiledJob;
use super::passed_over::{PassedOver, Why};
use super::router::{PlannedDelivery, Router, RoutingOutcome};
use super::unused;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result, shown, shown_up_to};
use crate::model::bulk::JobKind;
use crate::model::content::UNKNOWN_ELEMENT;
use crate::model::delay::Delay;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::rendered_batch::RenderedBatch;
use crate::model::resolved::ResolvedDefinition;
use crate::model::row::ProfileVersion;
use crate::model::send_v1;
use crate::model::stored_recipient::{StoredRecipient, Subject};
use crate::model::user::User;
use crate::provider::{self, Slip};
use crate::render::scope::Scope;
use crate::settings::MessageSettings;
use crate::threads::catch;

/// The most characters that a note quotes of an override.
const WORDS: usize = 300;

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
    job: CompiledJob,
}

impl Renderer {
    /// Compiles the texts. Some contain the year, which is that of `now`. Fails if one of them is malformed, with its
    /// path in the request.
    pub fn new(definition: ResolvedDefinition, messages: MessageSettings, now: Timestamp) -> Result<Self> {
        Ok(Renderer { job: CompiledJob::compile(definition, messages, now)? })
    }

    /// Each override without effect, in words; `what` is the job or send that they belong to. In the first version of a
    /// send they stand at the top level.
    pub fn overrides_without_effect(&self, what: &str, is_v1: bool) -> Vec<String> {
        let definition = &self.job.definition;
        let overridden = definition.options.overridden();
        let slips = provider::slips(&overridden).into_iter().chain(unused::overrides(definition, &overridden));
        let told = |Slip { path, why }: Slip| {
            let path = if is_v1 { send_v1::path(&path) } else { &path };
            format!("{what}: {} {}", shown(path), shown_up_to(&why, WORDS))
        };
        slips.map(told).collect()
    }

    /// The parts of the content that have no effect, in the same way.
    pub fn unused(&self, what: &str) -> Option<String> {
        self.told_of_content(what, |it| !it.ends_with(UNKNOWN_ELEMENT))
    }

    /// Elements of unknown types, in the same way.
    pub fn unknown_elements(&self, what: &str) -> Option<String> {
        self.told_of_content(what, |it| it.ends_with(UNKNOWN_ELEMENT))
    }

    fn told_of_content(&self, what: &str, is_meant: impl Fn(&str) -> bool) -> Option<String> {
        let told: Vec<&str> = self.job.body.unused().iter().map(String::as_str).filter(|it| is_meant(it)).collect();
        (!told.is_empty()).then(|| format!("{what}: {}", told.join("; ")))
    }

    /// What the messages are about.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            names: self.job.consent_names(),
            topic_id: self.job.topic.as_ref().map(|topic| topic.topic_id.as_str()),
            tenant_id: self.job.definition.options.tenant_id.as_deref(),
        }
    }

    /// Adds the outcome of one user: a message, or the reason why there is none. `now` decides whether a message has to
    /// wait. One that `has_waited` does not wait again.
    pub fn render(&self, user: Recipient<'_>, now: Timestamp, has_waited: bool, batch: &mut RenderedBatch) {
        self.render_telling(user, (now, has_waited), batch, None);
    }

    /// The same, and what was passed over on the way.
    pub fn explain(&self, user: Recipient<'_>, now: Timestamp, has_waited: bool) -> (RenderedBatch, Vec<PassedOver>) {
        let (mut batch, mut passed_over) = (RenderedBatch::default(), Vec::new());
        self.render_telling(user, (now, has_waited), &mut batch, Some(&mut passed_over));
        (batch, passed_over)
    }

    fn render_telling(
        &self,
        user: Recipient<'_>,
        (now, has_waited): (Timestamp, bool),
        batch: &mut RenderedBatch,
        passed_over: Option<&mut Vec<PassedOver>>,
    ) {
        let start = batch.bytes();
        let made = catch(|| self.try_render(&user, (now, has_waited), batch, passed_over));
        let problem = match made {
            Some(Ok(())) => return,
            Some(Err(error)) => error.public_message(),
            None => {
                log::error!("rendering a message for '{}' panicked", shown(user.recipient));
                "bulkd could not render this message; its log on standard error says more".to_owned()
            }
        };
        batch.truncate(start);
        self.push_failure(&user, &problem, has_waited, batch);
    }

    /// Adds that a message could not be made. If there is no job whose failures can be read, or the message exists
    /// already, it becomes a message that could not be delivered.
    fn push_failure(&self, user: &Recipient<'_>, problem: &str, has_waited: bool, batch: &mut RenderedBatch) {
        if self.job.kind == JobKind::Bulk && !has_waited {
            batch.push_failure(problem);
        } else {
            let verdict = Verdict::new(MessageStatus::Undeliverable, Reason::Failed, problem);
            batch.push_message(user.recipient, verdict, None, user.profile_version(), None, []);
        }
    }

    fn try_render(
        &self,
        it: &Recipient<'_>,
        (now, has_waited): (Timestamp, bool),
        batch: &mut RenderedBatch,
        mut passed_over: Option<&mut Vec<PassedOver>>,
    ) -> Result<()> {
        let (recipient, job) = (it.recipient, &self.job);
        let user = User::read(it.user, || "user".to_owned())?;
        let version = it.profile_version();
        let stored = it.known.profile.as_ref().map(|(_, profile)| profile.as_str());
        let without_delivery = |verdict: Verdict, delay: Option<Delay>, batch: &mut RenderedBatch| {
            batch.push_message(recipient, verdict, None, version, delay, []);
            Ok(())
        };
        if let MessageBody::Fixed(verdict) = &job.body {
            return without_delivery(verdict.clone(), None, batch);
        }
        let chosen_for_topic = it.known.preference.as_ref();
        let chosen = match consent::ask(&user, job.consent_names(), job.topic.as_ref(), chosen_for_topic, now) {
            Consent::Given => None,
            Consent::Channels(channels) => Some(channels),
            Consent::Refused(verdict) => {
                if let Some(passed_over) = passed_over.as_mut() {
                    let error = verdict.error.as_deref().unwrap_or_default();
                    let words = match &job.topic {
                        Some(topic) => format!("{error} (topic {})", topic.topic_id),
                        None => error.to_owned(),
                    };
                    passed_over.push(PassedOver::new(Why::Preferences, "", None, words));
                }
                return without_delivery(verdict, None, batch);
            }
        };
        let delayed = Verdict::of(MessageStatus::Delayed);
        if let Some(delay) = job.definition.delay.filter(|delay| !has_waited && delay.due_at(now) > now) {
            return without_delivery(delayed, Some(delay), batch);
        }
        let contact = Contact::new(recipient, &user, stored, &it.known.tokens)?;
        let scope = Scope::new(recipient, &user, stored, &job.data, &job.names)?;
        let invalid = |problem: String| Error::new(Kind::Invalid, problem);
        let start = batch.bytes();
        let ending = |address: &str| it.known.outcomes.as_ref()?.find(recipient, address);
        let router = Router::new(job, &contact, &scope, has_waited, batch).ending(&ending).telling(passed_over);
        let outcome = router.route(chosen).map_err(invalid)?;
        if !matches!(outcome, RoutingOutcome::Deliveries(_)) {
            batch.truncate(start);
        }
        match outcome {
            RoutingOutcome::Deliveries(planned) => {
                push(recipient, version, planned, batch);
                Ok(())
            }
            RoutingOutcome::Nowhere(verdict) => without_delivery(verdict, None, batch),
            RoutingOutcome::WithoutContent => Err(invalid("the content has nothing for this channel".to_owned())),
            RoutingOutcome::Delayed { delay_ms } => without_delivery(delayed, Some(Delay::For(delay_ms)), batch),
        }
    }
}

/// Adds a message with its deliveries. The first one that was not refused decides the message's status, or else the
/// last one.
fn push(
    recipient: &str,
    profile_version: Option<ProfileVersion>,
    planned: Vec<PlannedDelivery<'_>>,
    batch: &mut RenderedBatch,
) {
    let deciding = planned.iter().position(|it| it.verdict.reason.is_none());
    let deciding = deciding.unwrap_or(planned.len().saturating_sub(1));
    let (mut decides, mut others) = (None, Vec::new());
    for (i, delivery) in planned.into_iter().enumerate() {
        let PlannedDelivery { address, is_accepted, written, verdict, .. } = delivery;
        if is_accepted && !address.in_profile {
            batch.count_off_profile_address();
        }
        match i {
            _ if i == deciding => decides = Some((verdict, written)),
            // Below 0: what was tried before it. Above 0: what went out as well.
            _ => others.push((i as i64 - deciding as i64, verdict, written)),
        }
    }
    if let Some((verdict, written)) = decides {
        batch.push_message(recipient, verdict, Some(written), profile_version, None, others);
    }
}
