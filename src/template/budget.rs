//! What the rendering of one text may take, counted where it is done. Texts and data are strangers' work: without these
//! bounds a few lines could keep a thread for hours or fill the memory. Whatever goes through something whose size a stranger
//! chooses takes note of it here first. Escapes do not: they let a text grow sixfold at most, and it was counted before.

use std::cell::Cell;
use std::fmt;

/// Longest text, in bytes.
pub const TEXT_BYTES: usize = 6 * 1024 * 1024;
/// Bytes that are made on the way to one text, what is written included: helpers can double a text again and again and
/// then drop it.
const WORK_BYTES: usize = 8 * TEXT_BYTES;
/// Instructions that one text may take, and work within one that is not in proportion to any bytes.
const STEPS: usize = 4_000_000;
/// A byte that is looked at counts as an eighth of one that is copied.
const SCANNED_BYTES_A_BYTE: usize = 8;
/// Partials that are open at the same time.
pub const CALL_DEPTH: usize = 100;
/// Tags in one text, and what they are given: taken apart each is some hundred bytes.
pub const PARTS: usize = 20_000;
/// Blocks and brackets that stand in each other in one text: reading them recurses.
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
    /// Takes note of work that is not in proportion to any bytes.
    pub fn steps(&self, count: usize) -> Result<(), Problem> {
        match self.steps.get().checked_sub(count) {
            Some(left) => self.steps.set(left),
            None => return Err(Problem(format!("the text takes more than {STEPS} steps to render"))),
        }
        Ok(())
    }

    /// Takes note of bytes that were copied, compared or reserved.
    pub fn bytes(&self, count: usize) -> Result<(), Problem> {
        match self.bytes.get().checked_sub(count) {
            Some(left) => self.bytes.set(left),
            None => return Err(Problem(format!("the text needs more than {WORK_BYTES} bytes copied on the way"))),
        }
        Ok(())
    }

    /// Takes note of bytes of JSON that were looked through.
    pub fn scanned(&self, count: usize) -> Result<(), Problem> {
        self.bytes(count / SCANNED_BYTES_A_BYTE)
    }
}
