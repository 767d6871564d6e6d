//! Which channels a message takes: its routing followed for one recipient.

use super::contact::{Address, Contact};
use super::simulator::{self, Fate};
use super::{MESSAGE_LIMIT, Renderer, Scope};
use crate::model::bulk::JobKind;
use crate::model::channel::{Channel, Provider};
use crate::model::outcomes::{Outcomes, Written};
use crate::model::routing::{Config, Method, Routing, Target};
use crate::model::verdict::{MessageStatus, Reason, Verdict};

/// Where no routing is given: the first that the recipient has.
const DEFAULT: [Channel; 6] =
    [Channel::Email, Channel::Sms, Channel::Push, Channel::DirectMessage, Channel::Webhook, Channel::Inbox];

/// A message goes to no more addresses than this.
const DELIVERIES: usize = 1000;

/// A channel that the contract names and that nobody here can show.
const BANNER: &str = "banner";

/// How a channel is asked for.
#[derive(Clone, Copy, Default)]
struct Asked<'r> {
    /// By the name of this provider.
    only: Option<Provider>,
    config: Option<&'r Config>,
    /// By the recipient: the message's conditions do not count.
    is_choice: bool,
}

/// One recipient's message on its way.
pub struct Trip<'a> {
    renderer: &'a Renderer,
    contact: &'a Contact<'a>,
    scope: &'a Scope<'a>,
    /// The channels that the recipient has asked for.
    chosen: Option<Vec<Channel>>,
    /// Whether this message has waited already.
    is_due: bool,
    outcomes: &'a mut Outcomes,
    deliveries: Vec<(Verdict, Written)>,
    /// Where the outcomes' text began.
    start: usize,
    /// Channels and providers that have no address.
    tried: Vec<&'static str>,
    filtered: bool,
    without_content: bool,
    /// What is wrong with a name that is not known.
    unknown: Option<String>,
    /// What is said of a channel that nobody carries.
    without_providers: Option<String>,
    waits: Option<i64>,
}

/// Where a trip has led.
pub enum End {
    /// The deliveries in their order, at least one.
    Deliveries(Vec<(Verdict, Written)>),
    Nowhere(Verdict),
    /// Everything else would fail as well: the content has nothing for any channel of this recipient.
    WithoutContent,
    /// It waits for so many milliseconds.
    Waits(i64),
}

impl<'a> Trip<'a> {
    pub fn new(
        renderer: &'a Renderer,
        contact: &'a Contact<'a>,
        scope: &'a Scope<'a>,
        chosen: Option<Vec<Channel>>,
        is_due: bool,
        outcomes: &'a mut Outcomes,
    ) -> Self {
        Trip {
            start: outcomes.bytes(),
            renderer,
            contact,
            scope,
            chosen,
            is_due,
            outcomes,
            deliveries: Vec::new(),
            tried: Vec::new(),
            filtered: false,
            without_content: false,
            unknown: None,
            without_providers: None,
            waits: None,
        }
    }

    /// Follows the routing to its end. Fails if a text cannot be rendered.
    pub fn follow(mut self) -> Result<End, String> {
        let routing = self.renderer.definition.routing.as_ref();
        match (self.chosen.take(), routing) {
            (None, None) => {
                for channel in DEFAULT {
                    // Nobody has asked for another channel where this one is stopped or refused.
                    let went = self.channel(channel, Asked::default())?;
                    if went || !self.deliveries.is_empty() || self.filtered || self.is_misled() {
                        break;
                    }
                }
            }
            (None, Some(routing)) => drop(self.routing(routing)?),
            (Some(chosen), routing) => {
                let method = routing.map_or(Method::Single, |routing| routing.method);
                for channel in chosen {
                    let went = self.channel(channel, Asked { is_choice: true, ..Asked::default() })?;
                    if self.waits.is_some() || went && method == Method::Single {
                        break;
                    }
                }
            }
        }
        Ok(self.end())
    }

    fn end(self) -> End {
        if let Some(millis) = self.waits {
            return End::Waits(millis);
        }
        if !self.deliveries.is_empty() {
            return End::Deliveries(self.deliveries);
        }
        End::Nowhere(if self.filtered {
            Verdict::new(MessageStatus::Filtered, Reason::Filtered, "a condition stopped every channel that was left")
        } else if self.without_content {
            return End::WithoutContent;
        } else if let Some(error) = self.unknown {
            Verdict::new(MessageStatus::Unroutable, Reason::ProviderError, error)
        } else if let Some(error) = self.without_providers {
            Verdict::new(MessageStatus::Unroutable, Reason::NoProviders, error)
        } else {
            let error = match self.tried.as_slice() {
                [] => "the routing names no channel".to_owned(),
                tried => format!("the recipient cannot be reached by {}", tried.join(", ")),
            };
            Verdict::new(MessageStatus::Unroutable, Reason::NoChannels, error)
        })
    }

    /// Whether the message asks for somebody who is not here.
    fn is_misled(&self) -> bool {
        self.unknown.is_some() || self.without_providers.is_some()
    }

    /// Whether something went out.
    fn routing(&mut self, routing: &Routing) -> Result<bool, String> {
        let mut success = false;
        for entry in &routing.channels {
            if let Some(condition) = &entry.condition
                && !self.holds(condition)?
            {
                continue;
            }
            success |= match &entry.target {
                Target::Nested(routing) => self.routing(routing)?,
                Target::Name { name, config } => self.name(name, config)?,
            };
            if self.waits.is_some() || success && routing.method == Method::Single {
                break;
            }
        }
        Ok(success)
    }

    fn name(&mut self, name: &str, config: &Config) -> Result<bool, String> {
        let asked = Asked { config: Some(config), ..Asked::default() };
        if let Some(channel) = Channel::from_name(name) {
            return self.channel(channel, asked);
        }
        if name == BANNER {
            self.without_providers.get_or_insert_with(|| "nobody here shows banners".to_owned());
            return Ok(false);
        }
        let Some(provider) = Provider::from_name(name) else {
            self.unknown.get_or_insert_with(|| format!("there is no channel or provider '{name}' here"));
            return Ok(false);
        };
        let asked = Asked { only: Some(provider), ..asked };
        let mut went = self.channel(provider.channel(), asked)?;
        if !went && provider.channel() != Channel::Push && provider.serves(Channel::Push) {
            went = self.channel(Channel::Push, asked)?;
        }
        Ok(went)
    }

    fn holds(&mut self, condition: &str) -> Result<bool, String> {
        let holds = self.renderer.holds(condition, self.scope)?;
        self.filtered |= !holds;
        Ok(holds)
    }

    fn channel(&mut self, channel: Channel, asked: Asked<'_>) -> Result<bool, String> {
        let options = self.renderer.definition.options.channels.get(channel.name());
        let addresses = self.contact.addresses(channel);
        let nobody = channel == Channel::Inbox && self.renderer.kind == JobKind::Send && !self.contact.has_user_id();
        if addresses.is_empty() || nobody {
            self.cannot_reach(asked.only.map_or(channel.name(), Provider::name));
            return Ok(false);
        }
        let (only, named);
        let providers = match (asked.only, asked.config.and_then(|it| it.providers.as_deref())) {
            (Some(provider), _) => {
                only = [provider];
                Some(only.as_slice())
            }
            (None, of_entry) => match of_entry.or_else(|| options.and_then(|it| it.providers.as_deref())) {
                Some(names) => {
                    named = self.providers(channel, names);
                    Some(named.as_slice())
                }
                None => None,
            },
        };
        let is_for = |address: &&Address<'_>, provider| address.is_for(channel, provider);
        if let Some(providers) = providers
            && !providers.iter().any(|&provider| addresses.iter().any(|it| is_for(&it, provider)))
        {
            providers.iter().for_each(|provider| self.cannot_reach(provider.name()));
            return Ok(false);
        }
        // A condition is only looked at where it makes a difference.
        if let Some(condition) = options.and_then(|it| it.condition.as_deref())
            && !asked.is_choice
            && !self.holds(condition)?
        {
            return Ok(false);
        }
        let of_entry = asked.config.and_then(|it| it.routing_method);
        let method = of_entry.or_else(|| options.and_then(|it| it.routing_method)).unwrap_or(Method::Single);
        let mut success = false;
        let Some(providers) = providers else {
            for address in &addresses {
                success |= self.provider(channel, address.provider, address)?;
                // Devices are not tried in turn: each has a token of its own.
                if self.waits.is_some() || success && method == Method::Single && channel != Channel::Push {
                    break;
                }
            }
            return Ok(success);
        };
        for &provider in providers {
            for address in addresses.iter().filter(|it| is_for(it, provider)) {
                success |= self.provider(channel, provider, address)?;
            }
            if self.waits.is_some() || success && method == Method::Single {
                break;
            }
        }
        Ok(success)
    }

    fn cannot_reach(&mut self, name: &'static str) {
        if !self.tried.contains(&name) {
            self.tried.push(name);
        }
    }

    /// Those who carry what goes by a channel, by their names.
    fn providers(&mut self, channel: Channel, names: &[String]) -> Vec<Provider> {
        if names.is_empty() {
            self.without_providers.get_or_insert_with(|| "No providers added".to_owned());
        }
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            match Provider::from_name(name) {
                Some(provider) if provider.serves(channel) => found.push(provider),
                known => drop(self.unknown.get_or_insert_with(|| match known {
                    Some(_) => format!("'{name}' is no provider of {}", channel.name()),
                    None => format!("there is no provider '{name}' here"),
                })),
            }
        }
        found
    }

    /// What came of it, if it went to the same address by the same provider before.
    fn before(&self, channel: Channel, provider: Provider, address: &str) -> Option<bool> {
        let same =
            |it: &Written| it.channel == channel && it.provider == provider && self.outcomes.address(it) == address;
        let (verdict, _) = self.deliveries.iter().find(|(_, written)| same(written))?;
        // Only what a provider refuses leads to the next one.
        Some(verdict.reason != Some(Reason::ProviderError))
    }

    /// Whether it went out, or will.
    fn provider(&mut self, channel: Channel, provider: Provider, address: &Address<'_>) -> Result<bool, String> {
        if let Some(went) = self.before(channel, provider, &address.text) {
            return Ok(went);
        }
        if let Some(condition) =
            self.renderer.definition.options.providers.get(provider.name()).and_then(|it| it.condition.as_deref())
            && !self.holds(condition)?
        {
            return Ok(false);
        }
        let Some((success, verdict)) = self.fate(channel, provider, &address.text) else { return Ok(true) };
        let locale = self.contact.locale().or(self.renderer.definition.locale.as_deref());
        let to = (channel, provider, &*address.text);
        let Some(written) = self.renderer.write(to, locale, self.scope, self.outcomes)? else {
            self.without_content = true;
            return Ok(false);
        };
        if self.deliveries.len() == DELIVERIES {
            return Err(format!("the message would go to more than {DELIVERIES} addresses"));
        }
        if self.outcomes.bytes() - self.start > MESSAGE_LIMIT {
            return Err(format!("the texts for all addresses would be longer than {MESSAGE_LIMIT} bytes together"));
        }
        if success && !address.in_profile {
            self.outcomes.count_reached_outside_profile();
        }
        self.deliveries.push((verdict, written));
        Ok(success)
    }

    /// Whether the provider takes it, and what becomes of it; `None` if it waits.
    fn fate(&mut self, channel: Channel, provider: Provider, address: &str) -> Option<(bool, Verdict)> {
        if self.renderer.is_simulation {
            return Some((true, Verdict::of(MessageStatus::Simulated)));
        }
        let refused =
            |error: String| Some((false, Verdict::new(MessageStatus::Undeliverable, Reason::ProviderError, error)));
        match simulator::fate(channel, address) {
            // Such an address could add headers to a mail, and no provider takes it.
            None if address.contains(char::is_control) => refused("the address holds a control character".to_owned()),
            Some(Fate::Waits(millis)) if !self.is_due => {
                self.waits = Some(millis);
                None
            }
            Some(Fate::Is(verdict)) => Some((true, verdict)),
            Some(Fate::Refused(verdict)) => Some((false, verdict)),
            Some(Fate::Waits(_)) | None => match self.renderer.mails.refusal(provider, address) {
                Some(error) => refused(error),
                None => Some((true, Verdict::SENT)),
            },
        }
    }
}
