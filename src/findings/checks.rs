//! The checks: why each matters, what to do, and the page that it rests on.

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// It may hurt.
    Warn,
    /// It is refused there, or a recipient gets nothing, or gets it twice.
    Error,
}

impl Level {
    pub const NAMES: &[(&str, Level)] = &[("info", Level::Info), ("warn", Level::Warn), ("error", Level::Error)];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| *name)
    }
}

/// The texts about a check.
pub struct About {
    pub level: Level,
    pub title: &'static str,
    pub why: &'static str,
    pub advice: &'static str,
    pub page: &'static str,
}

const CREATE: &str = "https://www.courier.com/docs/api-reference/bulk/create-a-bulk-job";
const BULK: &str = "https://www.courier.com/docs/tutorials/sending/how-to-send-bulk-notifications";
const OVERVIEW: &str = "https://www.courier.com/docs/reference/api-overview";
const SEND: &str = "https://www.courier.com/docs/api-reference/send/send-a-message";
/// How Courier answers what it refuses, and what becomes of messages.
const ERRORS: &str = "https://www.courier.com/docs/platform/sending/handling-responses-and-errors";
const PREFERENCES: &str = "https://www.courier.com/docs/platform/preferences/preferences-editor";

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $name:literal, $level:ident, $page:expr, $title:literal, $why:literal, $advice:literal;)+) => {
        /// One thing that is looked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Check {
            $($(#[$doc])* $check),+
        }

        impl Check {
            pub const NAMES: &'static [(&'static str, Check)] = &[$(($name, Check::$check)),+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Check::$check => $name),+
                }
            }

            pub fn about(self) -> About {
                match self {
                    $(Check::$check => About {
                        level: Level::$level, title: $title, why: $why, advice: $advice, page: $page,
                    }),+
                }
            }
        }
    };
}

checks! {
    RetryMadeSecond = "retry-made-second", Error, OVERVIEW,
        "An SDK's retry made a second job or send",
        "The first request was done and its answer was lost, so the same was done twice, and people get it twice.",
        "Give each POST an Idempotency-Key: in the SDKs extra_headers (Python) or headers (Node), one value for each thing that is to happen once.";
    RetryWithoutKey = "retry-without-key", Warn, OVERVIEW,
        "An SDK retried a POST without an idempotency key",
        "The SDKs send a POST again by themselves after a timeout, a lost connection or a 5xx. Where the first one was done, that makes another.",
        "Give each POST an Idempotency-Key: the SDKs type none for bulk, so pass extra_headers (Python) or headers (Node).";
    KeyReused = "key-reused", Error, OVERVIEW,
        "An idempotency key came again with another body",
        "Nothing is done for the second body, and the first answer is given again: what it asks for is lost.",
        "Make a new key for each thing that is to happen once, such as from a random UUID.";
    NoEvent = "no-event", Error, CREATE,
        "A job was created without an event",
        "Courier's reference requires message.event: the service refuses the job.",
        "Name an event or a template's id as message.event, also beside a template or content.";
    TooManyUsers = "too-many-users", Error, BULK,
        "5,000 users or more in one call",
        "Courier's guide of August 2026 says that the service refuses such calls.",
        "Add users in calls of at most 1,000.";
    ManyUsers = "many-users", Warn, BULK,
        "More than 1,000 users in one call",
        "Courier's guide of August 2026 advises calls of at most 1,000 users.",
        "Add users in calls of at most 1,000.";
    UsersPath = "users-path", Error, BULK,
        "Users were posted to /bulk/{job_id}/users",
        "There is no such route: users are added with POST /bulk/{job_id}, and only listed under /users.",
        "Post to /bulk/{job_id}.";
    IngestAfterRun = "ingest-after-run", Error, BULK,
        "Users were added to a job that was run already",
        "A job takes no users once it was run: these get nothing.",
        "Add all users before the run, or create another job.";
    JobIdAsMessageId = "job-id-as-message-id", Error, BULK,
        "A job's id was used as a message's",
        "The ids look alike, and a job is no message: the service answers 404.",
        "Take messageId from GET /bulk/{job_id}/users, where each user has one.";
    UnknownRoute = "unknown-route", Error, OVERVIEW,
        "A route was called that there is not",
        "The request was answered 404, and nothing was done.",
        "Look at the nearest route that the answer names.";
    NeverRun = "never-run", Warn, BULK,
        "A job has users and was never run",
        "Nothing goes out before POST /bulk/{job_id}/run.",
        "Run the job, or leave it out.";
    EmailOutsideProfile = "email-outside-profile", Warn, BULK,
        "Users are reached by an address outside of their profile",
        "Courier's guide of August 2026 says that bulk users are reached by profile.email, not by to.email.",
        "Give the address as profile.email of the user.";
    DuplicatesDropped = "duplicates-dropped", Warn, BULK,
        "A call had users who are in the job already",
        "They are in the errors of the answer, which the SDKs do not hand over: nobody notices.",
        "Add each recipient once; in the SDKs read the raw response to see the errors.";
    UnknownTemplate = "unknown-template", Warn, CREATE,
        "A template or event is not stored here",
        "Here its name and data stand for the text. At Courier an event that is mapped to nothing sends nothing.",
        "Put the template into the seed, and run with --templates strict.";
    UnknownBrand = "unknown-brand", Warn, CREATE,
        "A brand is not stored here",
        "The messages go without the brand.",
        "Put the brand into the seed.";
    NoEffect = "no-effect", Warn, SEND,
        "Something in a message has no effect",
        "It is no member, element's look or override that is known, so it is dropped without a word.",
        "Look at the path that is named: most are spelled in another way.";
    UnknownElement = "unknown-element", Warn, SEND,
        "An element has a type that there is not",
        "Here its content is shown. At Courier the request may be refused, or the element left out.",
        "Look for the type among Elemental's: most are spelled in another way.";
    ProviderRefused = "provider-refused", Error, ERRORS,
        "A provider would refuse a message",
        "It is beyond a limit of the provider's own, and would not arrive.",
        "Look at the message's error, which has the provider's words.";
    NearLimit = "near-limit", Warn, ERRORS,
        "A message nearly meets a provider's limit",
        "It has more than nine tenths of what the provider takes: longer data would not arrive.",
        "Shorten the text, or bound the data.";
    OptedOut = "opted-out", Info, PREFERENCES,
        "Preferences kept a message from somebody",
        "The recipient has opted out, or has to opt in first.",
        "Nothing, if that is meant; else look at the topic's default and the stored preferences.";
    ContentType = "content-type", Warn, OVERVIEW,
        "JSON was sent under another content type",
        "Here it is read. Courier may take it for something else.",
        "Send Content-Type: application/json.";
    UnknownParameter = "unknown-parameter", Warn, OVERVIEW,
        "A query has a parameter that the route does not know",
        "It is ignored, so more or other things come back than are meant.",
        "Look at the names that the route knows.";
    DeprecatedV1 = "deprecated-v1", Info, SEND,
        "A call of the API's first version",
        "It is deprecated, and newer SDKs do not have it.",
        "Send {message: {...}} to POST /send; preferences have routes under /users/{user_id}/preferences.";
    FastPolling = "fast-polling", Warn, ERRORS,
        "The same thing was asked for more than ten times a second",
        "At Courier each look is a request over the network, and others pay for it.",
        "Look once a second or less often; in tests wait with the test bench.";
}
