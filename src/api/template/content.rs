//! The content of templates: all of it, one element, or the words of one locale.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Asked, compile, get_unchanged, text, written};
use crate::api::call::{Action, Answer, Call, Change, ChangedEnvironment};
use crate::error::{Error, Result, shown};
use crate::json;
use crate::model::stored_elements;
use crate::model::template::{self as model, State};
use crate::store::template::{self, Template};

/// `GET /notifications/{id}/content?version=`: 200 `{version, elements}`, every element with its checksum.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let asked = Asked::read(&call)?;
    shown_content(call.path("id"), asked)
}

fn shown_content(id: String, asked: Asked) -> Result<Action> {
    Action::query(move |db, environment| {
        let template = template::get(db, environment, &id)?;
        let (template_json, _) = text(db, &template, asked)?;
        let content = model::content(&model::parse(&template_json)?);
        Ok(Answer::new(200, Value::Object(stored_elements::with_checksums(content)).to_string()))
    })
}

/// `GET /notifications/{id}/draft/content`: the same of the draft, by an older name.
pub fn get_draft(mut call: Call<'_>) -> Result<Action> {
    shown_content(call.path("id"), Asked::draft())
}

#[derive(Deserialize)]
struct ContentBody {
    #[serde(deserialize_with = "model::object")]
    content: Map<String, Value>,
    #[serde(default)]
    state: Option<State>,
}

/// `PUT /notifications/{id}/content` with `{content: {elements, version?}, state?}`: 200 and checksums.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let ContentBody { mut content, state } = json::read(&call.json()?, String::new)?;
    stored_elements::complete(&mut content, "content")?;
    compile(&content, "content")?;
    let id = call.path("id");
    change(id, state, move |stored| {
        *stored = content.clone();
        Ok(())
    })
}

/// `PUT /notifications/{id}/elements/{element_id}` with `{type, channels?, if?, loop?, ref?, data?, state?}`: 200 and
/// checksums. Nothing of the old element is left but its place and its id.
pub fn replace_element(mut call: Call<'_>) -> Result<Action> {
    let mut fields: Map<String, Value> = json::read(&call.json()?, String::new)?;
    let state = state(fields.remove("state"))?;
    let (id, element_id) = (call.path("id"), call.path("element_id"));
    let element = stored_elements::element(&element_id, fields)?;
    check_element(&element)?;
    change(id, state, move |content| {
        let found = stored_elements::find_element(content, &element_id).ok_or_else(|| no_element(&element_id))?;
        *found = element.clone();
        Ok(())
    })
}

fn no_element(element_id: &str) -> Error {
    let shown = shown(element_id);
    Error::not_found(format!("element_id: the draft has no element '{shown}'"))
}

fn state(value: Option<Value>) -> Result<Option<State>> {
    Option::<State>::deserialize(value.unwrap_or(Value::Null))
        .map_err(|_| Error::invalid("state", "expected \"DRAFT\" or \"PUBLISHED\""))
}

/// One element alone, whose fields are those of the body.
fn check_element(element: &Map<String, Value>) -> Result<()> {
    let mut content = Map::new();
    content.insert("elements".to_owned(), Value::Array(vec![element.clone().into()]));
    let checked = stored_elements::complete(&mut content, "").and_then(|()| compile(&content, ""));
    let of_element = |path: &str| path.strip_prefix("elements[0].").unwrap_or(path).to_owned();
    checked.map_err(|error| error.with_path(of_element))
}

#[derive(Deserialize)]
struct LocaleBody {
    elements: Vec<Map<String, Value>>,
    #[serde(default)]
    state: Option<State>,
}

/// `PUT /notifications/{id}/locales/{locale_id}` with `{elements: [{id, ...}], state?}`: 200 and checksums. Elements that
/// are not named keep what they say in this locale.
pub fn set_locale(mut call: Call<'_>) -> Result<Action> {
    let LocaleBody { elements, state } = json::read(&call.json()?, String::new)?;
    for (index, element) in elements.iter().enumerate() {
        check_override(element, &format!("elements[{index}]"))?;
    }
    let (id, locale_id) = (call.path("id"), call.path("locale_id"));
    change(id, state, move |content| {
        for (index, mut element) in elements.iter().cloned().enumerate() {
            let id = element.remove("id");
            let found = id.as_ref().and_then(Value::as_str).and_then(|id| stored_elements::find_element(content, id));
            let at = format!("elements[{index}].id");
            let found = found.ok_or_else(|| Error::invalid(at, "expected the id of an element of the draft"))?;
            stored_elements::set_locale(found, &locale_id, element);
        }
        Ok(())
    })
}

/// What an element says in a locale has to be text that can be rendered.
fn check_override(element: &Map<String, Value>, at: &str) -> Result<()> {
    for name in ["id", "content", "title"] {
        match element.get(name) {
            None if name != "id" => {}
            Some(Value::String(_)) if name == "id" => {}
            Some(Value::String(words)) => {
                check_words(words).map_err(|error| error.with_path(|_| format!("{at}.{name}")))?;
            }
            _ => return Err(Error::invalid(format_args!("{at}.{name}"), "expected a string")),
        }
    }
    Ok(())
}

fn check_words(words: &str) -> Result<()> {
    let element = json!({ "elements": [{ "type": "text", "content": words }] });
    compile(element.as_object().unwrap_or(&Map::new()), "")
}

/// Changes the draft's content, publishes it if the state says so, and answers with the checksums of its elements.
fn change(
    id: String,
    state: Option<State>,
    change: impl Fn(&mut Map<String, Value>) -> Result<()> + 'static,
) -> Result<Action> {
    Action::rework(move |view| {
        let template = view.read(|db, environment| template::get_to_change(db, environment, &id))?;
        let mut stored = model::parse(&template.draft)?;
        let mut content = model::content(&stored);
        change(&mut content)?;
        stored_elements::complete(&mut content, "content")?;
        let publish = state == Some(State::Published);
        let answer = Answer::new(200, checksums(&template, &content, publish));
        model::set_content(&mut stored, content);
        let (draft, id) = (model::to_text(stored)?, id.clone());
        Ok(Change::new(ChangedEnvironment::Existing, move |tx, environment| {
            let now = get_unchanged(tx, environment, &id, &template)?;
            template::set_draft(tx, &now, &draft)?;
            if publish {
                template::publish(tx, &now, &draft)?;
            }
            Ok(answer)
        }))
    })
}

fn checksums(template: &Template, content: &Map<String, Value>, published: bool) -> String {
    let mut elements = Vec::new();
    stored_elements::for_each_element(content, &mut |element| {
        elements.push(json!({ "id": element.get("id"), "checksum": stored_elements::checksum(element) }));
    });
    let version = content.get("version");
    let state = written(published).name();
    json!({ "id": template.template_id, "version": version, "state": state, "elements": elements }).to_string()
}
