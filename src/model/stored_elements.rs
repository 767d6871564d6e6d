//! The elements of content: how they are completed and found, and how changes are detected.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::content::Content;
use crate::error::{Error, Result, shown};
use crate::json;

/// The version of Elemental that content has by default.
const ELEMENTAL: &str = "2022-01-01";
/// The most levels of arrays and objects in content: stored content must be readable wherever it is inserted.
const LEVELS: usize = 64;

/// The elements of content, or of an element.
pub fn of(content: &Map<String, Value>) -> &[Value] {
    content.get("elements").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Completes content, as it is stored, or refuses it. It gets a version, and every element gets a type and an id. `at`
/// is the content's path in the request.
pub fn complete(content: &mut Map<String, Value>, at: &str) -> Result<()> {
    if !content.contains_key("elements") {
        return Err(Error::invalid(
            at,
            "expected {\"version\", \"elements\"}; the short form {\"title\", \"body\"} is for sends only",
        ));
    }
    let version = content.entry("version").or_insert(Value::Null);
    if version.is_null() {
        *version = ELEMENTAL.into();
    }
    if content.values().any(|value| depth(value) > LEVELS) {
        return Err(Error::invalid(at, format_args!("expected at most {LEVELS} levels of arrays and objects")));
    }
    if let Some(elements) = content.get_mut("elements") {
        let mut taken = Vec::new();
        collect_ids(elements, &format!("{at}.elements"), &mut taken)?;
        taken.sort();
        if let Some(twice) = taken.windows(2).find(|pair| pair[0] == pair[1]) {
            let shown = shown(&twice[0]);
            return Err(Error::invalid(
                format_args!("{at}.elements"),
                format_args!("two elements have the id '{shown}'"),
            ));
        }
        add_ids(elements, &taken, &mut 0);
    }
    understand(content, at).map(drop)
}

/// Inline content whose elements get all that stored ones may lack; `None` if it has no elements.
pub fn with_types(content: &str) -> Option<String> {
    fn complete(elements: &mut Value) {
        for element in elements.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            add_type(element);
            element.get_mut("elements").into_iter().for_each(complete);
        }
    }
    let mut content: Map<String, Value> = serde_json::from_str(content).ok()?;
    complete(content.get_mut("elements")?);
    Some(Value::Object(content).to_string())
}

/// Parses content for the renderer. Stored content, and content that is to be stored, is read only here.
pub fn understand(content: &Map<String, Value>, at: &str) -> Result<Content> {
    Content::read(&Value::Object(content.clone()).to_string(), at)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The ids that elements have, which are also their names.
fn collect_ids(elements: &Value, at: &str, taken: &mut Vec<String>) -> Result<()> {
    for (i, element) in elements.as_array().into_iter().flatten().enumerate() {
        match element.get("id") {
            None | Some(Value::Null) => {}
            Some(Value::String(id)) if !id.is_empty() => taken.push(id.clone()),
            Some(_) => return Err(Error::invalid(format_args!("{at}[{i}].id"), "expected a string that is not empty")),
        }
        if let Some(children) = element.get("elements") {
            collect_ids(children, &format!("{at}[{i}].elements"), taken)?;
        }
    }
    Ok(())
}

/// Adds a type and an id to the elements that have none. The same content gets the same ids every time.
fn add_ids(elements: &mut Value, taken: &[String], last: &mut u64) {
    for element in elements.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        add_type(element);
        if element.get("id").is_none_or(Value::is_null) {
            let id = loop {
                *last += 1;
                let id = format!("elem_{last}");
                if taken.binary_search(&id).is_err() {
                    break id;
                }
            };
            element.insert("id".to_owned(), id.into());
        }
        if let Some(children) = element.get_mut("elements") {
            add_ids(children, taken, last);
        }
    }
}

/// The members that an element needs, but that it may be stored without.
const EMPTY: [(&str, &[&str]); 5] = [
    ("text", &["content"]),
    ("action", &["content", "href"]),
    ("image", &["src"]),
    ("quote", &["content"]),
    ("html", &["content"]),
];

/// Courier's SDKs may leave out an element's type, and what it shows.
fn add_type(element: &mut Map<String, Value>) {
    let kind = element.entry("type").or_insert(Value::Null);
    if kind.is_null() {
        *kind = "text".into();
    }
    let empty = EMPTY.iter().find(|(name, _)| element["type"] == *name).map_or(&[][..], |(_, fields)| fields);
    if element["type"] == "channel" {
        complete_channel(element);
    }
    let is_whole = element.contains_key("elements");
    for field in empty.iter().filter(|_| !is_whole) {
        let value = element.entry(*field).or_insert(Value::Null);
        if value.is_null() {
            *value = "".into();
        }
    }
}

/// A channel element that names no channel is for all, or for its `channels`. One without elements is empty.
fn complete_channel(element: &mut Map<String, Value>) {
    let lacks = |element: &Map<String, Value>, name: &str| element.get(name).is_none_or(Value::is_null);
    if lacks(element, "channel") {
        element.insert("channel".to_owned(), "default".into());
    }
    if lacks(element, "elements") && lacks(element, "raw") {
        element.insert("elements".to_owned(), Value::Array(Vec::new()));
    }
}

/// An element from a request that has its id in the path: `{type, channels?, if?, loop?, ref?, data?}`. Data holds the
/// type's own fields, which may also stand beside it.
pub fn element(id: &str, mut fields: Map<String, Value>) -> Result<Map<String, Value>> {
    match fields.get("type") {
        Some(Value::String(_)) => {}
        _ => return Err(Error::invalid("type", "expected a string such as \"text\"")),
    }
    match fields.remove("data") {
        None | Some(Value::Null) => {}
        Some(Value::Array(items)) if items.is_empty() => {}
        Some(Value::Object(data)) => {
            let fixed = ["type", "id"];
            fields.extend(data.into_iter().filter(|(name, _)| !fixed.contains(&name.as_str())));
        }
        Some(_) => return Err(Error::invalid("data", "expected an object")),
    }
    fields.retain(|_, value| !value.is_null());
    fields.insert("id".to_owned(), id.into());
    Ok(fields)
}

/// The element with this id, at any level.
pub fn find_element<'a>(content: &'a mut Map<String, Value>, id: &str) -> Option<&'a mut Map<String, Value>> {
    find_in(content.get_mut("elements")?, id)
}

fn find_in<'a>(elements: &'a mut Value, id: &str) -> Option<&'a mut Map<String, Value>> {
    for element in elements.as_array_mut()?.iter_mut().filter_map(Value::as_object_mut) {
        if element.get("id").is_some_and(|found| found == id) {
            return Some(element);
        }
        if let Some(found) = element.get_mut("elements").and_then(|children| find_in(children, id)) {
            return Some(found);
        }
    }
    None
}

/// Sets the translation of an element for a locale.
pub fn set_locale(element: &mut Map<String, Value>, locale_id: &str, fields: Map<String, Value>) {
    let locales = element.entry("locales").or_insert_with(|| Map::new().into());
    if !locales.is_object() {
        *locales = Map::new().into();
    }
    if let Some(locales) = locales.as_object_mut() {
        locales.insert(locale_id.to_owned(), fields.into());
    }
}

/// Calls `each` with every element in the order of the document.
pub fn for_each_element(content: &Map<String, Value>, each: &mut impl FnMut(&Map<String, Value>)) {
    for element in of(content).iter().filter_map(Value::as_object) {
        each(element);
        for_each_element(element, each);
    }
}

/// Detects changes of an element: 32 hex digits over all but its id, its locales and its children.
pub fn checksum(element: &Map<String, Value>) -> String {
    digest(element.iter().filter(|(name, _)| !["id", "locales", "elements"].contains(&name.as_str())))
}

fn digest<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut hash = Sha256::new();
    for (name, value) in members {
        hash.update(format!("{}:{value},", json::quoted(name)));
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The content with the checksums of its elements and of their locales.
pub fn with_checksums(mut content: Map<String, Value>) -> Map<String, Value> {
    if let Some(elements) = content.get_mut("elements") {
        add_checksums(elements);
    }
    content
}

fn add_checksums(elements: &mut Value) {
    for element in elements.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let sum = checksum(element);
        if let Some(locales) = element.get_mut("locales").and_then(Value::as_object_mut) {
            for locale in locales.values_mut().filter_map(Value::as_object_mut) {
                let sum = digest(locale.iter());
                locale.insert("checksum".to_owned(), sum.into());
            }
        }
        if let Some(children) = element.get_mut("elements") {
            add_checksums(children);
        }
        element.insert("checksum".to_owned(), sum.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn completed(content: Value) -> Result<Value> {
        let Value::Object(mut content) = content else { panic!("content is an object") };
        complete(&mut content, "content")?;
        Ok(content.into())
    }

    #[test]
    fn elements_get_ids_that_are_free() {
        let given = json!({ "elements": [
            { "type": "group", "elements": [{ "type": "divider" }, { "type": "divider", "id": "elem_2" }] },
            { "type": "divider", "id": "mine" },
            {},
            { "type": "action" }, { "type": "image", "src": null }, { "type": "quote" }, { "type": "html" },
        ]});
        let expected = json!({ "version": "2022-01-01", "elements": [
            { "type": "group", "id": "elem_1", "elements": [
                { "type": "divider", "id": "elem_3" }, { "type": "divider", "id": "elem_2" },
            ]},
            { "type": "divider", "id": "mine" },
            { "type": "text", "content": "", "id": "elem_4" },
            { "type": "action", "content": "", "href": "", "id": "elem_5" },
            { "type": "image", "src": "", "id": "elem_6" },
            { "type": "quote", "content": "", "id": "elem_7" },
            { "type": "html", "content": "", "id": "elem_8" },
        ]});
        let once = completed(given).unwrap();
        assert_eq!(once, expected);
        assert_eq!(completed(once).unwrap(), expected);
    }

    #[test]
    fn content_that_cannot_be_is_refused_by_its_path() {
        let mut deep = json!([]);
        (0..70).for_each(|_| deep = json!([deep]));
        let cases = [
            (json!({ "title": "Hi", "body": "there" }), "content: expected {"),
            (json!({ "elements": {} }), "content: 'elements' must be an array"),
            (json!({ "elements": [5] }), "content.elements[0]: expected an object"),
            (json!({ "elements": [{ "content": 5 }] }), "content.elements[0].content: expected a string"),
            (json!({ "elements": [{ "id": 5 }] }), "content.elements[0].id: expected a string"),
            (json!({ "elements": [{ "elements": [{ "id": "" }] }] }), "content.elements[0].elements[0].id: expected"),
            (json!({ "elements": [{ "id": "a" }, { "id": "a" }] }), "content.elements: two elements have the id 'a'"),
            (json!({ "elements": [{ "raw": deep }] }), "content: expected at most 64 levels"),
        ];
        for (content, expected) in cases {
            let error = completed(content).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error:.200}");
        }
    }

    #[test]
    fn a_checksum_changes_with_the_words_and_not_with_id_or_locales() {
        let sum = |element: Value| checksum(element.as_object().unwrap());
        let plain = sum(json!({ "type": "text", "content": "Hi" }));
        assert_eq!(plain.len(), 32);
        assert_eq!(plain, sum(json!({ "id": "a", "content": "Hi", "type": "text", "locales": { "de": {} } })));
        assert_ne!(plain, sum(json!({ "type": "text", "content": "Ho" })));
    }
}
