//! A template's headers for its e-mails, with the variables of a message filled in.

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::email_headers::{EmailHeaders, HeaderMailbox};
use crate::model::mailbox::Mailbox;
use crate::model::resolved::{ResolvedDefinition, TemplateSource};
use crate::model::user::User;
use crate::render::email::brand;
use crate::render::scope::{JobData, JobVariables, NameTable, Scope};
use crate::render::text::CompiledText;
use crate::template::Partials;
use crate::threads::catch;

/// The headers of a job, compiled.
#[derive(Default)]
pub struct CompiledHeaders {
    /// By their headers.
    mailboxes: Vec<(&'static str, Place)>,
}

enum Place {
    Known(Mailbox),
    Varying(Box<VaryingMailbox>),
}

struct VaryingMailbox {
    name: Option<CompiledText>,
    email: CompiledText,
}

impl CompiledHeaders {
    /// A malformed text is named by its path; `at` is the path of the headers.
    pub fn compile(headers: &EmailHeaders, at: &str, names: &mut NameTable, partials: &Partials) -> Result<Self> {
        let mut mailboxes = Vec::new();
        for it in headers.texts() {
            let path = format!("{at}.{it}");
            let mut compile = |source: &str| {
                let text = CompiledText::compile(source, &path, names, partials)?;
                match text.failure() {
                    Some(reason) => Err(Error::invalid(&path, reason)),
                    None => Ok(text),
                }
            };
            for mailbox in it.mailboxes() {
                let place = match mailbox {
                    HeaderMailbox::Known(mailbox) => Place::Known(mailbox),
                    HeaderMailbox::Varying { name, email } => Place::Varying(Box::new(VaryingMailbox {
                        name: name.as_deref().map(&mut compile).transpose()?,
                        email: compile(email)?,
                    })),
                };
                mailboxes.push((it.header, place));
            }
        }
        Ok(CompiledHeaders { mailboxes })
    }

    pub fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
    }

    pub fn has_variables(&self) -> bool {
        self.mailboxes.iter().any(|(_, place)| matches!(place, Place::Varying(_)))
    }

    /// The headers of one message, in the form of `channels.email.override`. `scope` has the values of its variables.
    pub fn fill(&self, scope: Option<&Scope<'_>>) -> std::result::Result<Value, String> {
        let mut filled: Map<String, Value> = Map::new();
        let mut add = |header: &str, mailbox: Mailbox| {
            let list = filled.entry(header).or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(as_json(&mailbox)));
        };
        let written = |text: &CompiledText| {
            let mut words = String::new();
            scope.map_or(Ok(()), |scope| text.render(scope, &mut words)).map(|()| words)
        };
        for (header, place) in &self.mailboxes {
            match place {
                Place::Known(mailbox) => add(header, mailbox.clone()),
                Place::Varying(varying) => {
                    let email = written(&varying.email)?;
                    match &varying.name {
                        None => Mailbox::list(&email).into_iter().for_each(|it| add(header, it)),
                        // Data without an address names no recipient.
                        Some(_) if email.trim().is_empty() => {}
                        Some(name) => add(header, Mailbox::new(Some(written(name)?.trim().to_owned()), email.trim())),
                    }
                }
            }
        }
        Ok(Value::Object(filled))
    }
}

fn as_json(mailbox: &Mailbox) -> Value {
    match &mailbox.name {
        Some(name) => json!({ "email": mailbox.email, "name": name }),
        None => json!({ "email": mailbox.email }),
    }
}

/// Refuses headers whose texts cannot be rendered for any recipient. `at` is their path in the request.
pub fn check(headers: &EmailHeaders, at: &str) -> Result<()> {
    CompiledHeaders::compile(headers, at, &mut NameTable::default(), &Partials::new()).map(drop)
}

/// The headers of a job whose messages exist already, with the values of their variables.
pub struct JobHeaders {
    headers: CompiledHeaders,
    names: NameTable,
    data: JobData,
}

impl JobHeaders {
    /// `None` if its template has none.
    pub fn new(plan: ResolvedDefinition, now: Timestamp) -> Option<Self> {
        let TemplateSource::Template { template_id, headers, .. } = &plan.stored else { return None };
        let mut names = NameTable::default();
        let partials = brand::partials(plan.brand.as_ref());
        let headers = CompiledHeaders::compile(headers, "email", &mut names, &partials).ok()?;
        let words = JobVariables::new(&plan.definition, plan.brand, Some(template_id), plan.topic.as_ref(), now);
        let data = JobData::new(plan.definition.data, words, &names);
        Some(JobHeaders { headers, names, data })
    }

    /// The headers of one message. It exists, so they could be rendered.
    pub fn fill(&self, recipient: &str, user: &str, stored_profile: Option<&str>) -> Option<Value> {
        let user = User::read(user, || "user".to_owned()).unwrap_or_default();
        let scope = Scope::new(recipient, &user, stored_profile, &self.data, &self.names).ok();
        catch(|| self.headers.fill(scope.as_ref()).ok()).flatten()
    }
}
