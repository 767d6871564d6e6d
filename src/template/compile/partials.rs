//! Partials: each is compiled where it is first called, and jumped over there.

use std::collections::HashMap;

use super::compiler::{ActiveSource, CompileError, Compiler, Manner};
use super::levels::Effect;
use crate::template::budget::NESTING;
use crate::template::escape::Escape;
use crate::template::program::{CalledPartial, Instruction, JumpTarget, PartialSite};
use crate::template::syntax::tree::{AstNode, Block, Operand, Partial, PartialName, Span};

type Result<T> = std::result::Result<T, CompileError>;

impl Compiler<'_> {
    /// Compiles something that is called from elsewhere, and returns its beginning.
    pub(super) fn routine(&mut self, compile: impl FnOnce(&mut Self) -> Result<()>) -> Result<JumpTarget> {
        let end = self.jump(Instruction::Jump(JumpTarget::MAX));
        let start = self.here();
        self.is_target = true;
        compile(self)?;
        self.push(Instruction::Return);
        self.land(end);
        Ok(start)
    }

    /// An inline partial. As in handlebars.js it sees the surroundings of the block that it is in.
    pub(super) fn inline(&mut self, block: &Block, source: &ActiveSource<'_>) -> Result<(u32, JumpTarget)> {
        let is_inline = matches!(&block.call.name, Operand::Path(path) if path.original == "inline");
        let name = match block.call.params.as_slice() {
            [name, ..] if is_inline && !matches!(name, Operand::Path(_) | Operand::Call(_)) => name.as_name(),
            _ => {
                let problem = "expected an inline partial with its name in quotes: {{#*inline \"name\"}}…{{/inline}}";
                return Err(self.error(source.text, block.call.tag, problem));
            }
        };
        let own = match self.levels.innermost() {
            Some(frame) if frame.is_opened() => self.levels.pop(),
            _ => None,
        };
        // It cannot see what its own block gives.
        if let Some(own) = &own {
            self.levels.push(own.block_params.clone(), Effect::Else);
        }
        let name = self.name_number(&name);
        let routine = self.routine(|it| it.body(block.program.as_ref(), Effect::Section, source));
        if let Some(own) = own {
            self.levels.pop();
            self.levels.push(own.block_params, own.frame);
        }
        Ok((name, routine?))
    }

    pub(super) fn partial(&mut self, partial: &Partial, source: &ActiveSource<'_>) -> Result<()> {
        let inlines = partial.program.iter().flat_map(|program| &program.nodes).filter_map(|node| match node {
            AstNode::Inline(block) => Some(block),
            _ => None,
        });
        let inlines: Vec<(u32, JumpTarget)> = inlines.map(|block| self.inline(block, source)).collect::<Result<_>>()?;
        let block = match &partial.program {
            Some(program) => Some(self.routine(|it| it.body(Some(program), Effect::Section, source))?),
            None => None,
        };
        let name = match &partial.name {
            PartialName::Written(name) => CalledPartial::Written {
                name: name.clone(),
                routine: self.included(name, source.escape, (source, partial.tag))?,
            },
            PartialName::Computed(operand) => {
                let table = self.partial_table(source.escape, (source, partial.tag))?;
                self.operand(operand, source)?;
                CalledPartial::Computed { table }
            }
        };
        if matches!(&name, CalledPartial::Written { routine: None, .. }) && self.program.partial_names.is_empty() {
            self.program.partial_names = self.partials.keys().cloned().collect();
        }
        if let Some(context) = partial.params.first() {
            self.operand(context, source)?;
        }
        for (_, value) in partial.named() {
            self.operand(value, source)?;
        }
        self.stands_at(source, partial.tag);
        self.push(Instruction::Partial(self.program.partials.len() as u32));
        self.program.partials.push(PartialSite {
            name,
            has_context: !partial.params.is_empty(),
            names: partial.hash.as_ref().map(|hash| hash.iter().map(|(name, _)| name.clone()).collect()),
            block,
            is_compared: self.leads_out,
            inlines,
            indent: partial.indent.clone(),
        });
        Ok(())
    }

    fn manner(&self, escape: &'static Escape) -> Manner {
        (std::ptr::from_ref(escape) as usize, self.set_names.clone())
    }

    /// The beginnings of all partials that were given with the text, since any of them may be meant.
    fn partial_table(&mut self, escape: &'static Escape, from: (&ActiveSource<'_>, Span)) -> Result<u32> {
        let key = self.manner(escape);
        if let Some(table) = self.partial_tables.get(&key) {
            return Ok(*table);
        }
        let table = self.program.partial_tables.len() as u32;
        // A partial may call one in the same way.
        self.partial_tables.insert(key, table);
        self.program.partial_tables.push(HashMap::new());
        let mut routines = HashMap::new();
        for name in self.partials.keys() {
            if let Some(routine) = self.included(name, escape, from)? {
                routines.insert(name.clone(), routine);
            }
        }
        if let Some(known) = self.program.partial_tables.get_mut(table as usize) {
            *known = routines;
        }
        Ok(table)
    }

    /// The beginning of the named partial that was given with the text. `from` is the tag that calls it.
    fn included(
        &mut self,
        name: &str,
        escape: &'static Escape,
        from: (&ActiveSource<'_>, Span),
    ) -> Result<Option<JumpTarget>> {
        let partials = self.partials;
        let Some(template) = partials.get(name).filter(|_| !name.is_empty()) else { return Ok(None) };
        let key = (name.to_owned(), self.manner(escape));
        if let Some(routine) = self.routines.get(&key) {
            return Ok(Some(*routine));
        }
        let outer_depth = self.depth;
        let depth = outer_depth + 1 + self.levels.len();
        if depth > NESTING {
            let problem = format!("partials and the blocks around them are nested more than {NESTING} levels deep");
            return Err(self.error(from.0.text, from.1, problem));
        }
        self.depth = depth;
        let levels = std::mem::take(&mut self.levels);
        let outer_snippet = self.snippet.replace(name.into());
        let number = self.source_number(template);
        // It may include itself.
        self.routines.insert(key, self.here() + 1);
        let routine = self.routine(|it| {
            let source = ActiveSource { text: &template.source, number, escape };
            it.levels.push(Vec::new(), Effect::Section);
            it.contents(&template.tree, &source)
        });
        self.levels = levels;
        self.depth = outer_depth;
        self.snippet = outer_snippet;
        routine.map(Some)
    }
}
