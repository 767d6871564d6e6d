//! The meaning of a path in its place: a block parameter, a name at the top, a member of `this`, `@index`.

use super::compiler::{Compiler, Noted};
use super::levels::{Effect, Param};
use crate::template::program::{Constant, DataName, Instruction};
use crate::template::syntax::tree::PathExpression;

impl Compiler<'_> {
    /// The block parameter at the start of a path.
    pub(super) fn block_param(&self, path: &PathExpression) -> Option<Param> {
        let name = path.parts.first()?;
        // As in handlebars.js `@index` is one, too, if a block gives a parameter that name.
        if path.depth > 0 || path.is_scoped { None } else { self.levels.param(name) }
    }

    /// Pushes the value of a path.
    pub(super) fn path(&mut self, path: &PathExpression) {
        match path.parts.as_slice() {
            // Most have one name, or two.
            [name] => self.path_of(path, &[name]),
            [name, member] => self.path_of(path, &[name, member]),
            names => self.path_of(path, &names.iter().map(String::as_str).collect::<Vec<_>>()),
        }
    }

    fn path_of(&mut self, path: &PathExpression, parts: &[&str]) {
        if let Some(param) = self.block_param(path) {
            return self.param(param, parts);
        }
        if path.is_data {
            return self.data(path, parts);
        }
        let depth = path.depth as u32;
        // As in handlebars.js an empty name is the surroundings.
        let Some((name, rest)) = parts.split_first().filter(|(name, _)| !name.is_empty()) else {
            return self.push(Instruction::Context(depth));
        };
        // As in JSONPath it leads to the top, from anywhere.
        if depth == 0 && *name == "$" {
            return match rest {
                [name, rest @ ..] if self.set_names.contains(*name) => self.top_variable(name, rest),
                _ => self.push_path(parts),
            };
        }
        if self.set_names.contains(*name) {
            let slot = self.slot_if_top(path.depth, name);
            let name = self.name_number(name);
            self.push(Instruction::Variable { depth, name, slot });
        } else if depth == 0 && self.levels.is_at_top() {
            return self.top(parts);
        } else {
            let slot = self.slot_if_top(path.depth, name);
            let name = self.name_number(name);
            self.push(Instruction::Name { depth, name, slot });
        }
        self.members(rest);
    }

    /// Pushes the value of the rest of a path in a block parameter.
    fn param(&mut self, Param { outer, index, is_given }: Param, parts: &[&str]) {
        match (is_given, index) {
            (true, 0..=1) => {
                self.push(Instruction::Param { outer, index: index as u8 });
                self.members(&parts[1..]);
            }
            (true, _) => self.push_constant(Constant::Undefined),
            (false, _) => {
                self.fail(format!("the block gives nothing for its parameter '{}'", parts[0]));
                self.push_constant(Constant::Undefined);
            }
        }
    }

    /// Pushes the value of a name at the top that the text sets somewhere.
    pub(super) fn top_variable(&mut self, name: &str, rest: &[&str]) {
        let slot = self.slot_if_top(1, name);
        let name = self.name_number(name);
        self.push(Instruction::TopVariable { name, slot });
        self.members(rest);
    }

    pub(super) fn named(&mut self, name: &str) {
        if name.is_empty() {
            return self.push(Instruction::Context(0));
        }
        if let Some(Param { outer, index: index @ 0..=1, is_given: true }) = self.levels.param(name) {
            return self.push(Instruction::Param { outer, index: index as u8 });
        }
        match self.levels.is_at_top() {
            true => self.top(&[name]),
            false => {
                let slot = self.slot_if_top(0, name);
                let name = self.name_number(name);
                self.push(Instruction::Name { depth: 0, name, slot });
            }
        }
    }

    /// The number of a name that may be at the top.
    pub(super) fn slot_if_top(&mut self, depth: usize, name: &str) -> Option<u32> {
        let may_be_top = depth > 0 || self.levels.innermost() != Some(Effect::Other);
        let noted = may_be_top.then(|| self.names.note(&[name]))?;
        (noted.taken == 1).then_some(noted.slot)
    }

    /// `@index` and the like.
    pub(super) fn data(&mut self, path: &PathExpression, parts: &[&str]) {
        let Some((mut name, mut rest)) = parts.split_first() else {
            return self.push(Instruction::Context(path.depth as u32));
        };
        let mut outer = path.depth as u32;
        while let ("_parent", Some((next, further))) = (*name, rest.split_first()) {
            (name, rest, outer) = (next, further, outer + 1);
        }
        let name = match *name {
            "root" if outer == 0 && !rest.is_empty() => {
                let further = match self.set_names.contains(rest[0]) {
                    true => {
                        self.top_variable(rest[0], &[]);
                        &rest[1..]
                    }
                    false => {
                        let Noted { slot, taken } = self.names.note(rest);
                        self.push(Instruction::Slot(slot));
                        rest.get(taken..).unwrap_or_default()
                    }
                };
                return self.data_members(further);
            }
            "root" if outer == 0 => None,
            "root" => Some(DataName::Root),
            "index" => Some(DataName::Index),
            "key" => Some(DataName::Key),
            "first" => Some(DataName::First),
            "last" => Some(DataName::Last),
            "partial-block" => Some(DataName::PartialBlock),
            _ => return self.push_constant(Constant::Undefined),
        };
        match name {
            Some(name) => self.push(Instruction::Data { name, outer }),
            None => self.push(Instruction::Root),
        }
        self.data_members(rest);
    }

    fn data_members(&mut self, path: &[&str]) {
        for name in path {
            let name = self.name_number(name);
            self.push(Instruction::DataMember(name));
        }
    }
}
