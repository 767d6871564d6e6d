//! The channel and provider that elements are chosen for.

use crate::model::channel::Channel;
use crate::model::provider::Provider;

/// The channel and provider that elements are chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderTarget {
    pub channel: Channel,
    /// `None`: any provider that no element names.
    pub provider: Option<Provider>,
}

impl RenderTarget {
    /// Whether this name of a channel or provider applies to it.
    pub fn is_called(&self, name: &str) -> bool {
        match Channel::from_name(name) {
            Some(channel) => channel == self.channel,
            None => self.is_provider(name),
        }
    }

    pub fn is_provider(&self, name: &str) -> bool {
        self.provider.is_some() && provider(name) == self.provider
    }
}

/// Which channel elements are for a target: those for its own provider, else those for its channel, else those for all
/// without an element of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Precedence {
    Provider,
    Channel,
    Rest,
    /// None of them: only what precedes the elements.
    Lead,
}

/// A provider by its name or an alias. A name of a channel means the whole channel.
pub fn provider(name: &str) -> Option<Provider> {
    Provider::named(name).filter(|_| Channel::from_name(name).is_none())
}
