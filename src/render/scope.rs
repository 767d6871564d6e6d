//! What the texts of one message may mention: the merged data, the profile and the recipient.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::OnceLock;

use handlebars::Context;
use hashbrown::DefaultHashBuilder;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value};

use super::TEXT_LIMIT;
use crate::error::Result;
use crate::model::json::{self, Object};
use crate::model::user::User;

/// The names that the texts of a job mention, so that only these are looked up in each user.
#[derive(Default)]
pub struct Names {
    data: NameSet,
    profile: NameSet,
}

/// With a faster hash than the default, which is for sets whose members a stranger chooses.
type NameSet = IndexSet<String, DefaultHashBuilder>;

/// Where to find a variable, resolved when its text is compiled. A name is looked up in the data; `data`, `profile` and
/// `recipient` stand for themselves where the data has no such name.
pub struct Variable {
    data: usize,
    builtin: Option<Builtin>,
    rest: Vec<String>,
}

enum Builtin {
    Data(Option<usize>),
    Profile(Option<usize>),
    Recipient,
}

impl Names {
    /// Takes note of the variable `path`; `None` for an empty path.
    pub fn variable(&mut self, path: &[&str]) -> Option<Variable> {
        let (root, rest) = path.split_first()?;
        let data = slot(&mut self.data, root);
        let next = rest.first();
        let builtin = match *root {
            "data" => Some(Builtin::Data(next.map(|name| slot(&mut self.data, name)))),
            "profile" => Some(Builtin::Profile(next.map(|name| slot(&mut self.profile, name)))),
            "recipient" => Some(Builtin::Recipient),
            _ => None,
        };
        Some(Variable { data, builtin, rest: rest.iter().map(|&name| name.to_owned()).collect() })
    }
}

fn slot(names: &mut NameSet, name: &str) -> usize {
    names.insert_full(name.to_owned()).0
}

/// The global data of a job.
pub struct JobData {
    members: IndexMap<String, String>,
    /// Of the names that are mentioned.
    values: Vec<Option<String>>,
    tree: OnceLock<std::result::Result<Map<String, Value>, String>>,
}

impl JobData {
    pub fn new(members: IndexMap<String, String>, names: &Names) -> Self {
        let values = names.data.iter().map(|name| members.get(name).cloned()).collect();
        JobData { members, values, tree: OnceLock::new() }
    }

    /// As a tree; made when first asked for.
    fn tree(&self) -> std::result::Result<&Map<String, Value>, String> {
        let parse_all = || self.members.iter().map(|(name, value)| Ok((name.clone(), parse(value)?))).collect();
        self.tree.get_or_init(parse_all).as_ref().map_err(Clone::clone)
    }
}

/// The values for one user.
pub struct Scope<'a> {
    recipient: &'a str,
    profile: Object<'a>,
    job: &'a JobData,
    layers: [Option<Object<'a>>; 2],
    data_values: Vec<Option<&'a str>>,
    profile_values: Vec<Option<&'a str>>,
    context: OnceCell<std::result::Result<Context, String>>,
}

impl<'a> Scope<'a> {
    /// Data is the job's, under the user's, under that of `to`, merged shallowly.
    pub fn new(recipient: &'a str, user: &User<'a>, job: &'a JobData, names: &Names) -> Result<Self> {
        let layers = [user.data, user.to().and_then(|to| to.data)];
        let profile = user.profile.unwrap_or(Object::EMPTY);
        let mut data_values: Vec<_> = job.values.iter().map(Option::as_deref).collect();
        if !names.data.is_empty() {
            for layer in layers.iter().flatten() {
                layer.for_each(|name, value| fill(&names.data, &mut data_values, name, value))?;
            }
        }
        let mut profile_values = vec![None; names.profile.len()];
        if !names.profile.is_empty() {
            profile.for_each(|name, value| fill(&names.profile, &mut profile_values, name, value))?;
        }
        Ok(Scope { recipient, profile, job, layers, data_values, profile_values, context: OnceCell::new() })
    }

    /// Writes a variable as Handlebars would: nothing if it is missing or null.
    pub fn write(&self, variable: &Variable, out: &mut String) -> std::result::Result<(), String> {
        if let Some(raw) = self.data_values[variable.data] {
            return write_at(raw, &variable.rest, out);
        }
        let skip_one = || &variable.rest[variable.rest.len().min(1)..];
        match variable.builtin {
            None => Ok(()),
            Some(Builtin::Recipient) if variable.rest.is_empty() => {
                out.push_str(self.recipient);
                Ok(())
            }
            Some(Builtin::Recipient) => Ok(()),
            Some(Builtin::Data(Some(slot))) => match self.data_values[slot] {
                Some(raw) => write_at(raw, skip_one(), out),
                None => Ok(()),
            },
            Some(Builtin::Profile(Some(slot))) => match self.profile_values[slot] {
                Some(raw) => write_at(raw, skip_one(), out),
                None => Ok(()),
            },
            Some(Builtin::Data(None) | Builtin::Profile(None)) => {
                out.push_str("[object]");
                Ok(())
            }
        }
    }

    /// The merged data as one JSON object: the job's names first, then the user's, in the order in which they were
    /// sent.
    pub fn write_data(&self, out: &mut String) -> std::result::Result<(), String> {
        let mut members: IndexMap<Cow<'_, str>, &str> =
            self.job.members.iter().map(|(name, value)| (Cow::from(name), value.as_str())).collect();
        for layer in self.layers.iter().flatten() {
            let lay = |name: &str, value| {
                members.insert(Cow::from(name.to_owned()), value);
            };
            layer.for_each(lay).map_err(|error| error.public_message().to_owned())?;
        }
        let start = out.len();
        out.push('{');
        for (i, (name, value)) in members.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(&json::quoted(name));
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        if out.len() - start > TEXT_LIMIT { Err(super::too_long()) } else { Ok(()) }
    }

    /// The same values as a tree, for texts with blocks and helpers. Made when first asked for.
    pub fn context(&self) -> std::result::Result<&Context, String> {
        self.context.get_or_init(|| self.tree().map(Context::from)).as_ref().map_err(Clone::clone)
    }

    fn tree(&self) -> std::result::Result<Value, String> {
        let mut merged = self.job.tree()?.clone();
        for layer in self.layers.iter().flatten() {
            if let Value::Object(layer) = parse(layer.as_str())? {
                merged.extend(layer);
            }
        }
        let mut root = merged.clone();
        root.entry("data").or_insert_with(|| Value::Object(merged));
        if !root.contains_key("profile") {
            root.insert("profile".to_owned(), parse(self.profile.as_str())?);
        }
        root.entry("recipient").or_insert_with(|| Value::from(self.recipient));
        Ok(Value::Object(root))
    }
}

fn parse(raw: &str) -> std::result::Result<Value, String> {
    serde_json::from_str(raw).map_err(|error| format!("data: {error}"))
}

fn fill<'a>(names: &NameSet, values: &mut [Option<&'a str>], name: &str, value: &'a str) {
    if let Some(slot) = names.get_index_of(name) {
        values[slot] = Some(value);
    }
}

/// Writes what `path` leads to inside the raw JSON value.
fn write_at(raw: &str, path: &[String], out: &mut String) -> std::result::Result<(), String> {
    let plain_string = || raw.strip_prefix('"')?.strip_suffix('"').filter(|inner| !inner.contains('\\'));
    let small_integer = || raw.len() <= 15 && raw.bytes().all(|b| b.is_ascii_digit());
    if path.is_empty() {
        if let Some(text) = plain_string() {
            out.push_str(text);
            return Ok(());
        }
        if small_integer() {
            out.push_str(raw);
            return Ok(());
        }
    }
    let value: Value = serde_json::from_str(raw).map_err(|error| format!("data: {error}"))?;
    let mut at = &value;
    for name in path {
        let below = match at {
            Value::Object(object) => object.get(name),
            Value::Array(array) => match name.parse::<usize>() {
                Ok(index) => array.get(index),
                Err(_) => return Err(format!("'{name}' is asked of an array, which has only numbered members")),
            },
            _ => None,
        };
        match below {
            Some(value) => at = value,
            None => return Ok(()),
        }
    }
    use handlebars::JsonRender;
    out.push_str(&at.render());
    Ok(())
}
