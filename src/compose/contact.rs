//! The addresses of a recipient.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::error::{Error, Result};
use crate::json::members::{self, members};
use crate::json::{self, Object, Text};
use crate::model::channel::Channel;
use crate::model::provider::{Borrowed, PROFILE_KEYS, Provider};
use crate::model::push_tokens;
use crate::model::user::User;

members! {
    /// The texts that every profile has under the same names.
    struct ContactTexts<'a> {
        #[serde(borrow)]
        email: Text<'a> = "email",
        #[serde(borrow)]
        phone_number: Text<'a> = "phone_number",
        #[serde(borrow)]
        locale: Text<'a> = "locale",
    }
}

/// What routing reads from a profile.
#[derive(Default)]
struct ContactFields<'a> {
    texts: ContactTexts<'a>,
    /// The values of the [`PROFILE_KEYS`].
    addresses: [Option<&'a str>; PROFILE_KEYS.len()],
}

impl<'a> ContactFields<'a> {
    /// In one pass over the profile, which is known to be valid JSON.
    fn read(profile: &'a str) -> Result<Self> {
        let mut fields = ContactFields::default();
        let (mut email, mut phone_number, mut locale, mut sound) = (None, None, None, true);
        Object::of(profile).for_each(|name, value| match name {
            "email" => sound &= members::fill(&mut email, value),
            "phone_number" => sound &= members::fill(&mut phone_number, value),
            "locale" => sound &= members::fill(&mut locale, value),
            name => {
                if let Some(slot) = PROFILE_KEYS.iter().position(|(key, _)| *key == name) {
                    fields.addresses[slot] = Some(value).filter(|value| *value != "null");
                }
            }
        })?;
        fields.texts = match sound {
            true => {
                ContactTexts { email: email.flatten(), phone_number: phone_number.flatten(), locale: locale.flatten() }
            }
            false => json::read(profile, || "profile".to_owned())?,
        };
        Ok(fields)
    }

    /// The values of a provider's keys.
    fn of(&self, provider: Provider) -> impl Iterator<Item = &'a str> {
        let slots = PROFILE_KEYS.iter().zip(&self.addresses);
        slots.filter(move |((_, it), _)| *it == provider).filter_map(|(_, value)| *value)
    }
}

/// One way to reach a recipient.
#[derive(Clone)]
pub struct Address<'a> {
    /// The provider that sends there, unless another is asked for.
    pub provider: Provider,
    pub text: Cow<'a, str>,
    /// Whether it is in the profile, or needs no entry. Courier's own routing may look nowhere else.
    pub in_profile: bool,
}

impl Address<'_> {
    /// Whether this provider of `channel` can send there. Push tokens and chats are only known to the provider that
    /// issued them.
    pub fn is_for(&self, channel: Channel, provider: Provider) -> bool {
        match channel {
            Channel::Push | Channel::DirectMessage => self.provider == provider,
            _ if self.provider.row().borrows.is_some() || provider.row().borrows.is_some() => self.provider == provider,
            _ => true,
        }
    }
}

/// Where one recipient can be reached.
pub struct Contact<'a> {
    recipient: &'a str,
    user: &'a User<'a>,
    stored: ContactFields<'a>,
    given: ContactFields<'a>,
    /// Of `to`. Most messages are e-mails, which do not need it.
    sent: OnceCell<ContactFields<'a>>,
    tokens: &'a [(Provider, String)],
}

impl<'a> Contact<'a> {
    /// From the stored profile, overlaid by the one given with the user, and from stored push tokens.
    pub fn new(
        recipient: &'a str,
        user: &'a User<'a>,
        stored: Option<&'a str>,
        tokens: &'a [(Provider, String)],
    ) -> Result<Self> {
        let read = |profile: Option<&'a str>| match profile {
            Some(profile) => ContactFields::read(profile)
                .map_err(|error: Error| Error::invalid("the message could not be addressed", error.public_message())),
            None => Ok(ContactFields::default()),
        };
        let given = read(user.profile.map(|profile| profile.as_str()))?;
        Ok(Contact { recipient, user, stored: read(stored)?, given, sent: OnceCell::new(), tokens })
    }

    /// The values of profile keys in `to`.
    fn sent(&self) -> &ContactFields<'a> {
        // Its texts were read before.
        let read = || ContactFields::read(self.user.to()?.as_profile()?).ok();
        self.sent.get_or_init(|| read().unwrap_or_default())
    }

    pub fn locale(&self) -> Option<&str> {
        let to = self.user.to().and_then(|to| to.locale.as_ref());
        to.or(self.given.texts.locale.as_ref()).or(self.stored.texts.locale.as_ref()).map(Text::as_str)
    }

    /// Whether the recipient was named by an id, and not by an address alone.
    pub fn has_user_id(&self) -> bool {
        self.user.recipient.is_some()
            || self.user.user_id.is_some()
            || self.user.to().is_some_and(|to| to.user_id.is_some())
    }

    /// The addresses on a channel: one, or as many as there are chats or push tokens. The same one may occur twice.
    pub fn addresses(&self, channel: Channel) -> Vec<Address<'_>> {
        let to = self.user.to();
        match channel {
            Channel::Email => {
                let elsewhere = [to.and_then(|to| to.email.as_ref()), self.user.email.as_ref()];
                self.text(const { Provider::default_of(Channel::Email) }, |it| it.email.as_ref(), elsewhere)
            }
            Channel::Sms => {
                let elsewhere = [to.and_then(|to| to.phone_number.as_ref()), self.user.phone_number.as_ref()];
                self.text(const { Provider::default_of(Channel::Sms) }, |it| it.phone_number.as_ref(), elsewhere)
            }
            Channel::Push => self.push(),
            Channel::Inbox => {
                let (provider, text) = (const { Provider::default_of(Channel::Inbox) }, Cow::Borrowed(self.recipient));
                vec![Address { provider, text, in_profile: true }]
            }
            Channel::DirectMessage | Channel::Webhook => {
                Provider::of_channel(channel).filter_map(|provider| self.object(provider)).collect()
            }
        }
    }

    /// An address that is an object: of the profile that was sent, else of `to`, else of the stored profile.
    fn object(&self, provider: Provider) -> Option<Address<'_>> {
        let address = |value: &'a str| provider.row().address(value);
        let given = || self.given.of(provider).find_map(address);
        let sent = || self.sent().of(provider).find_map(address);
        let stored = || self.stored.of(provider).find_map(address);
        let text = given().or_else(sent).or_else(stored)?;
        Some(Address { provider, text, in_profile: true })
    }

    /// The address that a provider which was asked for by name takes from elsewhere.
    pub fn borrowed(&self, provider: Provider) -> Vec<Address<'_>> {
        let lent = match provider.row().borrows {
            None => Vec::new(),
            Some(Borrowed::Email) => self.addresses(Channel::Email),
            Some(Borrowed::Phone) => self.addresses(Channel::Sms),
            Some(Borrowed::Of(other)) => self.tokens_of(|it| it == other),
            Some(Borrowed::Nothing) => self.addresses(Channel::Inbox),
        };
        lent.into_iter().map(|address| Address { provider, ..address }).collect()
    }

    /// An address that is a text: of the profile that was sent, else from elsewhere in what was sent, else of the
    /// stored profile.
    fn text<'s>(
        &'s self,
        provider: Provider,
        profile: impl Fn(&'s ContactTexts<'a>) -> Option<&'s Text<'a>>,
        elsewhere: [Option<&'s Text<'a>>; 2],
    ) -> Vec<Address<'s>> {
        let usable = |address: &&Text<'a>| !address.0.is_empty();
        let given = profile(&self.given.texts).filter(usable).map(|address| (address, true));
        let sent = || elsewhere.into_iter().flatten().find(usable).map(|address| (address, false));
        let stored = || profile(&self.stored.texts).filter(usable).map(|address| (address, true));
        let found = given.or_else(sent).or_else(stored).map(|(address, in_profile)| Address {
            provider,
            text: Cow::Borrowed(address.as_str()),
            in_profile,
        });
        found.into_iter().collect()
    }

    /// All tokens: those of the profile, key by key, and the stored ones.
    fn push(&self) -> Vec<Address<'_>> {
        let mut found = self.tokens_of(|provider| provider.serves(Channel::Push));
        found.extend(self.tokens.iter().map(|(provider, token)| Address {
            provider: *provider,
            text: Cow::Borrowed(token.as_str()),
            in_profile: true,
        }));
        found
    }

    /// The tokens that the profile has for some providers.
    fn tokens_of(&self, wanted: impl Fn(Provider) -> bool) -> Vec<Address<'_>> {
        let mut found = Vec::new();
        for (slot, (_, provider)) in PROFILE_KEYS.iter().enumerate().filter(|(_, (_, it))| wanted(*it)) {
            let before = found.len();
            let profiles = [&self.given, self.sent(), &self.stored];
            for value in profiles.into_iter().filter_map(|it| it.addresses[slot]) {
                if found.len() == before {
                    let mut each = |text| found.push(Address { provider: *provider, text, in_profile: true });
                    push_tokens::each(*provider, value, &mut each);
                }
            }
        }
        found
    }
}
