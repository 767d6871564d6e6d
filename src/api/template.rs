//! Templates, which Courier calls notifications: create, list, get, replace, archive, versions, publish. After
//! Courier's SDKs.

pub mod checks;
pub mod content;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::paging::{self, Cursor, PagedList};
use crate::clock::Timestamp;
use crate::compose;
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use crate::model::environment::EnvironmentRow;
use crate::model::row::TemplateRow;
use crate::model::stored_elements;
use crate::model::template::{self as model, State, TemplatePayload, VersionSelector};
use crate::render::email::headers;
use crate::settings::Contract;
use crate::store::Db;
use crate::store::template::{self, Template, TemplateSummary};

/// Versions on a page, at most.
const VERSIONS_LIMIT: usize = 10;
/// Courier names the user who made something. Here only the key is known.
const CREATOR: &str = "bulkd";

#[derive(Deserialize)]
struct WriteBody {
    notification: Fields<TemplatePayload>,
    #[serde(default)]
    state: Option<State>,
}

impl WriteBody {
    fn read(call: &mut Call<'_>) -> Result<(TemplatePayload, bool)> {
        let WriteBody { notification: Fields(mut payload), state } = json::read(&call.json()?, String::new)?;
        payload.finish("notification")?;
        // The SDKs' own tests send words in place of addresses.
        if call.settings.contract != Contract::OpenApi {
            payload.check_email_headers("notification")?;
        }
        compile(&payload.content, "notification.content")?;
        if let Some(headers) = payload.email_headers() {
            headers::check(headers, "notification.email")?;
        }
        Ok((payload, state == Some(State::Published)))
    }
}

/// Refuses content whose texts cannot be rendered. `path` is its place in the request, empty for the body itself.
fn compile(content: &Map<String, Value>, path: &'static str) -> Result<()> {
    let content = stored_elements::understand(content, path)?;
    compose::check(&content, path)
}

/// `POST /notifications` with `{notification, state?}`: 201 and the template, a draft unless `state` is PUBLISHED. 409 if
/// the alias is taken.
pub fn create(mut call: Call<'_>) -> Result<Action> {
    let (payload, publish) = WriteBody::read(&mut call)?;
    let draft = model::to_text(payload.to_json(None)?)?;
    Action::change(move |tx, environment| {
        let template = template::create(tx, environment, payload.alias(), draft)?;
        if publish {
            template::publish(tx, &template, &template.draft)?;
        }
        shown(201, &template, &template.draft, written(publish))
    })
}

fn written(publish: bool) -> State {
    if publish { State::Published } else { State::Draft }
}

/// `GET /notifications?cursor=&event_id=&tags=&notes=&limit=`: 200 `{paging, results}`, in the order in which they were
/// made, without archived ones. Notes belong to templates of an older kind, of which there are none here.
pub fn list(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let from = TemplateRow(Cursor::read(query.cursor().as_deref(), PagedList::Templates)? as i64);
    let (alias, limit) = (query.one("event_id"), query.limit() as usize);
    let tags = query.one("tags").unwrap_or_default();
    let tags: Vec<String> = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    Action::query(move |db, environment| {
        let page = template::list(db, environment, alias.as_deref(), &tags, from, limit)?;
        let next = page.next.map(|row| Cursor { list: PagedList::Templates, position: row.0.unsigned_abs() });
        Ok(Answer::new(200, paging::results(page.items.into_iter().map(|it| Ok(item(&it))), next)?))
    })
}

fn item(summary: &TemplateSummary) -> String {
    let mut item = json!({
        "id": summary.template_id,
        "name": summary.name,
        "tags": summary.tags,
        "state": written(summary.published).name(),
        "created": summary.created_at.millis(),
        "creator": CREATOR,
    });
    if let Some(updated_at) = summary.updated_at {
        item["updated"] = updated_at.millis().into();
        item["updater"] = CREATOR.into();
    }
    if let Some(topic_id) = &summary.topic_id {
        // Under both the newer name and the older one.
        item["subscription_topic_id"] = topic_id.as_str().into();
        item["topic_id"] = topic_id.as_str().into();
    }
    item.to_string()
}

/// `GET /notifications/{id}?version=draft|published|v001`: 200 and the template, as it was published last unless
/// `version` says otherwise. Archived ones can still be read.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let asked = Asked::read(&call)?;
    let id = call.path("id");
    Action::query(move |db, environment| {
        let template = template::get(db, environment, &id)?;
        let (template_json, state) = text(db, &template, asked)?;
        shown(200, &template, &template_json, state)
    })
}

/// Which version a request means.
#[derive(Clone, Copy)]
struct Asked {
    version: VersionSelector,
    /// The version to take in place of one that does not exist. The OpenAPI's samples name such ones.
    instead: Option<VersionSelector>,
}

impl Asked {
    fn read(call: &Call<'_>) -> Result<Self> {
        let label = call.query().one("version");
        Asked::of(label.as_deref(), VersionSelector::Published, call.settings.contract)
    }

    fn draft() -> Self {
        Asked { version: VersionSelector::Draft, instead: None }
    }

    fn of(label: Option<&str>, current: VersionSelector, contract: Contract) -> Result<Self> {
        let version = label.map_or(Ok(current), VersionSelector::read);
        match contract {
            Contract::Tutorial | Contract::Live => Ok(Asked { version: version?, instead: None }),
            Contract::OpenApi => Ok(Asked { version: version.unwrap_or(current), instead: Some(current) }),
        }
    }
}

/// What a template says in one of its versions.
fn text(db: &Db<'_>, template: &Template, asked: Asked) -> Result<(String, State)> {
    let found = match asked.version {
        VersionSelector::Draft => return Ok((template.draft.clone(), State::Draft)),
        VersionSelector::Published => template::find_newest(db, template.template)?,
        VersionSelector::Number(number) => template::find_version(db, template.template, number)?,
    };
    match (found, asked.version) {
        (Some(found), _) => Ok((found.template_json, State::Published)),
        (None, VersionSelector::Number(number)) => {
            if let Some(version) = asked.instead {
                return text(db, template, Asked { version, instead: None });
            }
            Err(Error::not_found(format!("version: this template has no version '{}'", model::label(number))))
        }
        (None, _) => Err(Error::not_found("id: this template is not published; its draft is 'version=draft'")),
    }
}

fn shown(status: u16, template: &Template, template_json: &str, state: State) -> Result<Answer> {
    let mut ours = json!({
        "id": template.template_id,
        "state": state.name(),
        "created": template.created_at.millis(),
        "creator": CREATOR,
    });
    if let Some(updated_at) = template.updated_at {
        ours["updated"] = updated_at.millis().into();
        ours["updater"] = CREATOR.into();
    }
    if let Some(alias) = &template.alias {
        ours["alias"] = alias.as_str().into();
    }
    Ok(Answer::new(status, json::with_members(template_json, &ours)?))
}

/// `PUT /notifications/{id}` with `{notification, state?}`: 200 and the template, replaced as a whole except for an
/// alias and e-mail headers that were not given. The published version stays until `state` is PUBLISHED.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let (payload, publish) = WriteBody::read(&mut call)?;
    let (payload, id) = (Arc::new(payload), call.path("id"));
    Action::rework(move |view| {
        let before = view.read(|db, environment| template::get_to_change(db, environment, &id))?;
        let draft = model::to_text(payload.to_json(Some(&model::parse(&before.draft)?))?)?;
        let (payload, id) = (payload.clone(), id.clone());
        Ok(Change::new(ChangedEnvironment::Existing, move |tx, environment| {
            let now = get_unchanged(tx, environment, &id, &before)?;
            let template = template::replace(tx, now, &payload, draft)?;
            if publish {
                template::publish(tx, &template, &template.draft)?;
            }
            shown(200, &template, &template.draft, written(publish))
        }))
    })
}

/// A template that can still be changed. A change prepared from it is stale if its draft is another by now.
fn get_unchanged(db: &Db<'_>, environment: EnvironmentRow, id: &str, before: &Template) -> Result<Template> {
    let now = template::get_to_change(db, environment, id)?;
    if (now.template, &now.draft) != (before.template, &before.draft) {
        return Err(Error::stale());
    }
    Ok(now)
}

/// `DELETE /notifications/{id}`: 204, also for one that is archived already.
pub fn archive(mut call: Call<'_>) -> Result<Action> {
    let id = call.path("id");
    Action::change_existing(move |tx, environment| {
        let template = template::get(tx, environment, &id)?;
        template::archive(tx, &template)?;
        Ok(Answer::new(204, ""))
    })
}

/// `GET /notifications/{id}/versions?cursor=&limit=`: 200 `{paging, versions}`, the draft first and then what was
/// published, the newest first.
pub fn list_versions(mut call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let (cursor, limit) = (query.cursor(), query.limit());
    let limit = VERSIONS_LIMIT.min(limit as usize);
    let id = call.path("id");
    Action::query(move |db, environment| {
        let template = template::get(db, environment, &id)?;
        let from = Cursor::read(cursor.as_deref(), PagedList::Versions(template.template))? as i64;
        let (items, next) = versions(db, &template, from, limit)?;
        let next =
            next.map(|version| Cursor { list: PagedList::Versions(template.template), position: version as u64 });
        Ok(Answer::new(200, paging::versions(items.into_iter().map(Ok), next)?))
    })
}

/// The versions from a number on downwards, and the number to go on with. From 0: all of them, after the draft.
fn versions(db: &Db<'_>, template: &Template, from: i64, limit: usize) -> Result<(Vec<String>, Option<i64>)> {
    let newest = template::find_newest(db, template.template)?;
    let mut items = Vec::new();
    if from == 0 {
        let changed = newest.as_ref().is_none_or(|newest| newest.template_json != template.draft);
        items.push(version_item("draft", template.updated_at.unwrap_or(template.created_at), Some(changed)));
    }
    let newest = newest.map_or(0, |newest| newest.version);
    let from = if from == 0 { newest } else { from };
    let room = limit.saturating_sub(items.len());
    let page = template::list_versions(db, template.template, from, room)?;
    items.extend(page.items.iter().map(|&(version, created_at)| {
        let current = if version == newest { "published:" } else { "" };
        version_item(&format!("{current}{}", model::label(version)), created_at, None)
    }));
    Ok((items, page.next))
}

fn version_item(label: &str, created_at: Timestamp, has_changes: Option<bool>) -> String {
    let mut item = json!({ "version": label, "created": created_at.millis(), "creator": CREATOR });
    if let Some(has_changes) = has_changes {
        item["has_changes"] = has_changes.into();
    }
    item.to_string()
}

#[derive(Deserialize)]
struct PublishBody {
    #[serde(default)]
    version: Option<String>,
}

/// `POST /notifications/{id}/publish`, perhaps with `{version}`: 204. The draft is published, or an older version again.
pub fn publish(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let label = match body.trim().is_empty() {
        true => None,
        false => json::read::<PublishBody>(&body, String::new)?.version,
    };
    let asked = Asked::of(label.as_deref(), VersionSelector::Draft, call.settings.contract)?;
    let id = call.path("id");
    Action::change_existing(move |tx, environment| {
        let template = template::get_to_change(tx, environment, &id)?;
        let (template_json, _) = text(tx, &template, asked)?;
        template::publish(tx, &template, &template_json)?;
        Ok(Answer::new(204, ""))
    })
}
