//! The `if` of an element: an expression, or the designer's list of conditions.

use super::super::element::{Condition, ConditionGroup, ConditionOperator, ConditionTest};
use super::fields::ElementMembers;
use super::members::{ObjectMembers, scalar, text};
use crate::error::Result;
use crate::json::scan::Items;

/// The most conditions in one `if` of the designer's form: compiling them recurses.
const CONDITIONS_LIMIT: usize = 100;

impl ElementMembers<'_> {
    pub fn condition(&self) -> Result<Option<Condition>> {
        let expected = "expected a condition such as \"data.count > 1\"";
        match self.members.get("if") {
            None => Ok(None),
            Some(flag @ ("true" | "false")) => Ok(Some(Condition::Expression(flag.to_owned()))),
            Some(groups) if groups.starts_with(['[', '{']) => self.condition_groups(groups).map(Some),
            Some(value) => match text(value) {
                Some(condition) => Ok(Some(Condition::Expression(condition))),
                None => Err(self.refuse("if", expected)),
            },
        }
    }

    /// `[{"conditions": [{"property", "operator", "value"}], "logical_operator"}]`. One group may stand without the
    /// list, and a list of conditions counts as one group.
    fn condition_groups(&self, value: &str) -> Result<Condition> {
        let single = [value];
        let items: Vec<&str> = if value.starts_with('[') { Items::of(value).collect() } else { single.to_vec() };
        let (mut groups, mut loose, mut count) = (Vec::new(), Vec::new(), 0);
        for (i, item) in items.into_iter().enumerate() {
            let at = if value.starts_with('[') { format!("if[{i}]") } else { "if".to_owned() };
            let Some(members) = ObjectMembers::of(item) else {
                return Err(self.refuse(&at, "expected an object with 'conditions'"));
            };
            let Some(tests) = members.get("conditions") else {
                loose.push(self.condition_test(&members, &at)?);
                count += 1;
                continue;
            };
            if !tests.starts_with('[') {
                return Err(self.refuse(&format!("{at}.conditions"), "expected an array"));
            }
            let is_any = match members.get("logical_operator").map(text) {
                None => false,
                Some(Some(operator)) if operator == "and" || operator == "or" => operator == "or",
                Some(_) => {
                    return Err(self.refuse(&format!("{at}.logical_operator"), "expected 'and' or 'or'"));
                }
            };
            let mut group = ConditionGroup { is_any, tests: Vec::new() };
            for (j, test) in Items::of(tests).enumerate() {
                let at = format!("{at}.conditions[{j}]");
                let members = ObjectMembers::of(test).ok_or_else(|| self.refuse(&at, "expected an object"))?;
                group.tests.push(self.condition_test(&members, &at)?);
                count += 1;
            }
            groups.push(group);
        }
        if count > CONDITIONS_LIMIT {
            return Err(self.refuse("if", format_args!("expected at most {CONDITIONS_LIMIT} conditions")));
        }
        if !loose.is_empty() {
            groups.push(ConditionGroup { is_any: false, tests: loose });
        }
        Ok(Condition::Groups(groups))
    }

    fn condition_test(&self, members: &ObjectMembers<'_>, at: &str) -> Result<ConditionTest> {
        let field = format!("{at}.property");
        let property = members.text("property");
        let property = property.ok_or_else(|| self.refuse(&field, "expected a path such as \"data.plan\""))?;
        let operator = members.text("operator").and_then(|name| ConditionOperator::from_name(&name));
        let operator = operator.ok_or_else(|| {
            let names: Vec<&str> = ConditionOperator::NAMES.iter().map(|(name, _)| *name).collect();
            self.refuse(&format!("{at}.operator"), format_args!("expected one of {}", names.join(", ")))
        })?;
        let value = match members.get("value") {
            None => String::new(),
            Some(value) => scalar(value).ok_or_else(|| self.refuse(&format!("{at}.value"), "expected a string"))?,
        };
        Ok(ConditionTest { property, field, operator, value })
    }
}
