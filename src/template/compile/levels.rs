//! The surroundings of what is being compiled: blocks, their parameters, and their effect on `this`.

use std::collections::HashMap;

/// The effect of a block on `this` when it is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None: it is only a jump. But `this`, if undefined or null, is an empty object in it.
    If,
    /// None at all.
    Else,
    /// It may stay the object that has the names at the top.
    Section,
    Other,
    /// A loop of elements, which leaves `this` alone.
    Loop,
}

impl Effect {
    /// Whether it opens a frame when it is rendered.
    pub fn is_opened(self) -> bool {
        !matches!(self, Effect::If | Effect::Else)
    }
}

pub struct Level {
    pub block_params: Vec<String>,
    pub frame: Effect,
    /// The number of open frames in it.
    frames: u32,
    /// How many were open after the innermost loop of elements had opened its own.
    innermost_loop: Option<u32>,
    is_at_top: bool,
    /// Whether it is in an `if` of the same frame.
    is_in_if: bool,
}

/// A block parameter, from where it is named.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// How many frames further out.
    pub outer: u32,
    /// Its index among the parameters that its block gives.
    pub index: usize,
    /// Whether its block gives any.
    pub is_given: bool,
}

/// All that is open, the innermost last.
#[derive(Default)]
pub struct Levels {
    levels: Vec<Level>,
    /// By the name of a block parameter, the levels that have one, and which.
    params: HashMap<String, Vec<(usize, usize)>>,
}

impl Levels {
    pub fn push(&mut self, block_params: Vec<String>, frame: Effect) {
        for (index, name) in block_params.iter().enumerate() {
            let levels = self.params.entry(name.clone()).or_default();
            // Of two with the same name the first counts.
            if levels.last().is_none_or(|(level, _)| *level != self.levels.len()) {
                levels.push((self.levels.len(), index));
            }
        }
        let opened = u32::from(frame.is_opened());
        let (frames, is_at_top, is_in_if, innermost_loop) = match self.levels.last() {
            Some(outer) => (outer.frames, outer.is_at_top, outer.is_in_if, outer.innermost_loop),
            None => (0, true, false, None),
        };
        let frames = frames + opened;
        self.levels.push(Level {
            block_params,
            frame,
            frames,
            innermost_loop: if frame == Effect::Loop { Some(frames) } else { innermost_loop },
            is_at_top: is_at_top && (frame == Effect::Loop || !frame.is_opened()),
            is_in_if: frame == Effect::If || is_in_if && !frame.is_opened(),
        });
    }

    pub fn pop(&mut self) -> Option<Level> {
        let level = self.levels.pop()?;
        for name in &level.block_params {
            if let Some(levels) = self.params.get_mut(name) {
                levels.pop_if(|(level, _)| *level == self.levels.len());
            }
        }
        Some(level)
    }

    pub fn len(&self) -> usize {
        self.levels.len()
    }

    pub fn innermost(&self) -> Option<Effect> {
        self.levels.last().map(|level| level.frame)
    }

    /// The block parameter of a name.
    pub fn param(&self, name: &str) -> Option<Param> {
        let (level, index) = *self.params.get(name)?.last()?;
        let level = self.levels.get(level)?;
        let outer = self.frames().saturating_sub(level.frames);
        Some(Param { outer, index, is_given: level.frame.is_opened() })
    }

    /// The innermost loop of elements, as a number of frames outward.
    pub fn innermost_loop(&self) -> Option<u32> {
        let opened = self.levels.last()?.innermost_loop?;
        Some(self.frames().saturating_sub(opened))
    }

    /// Whether `this` is certainly the object that has the names at the top.
    pub fn is_at_top(&self) -> bool {
        self.levels.last().is_none_or(|level| level.is_at_top)
    }

    /// Whether an `if` is open in the innermost frame.
    pub fn is_in_if(&self) -> bool {
        self.levels.last().is_some_and(|level| level.is_in_if)
    }

    fn frames(&self) -> u32 {
        self.levels.last().map_or(0, |level| level.frames)
    }
}
