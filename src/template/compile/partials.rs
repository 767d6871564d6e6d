//! Partials: each is compiled where it is first called, and jumped over there.

use super::super::budget::NESTING;
use super::super::program::{Escape, Op, Origin, PartialSite, Target};
use super::super::syntax::nearest;
use super::super::syntax::tree::{Block, Node, Operand, Partial, PartialName};
use super::compiler::{CompileError, Compiler, Frame, Level, Source};

type Result<T> = std::result::Result<T, CompileError>;

impl Compiler<'_> {
    /// Compiles something that is called from elsewhere, and gives its beginning.
    pub(super) fn routine(&mut self, compile: impl FnOnce(&mut Self) -> Result<()>) -> Result<Target> {
        let end = self.jump(Op::Jump);
        let start = self.here();
        self.is_target = true;
        compile(self)?;
        self.push(Op::Return);
        self.land(end);
        Ok(start)
    }

    /// An inline partial. As in handlebars.js it sees what is around the block that it stands in.
    pub(super) fn inline(&mut self, block: &Block, source: &Source<'_>) -> Result<(u32, Target)> {
        let is_inline = matches!(&block.call.name, Operand::Path(path) if path.original == "inline");
        let name = match block.call.params.as_slice() {
            [name, ..] if is_inline && !matches!(name, Operand::Path(_) | Operand::Call(_)) => name.as_name(),
            _ => {
                let problem = "expected an inline partial with its name in quotes: {{#*inline \"name\"}}…{{/inline}}";
                return Err(self.error(source.text, block.call.tag, problem));
            }
        };
        let own = self.levels.pop_if(|level| level.has_frame());
        // What its own block gives it cannot see.
        let hidden = own.as_ref().map(|own| Level { block_params: own.block_params.clone(), frame: Frame::Else });
        let has_own = hidden.is_some();
        self.levels.extend(hidden);
        let (at_top, name) = (std::mem::replace(&mut self.at_top, false), self.name_number(&name));
        let routine = self.routine(|it| it.body(block.program.as_ref(), Frame::Section, source));
        self.at_top = at_top;
        if has_own {
            self.levels.pop();
        }
        self.levels.extend(own);
        Ok((name, routine?))
    }

    pub(super) fn partial(&mut self, partial: &Partial, source: &Source<'_>) -> Result<()> {
        let inlines = partial.program.iter().flat_map(|program| &program.body).filter_map(|node| match node {
            Node::Inline(block) => Some(block),
            _ => None,
        });
        let inlines: Vec<(u32, Target)> = inlines.map(|block| self.inline(block, source)).collect::<Result<_>>()?;
        let block = match &partial.program {
            Some(program) => Some(self.routine(|it| it.body(Some(program), Frame::Section, source))?),
            None => None,
        };
        let (name, routine) = match &partial.name {
            PartialName::Said(name) => (Some(name.clone()), self.included(name, source.escape)?),
            PartialName::Found(operand) => {
                for name in self.partials.keys() {
                    if let Some(routine) = self.included(name, source.escape)? {
                        self.program.routines.push((name.clone(), routine));
                    }
                }
                self.operand(operand, source)?;
                (None, None)
            }
        };
        if let Some(context) = partial.params.first() {
            self.operand(context, source)?;
        }
        for (_, value) in &partial.hash {
            self.operand(value, source)?;
        }
        let missing = name.as_deref().filter(|_| routine.is_none());
        let meant = missing.and_then(|name| nearest(name, self.partials.keys().map(String::as_str)));
        self.push(Op::Partial(self.program.partials.len() as u32));
        self.program.partials.push(PartialSite {
            name,
            routine,
            nearest: meant.map(str::to_owned),
            has_context: !partial.params.is_empty(),
            names: partial.hash.iter().map(|(name, _)| name.clone()).collect(),
            block,
            inlines,
            indent: partial.indent.clone(),
            origin: Origin { source: source.number, span: partial.tag },
        });
        Ok(())
    }

    /// Where the partial of a name begins that was given with the text.
    pub(super) fn included(&mut self, name: &str, escape: &'static Escape) -> Result<Option<Target>> {
        let partials = self.partials;
        let Some(template) = partials.get(name).filter(|_| !name.is_empty()) else { return Ok(None) };
        let key = (name.to_owned(), std::ptr::from_ref(escape) as usize);
        if let Some(routine) = self.routines.get(&key) {
            return Ok(Some(*routine));
        }
        let outer_depth = self.depth;
        let depth = outer_depth + 1 + self.levels.len();
        if depth > NESTING {
            let problem =
                format!("partials and the blocks around them stand in each other more than {NESTING} levels deep");
            return Err(CompileError::Other(problem));
        }
        self.depth = depth;
        let levels = std::mem::take(&mut self.levels);
        let at_top = std::mem::replace(&mut self.at_top, false);
        let number = self.source_number(template);
        // It may include itself.
        self.routines.insert(key, self.here() + 1);
        let routine = self.routine(|it| {
            let source = Source { text: &template.source, number, escape };
            it.levels.push(Level { block_params: Vec::new(), frame: Frame::Section });
            it.program(&template.tree, &source)
        });
        self.levels = levels;
        self.depth = outer_depth;
        self.at_top = at_top;
        routine.map(Some)
    }
}
