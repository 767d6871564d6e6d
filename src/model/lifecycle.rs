//! How a job goes on once it is run.

/// When the users of a job are processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As soon as possible.
    #[default]
    Instant,
    /// So many in a second of the daemon's clock.
    Paced { per_second: u32 },
    /// As many as a step releases.
    Manual,
    /// None.
    Hold,
    /// At once, but the job is shown as COMPLETED at this poll at the earliest.
    Polls { polls: u32 },
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Instant => "instant",
            Mode::Paced { .. } => "paced",
            Mode::Manual => "manual",
            Mode::Hold => "hold",
            Mode::Polls { .. } => "polls",
        }
    }
}
