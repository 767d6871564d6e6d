//! The memory of one rendering: everything that is made on the way lives until the text is written, so that values are
//! as cheap to copy as references.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use bumpalo::Bump;
use hashbrown::HashMap;

use super::budget::{Problem, RenderBudget, TEXT_BYTES};
use super::number;
use super::values::{MemberList, Value};
use crate::json::scan::{Items, Members, Quoted};

/// The values of names at the top.
pub trait Root {
    /// The value of a name that was noted when the text was compiled, by its number.
    fn noted<'a>(&'a self, slot: usize, heap: &Heap<'a>) -> Result<Value<'a>, Problem>;
    /// The value of any name.
    fn find<'a>(&'a self, name: &str, heap: &Heap<'a>) -> Result<Value<'a>, Problem>;
    /// All members for a loop over everything, in the order in which they were sent. A name may occur again: the last
    /// counts.
    fn members<'a>(&'a self, heap: &Heap<'a>) -> Result<Vec<(&'a str, Value<'a>)>, Problem>;
    /// Is called with a part of a text that has no effect.
    fn tell(&self, _what: &dyn Fn() -> String) {}
}

pub struct Heap<'a> {
    arena: &'a Bump,
    pub root: &'a dyn Root,
    pub budget: RenderBudget,
    /// Most texts need none of it.
    seen: OnceCell<Box<Seen<'a>>>,
    /// The values of `set`, by the object that they were set on.
    assigned: OnceCell<Box<Assigned<'a>>>,
}

type Assigned<'a> = RefCell<HashMap<(usize, &'a str), Value<'a>>>;

/// What was parsed once, by the place where its JSON begins. An address identifies a value: the arena and the data
/// outlive the heap, nothing is freed, and no two objects, lists or texts of JSON begin at one place.
#[derive(Default)]
struct Seen<'a> {
    root_members: OnceCell<MemberList<'a>>,
    /// For objects of which all members were needed.
    members: RefCell<HashMap<usize, MemberList<'a>>>,
    /// For objects with more than [`FEW`] members, the value of each name.
    indexes: RefCell<HashMap<usize, HashMap<&'a str, Value<'a>>>>,
    items: RefCell<HashMap<usize, &'a [Value<'a>]>>,
    /// The content of long texts.
    texts: RefCell<HashMap<usize, &'a str>>,
}

/// Objects and texts up to this length are parsed each time.
const SHORT_BYTES: usize = 256;

/// So many members are searched faster than a hash is computed.
const FEW: usize = 16;

impl<'a> Heap<'a> {
    pub fn new(arena: &'a Bump, root: &'a dyn Root) -> Self {
        Heap { arena, root, budget: RenderBudget::default(), seen: OnceCell::new(), assigned: OnceCell::new() }
    }

    fn seen(&self) -> &Seen<'a> {
        self.seen.get_or_init(Box::default)
    }

    /// Gives an object a further member. A value that is not an object has none.
    pub fn assign(&self, object: Value<'a>, name: &'a str, value: Value<'a>) -> Result<(), Problem> {
        if let Some(identity) = identity(object) {
            self.budget.bytes(size_of::<(usize, &str, Value<'_>)>())?;
            self.assigned.get_or_init(Box::default).borrow_mut().insert((identity, name), value);
        }
        Ok(())
    }

    /// The member that an object was given under a name.
    pub fn assigned(&self, object: Value<'a>, name: &str) -> Option<Value<'a>> {
        self.assigned.get()?.borrow().get(&(identity(object)?, name)).copied()
    }

    /// Keeps a text.
    pub fn text(&self, text: &str) -> Result<&'a str, Problem> {
        if text.len() > TEXT_BYTES {
            return Err(Problem::too_long());
        }
        self.budget.bytes(text.len())?;
        Ok(self.arena.alloc_str(text))
    }

    /// Keeps a list.
    pub fn list(&self, items: &[Value<'a>]) -> Result<&'a [Value<'a>], Problem> {
        self.kept(items, Value::Undefined)
    }

    /// Keeps members.
    pub fn object(&self, members: &[(&'a str, Value<'a>)]) -> Result<MemberList<'a>, Problem> {
        self.kept(members, ("", Value::Undefined))
    }

    /// Keeps parts of a value in memory of their own, which identifies the value, even an empty one.
    fn kept<T: Copy>(&self, parts: &[T], filler: T) -> Result<&'a [T], Problem> {
        self.budget.bytes(size_of_val(parts).max(size_of::<T>()))?;
        if parts.is_empty() {
            return Ok(self.arena.alloc_slice_copy(&[filler]).split_at(0).0);
        }
        Ok(self.arena.alloc_slice_copy(parts))
    }

    /// All members at the top.
    pub fn root_members(&self) -> Result<MemberList<'a>, Problem> {
        if let Some(members) = self.seen().root_members.get() {
            return Ok(members);
        }
        let members = self.root.members(self)?;
        self.budget.bytes(size_of_val(members.as_slice()))?;
        let members = self.object(&in_order(members))?;
        Ok(self.seen().root_members.get_or_init(|| members))
    }

    /// A value in JSON that was parsed before.
    #[inline]
    pub fn json(&self, raw: &'a str) -> Result<Value<'a>, Problem> {
        let bytes = raw.as_bytes();
        Ok(match bytes.first() {
            Some(b'"') => Value::Text(self.text_of(raw)?),
            Some(b'{') => Value::JsonObject(raw),
            Some(b'[') => Value::JsonList(raw),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            Some(_) => Value::Number(json_number(raw)),
            None => Value::Undefined,
        })
    }

    /// The content of a JSON string.
    fn text_of(&self, raw: &'a str) -> Result<&'a str, Problem> {
        if raw.len() > SHORT_BYTES {
            return self.text_of_long(raw);
        }
        self.read_text(raw)
    }

    fn read_text(&self, raw: &'a str) -> Result<&'a str, Problem> {
        self.budget.scanned(raw.len())?;
        Quoted::of(raw).map_or(Ok(""), |quoted| self.unquoted(quoted))
    }

    fn text_of_long(&self, raw: &'a str) -> Result<&'a str, Problem> {
        let place = raw.as_ptr() as usize;
        if let Some(text) = self.seen().texts.borrow().get(&place) {
            return Ok(text);
        }
        let text = self.read_text(raw)?;
        self.seen().texts.borrow_mut().insert(place, text);
        Ok(text)
    }

    fn unquoted(&self, quoted: Quoted<'a>) -> Result<&'a str, Problem> {
        match quoted.plain() {
            Some(text) => Ok(text),
            None => self.text(&quoted.unescaped().unwrap_or(Cow::Borrowed(""))),
        }
    }

    /// The member of an object in JSON. Of several with one name it is the last.
    pub fn member_of(&self, object: &'a str, name: &str) -> Result<Value<'a>, Problem> {
        if object.len() > SHORT_BYTES {
            return self.member_of_long(object, name);
        }
        self.budget.scanned(object.len())?;
        let mut found = None;
        for (known, value) in Members::of(object) {
            let is_it = match known.plain() {
                Some(known) => known == name,
                None => known.unescaped().is_some_and(|known| known == name),
            };
            if is_it {
                found = Some(value);
            }
        }
        found.map_or(Ok(Value::Undefined), |raw| self.json(raw))
    }

    fn member_of_long(&self, object: &'a str, name: &str) -> Result<Value<'a>, Problem> {
        let members = self.members_of(object)?;
        if members.len() <= FEW {
            return Ok(self.member_in(members, name)?.unwrap_or(Value::Undefined));
        }
        let mut indexes = self.seen().indexes.borrow_mut();
        let index = indexes.entry(object.as_ptr() as usize).or_insert_with(|| members.iter().copied().collect());
        Ok(index.get(name).copied().unwrap_or(Value::Undefined))
    }

    /// The member of a name. Long names may differ only at their ends.
    pub fn member_in(&self, members: MemberList<'a>, name: &str) -> Result<Option<Value<'a>>, Problem> {
        self.budget.steps(members.len() / FEW)?;
        if name.len() > SHORT_BYTES {
            self.budget.scanned(name.len().saturating_mul(members.len()))?;
        }
        Ok(members.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
    }

    /// All members of an object in JSON.
    pub fn members_of(&self, object: &'a str) -> Result<MemberList<'a>, Problem> {
        let place = object.as_ptr() as usize;
        if let Some(members) = self.seen().members.borrow().get(&place) {
            return Ok(members);
        }
        self.budget.scanned(object.len())?;
        let mut members: Vec<(&'a str, Value<'a>)> = Vec::new();
        for (name, value) in Members::of(object) {
            members.push((self.unquoted(name)?, self.json(value)?));
        }
        let members = self.object(&in_order(members))?;
        self.seen().members.borrow_mut().insert(place, members);
        Ok(members)
    }

    /// All items of a list in JSON.
    pub fn items_of(&self, list: &'a str) -> Result<&'a [Value<'a>], Problem> {
        let place = list.as_ptr() as usize;
        if let Some(items) = self.seen().items.borrow().get(&place) {
            return Ok(items);
        }
        self.budget.scanned(list.len())?;
        let mut items = Vec::new();
        for raw in Items::of(list) {
            items.push(self.json(raw)?);
        }
        let items = self.list(&items)?;
        self.seen().items.borrow_mut().insert(place, items);
        Ok(items)
    }
}

/// The identity of an object.
fn identity(object: Value<'_>) -> Option<usize> {
    match object {
        Value::Root => Some(0),
        Value::JsonObject(object) => Some(object.as_ptr() as usize),
        Value::Object(members) | Value::RootWith(members) => Some(members.as_ptr() as usize),
        _ => None,
    }
}

/// A number as JavaScript reads it.
fn json_number(raw: &str) -> f64 {
    if raw.len() <= 15 && raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return raw.bytes().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0')) as f64;
    }
    raw.parse().unwrap_or(f64::NAN)
}

/// Members in JavaScript's order: a repeated name has its last value at its first place.
pub fn in_order<'a>(members: Vec<(&'a str, Value<'a>)>) -> Vec<(&'a str, Value<'a>)> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(members.len());
    let mut single: Vec<(&'a str, Value<'a>)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let place = *places.entry(name).or_insert(single.len());
        match single.get_mut(place) {
            Some(member) => member.1 = value,
            None => single.push((name, value)),
        }
    }
    // Names that are indexes come first, in the order of their numbers.
    if single.iter().any(|(name, _)| number::index(name).is_some()) {
        single.sort_by_key(|(name, _)| number::index(name).map_or((1, 0), |index| (0, index)));
    }
    single
}
