//! How a job goes on once it is run.

/// What has the users of a job have their turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They have it as soon as may be.
    #[default]
    Instant,
    /// So many in a second of the daemon's clock.
    Paced { per_second: u32 },
    /// As many as a step lets go on.
    Manual,
    /// None.
    Hold,
    /// At once, and the job is shown as COMPLETED to the look of this number at the earliest.
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
