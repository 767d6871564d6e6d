//! The instructions of a text: what handlebars.js 4.7 makes of each of its nodes (`compiler.js`), and Courier's helpers.

use super::super::call::{self, Form, Helper, Table};
use super::super::program::{CallSite, Comparison, Constant, DataName, Depth, Escape, Op, Origin, PartialSite, Target};
use super::super::syntax::nearest;
use super::super::syntax::tree::{self, Block, Call, Mustache, Node, Operand, Partial, PartialName, Path};
use super::{CompileError, Compiler, Frame, Jump, Level, Template};

type Result<T> = std::result::Result<T, CompileError>;

/// Names that look like helpers to those who know other engines, and what to write at Courier.
const ELSEWHERE: [(&str, &str); 8] = [
    ("eq", "(condition a \"==\" b)"),
    ("ne", "(condition a \"!=\" b)"),
    ("gt", "(condition a \">\" b)"),
    ("gte", "(condition a \">=\" b)"),
    ("lt", "(condition a \"<\" b)"),
    ("lte", "(condition a \"<=\" b)"),
    ("len", "the list's or text's own length, as in {{items.length}}"),
    ("raw", "\\{{ to keep a tag as it is"),
];

/// Helpers of handlebars.js's own.
const OWN: [&str; 6] = ["if", "unless", "each", "with", "lookup", "log"];
/// Names that handlebars.js keeps for itself.
const RESERVED: [&str; 2] = ["helperMissing", "blockHelperMissing"];

/// What a name with its arguments is.
enum Meaning<'t> {
    Path(&'t Path),
    /// A literal in the place of a name is one.
    Named(String),
    Helper(&'static Helper),
}

/// The path that a call without arguments is, unless a helper is meant.
pub fn variable(call: &Call, helpers: Table) -> Option<&Path> {
    let Operand::Path(path) = &call.name else { return None };
    let is_called = !call.params.is_empty() || !call.hash.is_empty();
    (!is_called && !path.is_dashed && called_without_arguments(path, helpers).is_none()).then_some(path)
}

/// The helper that a name alone calls: only one of handlebars.js's own. A name alone that is a helper of Courier's shows
/// the variable of that name.
fn called_without_arguments(path: &Path, helpers: Table) -> Option<&'static Helper> {
    let [name] = path.parts.as_slice() else { return None };
    let is_own = path.is_simple() && !path.is_data && OWN.contains(&name.as_str());
    if is_own { call::find(helpers, name) } else { None }
}

/// A text while it is compiled.
struct Source<'t> {
    text: &'t str,
    /// Among those of the program.
    number: u32,
    escape: &'static Escape,
}

impl Compiler<'_> {
    /// Writes what a text says where `escape` says.
    pub fn template(&mut self, template: &Template, escape: &'static Escape) -> Result<()> {
        let facts = template.facts(self.helpers);
        if let Some(name) = &facts.dashed {
            let rule = "Courier knows only names in camelCase and snake_case";
            self.fail(format!("the name '{name}' holds a dash; {rule}"));
            return Ok(());
        }
        let number = self.source_number(template);
        let outer = std::mem::replace(&mut self.set_names, facts.set_names.clone());
        let written = match escape.inner.filter(|_| facts.changes_text) {
            Some(inner) => {
                self.begin();
                let written = self.program(&template.tree, &Source { text: &template.source, number, escape: inner });
                self.finish_with(escape.words);
                written
            }
            None => self.program(&template.tree, &Source { text: &template.source, number, escape }),
        };
        self.set_names = outer;
        written
    }

    fn source_number(&mut self, template: &Template) -> u32 {
        self.program.sources.push(template.source.clone());
        self.program.sources.len() as u32 - 1
    }

    fn program(&mut self, program: &tree::Program, source: &Source<'_>) -> Result<()> {
        self.check_size()?;
        let mut defined = 0;
        for node in &program.body {
            if let Node::Inline(block) = node {
                let (name, routine) = self.inline(block, source)?;
                let in_frame = self.levels.last().is_some_and(|level| !level.has_frame());
                self.push(Op::Define { name, routine, in_frame });
                defined += 1;
            }
        }
        for node in &program.body {
            match node {
                Node::Content(content) => self.words_escaped(content.value(), source.escape.words),
                Node::Comment(_) | Node::Inline(_) => {}
                Node::Mustache(mustache) => self.mustache(mustache, source)?,
                Node::Block(block) => self.block(block, source)?,
                Node::Partial(partial) | Node::PartialBlock(partial) => self.partial(partial, source)?,
            }
        }
        if defined > 0 {
            self.push(Op::Forget(defined));
        }
        Ok(())
    }

    fn mustache(&mut self, mustache: &Mustache, source: &Source<'_>) -> Result<()> {
        let call = &mustache.call;
        match self.meaning(call, false, source)? {
            Meaning::Path(path) => self.path(path, source.number),
            Meaning::Named(name) => self.named(&name),
            Meaning::Helper(helper) if helper.name == "set" => return self.set(call, source),
            Meaning::Helper(helper) => self.call(helper, call, source)?,
        }
        self.print(if mustache.is_escaped { source.escape.data } else { source.escape.raw });
        Ok(())
    }

    /// What a name stands for. In brackets it is always called.
    fn meaning<'t>(&self, call: &'t Call, in_brackets: bool, source: &Source<'_>) -> Result<Meaning<'t>> {
        let is_called = in_brackets || !call.params.is_empty() || !call.hash.is_empty();
        let path = match &call.name {
            Operand::Path(path) => path,
            name => {
                let name = name.as_name();
                return match call::find(self.helpers, &name) {
                    Some(helper) if OWN.contains(&helper.name) => Ok(Meaning::Helper(helper)),
                    _ if !is_called => Ok(Meaning::Named(name)),
                    Some(helper) => Ok(Meaning::Helper(helper)),
                    None => Err(self.unknown(&name, call, source)),
                };
            }
        };
        let is_param = path.is_simple() && self.block_param(path).is_some();
        if path.is_simple() && !is_param && RESERVED.contains(&path.original.as_str()) {
            return Err(self.error(source.text, call.tag, format!("'{}' cannot be called", path.original)));
        }
        if !is_called {
            let helper = called_without_arguments(path, self.helpers).filter(|_| !is_param);
            return Ok(helper.map_or(Meaning::Path(path), Meaning::Helper));
        }
        let name = path.parts.first().map(String::as_str).unwrap_or_default();
        let helper = call::find(self.helpers, name).filter(|_| path.is_simple() && !path.is_data && !is_param);
        helper.map(Meaning::Helper).ok_or_else(|| self.unknown(&path.original, call, source))
    }

    fn unknown(&self, name: &str, call: &Call, source: &Source<'_>) -> CompileError {
        let problem = match ELSEWHERE.iter().find(|(known, _)| *known == name) {
            Some((_, instead)) => format!("'{name}' is no helper of Courier's; write {instead}"),
            None => {
                let known = self.helpers.iter().flat_map(|group| group.iter()).map(|helper| helper.name);
                match nearest(name, known) {
                    Some(nearest) => format!("there is no helper '{name}'; did you mean '{nearest}'?"),
                    None => format!("there is no helper '{name}'"),
                }
            }
        };
        self.error(source.text, call.tag, problem)
    }

    /// Pushes what a helper gives.
    fn call(&mut self, helper: &'static Helper, call: &Call, source: &Source<'_>) -> Result<()> {
        if matches!(helper.form, Form::Language) {
            let example = format!("{{{{#{name} …}}}}…{{{{/{name}}}}}", name = helper.name);
            let problem = match helper.name {
                "set" => "'set' gives no value; expected it in a tag of its own".to_owned(),
                name => format!("'{name}' gives no value; expected {example}"),
            };
            return Err(self.error(source.text, call.tag, problem));
        }
        self.check_arguments(helper, call, 0, source)?;
        let site = self.arguments(helper, call, source)?;
        self.push(Op::Call(site));
        Ok(())
    }

    /// Refuses a call without what the helper cannot do without. What a block holds may be one of them.
    fn check_arguments(&self, helper: &Helper, call: &Call, held: usize, source: &Source<'_>) -> Result<()> {
        let (needed, found) = (helper.required(), call.params.len() + held);
        if found >= needed {
            return Ok(());
        }
        let arguments = if needed == 1 { "an argument".to_owned() } else { format!("{needed} arguments") };
        let name = helper.name;
        let problem = format!("the helper '{name}' needs {arguments} ({}), found {found}", helper.arguments);
        Err(self.error(source.text, call.tag, problem))
    }

    /// Pushes the arguments of a call, and gives the number of the call.
    fn arguments(&mut self, helper: &'static Helper, call: &Call, source: &Source<'_>) -> Result<u32> {
        for param in &call.params {
            self.operand(param, source)?;
        }
        for (_, value) in &call.hash {
            self.operand(value, source)?;
        }
        let names = call.hash.iter().map(|(name, _)| name.clone()).collect();
        let origin = Origin { source: source.number, span: call.tag };
        self.program.calls.push(CallSite { helper, positional: call.params.len(), names, origin });
        Ok(self.program.calls.len() as u32 - 1)
    }

    fn operand(&mut self, operand: &Operand, source: &Source<'_>) -> Result<()> {
        match operand {
            Operand::Path(path) => self.path(path, source.number),
            Operand::Call(call) => {
                return match self.meaning(call, true, source)? {
                    Meaning::Helper(helper) => self.call(helper, call, source),
                    _ => Err(self.unknown(&call.name.as_name(), call, source)),
                };
            }
            Operand::Text(text) => self.constant(Constant::Text(text.clone())),
            Operand::Number(number) => self.constant(Constant::Number(*number)),
            Operand::Bool(flag) => self.constant(Constant::Bool(*flag)),
            Operand::Null => self.constant(Constant::Null),
            Operand::Undefined => self.constant(Constant::Undefined),
        }
        Ok(())
    }

    /// The block parameter that a path begins with: how many frames further out, which of them, and whether its block
    /// gives any.
    fn block_param(&self, path: &Path) -> Option<(u32, usize, bool)> {
        let name = path.parts.first()?;
        if path.depth > 0 || path.is_data || path.is_scoped { None } else { self.param_named(name) }
    }

    fn param_named(&self, name: &str) -> Option<(u32, usize, bool)> {
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
    fn top_variable(&mut self, name: &str, rest: &[&str]) {
        let slot = self.slot_if_top(1, name);
        let name = self.name_number(name);
        self.push(Op::TopVariable { name, slot });
        self.members(rest);
    }

    fn named(&mut self, name: &str) {
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
    fn is_at_top(&self) -> bool {
        self.at_top && self.levels.iter().all(|level| level.frame == Frame::Loop || !level.has_frame())
    }

    /// So many `../` from here.
    fn depth(&self, steps: usize) -> Depth {
        let mut blocks = self.levels.iter().rev().take_while(|level| !level.has_frame());
        Depth { steps: steps as u32, in_if: blocks.any(|level| level.frame == Frame::Same) }
    }

    /// The number of a name that may be one at the top.
    fn slot_if_top(&mut self, depth: usize, name: &str) -> Option<u32> {
        let may_be_top = depth > 0 || self.levels.last().is_none_or(|level| level.frame != Frame::Other);
        let noted = may_be_top.then(|| self.names.note(&[name]))?;
        (noted.taken == 1).then_some(noted.slot)
    }

    /// `@index` and the like.
    fn data(&mut self, path: &Path, parts: &[&str]) {
        let Some((mut name, mut rest)) = parts.split_first() else {
            return self.push(Op::Context(self.depth(path.depth)));
        };
        let mut outer = path.depth as u32;
        while let ("_parent", Some((next, further))) = (*name, rest.split_first()) {
            (name, rest, outer) = (next, further, outer + 1);
        }
        let name = match *name {
            "root" if outer == 0 && !rest.is_empty() => {
                if !self.set_names.iter().any(|known| known == rest[0]) {
                    return self.top(rest);
                }
                return self.top_variable(rest[0], &rest[1..]);
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
        for name in rest {
            let name = self.name_number(name);
            self.push(Op::DataMember(name));
        }
    }

    /// `{{set "name" value}}`
    fn set(&mut self, call: &Call, source: &Source<'_>) -> Result<()> {
        let Some(Operand::Text(name)) = call.params.first() else {
            return Err(self.error(source.text, call.tag, "the helper 'set' needs a name in quotes"));
        };
        const ROOTS: [&str; 6] = ["brand", "data", "event", "profile", "recipient", "urls"];
        if ROOTS.contains(&name.as_str()) || name.is_empty() {
            self.fail(format!("set: expected another name than \"{name}\", which is Courier's own"));
            return Ok(());
        }
        match call.params.get(1) {
            Some(value) => self.operand(value, source)?,
            None => self.constant(Constant::Undefined),
        }
        let name = self.name_number(name);
        self.push(Op::Set(name));
        Ok(())
    }

    /// Compiles what stands in a block.
    fn body(&mut self, program: Option<&tree::Program>, frame: Frame, source: &Source<'_>) -> Result<()> {
        let Some(program) = program else { return Ok(()) };
        self.levels.push(Level { block_params: program.block_params.clone(), frame });
        let written = self.program(program, source);
        self.levels.pop();
        written
    }

    fn block(&mut self, block: &Block, source: &Source<'_>) -> Result<()> {
        let call = &block.call;
        let is_called = !call.params.is_empty() || !call.hash.is_empty();
        let opening = match &call.name {
            Operand::Path(path) if path.is_simple() && !path.is_data && self.block_param(path).is_none() => {
                call::find(self.helpers, &path.parts[0])
            }
            Operand::Text(name) if is_called => call::find(self.helpers, name),
            _ => None,
        };
        // A name alone is a variable, unless it is one of handlebars.js's own or changes what stands in the block.
        let opens = |helper: &&Helper| match helper.form {
            Form::Content(_) => true,
            Form::Value(_) => false,
            Form::Condition(_) => is_called,
            Form::Language => is_called || OWN.contains(&helper.name),
        };
        let meaning = match opening.filter(opens) {
            Some(helper) => Meaning::Helper(helper),
            None => self.meaning(call, false, source)?,
        };
        match meaning {
            Meaning::Helper(helper) => match helper.form {
                Form::Language => self.language_block(helper, block, source),
                Form::Condition(_) => self.condition_block(helper, block, source),
                Form::Content(_) => self.content_block(helper, block, source),
                // As in handlebars.js these show their value and not the block.
                Form::Value(_) if helper.name == "lookup" || helper.name == "log" => {
                    self.call(helper, call, source)?;
                    self.print(source.escape.raw);
                    Ok(())
                }
                Form::Value(_) => {
                    let problem = format!("the helper '{}' gives a value and opens no block", helper.name);
                    Err(self.error(source.text, call.tag, problem))
                }
            },
            Meaning::Path(path) => {
                debug_assert!(!is_called);
                self.path(path, source.number);
                self.section(block, source)
            }
            Meaning::Named(name) => {
                self.named(&name);
                self.section(block, source)
            }
        }
    }

    /// A block that goes through the last value or takes it as `this`.
    fn going_through(&mut self, op: fn(Target) -> Op, frame: Frame, block: &Block, source: &Source<'_>) -> Result<()> {
        let or_else = if frame == Frame::Section { Frame::Else } else { Frame::Same };
        let Jump(head) = self.jump(op);
        self.body(block.program.as_ref(), frame, source)?;
        self.push(Op::Next(head + 1));
        self.otherwise(Jump(head), block.inverse.as_ref(), or_else, source)
    }

    fn section(&mut self, block: &Block, source: &Source<'_>) -> Result<()> {
        self.going_through(Op::Section, Frame::Section, block, source)
    }

    /// What is written if the jump was taken.
    fn otherwise(
        &mut self,
        jump: Jump,
        program: Option<&tree::Program>,
        frame: Frame,
        source: &Source<'_>,
    ) -> Result<()> {
        let Some(program) = program else {
            self.land(jump);
            return Ok(());
        };
        let end = self.jump(Op::Jump);
        self.land(jump);
        self.body(Some(program), frame, source)?;
        self.land(end);
        Ok(())
    }

    fn language_block(&mut self, helper: &'static Helper, block: &Block, source: &Source<'_>) -> Result<()> {
        let call = &block.call;
        if helper.name == "intl" {
            return self.intl(call, block, source);
        }
        let [value] = call.params.as_slice() else {
            let (name, found) = (helper.name, call.params.len());
            let expected = format!("expected exactly one argument for '{name}', found {found}");
            return Err(self.error(source.text, call.tag, expected));
        };
        self.operand(value, source)?;
        match helper.name {
            "each" => self.going_through(Op::Each, Frame::Other, block, source),
            "with" => self.going_through(Op::With, Frame::Other, block, source),
            name => {
                let include_zero = call.hash.iter().find(|(name, _)| name == "includeZero");
                let jump = match include_zero {
                    Some((_, value)) => {
                        self.operand(value, source)?;
                        self.jump(Op::JumpIfEmptyOrZero)
                    }
                    None => self.jump(Op::JumpIfEmpty),
                };
                let (program, inverse) = (block.program.as_ref(), block.inverse.as_ref());
                let (shown, otherwise) = if name == "unless" { (inverse, program) } else { (program, inverse) };
                self.body(shown, Frame::Same, source)?;
                self.otherwise(jump, otherwise, Frame::Same, source)
            }
        }
    }

    /// `{{#intl locales="de-DE"}}`: what stands in it is written in that language.
    fn intl(&mut self, call: &Call, block: &Block, source: &Source<'_>) -> Result<()> {
        let Some(params) = call::find(self.helpers, "params") else { return Ok(()) };
        let name = self.name_number("intl");
        // What it was before is set again behind the block.
        self.push(Op::Assigned(name));
        self.call(params, call, source)?;
        self.push(Op::Set(name));
        self.body(block.program.as_ref(), Frame::Same, source)?;
        self.push(Op::Set(name));
        Ok(())
    }

    fn condition_block(&mut self, helper: &'static Helper, block: &Block, source: &Source<'_>) -> Result<()> {
        self.call(helper, &block.call, source)?;
        if helper.name == "conditional" {
            // It hides what stands in it if the condition passes, unless it is told to show it.
            match block.call.hash.iter().find(|(name, _)| name == "behavior") {
                Some((_, behavior)) => self.operand(behavior, source)?,
                None => self.constant(Constant::Text("hide".to_owned())),
            }
            self.constant(Constant::Text("show".to_owned()));
            let same = Comparison::Equal { strict: true, negated: false };
            self.push(Op::Compare(same));
            self.push(Op::Compare(same));
        }
        let jump = self.jump(Op::JumpIfEmpty);
        self.body(block.program.as_ref(), Frame::Same, source)?;
        self.otherwise(jump, block.inverse.as_ref(), Frame::Same, source)
    }

    fn content_block(&mut self, helper: &'static Helper, block: &Block, source: &Source<'_>) -> Result<()> {
        self.check_arguments(helper, &block.call, 1, source)?;
        let site = self.arguments(helper, &block.call, source)?;
        self.begin();
        self.body(block.program.as_ref(), Frame::Same, source)?;
        self.push(Op::CallContent(site));
        Ok(())
    }

    /// Compiles something that is called from elsewhere, and gives its beginning.
    fn routine(&mut self, compile: impl FnOnce(&mut Self) -> Result<()>) -> Result<Target> {
        let end = self.jump(Op::Jump);
        let start = self.here();
        self.is_target = true;
        compile(self)?;
        self.push(Op::Return);
        self.land(end);
        Ok(start)
    }

    /// An inline partial. As in handlebars.js it sees what is around the block that it stands in.
    fn inline(&mut self, block: &Block, source: &Source<'_>) -> Result<(u32, Target)> {
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

    fn partial(&mut self, partial: &Partial, source: &Source<'_>) -> Result<()> {
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
        self.push(Op::Partial(self.program.partials.len() as u32));
        self.program.partials.push(PartialSite {
            name,
            routine,
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
    fn included(&mut self, name: &str, escape: &'static Escape) -> Result<Option<Target>> {
        let partials = self.partials;
        let Some(template) = partials.get(name).filter(|_| !name.is_empty()) else { return Ok(None) };
        let key = (name.to_owned(), std::ptr::from_ref(escape) as usize);
        if let Some(routine) = self.routines.get(&key) {
            return Ok(Some(*routine));
        }
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
        self.at_top = at_top;
        routine.map(Some)
    }
}

/// Paths that a node looks up.
fn each_path<'t>(node: &'t Node, see: &mut dyn FnMut(&'t Path)) {
    match node {
        Node::Mustache(mustache) => mustache.call.each_path(false, see),
        Node::Block(block) => block.call.each_path(false, see),
        Node::Partial(partial) | Node::PartialBlock(partial) => partial.each_path(see),
        Node::Content(_) | Node::Comment(_) | Node::Inline(_) => {}
    }
}

/// What has to be known of a text before its first node is compiled.
#[derive(Debug, Default)]
pub struct Facts {
    /// The first name of a variable that holds a dash.
    dashed: Option<String>,
    /// The names that it sets.
    set_names: Vec<String>,
    /// Whether what it writes is changed by it afterwards.
    changes_text: bool,
}

impl Facts {
    pub fn of(program: &tree::Program, helpers: Table) -> Self {
        let mut facts = Facts::default();
        program.each_node(&mut |node| facts.see(node, helpers));
        facts
    }

    fn see(&mut self, node: &Node, helpers: Table) {
        let opened = match node {
            Node::Block(block) => call::find(helpers, &block.call.name.as_name()),
            _ => None,
        };
        self.changes_text |= match node {
            Node::Partial(partial) => !partial.indent.is_empty(),
            _ => opened.is_some_and(|helper| matches!(helper.form, Form::Content(_))),
        };
        if let Node::Mustache(Mustache { call, .. }) = node
            && let (Operand::Path(path), Some(Operand::Text(name))) = (&call.name, call.params.first())
            && path.original == "set"
        {
            self.set_names.push(name.clone());
        }
        each_path(node, &mut |path| {
            // A block may be called by its name alone.
            if path.is_dashed && opened.is_none_or(|helper| helper.name != path.original) {
                self.dashed.get_or_insert_with(|| path.original.clone());
            }
        });
    }
}
