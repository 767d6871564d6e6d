//! What the rendering of one text may take, counted where the work is done. Texts and data come from outside: without
//! these limits a few lines could keep a thread busy for hours or fill the memory. Whatever processes something of a
//! size chosen outside counts it here first. Escapes are not counted: they let a text grow at most sixfold, and the
//! text was counted before.

use std::cell::Cell;
use std::fmt;

/// The longest text, in bytes.
pub const TEXT_BYTES: usize = 6 * 1024 * 1024;
/// The most bytes that are made for one text, its output included: helpers can double a text again and again and then
/// drop it.
const WORK_BYTES: usize = 8 * TEXT_BYTES;
/// The most instructions for one text, and the most work in them that is not in proportion to bytes.
const STEPS: usize = 4_000_000;
/// A byte that is read counts as an eighth of one that is copied.
const SCANNED_BYTES_A_BYTE: usize = 8;
/// The most partials that are open at the same time.
pub const CALL_DEPTH: usize = 100;
/// The most tags in one text, with their arguments: parsed, each takes some hundred bytes.
pub const PARTS: usize = 20_000;
/// The most nested blocks and brackets in one text: reading them recurses.
pub const NESTING: usize = 500;

/// Why a text cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub String);

impl Problem {
    pub fn new(problem: impl Into<String>) -> Self {
        Problem(problem.into())
    }

    pub fn too_long() -> Self {
        Problem(format!("the text would be longer than {TEXT_BYTES} bytes"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is left for the text that is being rendered.
#[derive(Debug)]
pub struct RenderBudget {
    steps: Cell<usize>,
    bytes: Cell<usize>,
}

impl Default for RenderBudget {
    fn default() -> Self {
        RenderBudget { steps: Cell::new(STEPS), bytes: Cell::new(WORK_BYTES) }
    }
}

impl RenderBudget {
    /// Counts work that is not in proportion to bytes.
    pub fn steps(&self, count: usize) -> Result<(), Problem> {
        match self.steps.get().checked_sub(count) {
            Some(left) => self.steps.set(left),
            None => return Err(Problem(format!("the text takes more than {STEPS} steps to render"))),
        }
        Ok(())
    }

    /// Counts bytes that were copied, compared or reserved.
    pub fn bytes(&self, count: usize) -> Result<(), Problem> {
        match self.bytes.get().checked_sub(count) {
            Some(left) => self.bytes.set(left),
            None => return Err(Problem(format!("the text needs more than {WORK_BYTES} bytes copied on the way"))),
        }
        Ok(())
    }

    /// Counts bytes of JSON that were read.
    pub fn scanned(&self, count: usize) -> Result<(), Problem> {
        self.bytes(count / SCANNED_BYTES_A_BYTE)
    }
}
