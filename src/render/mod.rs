//! From a job's definition and one user to what that user would receive. Pure: no clock, no file, no socket.
//!
//! [`Renderer`] is made once a job and used from many threads. Users and messages pass through it without being parsed
//! into trees: a text that is only words and `{{variables}}` looks up just the values that it names.

mod elemental;
mod routing;
mod scope;
mod text;

use crate::error::Result;
use crate::model::definition::{Content, Definition, Source};
use crate::model::outbox::{Channel, MessageStatus, Outcomes};
use crate::model::user::User;

use scope::{JobData, Names, Scope};
use text::Text;

/// No subject or body grows longer than this many bytes: a template may repeat a user's data as often as it likes.
pub const TEXT_LIMIT: usize = 6 * 1024 * 1024;

fn too_long() -> String {
    format!("the text would be longer than {TEXT_LIMIT} bytes")
}

/// Stack that a thread needs to compile and render texts: both recurse with the blocks and brackets in them.
pub const STACK: usize = 8 * 1024 * 1024;

/// What to do with an event or template that is not stored here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Templates {
    /// Its id and its data are the message: most people's templates live in Courier's cloud.
    Lenient,
    /// The message is `UNMAPPED`, as it would be at Courier for a typo.
    Strict,
}

/// Makes the messages of one job.
pub struct Renderer {
    data: JobData,
    names: Names,
    words: Words,
}

enum Words {
    /// The first that is meant for the channel.
    Content(Vec<Texts>),
    Template {
        id: String,
        status: MessageStatus,
    },
}

struct Texts {
    /// `None` is for any.
    channel: Option<Channel>,
    subject: Option<Text>,
    body: Text,
}

impl Renderer {
    /// Compiles the definition's texts. Fails if one of them is malformed, naming it by its path in the request.
    pub fn new(definition: Definition, templates: Templates) -> Result<Self> {
        let mut names = Names::default();
        let words = match definition.source {
            Source::Template(id) => {
                let status = match templates {
                    Templates::Lenient => MessageStatus::Sent,
                    Templates::Strict => MessageStatus::Unmapped,
                };
                Words::Template { id, status }
            }
            Source::Content { path, content: Content::Sugar { title, body } } => Words::Content(vec![Texts {
                channel: None,
                subject: title.map(|title| Text::compile(&title, &format!("{path}.title"), &mut names)).transpose()?,
                body: Text::compile(&body, &format!("{path}.body"), &mut names)?,
            }]),
            Source::Content { path, content: Content::Elemental { elements } } => {
                let at = format!("{path}.elements");
                let mut compile = |&(_, channel): &(&str, Channel)| {
                    let flat = elemental::flatten(&elements, channel);
                    let subject = flat.title.map(|title| Text::compile(&title, &at, &mut names)).transpose()?;
                    let body = Text::compile(&flat.body, &at, &mut names)?;
                    Ok(Texts { channel: Some(channel), subject, body })
                };
                Words::Content(Channel::NAMES.iter().map(&mut compile).collect::<Result<_>>()?)
            }
        };
        Ok(Renderer { data: JobData::new(definition.data, &names), names, words })
    }

    /// Adds the outcome of one user: a message, or the reason why there is none.
    pub fn render(&self, recipient: &str, user: &str, outcomes: &mut Outcomes) {
        if let Err(error) = self.try_render(recipient, user, outcomes) {
            outcomes.push_failure(error.public_message());
        }
    }

    fn try_render(&self, recipient: &str, user: &str, outcomes: &mut Outcomes) -> Result<()> {
        let user = User::read(user, || "user".to_owned())?;
        let route = routing::choose(recipient, &user)?;
        let scope = Scope::new(recipient, &user, &self.data, &self.names)?;
        if !route.in_profile {
            outcomes.count_reached_outside_profile();
        }
        let address = (route.channel, &*route.address);
        match &self.words {
            Words::Content(texts) => {
                match texts.iter().find(|texts| texts.channel.is_none_or(|channel| channel == route.channel)) {
                    Some(Texts { subject, body, .. }) => outcomes.push_message(
                        recipient,
                        address,
                        MessageStatus::Sent,
                        subject.as_ref().map(|subject| |out: &mut String| subject.render(&scope, out)),
                        |out| body.render(&scope, out),
                    ),
                    None => outcomes.push_failure("the content has nothing for this channel"),
                }
            }
            Words::Template { id, status } => outcomes.push_message(
                recipient,
                address,
                *status,
                Some(|out: &mut String| {
                    out.push_str(id);
                    Ok(())
                }),
                |out| scope.write_data(out),
            ),
        }
        Ok(())
    }
}
