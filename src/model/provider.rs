//! The one table of providers. A new one is a row here, and a file in `src/provider` if its request
//! has a form of its own.

use std::borrow::Cow;

use super::channel::Channel;
use super::names;
use crate::json::members::Member;
use crate::json::{Object, Text};

/// What is known of a provider.
#[derive(Debug)]
pub struct ProviderRow {
    /// The channel that it serves.
    pub channel: Channel,
    /// A second channel that it serves.
    pub also: Option<Channel>,
    /// What it may be called besides its name.
    pub aliases: &'static [&'static str],
    /// The keys of a profile that hold addresses which no other provider can reach.
    pub profile_keys: &'static [&'static str],
    /// The members of the object under such a key that are an address, the best first. Without them what is there is push
    /// tokens, alone, in a list, or in an object.
    pub address_members: &'static [&'static str],
    pub form: RequestForm,
}

/// The forms of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestForm {
    Sendgrid,
    /// The message as it goes over the wire.
    Smtp,
    Twilio,
    Fcm,
    Slack,
    MsTeams,
    Webhook,
    /// Courier's own inbox.
    Inbox,
    /// In words that are the same for all providers of a channel.
    Common,
}

/// Rows that only a name sets apart.
const EMAIL: ProviderRow = ProviderRow::of(Channel::Email);
const SMS: ProviderRow = ProviderRow::of(Channel::Sms);
const PUSH: ProviderRow = ProviderRow::of(Channel::Push);
const CHAT: ProviderRow = ProviderRow::of(Channel::DirectMessage);

macro_rules! providers {
    ($($variant:ident = $name:literal: $row:expr),+ $(,)?) => {
        names! {
            /// Who would have carried a message.
            Provider { $($variant = $name),+ }
        }

        impl Provider {
            pub const ALL: &'static [Provider] = &[$(Provider::$variant),+];

            pub const fn row(self) -> &'static ProviderRow {
                match self {
                    $(Provider::$variant => const { &$row }),+
                }
            }
        }
    };
}

// The first row of a channel is its default provider. Chats and push tokens are tried in the order of the rows.
providers! {
    Sendgrid = "sendgrid": ProviderRow { form: RequestForm::Sendgrid, ..EMAIL },
    Smtp = "smtp": ProviderRow { form: RequestForm::Smtp, ..EMAIL },
    AwsSes = "aws-ses": EMAIL,
    Mailgun = "mailgun": EMAIL,
    Mailjet = "mailjet": EMAIL,
    Mandrill = "mandrill": EMAIL,
    Postmark = "postmark": EMAIL,
    Resend = "resend": EMAIL,
    Sparkpost = "sparkpost": EMAIL,
    Gmail = "gmail": ProviderRow { form: RequestForm::Smtp, ..EMAIL },
    Twilio = "twilio": ProviderRow { form: RequestForm::Twilio, ..SMS },
    Messagebird = "messagebird": SMS,
    Plivo = "plivo": SMS,
    Telnyx = "telnyx": SMS,
    Vonage = "vonage": SMS,
    FirebaseFcm = "firebase-fcm": ProviderRow { profile_keys: &["firebaseToken"], form: RequestForm::Fcm, ..PUSH },
    Apn = "apn": ProviderRow { profile_keys: &["apn"], ..PUSH },
    Expo = "expo": ProviderRow { profile_keys: &["expo"], ..PUSH },
    OneSignal = "onesignal": ProviderRow { profile_keys: &["oneSignalPlayerID", "onesignal"], ..PUSH },
    Airship = "airship": ProviderRow { profile_keys: &["airship"], ..PUSH },
    // It takes numbers and push targets.
    AwsSns = "aws-sns": ProviderRow { also: Some(Channel::Push), profile_keys: &["aws_sns"], ..SMS },
    Courier = "courier": ProviderRow { form: RequestForm::Inbox, ..ProviderRow::of(Channel::Inbox) },
    Slack = "slack": ProviderRow {
        profile_keys: &["slack"],
        address_members: &["channel", "user_id", "email"],
        form: RequestForm::Slack,
        ..CHAT
    },
    MsTeams = "msteams": ProviderRow {
        aliases: &["ms_teams", "teams"],
        profile_keys: &["ms_teams"],
        address_members: &["conversation_id", "channel_id", "user_id", "email", "channel_name"],
        form: RequestForm::MsTeams,
        ..CHAT
    },
    Discord = "discord": ProviderRow {
        profile_keys: &["discord"],
        address_members: &["channel_id", "user_id"],
        ..CHAT
    },
    Webhook = "webhook": ProviderRow {
        profile_keys: &["webhook"],
        address_members: &["url"],
        form: RequestForm::Webhook,
        ..ProviderRow::of(Channel::Webhook)
    },
}

impl ProviderRow {
    const fn of(channel: Channel) -> Self {
        let none: &[&str] = &[];
        ProviderRow {
            channel,
            also: None,
            aliases: none,
            profile_keys: none,
            address_members: none,
            form: RequestForm::Common,
        }
    }

    /// The address in such an object.
    pub fn address<'a>(&self, object: Object<'a>) -> Option<Cow<'a, str>> {
        let mut best: Option<(usize, Cow<'a, str>)> = None;
        let each = |name: &str, value: &'a str| {
            let Some(place) = self.address_members.iter().position(|member| *member == name) else { return };
            let text = Text::read(value).map(|Text(text)| text).filter(|text| !text.is_empty());
            if let Some(text) = text.filter(|_| best.as_ref().is_none_or(|(known, _)| place <= *known)) {
                best = Some((place, text));
            }
        };
        object.for_each(each).ok()?;
        best.map(|(_, text)| text)
    }
}

impl Provider {
    pub fn channel(self) -> Channel {
        self.row().channel
    }

    /// Whether it carries what goes by this channel.
    pub fn serves(self, channel: Channel) -> bool {
        self.channel() == channel || self.row().also == Some(channel)
    }

    /// Those that serve a channel, as the table has them.
    pub fn of_channel(channel: Channel) -> impl Iterator<Item = Provider> {
        Self::ALL.iter().copied().filter(move |it| it.serves(channel))
    }

    /// By its name or an alias.
    pub fn named(name: &str) -> Option<Self> {
        let by_alias = || Self::ALL.iter().copied().find(|it| it.row().aliases.contains(&name));
        Self::from_name(name).or_else(by_alias)
    }

    /// Its name and its aliases.
    pub fn spellings(self) -> impl Iterator<Item = &'static str> {
        [self.name()].into_iter().chain(self.row().aliases.iter().copied())
    }

    /// The default provider of a channel.
    pub const fn default_of(channel: Channel) -> Self {
        let mut i = 0;
        while Self::ALL[i].row().channel as u8 != channel as u8 {
            i += 1;
        }
        Self::ALL[i]
    }
}

/// The keys of all profiles, each with its provider, in the order of the table.
pub const PROFILE_KEYS: [(&str, Provider); KEYS] = {
    let mut keys = [("", Provider::ALL[0]); KEYS];
    let (mut next, mut i) = (0, 0);
    while i < Provider::ALL.len() {
        let of_row = Provider::ALL[i].row().profile_keys;
        let mut key = 0;
        while key < of_row.len() {
            keys[next] = (of_row[key], Provider::ALL[i]);
            (next, key) = (next + 1, key + 1);
        }
        i += 1;
    }
    keys
};

const KEYS: usize = {
    let (mut count, mut i) = (0, 0);
    while i < Provider::ALL.len() {
        count += Provider::ALL[i].row().profile_keys.len();
        i += 1;
    }
    count
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::ProviderKey;

    #[test]
    fn no_two_rows_share_a_name_or_a_key() {
        let mut names: Vec<&str> = Provider::ALL.iter().flat_map(|it| it.spellings()).collect();
        let mut keys: Vec<&str> = PROFILE_KEYS.iter().map(|(key, _)| *key).collect();
        for found in [&mut names, &mut keys] {
            let count = found.len();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), count, "{found:?}");
        }
    }

    #[test]
    fn every_channel_has_a_provider() {
        for (_, channel) in Channel::NAMES {
            assert_eq!(Provider::of_channel(*channel).next(), Some(Provider::default_of(*channel)));
        }
    }

    #[test]
    fn tokens_are_stored_for_providers_of_push_messages() {
        for (name, _) in ProviderKey::NAMES {
            assert!(Provider::from_name(name).unwrap().serves(Channel::Push), "{name}");
        }
    }

    #[test]
    fn the_best_member_of_a_chat_is_its_address() {
        let teams = |object| Provider::MsTeams.row().address(Object::of(object)).map(Cow::into_owned);
        assert_eq!(teams(r#"{"email":"a@x","channel_id":"c","user_id":"u"}"#).as_deref(), Some("c"));
        assert_eq!(teams(r#"{"conversation_id":"","email":"a@x","channel_name":null}"#).as_deref(), Some("a@x"));
        assert_eq!(teams(r#"{"conversation_id":5,"url":"x"}"#), None);
    }
}
