//! What a path stands for where it stands: a block parameter, a name at the top, a member of `this`, `@index`.

use super::super::program::{Constant, DataName, Depth, Op, Origin};
use super::super::syntax::tree::Path;
use super::compiler::{Compiler, Frame, Noted};

impl Compiler<'_> {
    /// The block parameter that a path begins with: how many frames further out, which of them, and whether its block
    /// gives any.
    pub(super) fn block_param(&self, path: &Path) -> Option<(u32, usize, bool)> {
        let name = path.parts.first()?;
        if path.depth > 0 || path.is_data || path.is_scoped { None } else { self.param_named(name) }
    }

    pub(super) fn param_named(&self, name: &str) -> Option<(u32, usize, bool)> {
        let mut outer = 0;
        for level in self.levels.iter().rev() {
            if let Some(index) = level.block_params.iter().position(|known| known == name) {
                return Some((outer, index, level.has_frame()));
            }
            outer += u32::from(level.has_frame());
        }
        None
    }

    /// Pushes what a path leads to.
    pub(super) fn path(&mut self, path: &Path, source: u32) {
        let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
        if let Some((outer, index, gives)) = self.block_param(path) {
            if gives && index > 1 {
                return self.constant(Constant::Undefined);
            }
            if !gives {
                let name = &path.parts[0];
                self.fail(format!("the block gives nothing for its parameter '{name}'"));
                return self.constant(Constant::Undefined);
            }
            self.program.origins.push(Origin { source, span: path.tag });
            let origin = Some(self.program.origins.len() as u32 - 1);
            self.push(Op::Param { outer, index: index as u8, origin });
            return self.members(&parts[1..]);
        }
        self.program.leads_out |= path.depth > 0;
        if path.is_data {
            return self.data(path, &parts);
        }
        // As in handlebars.js an empty name is what is around.
        let depth = self.depth(path.depth);
        let Some((name, rest)) = parts.split_first().filter(|(name, _)| !name.is_empty()) else {
            return self.push(Op::Context(depth));
        };
        // As in JSONPath it leads to the top, wherever it stands.
        if path.depth == 0 && *name == "$" {
            return match rest {
                [name, rest @ ..] if self.set_names.iter().any(|known| known == name) => self.top_variable(name, rest),
                _ => self.said(&parts),
            };
        }
        if self.set_names.iter().any(|known| known == name) {
            let slot = self.slot_if_top(path.depth, name);
            let name = self.name_number(name);
            self.push(Op::Variable { depth, name, slot });
        } else if path.depth == 0 && self.is_at_top() {
            return self.top(&parts);
        } else {
            let slot = self.slot_if_top(path.depth, name);
            let name = self.name_number(name);
            self.push(Op::Name { depth, name, slot });
        }
        self.members(rest);
    }

    /// Pushes what a name at the top is that the text sets somewhere.
    pub(super) fn top_variable(&mut self, name: &str, rest: &[&str]) {
        let slot = self.slot_if_top(1, name);
        let name = self.name_number(name);
        self.push(Op::TopVariable { name, slot });
        self.members(rest);
    }

    pub(super) fn named(&mut self, name: &str) {
        if name.is_empty() {
            return self.push(Op::Context(self.depth(0)));
        }
        if let Some((outer, index @ 0..=1, true)) = self.param_named(name) {
            return self.push(Op::Param { outer, index: index as u8, origin: None });
        }
        match self.is_at_top() {
            true => self.top(&[name]),
            false => {
                let slot = self.slot_if_top(0, name);
                let name = self.name_number(name);
                self.push(Op::Name { depth: self.depth(0), name, slot });
            }
        }
    }

    /// Whether `this` is what names at the top are members of for certain.
    pub(super) fn is_at_top(&self) -> bool {
        self.at_top && self.levels.iter().all(|level| level.frame == Frame::Loop || !level.has_frame())
    }

    /// So many `../` from here.
    pub(super) fn depth(&self, steps: usize) -> Depth {
        let mut blocks = self.levels.iter().rev().take_while(|level| !level.has_frame());
        Depth { steps: steps as u32, in_if: blocks.any(|level| level.frame == Frame::Same) }
    }

    /// The number of a name that may be one at the top.
    pub(super) fn slot_if_top(&mut self, depth: usize, name: &str) -> Option<u32> {
        let may_be_top = depth > 0 || self.levels.last().is_none_or(|level| level.frame != Frame::Other);
        let noted = may_be_top.then(|| self.names.note(&[name]))?;
        (noted.taken == 1).then_some(noted.slot)
    }

    /// `@index` and the like.
    pub(super) fn data(&mut self, path: &Path, parts: &[&str]) {
        let Some((mut name, mut rest)) = parts.split_first() else {
            return self.push(Op::Context(self.depth(path.depth)));
        };
        let mut outer = path.depth as u32;
        while let ("_parent", Some((next, further))) = (*name, rest.split_first()) {
            (name, rest, outer) = (next, further, outer + 1);
        }
        let name = match *name {
            "root" if outer == 0 && !rest.is_empty() => {
                let further = match self.set_names.iter().any(|known| known == rest[0]) {
                    true => {
                        self.top_variable(rest[0], &[]);
                        &rest[1..]
                    }
                    false => {
                        let Noted { slot, taken } = self.names.note(rest);
                        self.push(Op::Slot(slot));
                        rest.get(taken..).unwrap_or_default()
                    }
                };
                return self.data_members(further);
            }
            "root" => None,
            "index" => Some(DataName::Index),
            "key" => Some(DataName::Key),
            "first" => Some(DataName::First),
            "last" => Some(DataName::Last),
            "partial-block" => Some(DataName::PartialBlock),
            _ => return self.constant(Constant::Undefined),
        };
        match name {
            Some(name) => self.push(Op::Data { name, outer }),
            None => self.push(Op::Root),
        }
        self.data_members(rest);
    }

    fn data_members(&mut self, path: &[&str]) {
        for name in path {
            let name = self.name_number(name);
            self.push(Op::DataMember(name));
        }
    }
}
