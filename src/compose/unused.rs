//! Overrides of channels and providers that no message goes by.

use crate::model::channel::Channel;
use crate::model::definition::Definition;
use crate::model::layers::{FLAT, NESTED};
use crate::model::provider::Provider;
use crate::model::routing::{ChannelConfig, DEFAULT_ORDER, RoutingTarget};
use crate::provider::Slip;

/// Where messages may go by.
#[derive(Default)]
struct Ways {
    channels: Vec<Channel>,
    providers: Vec<Provider>,
}

/// What is overridden for nobody, and why.
pub fn overrides(definition: &Definition) -> Vec<Slip> {
    let options = &definition.options;
    let (routed, chosen) = (routed(definition), in_order(definition));
    let form = |is_nested: bool| if is_nested { NESTED } else { FLAT };
    let by_choice = |name: &str| {
        format!("has no effect but for those who have chosen the channel: the routing does not lead to {name}")
    };
    let mut slips = Vec::new();
    for (name, _) in options.channels.iter().filter(|(_, it)| it.overriding.is_some()) {
        if Channel::from_name(name).is_some_and(|channel| !routed.channels.contains(&channel)) {
            let is_older = |map: &serde_json::Map<_, serde_json::Value>| {
                map.get("channel").is_some_and(|it| it.get(name).is_some())
            };
            let path = match is_older(&options.overrides) {
                true => format!("{}.override.channel.{name}", form(!is_older(&options.flat_overrides))),
                false => format!("{}.channels.{name}.override", form(options.channels_nested)),
            };
            slips.push(Slip { path, why: by_choice(name) });
        }
    }
    let of_providers = options.providers.iter().filter(|(_, it)| it.overriding.is_some());
    let of_providers =
        of_providers.map(|(name, _)| (name, format!("{}.providers.{name}.override", form(options.providers_nested))));
    let older = options.overrides.keys().map(|name| {
        let is_flat = Provider::named(name)
            .is_some_and(|provider| provider.spellings().any(|it| options.flat_overrides.contains_key(it)));
        (name, format!("{}.override.{name}", form(!is_flat)))
    });
    for (name, path) in of_providers.chain(older) {
        let Some(provider) = Provider::named(name).filter(|it| !routed.providers.contains(it)) else { continue };
        let why = match chosen.providers.contains(&provider) {
            true => by_choice(provider.name()),
            false => format!(
                "has no effect: no message goes by {}, which has to be named in 'routing' or among the 'providers' of a \
                 channel",
                provider.name()
            ),
        };
        slips.push(Slip { path, why });
    }
    slips
}

/// The ways of the routing.
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

/// Those of each channel, as without a routing, or for a recipient who has chosen it.
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
