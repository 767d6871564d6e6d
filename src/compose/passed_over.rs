//! What a message did not go by, and why: for those who ask where it went.

use crate::model::names;

names! {
    /// Why a channel or a provider was not tried.
    Why {
        NoAddress = "NO_ADDRESS",
        Condition = "CONDITION",
        Preferences = "PREFERENCES",
        NoContent = "NO_CONTENT",
        NoProvider = "NO_PROVIDER",
        Unknown = "UNKNOWN",
        /// Another one was enough, or none was to stand in.
        NotNeeded = "NOT_NEEDED",
    }
}

/// What was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// A channel or a provider, as the routing calls it; of a nested routing all that it names. Empty if it is the message.
    pub name: String,
    /// If it is about one of several.
    pub address: Option<String>,
    pub why: Why,
    /// The same in words.
    pub words: String,
}

impl PassedOver {
    pub(super) fn new(why: Why, name: &str, address: Option<&str>, words: String) -> Self {
        PassedOver { name: name.to_owned(), address: address.map(str::to_owned), why, words }
    }
}
