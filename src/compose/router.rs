//! Which deliveries a message leads to: its routing is followed for one recipient. Texts are rendered on the way, since
//! a provider may refuse them.

use super::contact::{Address, Contact};
use super::job::CompiledJob;
use super::passed_over::{PassedOver, Why};
use super::simulator::{self, Fate};
use crate::model::bulk::JobKind;
use crate::model::channel::Channel;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::outcome;
use crate::model::provider::Provider;
use crate::model::rendered_batch::{RenderedBatch, RenderedDelivery};
use crate::model::routing::{
    ChannelConfig, ChannelOptions, DEFAULT_ORDER, Method, Routing, RoutingEntry, RoutingTarget,
};
use crate::provider::{self, Overriding, ProviderVerdict};
use crate::render::MESSAGE_BYTES;
use crate::render::scope::Scope;
use crate::settings::ProviderLimits;

/// A message goes to no more addresses.
const DELIVERIES_LIMIT: usize = 1000;

/// A channel that Courier has and bulkd has not.
const BANNER: &str = "banner";

/// How a channel is asked for.
#[derive(Clone, Copy, Default)]
struct ChannelRequest<'r> {
    /// By the name of this provider.
    only: Option<Provider>,
    config: Option<&'r ChannelConfig>,
    /// By the recipient: the message's conditions do not count.
    is_choice: bool,
}

/// What is to be written for one address.
pub struct PlannedDelivery<'a> {
    pub channel: Channel,
    pub provider: Provider,
    pub address: Address<'a>,
    /// Whether the provider takes it; what it refuses leads to the next provider or channel.
    pub is_accepted: bool,
    pub written: RenderedDelivery,
    pub verdict: Verdict,
}

/// What routing has led to.
pub enum RoutingOutcome<'a> {
    /// In the order in which they are tried, at least one.
    Deliveries(Vec<PlannedDelivery<'a>>),
    Nowhere(Verdict),
    /// The recipient can be reached, but the content has nothing for the channels.
    WithoutContent,
    Delayed {
        delay_ms: i64,
    },
}

/// Follows the routing of one message.
pub struct Router<'a, 'b> {
    job: &'a CompiledJob,
    contact: &'a Contact<'a>,
    scope: &'a Scope<'a>,
    batch: &'b mut RenderedBatch,
    /// Where the texts of this message begin.
    start: usize,
    locale: Option<&'a str>,
    /// Whether this message has waited already.
    has_waited: bool,
    deliveries: Vec<PlannedDelivery<'a>>,
    /// Channels and providers that have no address.
    unreachable: Vec<&'static str>,
    /// Whether a condition stopped a channel.
    filtered: bool,
    without_content: bool,
    /// The error about a name that is not known.
    unknown_name: Option<String>,
    /// The error about a channel that no provider carries.
    without_providers: Option<String>,
    delay_ms: Option<i64>,
    ending: Option<Ending<'b>>,
    /// What is not tried, if the caller wants to know.
    passed_over: Option<&'b mut Vec<PassedOver>>,
}

/// What a test has said of messages to an address.
type Ending<'b> = &'b dyn Fn(&str) -> Option<outcome::Fate>;

impl<'a, 'b> Router<'a, 'b> {
    pub fn new(
        job: &'a CompiledJob,
        contact: &'a Contact<'a>,
        scope: &'a Scope<'a>,
        has_waited: bool,
        batch: &'b mut RenderedBatch,
    ) -> Self {
        Router {
            start: batch.bytes(),
            batch,
            job,
            contact,
            scope,
            locale: contact.locale().or(job.definition.locale.as_deref()),
            has_waited,
            deliveries: Vec::new(),
            unreachable: Vec::new(),
            filtered: false,
            without_content: false,
            unknown_name: None,
            without_providers: None,
            delay_ms: None,
            ending: None,
            passed_over: None,
        }
    }

    /// Has messages end as a test has said.
    pub fn ending(self, ending: Ending<'b>) -> Self {
        Router { ending: Some(ending), ..self }
    }

    /// Reports what was passed over.
    pub fn telling(self, passed_over: Option<&'b mut Vec<PassedOver>>) -> Self {
        Router { passed_over, ..self }
    }

    /// Notes, if the caller wants to know, that `name` was not tried.
    fn pass_over(&mut self, why: Why, name: &str, address: Option<&str>, words: impl FnOnce() -> String) {
        if let Some(passed_over) = self.passed_over.as_mut() {
            passed_over.push(PassedOver::new(why, name, address, words()));
        }
    }

    /// Notes that the entries behind a channel were not needed.
    fn pass_over_rest(&mut self, rest: &[RoutingEntry]) {
        if self.passed_over.is_some() && self.delay_ms.is_none() {
            for entry in rest {
                self.pass_over(Why::NotNeeded, &names_of(entry), None, || "one before it was enough".to_owned());
            }
        }
    }

    /// Follows the routing to its end, or only the channels that the recipient has `chosen`. Fails if a condition cannot be
    /// decided.
    pub fn route(mut self, chosen: Option<Vec<Channel>>) -> Result<RoutingOutcome<'a>, String> {
        match (chosen, self.job.definition.routing.as_ref()) {
            (None, None) => self.try_default()?,
            (None, Some(routing)) => drop(self.try_routing(routing)?),
            (Some(chosen), routing) => {
                self.pass_over_unchosen(&chosen, routing);
                self.try_chosen(&chosen, routing.map_or(Method::Single, |it| it.method))?;
            }
        }
        Ok(self.end())
    }

    fn end(self) -> RoutingOutcome<'a> {
        if let Some(delay_ms) = self.delay_ms {
            return RoutingOutcome::Delayed { delay_ms };
        }
        if !self.deliveries.is_empty() {
            return RoutingOutcome::Deliveries(self.deliveries);
        }
        RoutingOutcome::Nowhere(if self.filtered {
            Verdict::new(MessageStatus::Filtered, Reason::Filtered, "a condition stopped every channel that was left")
        } else if self.without_content {
            return RoutingOutcome::WithoutContent;
        } else if let Some(error) = self.unknown_name {
            Verdict::new(MessageStatus::Unroutable, Reason::ProviderError, error)
        } else if let Some(error) = self.without_providers {
            Verdict::new(MessageStatus::Unroutable, Reason::NoProviders, error)
        } else {
            let error = match self.unreachable.as_slice() {
                [] => "the routing names no channel".to_owned(),
                unreachable => format!("the recipient cannot be reached by {}", unreachable.join(", ")),
            };
            Verdict::new(MessageStatus::Unroutable, Reason::NoChannels, error)
        })
    }

    /// Whether the message names a channel or a provider that there is not.
    fn has_config_error(&self) -> bool {
        self.unknown_name.is_some() || self.without_providers.is_some()
    }

    /// The default order: if a channel is stopped or refused, the next one that the recipient has is tried.
    fn try_default(&mut self) -> Result<(), String> {
        for (i, channel) in DEFAULT_ORDER.into_iter().enumerate() {
            // Every recipient has an inbox, which would hide every refusal.
            let was_tried = !self.deliveries.is_empty() || self.filtered || self.has_config_error();
            if channel == Channel::Inbox && was_tried {
                if self.has_inbox(channel) {
                    self.pass_over(Why::NotNeeded, channel.name(), None, || {
                        "the inbox stands in for no channel unless the routing names it".to_owned()
                    });
                }
                continue;
            }
            if self.try_channel(channel, ChannelRequest::default())? || self.delay_ms.is_some() {
                self.pass_over_reachable(DEFAULT_ORDER.get(i + 1..).unwrap_or_default());
                break;
            }
        }
        Ok(())
    }

    /// Notes which channels could have been tried, had one before them failed.
    fn pass_over_reachable(&mut self, rest: &[Channel]) {
        if self.passed_over.is_none() || self.delay_ms.is_some() || self.deliveries.iter().all(|it| it.is_accepted) {
            return;
        }
        for &channel in rest {
            if !self.contact.addresses(channel).is_empty() && self.has_inbox(channel) {
                self.pass_over(Why::NotNeeded, channel.name(), None, || "one before it was enough".to_owned());
            }
        }
    }

    /// Notes which channels of the routing the recipient has not chosen.
    fn pass_over_unchosen(&mut self, chosen: &[Channel], routing: Option<&Routing>) {
        if self.passed_over.is_none() {
            return;
        }
        for entry in routing.into_iter().flat_map(|it| &it.channels) {
            let name = names_of(entry);
            if !chosen.iter().any(|channel| channel.name() == name) {
                self.pass_over(Why::Preferences, &name, None, || {
                    let chosen: Vec<&str> = chosen.iter().map(|it| it.name()).collect();
                    format!("the recipient has chosen {}", chosen.join(", "))
                });
            }
        }
    }

    fn try_chosen(&mut self, chosen: &[Channel], method: Method) -> Result<(), String> {
        for channel in chosen {
            let went = self.try_channel(*channel, ChannelRequest { is_choice: true, ..ChannelRequest::default() })?;
            if self.delay_ms.is_some() || went && method == Method::Single {
                break;
            }
        }
        Ok(())
    }

    /// Whether something goes out.
    fn try_routing(&mut self, routing: &Routing) -> Result<bool, String> {
        let mut success = false;
        for (i, entry) in routing.channels.iter().enumerate() {
            if let Some(condition) = &entry.condition
                && !self.holds(condition)?
            {
                self.pass_over(Why::Condition, &names_of(entry), None, || stopped_by(condition));
                continue;
            }
            success |= match &entry.target {
                RoutingTarget::Nested(routing) => self.try_routing(routing)?,
                RoutingTarget::Name { name, config } => self.try_named(name, config)?,
            };
            if self.delay_ms.is_some() || success && routing.method == Method::Single {
                self.pass_over_rest(routing.channels.get(i + 1..).unwrap_or_default());
                break;
            }
        }
        Ok(success)
    }

    fn try_named(&mut self, name: &str, config: &ChannelConfig) -> Result<bool, String> {
        let asked = ChannelRequest { config: Some(config), ..ChannelRequest::default() };
        if let Some(channel) = Channel::from_name(name) {
            return self.try_channel(channel, asked);
        }
        if name == BANNER {
            self.without_providers.get_or_insert_with(|| "banners are not supported".to_owned());
            self.pass_over(Why::NoProvider, name, None, || "banners are not supported".to_owned());
            return Ok(false);
        }
        let Some(provider) = Provider::named(name) else {
            let problem = || format!("there is no channel or provider '{name}'");
            self.unknown_name.get_or_insert_with(problem);
            self.pass_over(Why::Unknown, name, None, problem);
            return Ok(false);
        };
        let asked = ChannelRequest { only: Some(provider), ..asked };
        let went = self.try_channel(provider.channel(), asked)?;
        match provider.row().also {
            Some(channel) if !went => self.try_channel(channel, asked),
            _ => Ok(went),
        }
    }

    fn holds(&mut self, condition: &str) -> Result<bool, String> {
        let holds = self.job.holds(condition, self.scope)?;
        self.filtered |= !holds;
        Ok(holds)
    }

    fn try_channel(&mut self, channel: Channel, asked: ChannelRequest<'_>) -> Result<bool, String> {
        let job = self.job;
        let options = job.definition.options.channels.get(channel.name());
        let mut addresses = self.contact.addresses(channel);
        let (only, named);
        let of_entry = || asked.config.and_then(|it| it.providers.as_deref());
        let of_channel = || options.and_then(|it| it.providers.as_deref());
        let names = of_entry().or_else(of_channel);
        self.borrow_addresses(asked.only, names, &mut addresses);
        if addresses.is_empty() || !self.has_inbox(channel) {
            self.cannot_reach(asked.only.map_or(channel.name(), Provider::name));
            return Ok(false);
        }
        let providers: Option<&[Provider]> = match (asked.only, names) {
            (Some(provider), _) => {
                only = [provider];
                Some(&only)
            }
            (None, Some(names)) => {
                named = self.select_providers(channel, names);
                Some(&named)
            }
            (None, None) => None,
        };
        if let Some(providers) = providers
            && !providers.iter().any(|&provider| addresses.iter().any(|it| it.is_for(channel, provider)))
        {
            providers.iter().for_each(|provider| self.cannot_reach(provider.name()));
            return Ok(false);
        }
        // A condition is evaluated only where it makes a difference.
        if let Some(condition) = options.and_then(|it| it.condition.as_deref())
            && !asked.is_choice
            && !self.holds(condition)?
        {
            self.pass_over(Why::Condition, channel.name(), None, || stopped_by(condition));
            return Ok(false);
        }
        let method = method(asked, options);
        match providers {
            Some(providers) => self.try_providers(channel, providers, &addresses, method),
            None => self.try_addresses(channel, addresses, method),
        }
    }

    /// Adds the addresses that providers have from elsewhere, of those that were asked for by their names.
    fn borrow_addresses(&self, only: Option<Provider>, names: Option<&[String]>, addresses: &mut Vec<Address<'a>>) {
        let named = names.into_iter().flatten().filter(|_| only.is_none()).filter_map(|name| Provider::named(name));
        for provider in only.into_iter().chain(named).filter(|it| it.row().borrows.is_some()) {
            if !addresses.iter().any(|it| it.provider == provider) {
                addresses.extend(self.contact.borrowed(provider));
            }
        }
    }

    /// A send to a bare address reaches no inbox.
    fn has_inbox(&self, channel: Channel) -> bool {
        channel != Channel::Inbox || self.job.kind != JobKind::Send || self.contact.has_user_id()
    }

    /// Tries each address by its own provider.
    fn try_addresses(&mut self, channel: Channel, addresses: Vec<Address<'a>>, method: Method) -> Result<bool, String> {
        let mut success = false;
        for address in addresses {
            success |= self.try_address(channel, address.provider, address)?;
            // Devices are not tried in turn: each has a token of its own.
            if self.delay_ms.is_some() || success && method == Method::Single && channel != Channel::Push {
                break;
            }
        }
        Ok(success)
    }

    /// Tries all addresses by one provider after the other.
    fn try_providers(
        &mut self,
        channel: Channel,
        providers: &[Provider],
        addresses: &[Address<'a>],
        method: Method,
    ) -> Result<bool, String> {
        let mut success = false;
        for &provider in providers {
            for address in addresses.iter().filter(|it| it.is_for(channel, provider)) {
                success |= self.try_address(channel, provider, address.clone())?;
            }
            if self.delay_ms.is_some() || success && method == Method::Single {
                break;
            }
        }
        Ok(success)
    }

    fn cannot_reach(&mut self, name: &'static str) {
        if !self.unreachable.contains(&name) {
            self.unreachable.push(name);
            self.pass_over(Why::NoAddress, name, None, || format!("the recipient has no address for {name}"));
        }
    }

    /// Those of the named providers that serve a channel.
    fn select_providers(&mut self, channel: Channel, names: &[String]) -> Vec<Provider> {
        if names.is_empty() {
            self.without_providers.get_or_insert_with(|| "No providers added".to_owned());
            self.pass_over(Why::NoProvider, channel.name(), None, || "its list of providers is empty".to_owned());
        }
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            match Provider::named(name) {
                Some(provider) if provider.serves(channel) => found.push(provider),
                known => {
                    let problem = || match known {
                        Some(_) => format!("the provider '{name}' does not serve {}", channel.name()),
                        None => format!("there is no provider '{name}'"),
                    };
                    self.unknown_name.get_or_insert_with(problem);
                    self.pass_over(Why::Unknown, name, None, problem);
                }
            }
        }
        found
    }

    /// Whether it was accepted, if it went to the same address by the same provider before.
    fn previous_result(&self, channel: Channel, provider: Provider, address: &str) -> Option<bool> {
        let is_same =
            |it: &&PlannedDelivery<'_>| it.channel == channel && it.provider == provider && it.address.text == address;
        self.deliveries.iter().find(is_same).map(|it| it.is_accepted)
    }

    /// Whether it goes out, or will.
    fn try_address(&mut self, channel: Channel, provider: Provider, address: Address<'a>) -> Result<bool, String> {
        if let Some(is_accepted) = self.previous_result(channel, provider, &address.text) {
            return Ok(is_accepted);
        }
        let job = self.job;
        if let Some(condition) = job.definition.options.options_of(provider).and_then(|it| it.condition.as_deref())
            && !self.holds(condition)?
        {
            self.pass_over(Why::Condition, provider.name(), Some(&address.text), || stopped_by(condition));
            return Ok(false);
        }
        let headers = match &job.headers {
            Some(headers) if channel == Channel::Email => Some(headers.fill(Some(self.scope))?),
            _ => None,
        };
        let overriding = Overriding { options: &job.definition.options, headers: headers.as_ref() };
        let Some(fate) = self.fate(channel, provider, &address.text, overriding) else {
            return Ok(true);
        };
        let Some(body) = job.body.for_channel(channel, provider, self.locale, self.scope)? else {
            self.without_content = true;
            self.pass_over(Why::NoContent, provider.name(), Some(&address.text), || {
                format!("the content has nothing for {}", channel.name())
            });
            return Ok(false);
        };
        if self.deliveries.len() == DELIVERIES_LIMIT {
            return Err(format!("the message would go to more than {DELIVERIES_LIMIT} addresses"));
        }
        let outcome::Fate { is_accepted, verdict, later } = fate;
        let mut written = body.write((channel, provider, &*address.text), self.scope, self.batch)?;
        if let Some(what) = self.scope.told() {
            self.batch.note_without_effect(what);
        }
        if self.batch.bytes() - self.start > MESSAGE_BYTES {
            return Err(format!("the texts for all addresses would be longer than {MESSAGE_BYTES} bytes together"));
        }
        if provider == Provider::MsTeams && self.batch.without_effect().is_none() {
            let lost = provider::lost(self.batch.delivery(&written));
            lost.into_iter().for_each(|it| self.batch.note_without_effect(&it));
        }
        let judged = if verdict == Verdict::SENT { self.judge(&written, overriding) } else { ProviderVerdict::Taken };
        let (is_accepted, verdict) = match judged {
            ProviderVerdict::Refused(error) => (false, refused(error)),
            ProviderVerdict::Near(what) => {
                self.batch.note_near_limit(what);
                (is_accepted, verdict)
            }
            ProviderVerdict::Taken => (is_accepted, verdict),
        };
        written.ending = later.filter(|_| is_accepted).map(Box::new);
        self.deliveries.push(PlannedDelivery { channel, provider, address, is_accepted, written, verdict });
        Ok(is_accepted)
    }

    /// What the provider would make of what is written.
    fn judge(&self, written: &RenderedDelivery, overriding: Overriding<'_>) -> ProviderVerdict {
        let job = self.job;
        if job.limits == ProviderLimits::Off {
            return ProviderVerdict::Taken;
        }
        job.provider_checks.judge(overriding, self.batch.delivery(written), |out| self.scope.write_data(out))
    }

    /// What becomes of it; `None` if it waits.
    fn fate(
        &mut self,
        channel: Channel,
        provider: Provider,
        address: &str,
        overriding: Overriding<'_>,
    ) -> Option<outcome::Fate> {
        let now = |is_accepted: bool, verdict: Verdict| Some(outcome::Fate { is_accepted, verdict, later: None });
        if self.job.is_simulation {
            return now(true, Verdict::of(MessageStatus::Simulated));
        }
        if let Some(said) = self.ending.and_then(|ending| ending(address)) {
            return Some(said);
        }
        match simulator::fate(channel, address) {
            // Such an address could add headers to a mail, and no provider accepts it.
            None if address.contains(char::is_control) => {
                now(false, refused("the address holds a control character".to_owned()))
            }
            Some(Fate::Delayed { delay_ms }) if !self.has_waited => {
                self.delay_ms = Some(delay_ms);
                None
            }
            Some(Fate::Is(verdict)) => now(true, verdict),
            Some(Fate::Refused(verdict)) => now(false, verdict),
            Some(Fate::Delayed { .. }) | None => {
                match self.job.provider_checks.unmade(overriding, channel, provider, address) {
                    Some(error) => now(false, refused(error)),
                    None => now(true, Verdict::SENT),
                }
            }
        }
    }
}

/// What an entry of a routing names.
fn names_of(entry: &RoutingEntry) -> String {
    match &entry.target {
        RoutingTarget::Name { name, .. } => name.clone(),
        RoutingTarget::Nested(routing) => routing.channels.iter().map(names_of).collect::<Vec<_>>().join(", "),
    }
}

fn stopped_by(condition: &str) -> String {
    format!("its condition does not hold: {condition}")
}

fn refused(error: String) -> Verdict {
    Verdict::new(MessageStatus::Undeliverable, Reason::ProviderError, error)
}

/// Whether the first success is enough: as the routing's entry says, else the channel's options.
fn method(asked: ChannelRequest<'_>, options: Option<&ChannelOptions>) -> Method {
    let of_entry = asked.config.and_then(|it| it.routing_method);
    of_entry.or_else(|| options.and_then(|it| it.routing_method)).unwrap_or(Method::Single)
}
