//! What the texts of one message may mention: the merged data, the profile and the recipient.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::OnceLock;

use handlebars::{Context, JsonRender};
use hashbrown::DefaultHashBuilder;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};

use super::{TEXT_LIMIT, brand};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::{self, Object};
use crate::model::definition::Definition;
use crate::model::plan::Topic;
use crate::model::user::User;

/// The names that the texts of a job mention, so that only these are looked up in each user.
#[derive(Default)]
pub struct Names {
    data: NameSet,
    profile: NameSet,
}

/// With a faster hash than the default, which is for sets whose members a stranger chooses.
type NameSet = IndexSet<String, DefaultHashBuilder>;

/// Where to find a variable, resolved when its text is compiled. A name is looked up in the data; the other roots stand
/// for themselves where the data has no such name.
#[derive(Clone)]
pub struct Variable {
    root: Root,
    rest: Vec<String>,
}

#[derive(Clone)]
enum Root {
    Data {
        slot: usize,
        name: String,
        builtin: Option<Builtin>,
    },
    /// `$.item` and `$.index` in a loop.
    Item,
    Index,
}

#[derive(Clone)]
enum Builtin {
    Data(Option<usize>),
    Profile(Option<usize>),
    Recipient,
    /// By its place in [`JobData::words`].
    Job(usize),
}

const TENANT: &str = "tenant";

/// Names that stand for what a job as a whole is about, and what they stand for, as JSON. Message and tracking ids are
/// not known before the message is written.
const JOB_ROOTS: [(&str, JobRoot); 11] = [
    ("brand", |it| object(it.brand.as_ref())),
    (TENANT, |it| object(it.tenant.as_ref())),
    ("courier", |_| json!({ "environment": "test", "scope": "published" }).to_string()),
    ("event", |it| json::quoted(&it.event)),
    ("template", |it| json::quoted(&it.template)),
    ("subscriptionTopicId", |it| json::quoted(&it.topic)),
    ("datetime", |it| json!({ "year": it.year }).to_string()),
    ("urls", |_| urls()),
    ("messageId", |_| json::quoted("")),
    ("openTrackingId", |_| json::quoted("")),
    ("unsubscribeTrackingId", |_| json::quoted("")),
];

type JobRoot = fn(&JobWords) -> String;

fn object(json: Option<&String>) -> String {
    json.map_or("null", String::as_str).to_owned()
}

/// There is no page behind any of them; the domain is one that nobody can have.
fn urls() -> String {
    let urls = json!({
        "opened": "https://bulkd.invalid/opened",
        "unsubscribe": "https://bulkd.invalid/unsubscribe",
        "preferences": "https://bulkd.invalid/preferences",
    });
    urls.to_string()
}

impl Names {
    /// Takes note of the variable `path`; `None` for an empty path. In a loop `$.item` and `$.index` are its own;
    /// otherwise what follows `$.` is as it is without.
    pub fn variable(&mut self, path: &[&str], in_loop: bool) -> Option<Variable> {
        let (root, rest) = match path {
            ["$"] => ("data", &[][..]),
            ["$", place @ ("item" | "index"), rest @ ..] if in_loop => {
                let root = if *place == "item" { Root::Item } else { Root::Index };
                return Some(Variable { root, rest: rest.iter().map(|&name| name.to_owned()).collect() });
            }
            ["$", root, rest @ ..] | [root, rest @ ..] => (*root, rest),
            [] => return None,
        };
        let slot_of_root = slot(&mut self.data, root);
        let next = rest.first();
        let builtin = match root {
            "data" => Some(Builtin::Data(next.map(|name| slot(&mut self.data, name)))),
            "profile" => Some(Builtin::Profile(next.map(|name| slot(&mut self.profile, name)))),
            "recipient" => Some(Builtin::Recipient),
            root => JOB_ROOTS.iter().position(|(known, _)| *known == root).map(Builtin::Job),
        };
        let root = Root::Data { slot: slot_of_root, name: root.to_owned(), builtin };
        Some(Variable { root, rest: rest.iter().map(|&name| name.to_owned()).collect() })
    }
}

fn slot(names: &mut NameSet, name: &str) -> usize {
    names.insert_full(name.to_owned()).0
}

/// What is the same for all messages of a job, besides its data. What is `None` or empty renders as nothing.
pub struct JobWords {
    /// A JSON object.
    brand: Option<String>,
    /// A JSON object.
    tenant: Option<String>,
    event: String,
    /// The template's id.
    template: String,
    /// The topic's id.
    topic: String,
    year: i16,
}

impl JobWords {
    /// Of messages that are made `now`, some of them of a template.
    pub fn new(
        definition: &Definition,
        brand: Option<Value>,
        template_id: Option<&str>,
        topic: Option<&Topic>,
        now: Timestamp,
    ) -> Self {
        JobWords {
            brand: brand.map(|brand| brand::words(brand).to_string()),
            event: definition.about.event.clone().unwrap_or_default(),
            template: template_id.unwrap_or_default().to_owned(),
            topic: topic.map(|topic| topic.topic_id.clone()).unwrap_or_default(),
            tenant: definition.about.tenant_id.as_deref().map(tenant),
            year: now.year(),
        }
    }
}

/// The global data of a job.
pub struct JobData {
    members: IndexMap<String, String>,
    /// Of the names that are mentioned.
    values: Vec<Option<String>>,
    words: [String; JOB_ROOTS.len()],
    trees: OnceLock<std::result::Result<Trees, String>>,
}

/// The data of a job as trees.
struct Trees {
    data: Map<String, Value>,
    /// All that texts may begin a path with: what the job as a whole is about, under its data.
    roots: Map<String, Value>,
}

impl JobData {
    pub fn new(members: IndexMap<String, String>, words: JobWords, names: &Names) -> Self {
        let values = names.data.iter().map(|name| members.get(name).cloned()).collect();
        JobData { members, values, words: JOB_ROOTS.map(|(_, value)| value(&words)), trees: OnceLock::new() }
    }

    /// Made when first asked for.
    fn trees(&self) -> std::result::Result<&Trees, String> {
        let parse_all = || {
            let data: std::result::Result<Map<_, _>, String> =
                self.members.iter().map(|(name, value)| Ok((name.clone(), parse(value)?))).collect();
            let data = data?;
            let words = JOB_ROOTS.iter().zip(&self.words).map(|((name, _), raw)| Ok(((*name).to_owned(), parse(raw)?)));
            let mut roots = words.collect::<std::result::Result<Map<_, _>, String>>()?;
            roots.extend(data.clone());
            Ok(Trees { data, roots })
        };
        self.trees.get_or_init(parse_all).as_ref().map_err(Clone::clone)
    }
}

/// Where a loop is.
#[derive(Clone, Copy)]
pub struct Round<'v> {
    pub item: &'v Value,
    pub index: usize,
}

/// The values for one user.
pub struct Scope<'a> {
    recipient: &'a str,
    user: &'a User<'a>,
    /// The stored profile.
    stored: Option<&'a str>,
    job: &'a JobData,
    layers: [Option<Object<'a>>; 2],
    /// The tenant of the user, a JSON object, in place of that of the job.
    tenant: Option<String>,
    data_values: Vec<Option<&'a str>>,
    profile_values: Vec<Option<&'a str>>,
    context: OnceCell<std::result::Result<Context, String>>,
}

impl<'a> Scope<'a> {
    /// Data is the job's, under the user's, under that of `to`, merged shallowly; the profile is the `stored` one under
    /// what came with the user.
    pub fn new(
        recipient: &'a str,
        user: &'a User<'a>,
        stored: Option<&'a str>,
        job: &'a JobData,
        names: &Names,
    ) -> Result<Self> {
        let layers = [user.data, user.to().and_then(|to| to.data)];
        let mut data_values: Vec<_> = job.values.iter().map(Option::as_deref).collect();
        if !names.data.is_empty() {
            for layer in layers.iter().flatten() {
                layer.for_each(|name, value| fill(&names.data, &mut data_values, name, value))?;
            }
        }
        let mut profile_values = vec![None; names.profile.len()];
        if !names.profile.is_empty() {
            user.merged_profile(stored, |name, value| fill(&names.profile, &mut profile_values, name, value))?;
        }
        let tenant = user.tenant_id().map(tenant);
        let context = OnceCell::new();
        Ok(Scope { recipient, user, stored, job, layers, tenant, data_values, profile_values, context })
    }

    /// Writes a variable as Handlebars would: nothing if it is missing or null.
    pub fn write(
        &self,
        variable: &Variable,
        round: Option<Round<'_>>,
        out: &mut String,
    ) -> std::result::Result<(), String> {
        // A loop reads its data as a tree: to parse them in every round could take forever.
        if round.is_some() {
            if let Some(value) = self.value(variable, round)? {
                out.push_str(&value.render());
            }
            return Ok(());
        }
        let Root::Data { slot, builtin, .. } = &variable.root else { return Ok(()) };
        if let Some(raw) = self.data_values.get(*slot).copied().flatten() {
            return write_at(raw, &variable.rest, out);
        }
        let below = |values: &[Option<&str>], slot: usize, out: &mut String| match values.get(slot).copied().flatten() {
            Some(raw) => write_at(raw, variable.rest.get(1..).unwrap_or_default(), out),
            None => Ok(()),
        };
        match builtin {
            None => Ok(()),
            Some(Builtin::Recipient) if variable.rest.is_empty() => {
                out.push_str(self.recipient);
                Ok(())
            }
            Some(Builtin::Recipient) => Ok(()),
            Some(Builtin::Data(Some(slot))) => below(&self.data_values, *slot, out),
            Some(Builtin::Profile(Some(slot))) => below(&self.profile_values, *slot, out),
            Some(Builtin::Job(place)) => {
                let own = self.tenant.as_ref().filter(|_| JOB_ROOTS[*place].0 == TENANT);
                write_at(own.unwrap_or(&self.job.words[*place]), &variable.rest, out)
            }
            Some(Builtin::Data(None) | Builtin::Profile(None)) => {
                out.push_str("[object]");
                Ok(())
            }
        }
    }

    /// The value of a variable, if it has one.
    pub fn value<'v>(
        &'v self,
        variable: &Variable,
        round: Option<Round<'v>>,
    ) -> std::result::Result<Option<Cow<'v, Value>>, String> {
        let path = &variable.rest;
        let Root::Data { name, .. } = &variable.root else {
            let Some(Round { item, index }) = round else { return Ok(None) };
            return Ok(match variable.root {
                Root::Index if path.is_empty() => Some(Cow::Owned(Value::from(index))),
                Root::Item => step(item, path)?.map(Cow::Borrowed),
                _ => None,
            });
        };
        let root = self.context()?.data();
        let Some(below) = root.get(name) else { return Ok(None) };
        Ok(step(below, path)?.map(Cow::Borrowed))
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
            layer.for_each(lay).map_err(|error| error.public_message())?;
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
        let Trees { data, roots } = self.job.trees()?;
        let (mut data, mut roots) = (data.clone(), roots.clone());
        if let Some(tenant) = self.tenant.as_ref().filter(|_| !data.contains_key(TENANT)) {
            roots.insert(TENANT.to_owned(), parse(tenant)?);
        }
        for layer in self.layers.iter().flatten() {
            if let Value::Object(layer) = parse(layer.as_str())? {
                data.extend(layer.clone());
                roots.extend(layer);
            }
        }
        roots.entry("data").or_insert_with(|| Value::Object(data));
        if !roots.contains_key("profile") {
            let mut members = Vec::new();
            let each = |name: &str, value| members.push((name.to_owned(), value));
            self.user.merged_profile(self.stored, each).map_err(|error| error.public_message())?;
            let members = members.into_iter().map(|(name, value)| Ok((name, parse(value)?)));
            let profile = members.collect::<std::result::Result<_, String>>()?;
            roots.insert("profile".to_owned(), Value::Object(profile));
        }
        roots.entry("recipient").or_insert_with(|| Value::from(self.recipient));
        Ok(Value::Object(roots))
    }
}

/// What texts know of a tenant, a JSON object.
fn tenant(tenant_id: &str) -> String {
    json!({ "id": tenant_id }).to_string()
}

fn parse(raw: &str) -> std::result::Result<Value, String> {
    serde_json::from_str(raw).map_err(|error| format!("data: {error}"))
}

/// Among so few names it takes longer to hash one than to look at them all.
const FEW: usize = 12;

fn fill<'a>(names: &NameSet, values: &mut [Option<&'a str>], name: &str, value: &'a str) {
    let slot = match names.len() {
        0..=FEW => names.iter().position(|known| known == name),
        _ => names.get_index_of(name),
    };
    if let Some(slot) = slot {
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
    let value = parse(raw)?;
    if let Some(value) = step(&value, path)? {
        out.push_str(&value.render());
    }
    Ok(())
}

/// What `path` leads to from a value.
fn step<'v>(mut at: &'v Value, path: &[String]) -> std::result::Result<Option<&'v Value>, String> {
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
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}
