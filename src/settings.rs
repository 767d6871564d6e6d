//! The settings that have names, as the flags spell them and every room knows them.

use std::fmt;

use clap::ValueEnum;

/// Which of three readings of Courier's documentation is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contract {
    /// Create answers 201, ingest 200 with a body, run 202.
    Tutorial,
    /// Create answers 200, ingest and run 204, `event` is required, and what its samples send is taken.
    #[value(name = "openapi")]
    OpenApi,
    /// Create answers 201, ingest 200 with a body, run 202, and `event` is required: what Courier's guide of August 2026
    /// says that the service does.
    Live,
}

/// What an acknowledged request survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// A power cut: every commit is on the disk before it is acknowledged.
    Full,
    /// A killed process, but not a power cut.
    Fast,
    /// Nothing: the file is thrown away. What `--ephemeral` means.
    #[value(skip)]
    Ephemeral,
}

/// What to do with an event or template that is not stored here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnknownTemplates {
    // Most people's templates live in Courier's cloud.
    /// Its id and the merged data are the message.
    Lenient,
    // As it would be at Courier for a typo.
    /// The message is UNMAPPED.
    Strict,
}

/// What becomes of a message that its provider would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProviderLimits {
    /// It is refused with the provider's own code, and the next provider or channel has its turn.
    #[default]
    On,
    /// It is taken, unless it cannot be made at all.
    Off,
}

/// Which limits of requests hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RateLimitSetting {
    /// None.
    #[default]
    Off,
    /// Those that Courier documents, by environment and minute: 20 lists, 20 subscriptions of several users, 200 brands.
    Courier,
}

/// The settings that decide what becomes of a message.
#[derive(Clone, Copy, Debug)]
pub struct MessageSettings {
    pub templates: UnknownTemplates,
    pub limits: ProviderLimits,
}

impl Default for MessageSettings {
    fn default() -> Self {
        MessageSettings { templates: UnknownTemplates::Lenient, limits: ProviderLimits::On }
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

/// Which of the jobs that are over are kept: without either, all of them.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Those that were over less than this ago.
    pub span: Option<KeepSpan>,
    /// The newest, with at least so many messages together.
    pub messages: Option<u64>,
}

impl Keep {
    /// Whether anything is dropped.
    pub fn is_some(&self) -> bool {
        self.span.is_some() || self.messages.is_some()
    }
}

/// As the flags.
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.span.as_ref().map(|span| format!("--keep {}", span.text));
        let messages = self.messages.map(|messages| format!("--keep-messages {messages}"));
        f.write_str(&span.into_iter().chain(messages).collect::<Vec<_>>().join(" and "))
    }
}

/// A span such as `30d`.
#[derive(Clone, Debug)]
pub struct KeepSpan {
    pub millis: i64,
    text: String,
}

impl KeepSpan {
    /// Days, hours or minutes.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected days, hours or minutes, such as 30d, 12h or 90m, and at most 36500d";
        const MINUTE_MILLIS: i64 = 60_000;
        const DAY_MILLIS: i64 = 24 * 60 * MINUTE_MILLIS;
        let units = [('d', DAY_MILLIS), ('h', 60 * MINUTE_MILLIS), ('m', MINUTE_MILLIS)];
        let found = units.into_iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)));
        let (count, unit) =
            found.filter(|(count, _)| count.bytes().all(|byte| byte.is_ascii_digit())).ok_or(EXPECTED)?;
        let millis = count.parse::<i64>().ok().and_then(|count| count.checked_mul(unit)).ok_or(EXPECTED)?;
        match (MINUTE_MILLIS..=36_500 * DAY_MILLIS).contains(&millis) {
            true => Ok(KeepSpan { millis, text: text.to_owned() }),
            false => Err(EXPECTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit() {
        let millis = |text| KeepSpan::parse(text).map(|span| span.millis);
        assert_eq!(millis("30d"), Ok(30 * 86_400_000));
        assert_eq!(millis("12h"), Ok(12 * 3_600_000));
        assert_eq!(millis("1m"), Ok(60_000));
        for text in ["", "d", "30", "0d", "-1d", "+1d", "1 d", "1w", "1.5d", "36501d", "99999999999999999999d", "1é"] {
            assert!(millis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_told_as_its_flags() {
        let span = KeepSpan::parse("30d").ok();
        assert_eq!(Keep { span: span.clone(), messages: None }.to_string(), "--keep 30d");
        assert_eq!(Keep { span, messages: Some(9) }.to_string(), "--keep 30d and --keep-messages 9");
        assert!(!Keep::default().is_some());
    }
}
