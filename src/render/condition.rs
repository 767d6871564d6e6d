//! The `if` of a channel, of a provider or of an entry of a routing.

use super::compile::Compiler;
use super::escape::Escape;
use super::expression::{Expression, Operand, Resolve};
use super::scope::{Names, Scope};
use super::text::{Step, Text};
use crate::error::{Error, Result};

/// A condition, compiled: a text that says something if it holds.
pub struct Condition(Text);

impl Condition {
    /// Compiles what stands at `path` of the request.
    pub fn compile(source: &str, path: &str, names: &mut Names) -> Result<Self> {
        let mut compiler = Compiler::new(names);
        let condition = Expression::compile(source, &mut InMessage(&mut compiler));
        let condition = condition.map_err(|problem| Error::invalid(path, problem))?;
        Ok(Condition(Text::new(vec![Step::If(condition, vec![Step::Words("yes".to_owned())])], 0, 0)))
    }

    pub fn holds<'s>(&'s self, scope: &'s Scope<'s>) -> std::result::Result<bool, String> {
        let mut said = String::new();
        self.0.render(scope, &mut said)?;
        Ok(!said.is_empty())
    }
}

struct InMessage<'c, 'n>(&'c mut Compiler<'n>);

impl Resolve for InMessage<'_, '_> {
    fn path(&mut self, path: &[String]) -> std::result::Result<Operand, String> {
        self.0.operand(path, false)
    }

    fn text(&mut self, text: &str) -> std::result::Result<Operand, String> {
        self.0.steps(text, Escape::Plain, false).map(Operand::Text)
    }
}
