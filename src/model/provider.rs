//! The one table of providers. A new provider is a row here, and a file in `src/provider` if its request has a form of
//! its own.

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
    /// Other names besides its own.
    pub aliases: &'static [&'static str],
    /// The keys of a profile that hold addresses which no other provider can reach.
    pub profile_keys: &'static [&'static str],
    /// The members of the object under such a key that are an address, the best first. A name with a dot is a path.
    /// Without such members, the value itself is the address: a text, or push tokens, alone, in a list or in an object.
    pub address_members: &'static [&'static str],
    /// The address that it uses if the profile has none of its keys. It must then be asked for by its name.
    pub borrows: Option<Borrowed>,
    pub form: RequestForm,
}

/// An address that a provider takes from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Borrowed {
    Email,
    Phone,
    /// The keys of this provider.
    Of(Provider),
    /// It needs none: its settings decide where it sends. The recipient's id stands for the address.
    Nothing,
}

/// The forms of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestForm {
    Sendgrid,
    /// The message as it goes over the wire.
    Smtp,
    Ses,
    Mailgun,
    Mailjet,
    Mandrill,
    Postmark,
    Resend,
    Sparkpost,
    Twilio,
    Messagebird,
    Plivo,
    Telnyx,
    Vonage,
    Fcm,
    Apns,
    Expo,
    OneSignal,
    Airship,
    Sns,
    Slack,
    MsTeams,
    Discord,
    PagerDuty,
    Webhook,
    /// Courier's own inbox.
    Inbox,
    /// In a form that is the same for all providers of a channel.
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
            /// The provider that would have carried a message.
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

// The first row of a channel is its default provider. Chats and push tokens are tried in the order of the rows. Names
// and addresses are those of Courier's pages on integrations.
providers! {
    Sendgrid = "sendgrid": ProviderRow { form: RequestForm::Sendgrid, ..EMAIL },
    Smtp = "smtp": ProviderRow { form: RequestForm::Smtp, ..EMAIL },
    AwsSes = "aws-ses": ProviderRow { aliases: &["ses"], form: RequestForm::Ses, ..EMAIL },
    Mailgun = "mailgun": ProviderRow { form: RequestForm::Mailgun, ..EMAIL },
    Mailjet = "mailjet": ProviderRow { form: RequestForm::Mailjet, ..EMAIL },
    Mandrill = "mandrill": ProviderRow { form: RequestForm::Mandrill, ..EMAIL },
    Postmark = "postmark": ProviderRow { form: RequestForm::Postmark, ..EMAIL },
    Resend = "resend": ProviderRow { form: RequestForm::Resend, ..EMAIL },
    Sparkpost = "sparkpost": ProviderRow { form: RequestForm::Sparkpost, ..EMAIL },
    Gmail = "gmail": ProviderRow { form: RequestForm::Smtp, ..EMAIL },
    Amply = "amply": EMAIL,
    Mailersend = "mailersend": EMAIL,
    OneSignalEmail = "onesignal-email": ProviderRow { borrows: Some(Borrowed::Of(Provider::OneSignal)), ..EMAIL },
    Twilio = "twilio": ProviderRow { form: RequestForm::Twilio, ..SMS },
    Messagebird = "messagebird": ProviderRow {
        aliases: &["messagebird-sms"],
        form: RequestForm::Messagebird,
        ..SMS
    },
    Plivo = "plivo": ProviderRow { form: RequestForm::Plivo, ..SMS },
    Telnyx = "telnyx": ProviderRow { form: RequestForm::Telnyx, ..SMS },
    Vonage = "vonage": ProviderRow { aliases: &["nexmo"], form: RequestForm::Vonage, ..SMS },
    AfricasTalking = "africastalking-sms": ProviderRow { aliases: &["africastalking"], ..SMS },
    AzureSms = "azure-sms": SMS,
    MessageMedia = "messagemedia": SMS,
    Sinch = "sinch": SMS,
    SmsCentral = "smscentral": SMS,
    TextUs = "textus": SMS,
    FirebaseFcm = "firebase-fcm": ProviderRow { profile_keys: &["firebaseToken"], form: RequestForm::Fcm, ..PUSH },
    Apn = "apn": ProviderRow { profile_keys: &["apn"], form: RequestForm::Apns, ..PUSH },
    Expo = "expo": ProviderRow { profile_keys: &["expo"], form: RequestForm::Expo, ..PUSH },
    OneSignal = "onesignal": ProviderRow {
        profile_keys: &["oneSignalPlayerID", "oneSignalExternalUserId", "onesignal"],
        form: RequestForm::OneSignal,
        ..PUSH
    },
    Airship = "airship": ProviderRow { profile_keys: &["airship"], form: RequestForm::Airship, ..PUSH },
    MagicBell = "magicbell": ProviderRow {
        profile_keys: &["magicbell"],
        borrows: Some(Borrowed::Email),
        ..PUSH
    },
    PusherBeams = "pusher-beams": ProviderRow { profile_keys: &["pusherBeams"], ..PUSH },
    Pusher = "pusher": ProviderRow { profile_keys: &["pusher"], ..PUSH },
    Beamer = "beamer": ProviderRow { borrows: Some(Borrowed::Nothing), ..PUSH },
    NowPush = "nowpush": ProviderRow { borrows: Some(Borrowed::Nothing), ..PUSH },
    Pushbullet = "pushbullet": ProviderRow { borrows: Some(Borrowed::Nothing), ..PUSH },
    Custom = "custom": ProviderRow { borrows: Some(Borrowed::Nothing), ..PUSH },
    // It takes phone numbers and push targets.
    AwsSns = "aws-sns": ProviderRow {
        also: Some(Channel::Push),
        profile_keys: &["target_arn", "aws_sns"],
        form: RequestForm::Sns,
        ..SMS
    },
    Courier = "courier": ProviderRow { form: RequestForm::Inbox, ..ProviderRow::of(Channel::Inbox) },
    Slack = "slack": ProviderRow {
        profile_keys: &["slack"],
        address_members: &["channel", "user_id", "email", "incoming_webhook.url", "authed_user.id"],
        form: RequestForm::Slack,
        ..CHAT
    },
    MsTeams = "msteams": ProviderRow {
        aliases: &["ms_teams", "teams"],
        profile_keys: &["ms_teams"],
        address_members: &["conversation_id", "channel_id", "user_id", "email", "channel_name", "webhook_url"],
        form: RequestForm::MsTeams,
        ..CHAT
    },
    Discord = "discord": ProviderRow {
        profile_keys: &["discord"],
        address_members: &["channel_id", "user_id"],
        form: RequestForm::Discord,
        ..CHAT
    },
    Whatsapp = "whatsapp": ProviderRow { borrows: Some(Borrowed::Phone), ..CHAT },
    StreamChat = "stream-chat": ProviderRow {
        profile_keys: &["streamChat"],
        address_members: &["messageId", "channelId"],
        ..CHAT
    },
    Viber = "viber": ProviderRow { profile_keys: &["viber"], address_members: &["receiver"], ..CHAT },
    ChatApi = "chat-api": ProviderRow {
        aliases: &["chat_api"],
        profile_keys: &["chat_api"],
        address_members: &["phone_number", "chat_id"],
        ..CHAT
    },
    FacebookMessenger = "facebook-messenger": ProviderRow { profile_keys: &["facebookPSID"], ..CHAT },
    Intercom = "intercom": ProviderRow {
        profile_keys: &["intercom"],
        address_members: &["to.id", "id"],
        ..CHAT
    },
    Drift = "drift": ProviderRow { borrows: Some(Borrowed::Email), ..CHAT },
    PagerDuty = "pagerduty": ProviderRow {
        profile_keys: &["pagerduty"],
        address_members: &["routing_key"],
        borrows: Some(Borrowed::Nothing),
        form: RequestForm::PagerDuty,
        ..CHAT
    },
    Opsgenie = "opsgenie": ProviderRow { aliases: &["ops-genie"], borrows: Some(Borrowed::Nothing), ..CHAT },
    SplunkOnCall = "splunk-on-call": ProviderRow {
        profile_keys: &["splunk-on-call", "splunk_on_call"],
        address_members: &["target.slug"],
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
            borrows: None,
            form: RequestForm::Common,
        }
    }

    /// The address in the value of a key.
    pub fn address<'a>(&self, value: &'a str) -> Option<Cow<'a, str>> {
        if !value.starts_with('{') {
            let is_alone = value.starts_with('"') && self.address_members.is_empty();
            return is_alone.then(|| text(value)).flatten();
        }
        let mut best: Option<(usize, Cow<'a, str>)> = None;
        let mut take = |place: usize, found: Option<Cow<'a, str>>| {
            if best.as_ref().is_none_or(|(known, _)| place <= *known)
                && let Some(found) = found
            {
                best = Some((place, found));
            }
        };
        let each = |name: &str, value: &'a str| {
            for (place, member) in self.address_members.iter().enumerate() {
                match member.split_once('.') {
                    None if *member == name => take(place, text(value)),
                    Some((outer, inner)) if outer == name && value.starts_with('{') => {
                        let each = |name: &str, value: &'a str| {
                            if name == inner {
                                take(place, text(value));
                            }
                        };
                        // What is not an object has no members.
                        Object::of(value).for_each(each).unwrap_or_default();
                    }
                    _ => {}
                }
            }
        };
        Object::of(value).for_each(each).ok()?;
        best.map(|(_, text)| text)
    }

    /// How a recipient is reached, in the words of the documentation.
    pub fn reached_by(&self) -> String {
        let borrowed = |of: Borrowed| match of {
            Borrowed::Email => "`email`".to_owned(),
            Borrowed::Phone => "`phone_number`".to_owned(),
            Borrowed::Of(provider) => provider.row().reached_by(),
            Borrowed::Nothing => "needs none".to_owned(),
        };
        let keys = self.profile_keys.iter().flat_map(|key| {
            let of_object = self.address_members.iter().map(move |member| format!("`{key}.{member}`"));
            of_object.chain(self.address_members.is_empty().then(|| format!("`{key}`")))
        });
        let of_channel = match (self.channel, self.borrows) {
            (Channel::Email, None) => Some("`email`"),
            (Channel::Sms, None) => Some("`phone_number`"),
            (Channel::Inbox, _) => Some("the recipient's id"),
            _ => None,
        };
        let all: Vec<String> =
            of_channel.map(str::to_owned).into_iter().chain(keys).chain(self.borrows.map(borrowed)).collect();
        all.join(", ")
    }
}

/// A text that is not empty.
fn text(value: &str) -> Option<Cow<'_, str>> {
    Text::read(value).map(|Text(text)| text).filter(|text| !text.is_empty())
}

impl Provider {
    pub fn channel(self) -> Channel {
        self.row().channel
    }

    /// Whether it serves this channel.
    pub fn serves(self, channel: Channel) -> bool {
        self.channel() == channel || self.row().also == Some(channel)
    }

    /// The providers of a channel, in the order of the table.
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
        let teams = |object| Provider::MsTeams.row().address(object).map(Cow::into_owned);
        assert_eq!(teams(r#"{"email":"a@x","channel_id":"c","user_id":"u"}"#).as_deref(), Some("c"));
        assert_eq!(teams(r#"{"conversation_id":"","email":"a@x","channel_name":null}"#).as_deref(), Some("a@x"));
        assert_eq!(teams(r#"{"conversation_id":5,"url":"x"}"#), None);
        let slack = |object| Provider::Slack.row().address(object).map(Cow::into_owned);
        assert_eq!(slack(r#"{"incoming_webhook":{"url":"https://x"},"email":""}"#).as_deref(), Some("https://x"));
        assert_eq!(slack(r#"{"incoming_webhook":{"url":"https://x"},"channel":"C1"}"#).as_deref(), Some("C1"));
        assert_eq!(slack(r#"{"incoming_webhook":"https://x"}"#), None);
        assert_eq!(slack("\"C1\""), None);
        assert_eq!(Provider::FacebookMessenger.row().address("\"1254\"").as_deref(), Some("1254"));
    }
}
