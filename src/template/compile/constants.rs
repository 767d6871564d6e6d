//! What the constants in a call tell before there are any data.

use bumpalo::Bump;

use crate::template::budget::Problem;
use crate::template::call::{Helper, KnownArguments};
use crate::template::heap::{Heap, Root};
use crate::template::syntax::tree::{CallExpression, Operand};
use crate::template::values::Value;

/// There are no data yet.
struct NoData;

impl Root for NoData {
    fn noted<'a>(&'a self, _: usize, _: &Heap<'a>) -> Result<Value<'a>, Problem> {
        Ok(Value::Undefined)
    }

    fn find<'a>(&'a self, _: &str, _: &Heap<'a>) -> Result<Value<'a>, Problem> {
        Ok(Value::Undefined)
    }

    fn members<'a>(&'a self, _: &Heap<'a>) -> Result<Vec<(&'a str, Value<'a>)>, Problem> {
        Ok(Vec::new())
    }
}

/// Why a call cannot work with any data. `held` is how many arguments its block supplies.
pub fn check(helper: &Helper, call: &CallExpression, held: usize) -> Result<(), Problem> {
    if helper.checks.is_empty() {
        return Ok(());
    }
    let (arena, root) = (Bump::new(), NoData);
    let heap = Heap::new(&arena, &root);
    let args: Vec<_> = std::iter::repeat_n(None, held).chain(call.params.iter().map(constant)).collect();
    let named: Vec<_> = call.named().iter().map(|(name, value)| (name.as_str(), constant(value))).collect();
    helper.check(&KnownArguments { args: &args, named: &named, heap: &heap })
}

fn constant(operand: &Operand) -> Option<Value<'_>> {
    match operand {
        Operand::Text(text) => Some(Value::Text(text)),
        Operand::Number(number) => Some(Value::Number(*number)),
        Operand::Bool(flag) => Some(Value::Bool(*flag)),
        Operand::Null => Some(Value::Null),
        Operand::Undefined => Some(Value::Undefined),
        Operand::Path(_) | Operand::Call(_) => None,
    }
}
