//! The values that the texts of one message may mention: the merged data, the profile and the recipient.

use std::cell::OnceCell;
use std::sync::OnceLock;

use hashbrown::DefaultHashBuilder;
use indexmap::{Equivalent, IndexMap, IndexSet};
use serde_json::json;

use super::limits::{TEXT_BYTES, too_long};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::json;
use crate::model::data::{self, Data, UserLayers};
use crate::model::definition::Definition;
use crate::model::resolved::ResolvedTopic;
use crate::model::user::User;
use crate::template::{self, Heap, Noted, Problem, Root, Value};

/// The names that the texts of a job mention, so that only these are looked up for each user.
#[derive(Default)]
pub struct NameTable {
    data: NameSet,
    profile: NameSet,
    /// By the numbers that texts use for them.
    variables: IndexMap<(String, Option<String>), Variable, DefaultHashBuilder>,
}

/// With a faster hash than the default, which is for sets whose members an attacker may choose.
type NameSet = IndexSet<String, DefaultHashBuilder>;

/// Where to find a variable, resolved when its text is compiled. A name is looked up in the data. The other roots apply
/// if the data has no such name.
#[derive(Clone, Copy)]
struct Variable {
    /// The name's number among those of the data.
    slot: usize,
    builtin: Option<Builtin>,
}

#[derive(Clone, Copy)]
enum Builtin {
    /// All data, or one name of it.
    Data(Option<usize>),
    Profile(Option<usize>),
    Recipient,
    /// By its place in [`JOB_ROOTS`].
    Job(usize),
}

const TENANT: &str = "tenant";

/// Names for values of the job as a whole, and these values, as JSON. Message and tracking ids are unknown until the
/// message is written.
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

type JobRoot = fn(&JobVariables) -> String;

fn object(json: Option<&String>) -> String {
    json.map_or("null", String::as_str).to_owned()
}

/// There is no page at any of them. The domain cannot be registered.
fn urls() -> String {
    let urls = json!({
        "opened": "https://bulkd.invalid/opened",
        "unsubscribe": "https://bulkd.invalid/unsubscribe",
        "preferences": "https://bulkd.invalid/preferences",
    });
    urls.to_string()
}

impl template::Names for NameTable {
    /// A path behind `$.` means the same without it.
    fn note(&mut self, path: &[&str]) -> Noted {
        let (root, rest, dollar) = match path {
            ["$"] => ("data", &[][..], 1),
            ["$", root, rest @ ..] => (*root, rest, 1),
            [root, rest @ ..] => (*root, rest, 0),
            [] => ("data", &[][..], 0),
        };
        // For the data and for a profile, one name is looked up at once.
        let next = rest.first().filter(|_| root == "data" || root == "profile");
        let taken = (dollar + usize::from(path != ["$"]) + usize::from(next.is_some())).min(path.len());
        let name = Name(root, next.copied());
        if let Some(slot) = self.variables.get_index_of(&name) {
            return Noted { slot: slot as u32, taken };
        }
        let slot_of_root = slot(&mut self.data, root);
        let builtin = match root {
            "data" => Some(Builtin::Data(next.map(|name| slot(&mut self.data, name)))),
            "profile" => Some(Builtin::Profile(next.map(|name| slot(&mut self.profile, name)))),
            "recipient" => Some(Builtin::Recipient),
            root => JOB_ROOTS.iter().position(|(known, _)| *known == root).map(Builtin::Job),
        };
        let key = (root.to_owned(), next.map(|next| (*next).to_owned()));
        let (slot, _) = self.variables.insert_full(key, Variable { slot: slot_of_root, builtin });
        Noted { slot: slot as u32, taken }
    }
}

/// A key of [`NameTable::variables`] that is looked up.
#[derive(Hash)]
struct Name<'n>(&'n str, Option<&'n str>);

impl Equivalent<(String, Option<String>)> for Name<'_> {
    fn equivalent(&self, (root, next): &(String, Option<String>)) -> bool {
        self.0 == root && self.1 == next.as_deref()
    }
}

fn slot(names: &mut NameSet, name: &str) -> usize {
    names.get_index_of(name).unwrap_or_else(|| names.insert_full(name.to_owned()).0)
}

/// What is the same for all messages of a job, besides its data. `None` or empty values render as nothing.
pub struct JobVariables {
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

impl JobVariables {
    /// Of messages that are made `now`, some of them of a template.
    pub fn new(
        definition: &Definition,
        brand: Option<serde_json::Value>,
        template_id: Option<&str>,
        topic: Option<&ResolvedTopic>,
        now: Timestamp,
    ) -> Self {
        JobVariables {
            brand: brand.map(|brand| brand_values(brand).to_string()),
            event: definition.options.event.clone().unwrap_or_default(),
            template: template_id.unwrap_or_default().to_owned(),
            topic: topic.map(|topic| topic.topic_id.clone()).unwrap_or_default(),
            tenant: definition.options.tenant_id.as_deref().map(tenant),
            year: now.year(),
        }
    }
}

/// The global data of a job.
pub struct JobData {
    members: Data,
    /// For each name that is mentioned, the place of its member.
    places: Vec<Option<usize>>,
    words: JobVariables,
    /// As JSON, in the order of [`JOB_ROOTS`]. Few are ever used.
    roots: [OnceLock<String>; JOB_ROOTS.len()],
}

impl JobData {
    pub fn new(members: Data, words: JobVariables, names: &NameTable) -> Self {
        let places = names.data.iter().map(|name| members.get_index_of(name)).collect();
        JobData { members, places, words, roots: Default::default() }
    }

    fn root(&self, place: usize) -> &str {
        self.roots[place].get_or_init(|| JOB_ROOTS[place].1(&self.words))
    }
}

/// The values for one user.
pub struct Scope<'a> {
    recipient: &'a str,
    user: &'a User<'a>,
    /// The stored profile.
    stored: Option<&'a str>,
    job: &'a JobData,
    layers: UserLayers<'a>,
    /// The tenant of the user, a JSON object, in place of the job's.
    tenant: Option<String>,
    data_values: Vec<Option<&'a str>>,
    profile_values: Vec<Option<&'a str>>,
    names: &'a NameTable,
    /// The merged profile, as JSON. Made when first asked for.
    profile: OnceCell<std::result::Result<String, String>>,
    /// The first part of a text that had no effect.
    told: OnceCell<String>,
}

impl<'a> Scope<'a> {
    /// Data is the job's, overlaid by the user's and by that of `to`, merged shallowly. The profile is the `stored`
    /// one, overlaid by the one that came with the user.
    pub fn new(
        recipient: &'a str,
        user: &'a User<'a>,
        stored: Option<&'a str>,
        job: &'a JobData,
        names: &'a NameTable,
    ) -> Result<Self> {
        let layers = user.data_layers();
        let value = |place: &Option<usize>| Some(job.members.get_index((*place)?)?.1.as_str());
        let mut data_values: Vec<_> = job.places.iter().map(value).collect();
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
        let (profile, told) = (OnceCell::new(), OnceCell::new());
        Ok(Scope { recipient, user, stored, job, layers, tenant, data_values, profile_values, names, profile, told })
    }

    /// The first part without effect in the texts that were rendered.
    pub fn told(&self) -> Option<&str> {
        self.told.get().map(String::as_str)
    }

    /// The merged data as one JSON object: the job's names first, then the user's, in the order in which they were
    /// sent.
    pub fn write_data(&self, out: &mut String) -> std::result::Result<(), String> {
        let members = data::of_message(&self.job.members, self.layers).map_err(|error| error.public_message())?;
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
        if out.len() - start > TEXT_BYTES { Err(too_long()) } else { Ok(()) }
    }

    fn profile(&self) -> std::result::Result<&str, Problem> {
        let write = || {
            let mut members: IndexMap<String, &str> = IndexMap::new();
            let lay = |name: &str, value| {
                members.insert(name.to_owned(), value);
            };
            self.user.merged_profile(self.stored, lay).map_err(|error| error.public_message())?;
            let members = members.iter().map(|(name, value)| format!("{}:{value}", json::quoted(name)));
            Ok(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
        };
        self.profile.get_or_init(write).as_deref().map_err(|problem: &String| Problem::new(problem.clone()))
    }

    /// The value of a root if the data has no such name.
    fn builtin<'h>(&'h self, builtin: Builtin, heap: &Heap<'h>) -> std::result::Result<Value<'h>, Problem> {
        let of = |values: &[Option<&'h str>], slot: usize| match values.get(slot).copied().flatten() {
            Some(raw) => heap.json(raw),
            None => Ok(Value::Undefined),
        };
        match builtin {
            Builtin::Recipient => Ok(Value::Text(self.recipient)),
            Builtin::Data(Some(slot)) => of(&self.data_values, slot),
            Builtin::Profile(Some(slot)) => of(&self.profile_values, slot),
            Builtin::Data(None) => Ok(Value::Object(heap.root_members()?)),
            Builtin::Profile(None) => heap.json(self.profile()?),
            Builtin::Job(place) => {
                let own = self.tenant.as_ref().filter(|_| JOB_ROOTS[place].0 == TENANT);
                heap.json(own.map_or_else(|| self.job.root(place), String::as_str))
            }
        }
    }
}

impl Root for Scope<'_> {
    fn noted<'h>(&'h self, slot: usize, heap: &Heap<'h>) -> std::result::Result<Value<'h>, Problem> {
        let Some(((_, next), variable)) = self.names.variables.get_index(slot) else { return Ok(Value::Undefined) };
        match (self.data_values.get(variable.slot).copied().flatten(), next) {
            (Some(raw), None) => heap.json(raw),
            (Some(raw), Some(next)) => match heap.json(raw)? {
                value if value.is_nothing() => Ok(value),
                value => value.member(next, heap),
            },
            (None, _) => variable.builtin.map_or(Ok(Value::Undefined), |builtin| self.builtin(builtin, heap)),
        }
    }

    fn find<'h>(&'h self, name: &str, heap: &Heap<'h>) -> std::result::Result<Value<'h>, Problem> {
        for layer in self.layers.iter().rev().flatten() {
            let value = heap.member_of(layer.as_str(), name)?;
            if !matches!(value, Value::Undefined) {
                return Ok(value);
            }
        }
        if let Some(raw) = self.job.members.get(name) {
            return heap.json(raw);
        }
        match name {
            // A path behind it means the same without it.
            "$" => Ok(Value::Root),
            "data" => self.builtin(Builtin::Data(None), heap),
            "profile" => self.builtin(Builtin::Profile(None), heap),
            "recipient" => self.builtin(Builtin::Recipient, heap),
            name => match JOB_ROOTS.iter().position(|(known, _)| *known == name) {
                Some(place) => self.builtin(Builtin::Job(place), heap),
                None => Ok(Value::Undefined),
            },
        }
    }

    /// The other roots are found only by their names.
    fn members<'h>(&'h self, heap: &Heap<'h>) -> std::result::Result<Vec<(&'h str, Value<'h>)>, Problem> {
        let mut members = Vec::new();
        for (name, value) in &self.job.members {
            members.push((name.as_str(), heap.json(value)?));
        }
        for layer in self.layers.iter().flatten() {
            members.extend_from_slice(heap.members_of(layer.as_str())?);
        }
        Ok(members)
    }

    fn tell(&self, what: &dyn Fn() -> String) {
        self.told.get_or_init(what);
    }
}

/// A brand's values for texts: its settings, such as `brand.colors.primary`, its id and its name.
fn brand_values(mut brand: serde_json::Value) -> serde_json::Value {
    let mut values = brand["settings"].take();
    if !values.is_object() {
        values = json!({});
    }
    values["id"] = brand["id"].take();
    values["name"] = brand["name"].take();
    values
}

/// A tenant's values for texts, a JSON object.
fn tenant(tenant_id: &str) -> String {
    json!({ "id": tenant_id }).to_string()
}

/// With so few names, hashing one takes longer than comparing them all.
const FEW_NAMES: usize = 12;

fn fill<'a>(names: &NameSet, values: &mut [Option<&'a str>], name: &str, value: &'a str) {
    let slot = match names.len() {
        0..=FEW_NAMES => names.iter().position(|known| known == name),
        _ => names.get_index_of(name),
    };
    if let Some(slot) = slot {
        values[slot] = Some(value);
    }
}
