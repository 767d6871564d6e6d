//! The nouns and their states. No SQL, no HTTP.

pub mod bulk;
pub mod definition;
pub mod environment;
pub mod json;
pub mod outbox;

pub mod user;

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
    };
}
pub(crate) use names;
