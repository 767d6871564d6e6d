//! Channels and providers that a message did not use, and why: for requests that ask how it was routed.

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
        /// Another one was enough, or there is nothing that it could replace.
        NotNeeded = "NOT_NEEDED",
    }
}

/// What was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// A channel or a provider by its name in the routing. For a nested routing, all names in it. Empty for the message
    /// as a whole.
    pub name: String,
    /// If it is about one of several addresses.
    pub address: Option<String>,
    pub why: Why,
    /// The reason in words.
    pub words: String,
}

impl PassedOver {
    pub(super) fn new(why: Why, name: &str, address: Option<&str>, words: String) -> Self {
        PassedOver { name: name.to_owned(), address: address.map(str::to_owned), why, words }
    }
}
