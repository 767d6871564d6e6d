//! By which ways a recipient can be reached.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::Text;
use crate::json::members::{self, Raw, members};
use crate::model::channel::{Channel, Provider};
use crate::model::user::User;

members! {
    /// The keys of a profile that routing looks at.
    struct Fields<'a> {
        #[serde(borrow)]
        email: Text<'a> = "email",
        #[serde(borrow)]
        phone_number: Text<'a> = "phone_number",
        #[serde(borrow)]
        locale: Text<'a> = "locale",
        #[serde(borrow)]
        firebase_token: Raw<'a> = "firebaseToken",
        #[serde(borrow)]
        apn: Raw<'a> = "apn",
        #[serde(borrow)]
        expo: Raw<'a> = "expo",
        #[serde(borrow)]
        one_signal_player: Raw<'a> = "oneSignalPlayerID",
        #[serde(borrow)]
        one_signal: Raw<'a> = "onesignal",
        #[serde(borrow)]
        airship: Raw<'a> = "airship",
        #[serde(borrow)]
        aws_sns: Raw<'a> = "aws_sns",
        #[serde(borrow)]
        slack: Raw<'a> = "slack",
        #[serde(borrow)]
        ms_teams: Raw<'a> = "ms_teams",
        #[serde(borrow)]
        discord: Raw<'a> = "discord",
        #[serde(borrow)]
        webhook: Raw<'a> = "webhook",
    }
}

/// One way to reach a recipient.
pub struct Address<'a> {
    /// Who carries what goes there, unless somebody else is asked for.
    pub provider: Provider,
    pub text: Cow<'a, str>,
    /// Whether it stands in the profile, or needs none. Courier's own routing may look nowhere else.
    pub in_profile: bool,
}

impl Address<'_> {
    /// Whether this provider of `channel` can carry something there. Push tokens and chats are known to the provider
    /// alone that gave them out.
    pub fn is_for(&self, channel: Channel, provider: Provider) -> bool {
        match channel {
            Channel::Push | Channel::DirectMessage => self.provider == provider,
            _ => true,
        }
    }
}

/// Where one recipient can be reached.
pub struct Contact<'a> {
    recipient: &'a str,
    user: &'a User<'a>,
    stored: Fields<'a>,
    given: Fields<'a>,
    tokens: &'a [(Provider, String)],
}

impl<'a> Contact<'a> {
    /// From the stored profile under the one that was given with the user, and from stored push tokens.
    pub fn new(
        recipient: &'a str,
        user: &'a User<'a>,
        stored: Option<&'a str>,
        tokens: &'a [(Provider, String)],
    ) -> Result<Self> {
        let read = |profile: Option<&'a str>| match profile {
            Some(profile) => members::read(profile, || "profile".to_owned())
                .map_err(|error: Error| Error::invalid("the message could not be addressed", error.public_message())),
            None => Ok(Fields::default()),
        };
        let given = read(user.profile.map(|profile| profile.as_str()))?;
        Ok(Contact { recipient, user, stored: read(stored)?, given, tokens })
    }

    pub fn locale(&self) -> Option<&str> {
        let to = self.user.to().and_then(|to| to.locale.as_ref());
        to.or(self.given.locale.as_ref()).or(self.stored.locale.as_ref()).map(Text::as_str)
    }

    /// Whether somebody stands behind the recipient's id. Who was named by an address alone has no inbox.
    pub fn has_user_id(&self) -> bool {
        self.user.recipient.is_some()
            || self.user.user_id.is_some()
            || self.user.to().is_some_and(|to| to.user_id.is_some())
    }

    /// The addresses on a channel: one, or as many as there are chats or push tokens, which may name one twice.
    pub fn addresses(&self, channel: Channel) -> Vec<Address<'_>> {
        let to = self.user.to();
        match channel {
            Channel::Email => {
                let elsewhere = [to.and_then(|to| to.email.as_ref()), self.user.email.as_ref()];
                self.text(Provider::Sendgrid, |it| it.email.as_ref(), elsewhere)
            }
            Channel::Sms => {
                let elsewhere = [to.and_then(|to| to.phone_number.as_ref()), self.user.phone_number.as_ref()];
                self.text(Provider::Twilio, |it| it.phone_number.as_ref(), elsewhere)
            }
            Channel::Push => self.push(),
            Channel::Inbox => {
                vec![Address { provider: Provider::Courier, text: Cow::Borrowed(self.recipient), in_profile: true }]
            }
            Channel::DirectMessage => {
                let slack = (Provider::Slack, ["channel", "user_id", "email"].as_slice(), to.and_then(|to| to.slack));
                let teams_keys = ["conversation_id", "channel_id", "user_id", "email", "channel_name"].as_slice();
                let teams = (Provider::MsTeams, teams_keys, to.and_then(|to| to.ms_teams));
                let discord = (Provider::Discord, ["channel_id", "user_id"].as_slice(), None);
                let found = [slack, teams, discord].into_iter().filter_map(|(provider, keys, to)| {
                    let profile = |it: &Fields<'_>| member(&tree(self.object(provider, it)?.0)?, keys);
                    self.one(provider, profile, to.and_then(|to| member(&tree(to.as_str())?, keys)))
                });
                found.collect()
            }
            Channel::Webhook => {
                let url = ["url"].as_slice();
                let to = to.and_then(|to| to.webhook).and_then(|to| member(&tree(to.as_str())?, url));
                let profile = |it: &Fields<'_>| member(&tree(it.webhook?.0)?, url);
                self.one(Provider::Webhook, profile, to).into_iter().collect()
            }
        }
    }

    fn object<'f>(&self, provider: Provider, fields: &Fields<'f>) -> Option<Raw<'f>> {
        match provider {
            Provider::Slack => fields.slack,
            Provider::MsTeams => fields.ms_teams,
            _ => fields.discord,
        }
    }

    /// An address that is a text: of the profile that was sent, else elsewhere in what was sent, else of the stored
    /// profile.
    fn text<'s>(
        &'s self,
        provider: Provider,
        profile: impl Fn(&'s Fields<'a>) -> Option<&'s Text<'a>>,
        elsewhere: [Option<&'s Text<'a>>; 2],
    ) -> Vec<Address<'s>> {
        let usable = |address: &&Text<'a>| !address.0.is_empty();
        let given = profile(&self.given).filter(usable).map(|address| (address, true));
        let sent = || elsewhere.into_iter().flatten().find(usable).map(|address| (address, false));
        let stored = || profile(&self.stored).filter(usable).map(|address| (address, true));
        let found = given.or_else(sent).or_else(stored).map(|(address, in_profile)| Address {
            provider,
            text: Cow::Borrowed(address.as_str()),
            in_profile,
        });
        found.into_iter().collect()
    }

    fn one(
        &self,
        provider: Provider,
        profile: impl Fn(&Fields<'_>) -> Option<String>,
        to: Option<String>,
    ) -> Option<Address<'_>> {
        let text = profile(&self.given).or(to).or_else(|| profile(&self.stored))?;
        Some(Address { provider, text: Cow::Owned(text), in_profile: true })
    }

    /// All tokens: those of the profile, member by member, and those that are stored.
    fn push(&self) -> Vec<Address<'_>> {
        let mut found = Vec::new();
        let (given, stored) = (&self.given, &self.stored);
        let of_profile = [
            (Provider::FirebaseFcm, [given.firebase_token, stored.firebase_token]),
            (Provider::Apn, [given.apn, stored.apn]),
            (Provider::Expo, [given.expo, stored.expo]),
            (Provider::OneSignal, [given.one_signal_player, stored.one_signal_player]),
            (Provider::OneSignal, [given.one_signal, stored.one_signal]),
            (Provider::Airship, [given.airship, stored.airship]),
            (Provider::AwsSns, [given.aws_sns, stored.aws_sns]),
        ];
        for (provider, values) in of_profile {
            let before = found.len();
            for value in values.into_iter().flatten().filter_map(|it| tree(it.0)) {
                if found.len() == before {
                    tokens(&value, &mut |token| {
                        found.push(Address { provider, text: Cow::Owned(token.to_owned()), in_profile: true });
                    });
                }
            }
        }
        found.extend(self.tokens.iter().map(|(provider, token)| Address {
            provider: *provider,
            text: Cow::Borrowed(token.as_str()),
            in_profile: true,
        }));
        found
    }
}

fn tree(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The first of these members that is a text.
fn member(object: &Value, keys: &[&str]) -> Option<String> {
    let text = |key: &&str| object.get(key)?.as_str().filter(|text| !text.is_empty());
    keys.iter().find_map(text).map(str::to_owned)
}

/// Members under which a profile has push tokens, OneSignal's players, Amazon's targets and Airship's audience.
const TOKENS: [&str; 7] = ["token", "tokens", "player_id", "target_arn", "audience", "named_user", "channel"];

/// Push tokens stand alone, in a list, or in an object.
fn tokens(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(token) if !token.is_empty() => each(token),
        Value::Array(values) => values.iter().for_each(|value| tokens(value, each)),
        Value::Object(object) => {
            TOKENS.iter().filter_map(|name| object.get(*name)).for_each(|value| tokens(value, each));
        }
        _ => {}
    }
}
