//! Overrides of channels and providers that no message goes by.

use crate::model::channel::Channel;
use crate::model::definition::Definition;
use crate::model::overridden::{Overridden, Overrider};
use crate::model::provider::Provider;
use crate::model::routing::{ChannelConfig, DEFAULT_ORDER, RoutingTarget};
use crate::provider::Slip;

/// The channels and providers that messages may use.
#[derive(Default)]
struct Ways {
    channels: Vec<Channel>,
    providers: Vec<Provider>,
}

/// Overrides that apply to no message, and why.
pub fn overrides(definition: &Definition, overridden: &[Overridden<'_>]) -> Vec<Slip> {
    let (routed, chosen) = (routed(definition), in_order(definition));
    let why = |whose: Overrider| {
        let (is_routed, is_chosen, name) = match whose {
            Overrider::Channel(channel) => (routed.channels.contains(&channel), true, channel.name()),
            Overrider::Provider(provider) => {
                (routed.providers.contains(&provider), chosen.providers.contains(&provider), provider.name())
            }
        };
        match (is_routed, is_chosen) {
            (true, _) => None,
            (false, true) => Some(format!(
                "has no effect but for those who have chosen the channel: the routing does not lead to {name}"
            )),
            (false, false) => Some(format!(
                "has no effect: no message goes by {name}, which has to be named in 'routing' or among the 'providers' of \
                 a channel"
            )),
        }
    };
    let slip = |it: &Overridden<'_>| Some(Slip { path: it.path("").to_owned(), why: why(it.whose)? });
    overridden.iter().filter_map(slip).collect()
}

/// The channels and providers of the routing.
fn routed(definition: &Definition) -> Ways {
    let Some(routing) = &definition.routing else { return in_order(definition) };
    let mut ways = Ways::default();
    let walked = routing.walk("", 0, &mut |_, entry, _| {
        let RoutingTarget::Name { name, config } = &entry.target else { return Ok(()) };
        if let Some(channel) = Channel::from_name(name) {
            ways.add_channel(definition, channel, Some(config));
        } else if let Some(provider) = Provider::named(name) {
            ways.channels.extend([provider.channel()].into_iter().chain(provider.row().also));
            ways.providers.push(provider);
        }
        Ok(())
    });
    // Nothing in it fails.
    walked.map_or_else(|_| in_order(definition), |()| ways)
}

/// Those of each channel, as without a routing, or for a recipient that has chosen the channel.
fn in_order(definition: &Definition) -> Ways {
    let mut ways = Ways::default();
    DEFAULT_ORDER.into_iter().for_each(|channel| ways.add_channel(definition, channel, None));
    ways
}

impl Ways {
    fn add_channel(&mut self, definition: &Definition, channel: Channel, config: Option<&ChannelConfig>) {
        self.channels.push(channel);
        let of_entry = config.and_then(|it| it.providers.as_ref());
        let of_channel = definition.options.channels.get(channel.name()).and_then(|it| it.providers.as_ref());
        match of_entry.or(of_channel) {
            Some(names) => {
                self.providers
                    .extend(names.iter().filter_map(|name| Provider::named(name)).filter(|it| it.serves(channel)));
            }
            None if matches!(channel, Channel::Email | Channel::Sms | Channel::Inbox) => {
                self.providers.push(Provider::default_of(channel));
            }
            // Whose address the recipient has.
            None => self.providers.extend(Provider::of_channel(channel).filter(|it| !it.row().profile_keys.is_empty())),
        }
    }
}
