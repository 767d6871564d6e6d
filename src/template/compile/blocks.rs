//! Blocks: of handlebars.js's own helpers, of Courier's, and over data.

use super::compiler::{ActiveSource, CompileError, Compiler, Jump};
use super::levels::Effect;
use super::parsed_text::BUILTIN;
use super::text::Meaning;
use crate::template::call::{Form, Helper, Keyword};
use crate::template::escape::WhenChanged;
use crate::template::operations::Comparison;
use crate::template::program::{Constant, Instruction, JumpTarget};
use crate::template::syntax::tree::{self, AstNode, Block, CallExpression, Operand};

type Result<T> = std::result::Result<T, CompileError>;

impl Compiler<'_> {
    /// Compiles the content of a block.
    pub(super) fn body(
        &mut self,
        body: Option<&tree::BlockBody>,
        frame: Effect,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        let Some(body) = body else { return Ok(()) };
        let asks_for_this = body.nodes.iter().any(|node| !matches!(node, AstNode::Content(_) | AstNode::Comment(_)));
        let has_null_context =
            frame == Effect::If && asks_for_this && !self.levels.is_at_top() && !self.levels.is_in_if();
        if has_null_context {
            self.push(Instruction::NullContext);
        }
        self.levels.push(body.block_params.clone(), frame);
        let written = self.contents(body, source);
        self.levels.pop();
        if has_null_context {
            self.push(Instruction::EndNullContext);
        }
        written
    }

    pub(super) fn block(&mut self, block: &Block, source: &ActiveSource<'_>) -> Result<()> {
        let call = &block.call;
        let is_called = call.has_arguments();
        let opening = match &call.name {
            Operand::Path(path)
                if path.is_simple() && !path.is_data && (is_called || self.block_param(path).is_none()) =>
            {
                self.helpers.find(&path.parts[0])
            }
            Operand::Text(name) if is_called => self.helpers.find(name),
            _ => None,
        };
        let opens = |helper: &&Helper| match helper.form {
            Form::Content(_) | Form::Condition(_) | Form::Value(_) => true,
            Form::Language(_) => is_called || BUILTIN.contains(&helper.name),
        };
        let meaning = match opening.filter(opens) {
            Some(helper) => Meaning::Helper(helper),
            None => self.meaning(call, false, source)?,
        };
        match meaning {
            Meaning::Helper(helper) => match helper.form {
                Form::Language(keyword) => self.language_block(keyword, helper.name, block, source),
                Form::Condition(_) => self.condition_block(helper, block, source),
                Form::Content(_) => self.content_block(helper, block, source),
                // As in handlebars.js these show their value and not the block.
                Form::Value(_) if helper.name == "lookup" || helper.name == "log" => {
                    self.call(helper, call, source)?;
                    self.print_value(false, source);
                    Ok(())
                }
                Form::Value(_) => {
                    let problem = format!("the helper '{}' gives a value and opens no block", helper.name);
                    Err(self.error(source.text, call.tag, problem))
                }
            },
            Meaning::Path(path) => {
                debug_assert!(!is_called);
                self.path(path);
                self.section(block, source)
            }
            Meaning::Named(name) => {
                self.named(&name);
                self.section(block, source)
            }
        }
    }

    /// A block that iterates over the last value, or takes it as `this`.
    pub(super) fn going_through(
        &mut self,
        op: fn(JumpTarget, bool) -> Instruction,
        frame: Effect,
        block: &Block,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        let or_else = if frame == Effect::Section { Effect::Else } else { Effect::If };
        self.stands_at(source, block.call.tag);
        // handlebars.js compares where it calls the content of the block.
        let is_compared = self.leads_out && block.program.is_some();
        let Jump(head) = self.jump(op(JumpTarget::MAX, is_compared));
        self.body(block.program.as_ref(), frame, source)?;
        self.stands_at(source, block.call.tag);
        self.push(Instruction::Next(head + 1));
        self.otherwise(Jump(head), block.inverse.as_ref(), or_else, source)
    }

    pub(super) fn section(&mut self, block: &Block, source: &ActiveSource<'_>) -> Result<()> {
        let op = |otherwise, is_compared| Instruction::Section { otherwise, is_compared };
        self.going_through(op, Effect::Section, block, source)
    }

    /// What is written if the jump was taken.
    pub(super) fn otherwise(
        &mut self,
        jump: Jump,
        body: Option<&tree::BlockBody>,
        frame: Effect,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        let Some(body) = body else {
            self.land(jump);
            return Ok(());
        };
        let end = self.jump(Instruction::Jump(JumpTarget::MAX));
        self.land(jump);
        self.body(Some(body), frame, source)?;
        self.land(end);
        Ok(())
    }

    fn language_block(&mut self, keyword: Keyword, name: &str, block: &Block, source: &ActiveSource<'_>) -> Result<()> {
        let one = |it: &mut Self| match block.call.params.as_slice() {
            [value] => it.operand(value, source),
            params => {
                let expected = format!("expected exactly one argument for '{name}', found {}", params.len());
                Err(it.error(source.text, block.call.tag, expected + &instead(name, &block.call)))
            }
        };
        match keyword {
            Keyword::Intl => self.intl(&block.call, block, source),
            Keyword::Set => {
                let problem = "'set' opens no block; expected it in a tag of its own";
                Err(self.error(source.text, block.call.tag, problem))
            }
            Keyword::Each => {
                one(self)?;
                let op = |otherwise, is_compared| Instruction::Each { otherwise, is_compared };
                self.going_through(op, Effect::Other, block, source)
            }
            Keyword::With => {
                one(self)?;
                let op = |otherwise, is_compared| Instruction::With { otherwise, is_compared };
                self.going_through(op, Effect::Other, block, source)
            }
            Keyword::If => {
                one(self)?;
                self.if_block([block.program.as_ref(), block.inverse.as_ref()], block, source)
            }
            Keyword::Unless => {
                one(self)?;
                self.if_block([block.inverse.as_ref(), block.program.as_ref()], block, source)
            }
        }
    }

    /// Shows the first of two bodies if the last value holds, and else the second.
    fn if_block(
        &mut self,
        bodies: [Option<&tree::BlockBody>; 2],
        block: &Block,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        let include_zero = block.call.named().iter().find(|(name, _)| name == "includeZero");
        let jump = match include_zero {
            Some((_, value)) => {
                self.operand(value, source)?;
                self.jump(Instruction::JumpUnlessOrZero(JumpTarget::MAX))
            }
            None => self.jump(Instruction::JumpUnless(JumpTarget::MAX)),
        };
        self.body(bodies[0], Effect::If, source)?;
        self.otherwise(jump, bodies[1], Effect::If, source)
    }

    /// `{{#intl locales="de-DE"}}`: its content is written in that language.
    pub(super) fn intl(&mut self, call: &CallExpression, block: &Block, source: &ActiveSource<'_>) -> Result<()> {
        let Some(params) = self.helpers.find("params") else { return Ok(()) };
        let name = self.name_number("intl");
        // The outer value is set again behind the block, and is the base of what is set in it.
        self.push(Instruction::TopVariable { name, slot: None });
        self.push(Instruction::TopVariable { name, slot: None });
        self.call(params, call, source)?;
        self.push(Instruction::Merge);
        self.push(Instruction::Set(name));
        self.body(block.program.as_ref(), Effect::If, source)?;
        self.push(Instruction::Set(name));
        Ok(())
    }

    pub(super) fn condition_block(
        &mut self,
        helper: &'static Helper,
        block: &Block,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        self.call(helper, &block.call, source)?;
        if helper.name == "conditional" {
            // It hides its content if the condition holds, unless it is to show it.
            match block.call.named().iter().find(|(name, _)| name == "behavior") {
                Some((_, behavior)) => self.operand(behavior, source)?,
                None => self.push_constant(Constant::Text("hide".to_owned())),
            }
            self.push_constant(Constant::Text("show".to_owned()));
            let same = Comparison::Equal { strict: true, negated: false };
            self.push(Instruction::Compare(same));
            self.push(Instruction::Compare(same));
        }
        let jump = self.jump(Instruction::JumpUnless(JumpTarget::MAX));
        self.body(block.program.as_ref(), Effect::If, source)?;
        self.otherwise(jump, block.inverse.as_ref(), Effect::If, source)
    }

    pub(super) fn content_block(
        &mut self,
        helper: &'static Helper,
        block: &Block,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        self.check_arguments(helper, &block.call, 1, source)?;
        let site = self.arguments(helper, &block.call, source)?;
        self.begin();
        self.body(block.program.as_ref(), Effect::If, source)?;
        self.stands_at(source, block.call.tag);
        self.push(match source.escape.when_changed {
            WhenChanged::Tracked => Instruction::ChangeTracked(site),
            WhenChanged::EscapeFirst | WhenChanged::ChangeFirst => Instruction::CallContent(site),
        });
        Ok(())
    }
}

/// The advice for an `if` that compares or joins values itself.
fn instead(name: &str, call: &CallExpression) -> String {
    let compares = call.params.len() > 1 || call.named().iter().any(|(name, _)| name != "includeZero");
    if !compares || !matches!(name, "if" | "unless") {
        return String::new();
    }
    let join = call.params.get(1).map(Operand::as_name).filter(|word| matches!(word.as_str(), "and" | "or"));
    match join {
        Some(word) => format!("; write {{{{#{name} ({word} a b)}}}}"),
        None => format!("; to compare write {{{{#{name} (condition a \"==\" b)}}}}"),
    }
}
