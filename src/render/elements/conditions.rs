//! Values in conditions of elements: the tests of Courier's designer, and names.

use std::collections::HashMap;

use crate::model::content::{ConditionOperator, Element};
use crate::template::{CompileError, Compiler, ConditionTest, Constant, ParsedText, resolve_at_top};

pub fn test_of(operator: ConditionOperator) -> ConditionTest {
    match operator {
        ConditionOperator::Equals => ConditionTest::Equals,
        ConditionOperator::NotEquals => ConditionTest::NotEquals,
        ConditionOperator::GreaterThan => ConditionTest::GreaterThan,
        ConditionOperator::LessThan => ConditionTest::LessThan,
        ConditionOperator::GreaterThanOrEquals => ConditionTest::GreaterThanOrEquals,
        ConditionOperator::LessThanOrEquals => ConditionTest::LessThanOrEquals,
        ConditionOperator::Contains => ConditionTest::Contains,
        ConditionOperator::NotContains => ConditionTest::NotContains,
        ConditionOperator::IsEmpty => ConditionTest::IsEmpty,
        ConditionOperator::IsNotEmpty => ConditionTest::IsNotEmpty,
    }
}

/// Pushes the value of a name in a condition.
pub fn resolve(
    compiler: &mut Compiler<'_>,
    path: &[String],
    refs: &HashMap<&str, &Element>,
    earlier: &HashMap<String, u32>,
) -> std::result::Result<(), CompileError> {
    let [root, name, property] = path else { return resolve_at_top(compiler, path) };
    if root != "refs" {
        return resolve_at_top(compiler, path);
    }
    let Some(element) = refs.get(name.as_str()) else {
        return Err(CompileError::Other(format!("no element has the ref '{name}'")));
    };
    match (property.as_str(), element.properties.get(property)) {
        ("visible", _) => match earlier.get(name) {
            Some(mark) => compiler.push_mark(*mark),
            None => compiler.push_constant(Constant::Bool(false)),
        },
        (_, Some(serde_json::Value::String(text))) if text.contains("{{") => {
            compiler.push_answer(&ParsedText::parse(text)?)?;
        }
        (_, value) => compiler.push_constant(constant(value)),
    }
    Ok(())
}

/// A property of an element as a value of a condition.
fn constant(value: Option<&serde_json::Value>) -> Constant {
    match value {
        Some(serde_json::Value::String(text)) => Constant::Text(text.clone()),
        Some(serde_json::Value::Number(number)) => Constant::Number(number.as_f64().unwrap_or(f64::NAN)),
        Some(serde_json::Value::Bool(flag)) => Constant::Bool(*flag),
        Some(serde_json::Value::Null) => Constant::Null,
        // A list or object that the author wrote counts as true.
        Some(_) => Constant::Bool(true),
        None => Constant::Undefined,
    }
}
