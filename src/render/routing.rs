//! Which channels a message takes: its routing followed for one recipient.

use super::contact::Contact;
use super::simulator::{self, Fate};
use super::{Renderer, Scope};
use crate::model::bulk::JobKind;
use crate::model::channel::{Channel, Provider};
use crate::model::outcomes::{Outcomes, Written};
use crate::model::routing::{Entry, Method, Routing};
use crate::model::verdict::{MessageStatus, Reason, Verdict};

/// Where no routing is given: the first that the recipient has.
const DEFAULT: [Channel; 6] =
    [Channel::Email, Channel::Sms, Channel::Push, Channel::DirectMessage, Channel::Webhook, Channel::Inbox];

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
    tried: Vec<Channel>,
    filtered: bool,
    without_content: bool,
    unknown: Option<String>,
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
                    let went = self.channel(channel, None)?;
                    if went || !self.deliveries.is_empty() || self.filtered || self.unknown.is_some() {
                        break;
                    }
                }
            }
            (None, Some(routing)) => drop(self.routing(routing)?),
            (Some(chosen), routing) => {
                let method = routing.map_or(Method::Single, |routing| routing.method);
                let channels =
                    chosen.into_iter().map(|it| Entry::Name { name: it.name().to_owned(), condition: None }).collect();
                self.routing(&Routing { method, channels })?;
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
        } else if let Some(name) = self.unknown {
            let error = format!("there is no channel or provider '{name}' here");
            Verdict::new(MessageStatus::Unroutable, Reason::ProviderError, error)
        } else {
            let tried: Vec<&str> = self.tried.iter().map(|channel| channel.name()).collect();
            let error = format!("the recipient cannot be reached by {}", tried.join(", "));
            Verdict::new(MessageStatus::Unroutable, Reason::NoChannels, error)
        })
    }

    /// Whether something went out.
    fn routing(&mut self, routing: &Routing) -> Result<bool, String> {
        let mut success = false;
        for entry in &routing.channels {
            success |= match entry {
                Entry::Nested(routing) => self.routing(routing)?,
                Entry::Name { name, condition } => self.name(name, condition.as_deref())?,
            };
            if self.waits.is_some() || success && routing.method == Method::Single {
                break;
            }
        }
        Ok(success)
    }

    fn name(&mut self, name: &str, condition: Option<&str>) -> Result<bool, String> {
        if let Some(condition) = condition
            && !self.holds(condition)?
        {
            return Ok(false);
        }
        if let Some(channel) = Channel::from_name(name) {
            return self.channel(channel, None);
        }
        match Provider::from_name(name) {
            Some(provider) => self.channel(provider.channel(), Some(provider)),
            None => {
                self.unknown.get_or_insert_with(|| name.to_owned());
                Ok(false)
            }
        }
    }

    fn holds(&mut self, condition: &str) -> Result<bool, String> {
        let holds = self.renderer.holds(condition, self.scope)?;
        self.filtered |= !holds;
        Ok(holds)
    }

    fn channel(&mut self, channel: Channel, only: Option<Provider>) -> Result<bool, String> {
        let options = self.renderer.definition.channels.get(channel.name());
        let addresses = self.contact.addresses(channel);
        let nobody = channel == Channel::Inbox && self.renderer.kind == JobKind::Send && !self.contact.has_user_id();
        if addresses.is_empty() || nobody {
            self.tried.push(channel);
            return Ok(false);
        }
        // A condition is only looked at where it makes a difference.
        if let Some(condition) = options.and_then(|it| it.condition.as_deref())
            && !self.holds(condition)?
        {
            return Ok(false);
        }
        let method = options.and_then(|it| it.routing_method).unwrap_or(Method::Single);
        let names = options.and_then(|it| it.providers.as_deref()).filter(|_| only.is_none());
        let mut success = false;
        for address in addresses {
            let (only_one, mut several) = ([only.unwrap_or(address.provider)], Vec::new());
            for name in names.into_iter().flatten() {
                match Provider::from_name(name).filter(|it| it.channel() == channel) {
                    Some(provider) => several.push(provider),
                    None => drop(self.unknown.get_or_insert_with(|| name.clone())),
                }
            }
            let providers = if names.is_some() { several.as_slice() } else { &only_one };
            for &provider in providers {
                let went = self.provider(channel, provider, &address.text)?;
                if went && !address.in_profile {
                    self.outcomes.count_reached_outside_profile();
                }
                success |= went;
                if self.waits.is_some() || went && method == Method::Single {
                    break;
                }
            }
        }
        Ok(success)
    }

    fn provider(&mut self, channel: Channel, provider: Provider, address: &str) -> Result<bool, String> {
        if let Some(condition) =
            self.renderer.definition.providers.get(provider.name()).and_then(|it| it.condition.as_deref())
            && !self.holds(condition)?
        {
            return Ok(false);
        }
        let verdict = match simulator::fate(channel, address) {
            // Such an address could add headers to a mail, and no provider takes it.
            None if address.contains(char::is_control) => {
                let error = "the address holds a control character";
                Err(Verdict::new(MessageStatus::Undeliverable, Reason::ProviderError, error))
            }
            Some(Fate::Waits(millis)) if !self.is_due => {
                self.waits = Some(millis);
                return Ok(true);
            }
            Some(Fate::Is(verdict)) => Ok(verdict),
            Some(Fate::Refused(verdict)) => Err(verdict),
            Some(Fate::Waits(_)) | None => Ok(Verdict::SENT),
        };
        let locale = self.contact.locale().or(self.renderer.definition.locale.as_deref());
        let to = (channel, provider, address);
        let Some(written) = self.renderer.write(to, locale, self.scope, self.outcomes)? else {
            self.without_content = true;
            return Ok(false);
        };
        let (success, verdict) = match verdict {
            Ok(verdict) => (true, verdict),
            Err(verdict) => (false, verdict),
        };
        self.deliveries.push((verdict, written));
        Ok(success)
    }
}
