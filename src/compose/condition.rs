//! The `if` of a channel, a provider or an entry of the routing.

use crate::error::{Error, Result};
use crate::render::helpers::helpers;
use crate::render::scope::{NameTable, Scope};
use crate::template::{self, Compiler, Partials, Program};

/// A condition, compiled.
pub struct Condition(Program);

impl Condition {
    /// Compiles the condition at `path` of the request.
    pub fn compile(source: &str, path: &str, names: &mut NameTable) -> Result<Self> {
        let partials = Partials::new();
        let mut compiler = Compiler::new(names, helpers(), &partials);
        compiler.texts_at(path);
        let pushed = template::ParsedCondition::parse(source)
            .and_then(|condition| compiler.condition(&condition, &mut template::resolve_at_top));
        pushed.map_err(|problem| Error::invalid(path, problem))?;
        Ok(Condition(compiler.finish()))
    }

    pub fn holds(&self, scope: &Scope<'_>) -> std::result::Result<bool, String> {
        template::holds(&self.0, scope).map_err(|problem| problem.to_string())
    }
}
