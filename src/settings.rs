//! The settings that have names, as the flags spell them and every room knows them.

use clap::ValueEnum;

/// Which of two readings of Courier's documentation is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contract {
    /// Create answers 201, ingest 200 with a body, run 202.
    Tutorial,
    /// Create answers 200, ingest and run 204, `event` is required, and what its samples send is taken.
    #[value(name = "openapi")]
    OpenApi,
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

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}
