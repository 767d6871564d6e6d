//! The table of routes as an OpenAPI document, for tools. What a route takes and gives is read from its row. What the
//! names in it stand for is said in `openapi.json`, once for all routes.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::bounds;
use super::call::Answer;
use super::route::Route;
use crate::http::Method;
use crate::json::shape::Shape;

/// What names stand for: `members` of bodies and answers, `words` behind a status (`200 with the brand`), `parameters`,
/// and the `schemas` that they refer to.
const NOUNS: &str = include_str!("openapi.json");

const JSON: &str = "application/json";

/// `GET /_bulkd/openapi.json`: 200. Needs no key.
pub fn get(routes: &'static [Route]) -> Answer {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    Answer::new(200, DOCUMENT.get_or_init(|| document(routes).to_string()).as_str())
}

/// What names stand for, with the bounds that the code uses.
fn nouns() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| {
        let mut nouns = serde_json::from_str(NOUNS).unwrap_or_default();
        bounds::fill(&mut nouns);
        nouns
    })
}

/// The document of all routes.
fn document(routes: &[Route]) -> Value {
    let nouns = nouns();
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route, nouns);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bulkd",
            "summary": "A local server compatible with Courier's Bulk API, and a bench for tests.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "An API key, which names an environment." },
            },
            "schemas": nouns["schemas"],
        },
    })
}

/// What a route takes, as the arguments of a call: the parameters of its path and its query, and the members of its body.
pub fn arguments(route: &Route) -> Value {
    let nouns = nouns();
    let mut arguments = json!({ "type": "object", "properties": {} });
    let mut required: Vec<Value> = Vec::new();
    for parameter in parameters(route, nouns).into_iter().filter(|it| it["in"] != "header") {
        if let Some(name) = parameter["name"].as_str() {
            arguments["properties"][name] = within(&parameter["schema"], nouns, 0);
            required.extend((parameter["required"] == true).then(|| name.into()));
        }
    }
    if let Some(body) = body(route, nouns) {
        let body = within(&body, nouns, 0);
        let forms = body["anyOf"].as_array().or(body["oneOf"].as_array());
        for form in std::iter::once(&body).chain(forms.into_iter().flatten()) {
            for (name, member) in form["properties"].as_object().into_iter().flatten() {
                arguments["properties"][name] = member.clone();
            }
        }
        required.extend(body["required"].as_array().into_iter().flatten().cloned());
    }
    if !required.is_empty() {
        arguments["required"] = required.into();
    }
    arguments
}

/// The most levels of schemas inside one another, where none refers to another.
const DEPTH: usize = 12;

/// A schema with its references replaced by what they refer to.
fn within(schema: &Value, nouns: &Value, depth: usize) -> Value {
    if depth > DEPTH {
        return json!({});
    }
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
    if let Some(name) = named {
        return within(&nouns["schemas"][name], nouns, depth + 1);
    }
    match schema {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), within(value, nouns, depth + 1))).collect()
        }
        Value::Array(values) => values.iter().map(|value| within(value, nouns, depth + 1)).collect(),
        other => other.clone(),
    }
}

fn body(route: &Route, nouns: &Value) -> Option<Value> {
    if route.body.is_empty() {
        return None;
    }
    let shape = || Shape::find(route.body).map_or(json!({}), |(shape, _)| schema(&shape, route, nouns));
    Some(route.named("body").unwrap_or_else(shape))
}

fn operation(route: &Route, nouns: &Value) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "tags": [tag(route.path)],
        "responses": responses(route, nouns),
    });
    if !route.needs_key() {
        operation["security"] = json!([]);
    }
    let parameters = parameters(route, nouns);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(schema) = body(route, nouns) {
        let whole = within(&schema, nouns, 0);
        let is_required = whole.get("anyOf").is_some()
            || whole.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
        operation["requestBody"] = json!({
            "description": route.body,
            "required": is_required,
            "content": { JSON: { "schema": schema } },
        });
    }
    operation
}

/// `Create a job` → `createJob`.
fn operation_id(route: &Route) -> String {
    let words = route.about.split(|c: char| !c.is_ascii_alphanumeric() && c != '\'').map(|word| word.replace('\'', ""));
    let mut id = String::new();
    for word in words.filter(|word| !matches!(word.as_str(), "" | "a" | "an" | "the")) {
        let (first, rest) = word.split_at(1);
        id += &if id.is_empty() { first.to_ascii_lowercase() } else { first.to_ascii_uppercase() };
        id += rest;
    }
    id
}

fn tag(path: &str) -> &str {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "_bulkd" => "bulkd",
        "" => "ui",
        first => first,
    }
}

/// The same, or what means none: the word `null`, or an empty value.
fn or_null(mut schema: Value) -> Value {
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.extend([Value::Null, json!("")]);
        return schema;
    }
    let Some(kind) = schema.get_mut("type") else {
        return json!({ "anyOf": [schema, { "enum": [null, ""] }] });
    };
    let is_text = *kind == "string";
    *kind = json!([kind, "null"]);
    let takes_empty = is_text && !["minLength", "pattern", "format"].iter().any(|name| schema.get(name).is_some());
    if takes_empty { schema } else { json!({ "anyOf": [schema, { "const": "" }] }) }
}

fn parameters(route: &Route, nouns: &Value) -> Vec<Value> {
    let known = |name: &str| nouns["parameters"].get(name).cloned().unwrap_or_else(|| json!({ "type": "string" }));
    let of_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path = of_path.map(|name| {
        let mut schema = known(name);
        schema["minLength"] = 1.into();
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let of_query =
        route.query.iter().map(|name| json!({ "name": name, "in": "query", "schema": or_null(known(name)) }));
    let mut all: Vec<Value> = of_path.chain(of_query).collect();
    if route.method == Method::Post && route.needs_key() {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": nouns["parameters"]["Idempotency-Key"],
        }));
    }
    all
}

/// The responses in `answers`: a status, what its body has, what it means, and perhaps further ones.
fn responses(route: &Route, nouns: &Value) -> Value {
    let mut responses = json!({
        "default": {
            "description": "A refusal, or a failure.",
            "content": { JSON: { "schema": { "$ref": "#/components/schemas/Error" } } },
        },
    });
    for (status, text) in statuses(route.answers) {
        let mut response = json!({ "description": text.trim_matches([' ', ',', ';']) });
        let schema = match Shape::find(text) {
            Some((shape, _)) => Some(schema(&shape, route, nouns)),
            None => word(text, nouns),
        };
        // A refusal may also come from a step before the route.
        let refusal = responses["default"]["content"][JSON]["schema"].clone();
        let schema = match schema {
            Some(schema) if !status.starts_with('2') => Some(json!({ "anyOf": [schema, refusal] })),
            schema => schema,
        };
        let schema = route.named("answer").filter(|_| status.starts_with('2')).or(schema);
        if response["description"] == "" {
            response["description"] = route.about.into();
        }
        match schema {
            Some(schema) => response["content"] = json!({ route.content_type: { "schema": schema } }),
            None if status == "204" => {}
            None if !status.starts_with(['2', '1']) => {
                response["content"] = responses["default"]["content"].clone();
            }
            None if status == "200" => response["content"] = json!({ route.content_type: {} }),
            None => {}
        }
        responses[status] = response;
    }
    responses
}

/// The statuses in a text, each with what is said of it.
fn statuses(text: &str) -> Vec<(&str, &str)> {
    let is_status = |at: usize| {
        let digits = text.get(at..at + 3).is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        digits
            && is_edge(at.checked_sub(1).and_then(|at| text.as_bytes().get(at)))
            && is_edge(text.as_bytes().get(at + 3))
    };
    let found: Vec<usize> = (0..text.len()).filter(|at| is_status(*at)).collect();
    let ends = found.iter().skip(1).copied().chain([text.len()]);
    found.iter().zip(ends).map(|(at, end)| (&text[*at..at + 3], &text[at + 3..end])).collect()
}

/// What stands behind a status in words: `200 with the brand`.
fn word(text: &str, nouns: &Value) -> Option<Value> {
    let words = nouns["words"].as_object()?;
    words.iter().find(|(words, _)| text.contains(words.as_str())).map(|(_, schema)| schema.clone())
}

fn schema(shape: &Shape<'_>, route: &Route, nouns: &Value) -> Value {
    match shape {
        Shape::Array(None) => json!({ "type": "array" }),
        Shape::Array(Some(item)) => json!({ "type": "array", "items": schema(item, route, nouns) }),
        Shape::Plain(kind) => json!({ "type": kind.name() }),
        Shape::Text(text) => json!({ "const": text }),
        Shape::Any(all) => json!({ "anyOf": all.iter().map(|it| schema(it, route, nouns)).collect::<Vec<_>>() }),
        Shape::Object { members, .. } => {
            let mut properties = Map::new();
            for member in members {
                let named = || route.named(member.name).or_else(|| nouns["members"].get(member.name).cloned());
                let value = match &member.value {
                    None | Some(Shape::Array(None)) => named().unwrap_or_else(|| json!({})),
                    Some(value) => schema(value, route, nouns),
                };
                properties.insert(member.name.to_owned(), value);
            }
            let required: Vec<&str> = members.iter().filter(|it| !it.is_optional).map(|it| it.name).collect();
            let mut object = json!({ "type": "object", "properties": properties });
            if !required.is_empty() {
                object["required"] = json!(required);
            }
            object
        }
    }
}

impl Route {
    /// The schema of a member of this route, if its name alone does not tell. `[User]` is an array of them.
    fn named(&self, member: &str) -> Option<Value> {
        let (_, schema) = self.schemas.iter().find(|(name, _)| *name == member)?;
        let of_name = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        Some(match schema.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(item) => json!({ "type": "array", "items": of_name(item) }),
            None => of_name(schema),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::routes::ROUTES;
    use super::*;

    /// Each member that a shape has without saying what it is.
    fn names(shape: &Shape<'_>, found: &mut BTreeSet<String>) {
        match shape {
            Shape::Array(item) => item.iter().for_each(|item| names(item, found)),
            Shape::Object { members, .. } => members.iter().for_each(|member| match &member.value {
                None | Some(Shape::Array(None)) => {
                    found.insert(member.name.to_owned());
                }
                Some(value) => names(value, found),
            }),
            Shape::Any(all) => all.iter().for_each(|it| names(it, found)),
            Shape::Plain(_) | Shape::Text(_) => {}
        }
    }

    #[test]
    fn each_name_of_the_table_stands_for_something() {
        let nouns = nouns();
        let mut used = BTreeSet::new();
        for route in ROUTES {
            let (at, mut found) = (format!("{} {}", route.method, route.path), BTreeSet::new());
            let texts = statuses(route.answers).into_iter().map(|(_, text)| text).chain([route.body]);
            texts.filter_map(Shape::find).for_each(|(shape, _)| names(&shape, &mut found));
            for name in &found {
                let is_own = route.schemas.iter().any(|(own, _)| own == name);
                assert!(is_own || nouns["members"].get(name).is_some(), "openapi.json: members.{name} ({at})");
                used.extend((!is_own).then(|| name.clone()));
            }
            for (own, _) in route.schemas {
                assert!(found.contains(*own) || matches!(*own, "body" | "answer"), "{at}: there is no member {own}");
            }
            assert!(!statuses(route.answers).is_empty(), "{at}: `answers` has no status");
        }
        for name in nouns["members"].as_object().unwrap().keys() {
            assert!(used.contains(name), "openapi.json: no route has the member {name}");
        }
        let document = document(ROUTES).to_string();
        for name in nouns["schemas"].as_object().unwrap().keys() {
            assert!(document.contains(&format!("schemas/{name}\"")), "openapi.json: nothing is a {name}");
        }
        for (at, _) in document.match_indices("#/components/schemas/") {
            let name = document[at + 21..].split('"').next().unwrap();
            assert!(nouns["schemas"].get(name).is_some(), "openapi.json: there is no schema {name}");
        }
    }

    #[test]
    fn each_bound_that_is_named_is_one_of_the_code() {
        let text = nouns().to_string();
        let at = text.find("\"=").map(|at| &text[at..(at + 40).min(text.len())]);
        assert_eq!(at, None, "openapi.json names a bound that there is not");
        let wait = document(ROUTES)["components"]["schemas"]["Wait"].to_string();
        assert!(wait.contains("\"maximum\":60000"), "{wait}");
    }

    #[test]
    fn no_two_operations_have_one_id() {
        let mut ids = BTreeSet::new();
        for route in ROUTES {
            assert!(ids.insert(operation_id(route)), "{} {}: {} is taken", route.method, route.path, route.about);
        }
    }

    #[test]
    fn statuses_are_found_in_sentences() {
        assert_eq!(statuses("204"), [("204", "")]);
        assert_eq!(statuses("200 with it, else 409"), [("200", " with it, else "), ("409", "")]);
        assert_eq!(statuses("200 `{a}`: the newest 1000"), [("200", " `{a}`: the newest 1000")]);
    }
}
