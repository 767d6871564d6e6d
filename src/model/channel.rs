//! The ways by which messages go, and those who carry them.

use super::names;

names! {
    /// By which way a message would have reached its recipient.
    Channel {
        Email = "email",
        Sms = "sms",
        Push = "push",
        Inbox = "inbox",
        /// Slack and Microsoft Teams.
        DirectMessage = "direct_message",
        Webhook = "webhook",
    }
}

names! {
    /// Who would have carried a message.
    Provider {
        Sendgrid = "sendgrid",
        Smtp = "smtp",
        AwsSes = "aws-ses",
        Mailgun = "mailgun",
        Mailjet = "mailjet",
        Mandrill = "mandrill",
        Postmark = "postmark",
        Resend = "resend",
        Sparkpost = "sparkpost",
        Gmail = "gmail",
        Twilio = "twilio",
        AwsSns = "aws-sns",
        Messagebird = "messagebird",
        Plivo = "plivo",
        Telnyx = "telnyx",
        Vonage = "vonage",
        FirebaseFcm = "firebase-fcm",
        Apn = "apn",
        Expo = "expo",
        OneSignal = "onesignal",
        Airship = "airship",
        /// Courier's own inbox.
        Courier = "courier",
        Slack = "slack",
        MsTeams = "msteams",
        Discord = "discord",
        Webhook = "webhook",
    }
}

impl Provider {
    pub fn channel(self) -> Channel {
        use Provider::*;
        match self {
            Sendgrid | Smtp | AwsSes | Mailgun | Mailjet | Mandrill | Postmark | Resend | Sparkpost | Gmail => {
                Channel::Email
            }
            Twilio | AwsSns | Messagebird | Plivo | Telnyx | Vonage => Channel::Sms,
            FirebaseFcm | Apn | Expo | OneSignal | Airship => Channel::Push,
            Courier => Channel::Inbox,
            Slack | MsTeams | Discord => Channel::DirectMessage,
            Webhook => Channel::Webhook,
        }
    }
    /// Whether it carries what goes by this channel. Amazon's SNS takes numbers and push targets.
    pub fn serves(self, channel: Channel) -> bool {
        self.channel() == channel || self == Provider::AwsSns && channel == Channel::Push
    }
}
