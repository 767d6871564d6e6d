//! The two forms of a definition, `{message: {…}}` and the members beside it. If both have a member, the nested one is
//! used.

use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::json::members::{self, Raw, members};
use crate::json::{self, Object, Text};

/// The path of the nested form.
pub const NESTED: &str = "message.message";
/// The path of the flat form.
pub const FLAT: &str = "message";

members! {
    /// The members of a send's `message`, of the nested form and of the flat form. Members of several types are kept
    /// raw.
    pub struct Layer<'a> {
        #[serde(borrow)]
        pub template: Text<'a> = "template",
        #[serde(borrow)]
        pub content: Raw<'a> = "content",
        #[serde(borrow)]
        pub data: Object<'a> = "data",
        #[serde(borrow)]
        pub brand_id: Text<'a> = "brand_id",
        #[serde(borrow)]
        pub routing: Raw<'a> = "routing",
        #[serde(borrow)]
        pub preferences: Raw<'a> = "preferences",
        #[serde(borrow)]
        pub delay: Object<'a> = "delay",
        #[serde(borrow)]
        pub channels: Raw<'a> = "channels",
        #[serde(borrow)]
        pub providers: Raw<'a> = "providers",
        #[serde(borrow)]
        pub metadata: Object<'a> = "metadata",
        #[serde(borrow)]
        pub context: Raw<'a> = "context",
        #[serde(borrow)]
        pub overrides: Raw<'a> = "override",
        // Of the flat form only.
        #[serde(borrow)]
        pub event: Raw<'a> = "event",
        #[serde(borrow)]
        pub message: Raw<'a> = "message",
        #[serde(borrow)]
        pub brand: Raw<'a> = "brand",
        #[serde(borrow)]
        pub locale: Raw<'a> = "locale",
    }
}

/// A definition, split into its forms.
pub struct Layers<'a> {
    pub nested: Layer<'a>,
    pub flat: Layer<'a>,
    /// The event that was named.
    pub event: Option<String>,
}

/// Where the text of the messages is, in one of the forms.
#[derive(Clone, Copy)]
pub enum RawSource<'l> {
    Content { path: &'static str, raw: &'l str },
    Template(&'l str),
}

impl<'a> Layers<'a> {
    pub fn read(definition: &'a str) -> Result<Self> {
        let flat: Layer<'_> = members::read(definition, || FLAT.to_owned())?;
        let nested = match flat.message {
            Some(Raw(message)) => members::read(message, || NESTED.to_owned())?,
            None => Layer::default(),
        };
        let event: Option<String> = optional(flat.event, || format!("{FLAT}.event"))?;
        Ok(Layers { nested, flat, event: event.filter(|event| !event.is_empty()) })
    }

    /// Both forms with their paths, the one with precedence first.
    pub fn forms(&self) -> [(&Layer<'a>, &'static str); 2] {
        [(&self.nested, NESTED), (&self.flat, FLAT)]
    }

    /// A member of the form that has precedence, with the path of that form.
    pub fn find<M>(&self, member: impl Fn(&Layer<'a>) -> Option<M>) -> Option<(M, &'static str)> {
        self.forms().into_iter().find_map(|(layer, form)| Some((member(layer)?, form)))
    }

    /// A member in each of the two forms. Both are checked, whichever is used.
    pub fn each<T: DeserializeOwned>(
        &self,
        name: &str,
        member: impl Fn(&Layer<'a>) -> Option<Raw<'a>>,
    ) -> Result<[Option<T>; 2]> {
        let read = |layer: &Layer<'a>, form: &str| optional(member(layer), || format!("{form}.{name}"));
        Ok([read(&self.nested, NESTED)?, read(&self.flat, FLAT)?])
    }

    /// Where each of the two forms has the text of the messages. If there are both a template and content, it is the
    /// content.
    pub fn sources(&self) -> [Option<RawSource<'_>>; 2] {
        fn source<'l>(layer: &'l Layer<'_>, path: &'static str) -> Option<RawSource<'l>> {
            match (layer.content, &layer.template) {
                (Some(Raw(raw)), _) => Some(RawSource::Content { path, raw }),
                (None, template) => template.as_ref().map(|template| RawSource::Template(template.as_str())),
            }
        }
        [source(&self.nested, "message.message.content"), source(&self.flat, "message.content")]
    }
}

/// A member of some type.
pub fn optional<T: DeserializeOwned>(raw: Option<Raw<'_>>, at: impl FnOnce() -> String) -> Result<Option<T>> {
    raw.map(|Raw(raw)| json::value(raw, at)).transpose()
}
