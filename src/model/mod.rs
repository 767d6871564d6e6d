//! The nouns and their states. No SQL, no HTTP.

pub mod brand;
pub mod bulk;
pub mod channel;
pub mod content;
pub mod data;
pub mod definition;
pub mod delay;
pub mod deliver_target;
pub mod email_headers;
mod encoded_words;
pub mod environment;
pub mod fold;
pub mod layers;
pub mod lifecycle;
pub mod list;
pub mod mailbox;
pub mod message;
pub mod message_status;
pub mod metrics;
pub mod no_effect;
pub mod options;
pub mod outcome;
pub mod overridden;
pub mod patch;
pub mod preference;
pub mod profile;
pub mod provider;
pub mod push_tokens;
pub mod rendered_batch;
pub mod resolved;
pub mod routing;
pub mod row;
pub mod seed;
pub mod send_to;
pub mod send_v1;
pub mod stored_elements;
pub mod stored_recipient;
pub mod template;
pub mod token;
pub mod user;
pub mod webhook;

/// An enum whose members have one spelling each, in JSON and SQL alike.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),+
        }

        impl $type {
            pub const NAMES: &'static [(&'static str, $type)] = &[$(($name, $type::$variant)),+];

            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let found = <$crate::json::Text<'_> as serde::Deserialize>::deserialize(deserializer)?;
                $type::from_name(found.as_str()).ok_or_else(|| {
                    let known = [$($name),+].join(", ");
                    serde::de::Error::custom(format_args!("expected one of {known}"))
                })
            }
        }
    };
}
pub(crate) use names;
