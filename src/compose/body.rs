//! What the messages of a job say, before the recipients are known.

use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::definition::ContentSource;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::provider::Provider;
use crate::model::rendered_batch::{RenderedBatch, RenderedDelivery, WriteText};
use crate::model::resolved::TemplateSource;
use crate::render::content::{Compiled, MessageTexts};
use crate::render::scope::{NameTable, Scope};
use crate::settings::UnknownTemplates;
use crate::template::Partials;

pub enum MessageBody {
    Content(Compiled),
    /// The id of a template that is not stored here. With the data, it stands for the texts.
    Placeholder(String),
    /// Nothing goes out, for this reason, to any recipient.
    Fixed(Verdict),
}

/// The template that the texts come from, by all its names.
#[derive(Default)]
pub struct TemplateNames {
    pub template_id: Option<String>,
    pub alias: Option<String>,
    /// What the definition calls it.
    pub called: Option<String>,
}

impl MessageBody {
    /// Compiles the texts. A malformed one is named by its path in the request.
    pub fn compile(
        source: ContentSource,
        stored: TemplateSource,
        templates: UnknownTemplates,
        names: &mut NameTable,
        partials: &Partials,
    ) -> Result<(Self, TemplateNames)> {
        let mut template = TemplateNames::default();
        if let ContentSource::Template(id) = &source {
            template.called = Some(id.clone());
        }
        let body = match (source, stored) {
            (ContentSource::Content { path, content }, _) => {
                MessageBody::Content(Compiled::compile(&content, path, names, partials)?)
            }
            (_, TemplateSource::Template { template_id, alias, content, .. }) => {
                (template.template_id, template.alias) = (Some(template_id), alias);
                MessageBody::Content(Compiled::compile(&content, "content", names, partials)?)
            }
            (_, TemplateSource::Unpublished { template_id }) => {
                let error = format!("the template {template_id} is not published");
                template.template_id = Some(template_id);
                MessageBody::Fixed(Verdict::new(MessageStatus::Undeliverable, Reason::Unpublished, error))
            }
            (ContentSource::Template(id), TemplateSource::Nothing) => match templates {
                UnknownTemplates::Lenient => MessageBody::Placeholder(id),
                UnknownTemplates::Strict => unmapped(format!("there is no template {id}")),
            },
            (ContentSource::Nothing, TemplateSource::Nothing) => {
                unmapped("neither content nor a template was given".to_owned())
            }
        };
        Ok((body, template))
    }

    /// The parts of its content that have no effect, by their paths.
    pub fn unused(&self) -> &[String] {
        match self {
            MessageBody::Content(content) => &content.unused,
            _ => &[],
        }
    }

    /// What it says on a channel; `None` if it has no content for that. Fails if a condition cannot be decided.
    pub fn for_channel(
        &self,
        channel: Channel,
        provider: Provider,
        locale: Option<&str>,
        scope: &Scope<'_>,
    ) -> std::result::Result<Option<ChannelBody<'_>>, String> {
        Ok(match self {
            MessageBody::Content(content) => content.texts(channel, provider, locale, scope)?.map(ChannelBody::Texts),
            MessageBody::Placeholder(id) => Some(ChannelBody::Placeholder(id)),
            MessageBody::Fixed(_) => None,
        })
    }
}

fn unmapped(error: String) -> MessageBody {
    MessageBody::Fixed(Verdict { status: MessageStatus::Unmapped, reason: None, error: Some(error) })
}

/// What a message says on one channel, before it is rendered for one recipient.
#[derive(Clone, Copy)]
pub enum ChannelBody<'a> {
    Texts(&'a MessageTexts),
    Placeholder(&'a str),
}

impl ChannelBody<'_> {
    /// Renders it for one address, or says why that is impossible.
    pub fn write(
        self,
        to: (Channel, Provider, &str),
        scope: &Scope<'_>,
        batch: &mut RenderedBatch,
    ) -> std::result::Result<RenderedDelivery, String> {
        match self {
            ChannelBody::Texts(MessageTexts { subject, body, content }) => {
                let subject = subject.as_ref().map(|it| |out: &mut String| it.render(scope, out));
                let content = content.as_ref().map(|it| |out: &mut String| it.render(scope, out));
                let subject = subject.as_ref().map(|write| write as WriteText<'_>);
                let content = content.as_ref().map(|write| write as WriteText<'_>);
                batch.write(to, subject, &|out| body.render(scope, out), content)
            }
            ChannelBody::Placeholder(id) => {
                let write_id = |out: &mut String| {
                    out.push_str(id);
                    Ok(())
                };
                batch.write(to, Some(&write_id), &|out| scope.write_data(out), None)
            }
        }
    }
}
