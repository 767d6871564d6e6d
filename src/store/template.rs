//! Templates: their drafts, what was published of them, and checks.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx};
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::{TemplateRow, TemplateVersion};
use crate::model::template::{self, FieldUpdate, TemplatePayload};

const COLUMNS: &str = "templates.template, templates.environment, template_id, alias, draft, templates.created_at, \
                       updated_at, archived_at";

/// A template with its draft.
pub struct Template {
    pub template: TemplateRow,
    environment: EnvironmentRow,
    pub template_id: String,
    pub alias: Option<String>,
    /// `{name, brand, routing, subscription, tags, content, email?}`.
    pub draft: String,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
}

/// What was published of a template at some time.
pub struct PublishedVersion {
    pub template_version: TemplateVersion,
    pub version: i64,
    /// As [`Template::draft`].
    pub template_json: String,
    pub created_at: Timestamp,
}

/// What is known of a template that a definition names.
#[derive(Debug)]
pub struct FoundTemplate {
    pub template_id: String,
    /// `None`: the template exists but is not published.
    pub template_version: Option<TemplateVersion>,
    /// What was published last, or else the draft.
    pub template_json: String,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Template> {
    let instant = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(Timestamp));
    Ok(Template {
        template: row.get(0)?,
        environment: row.get(1)?,
        template_id: row.get(2)?,
        alias: row.get(3)?,
        draft: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
        updated_at: instant(6)?,
        archived_at: instant(7)?,
    })
}

fn version_from_row(row: &Row<'_>) -> rusqlite::Result<PublishedVersion> {
    Ok(PublishedVersion {
        template_version: row.get(0)?,
        version: row.get(1)?,
        template_json: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
    })
}

/// Creates a template under a new id.
pub fn create(tx: &mut Tx<'_>, environment: EnvironmentRow, alias: Option<&str>, draft: String) -> Result<Template> {
    let now = tx.now();
    let template_id = tx.ids.template(now);
    insert(tx, environment, template_id, alias, draft)
}

fn insert(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    template_id: String,
    alias: Option<&str>,
    draft: String,
) -> Result<Template> {
    refuse_taken(tx, environment, alias, &template_id)?;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO templates (environment, template_id, alias, draft, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let template = TemplateRow(insert.insert(params![environment, template_id, alias, draft, tx.now.millis()])?);
    let (alias, created_at) = (alias.map(str::to_owned), tx.now);
    Ok(Template { template, environment, template_id, alias, draft, created_at, updated_at: None, archived_at: None })
}

fn refuse_taken(db: &Db<'_>, environment: EnvironmentRow, alias: Option<&str>, template_id: &str) -> Result<()> {
    let mut taken = db.conn.prepare_cached(
        "SELECT template_id FROM templates
         WHERE environment = ?1 AND alias = ?2 AND archived_at IS NULL AND template_id <> ?3",
    )?;
    let taken: Option<String> =
        taken.query_row(params![environment, alias, template_id], |row| row.get(0)).optional()?;
    match taken {
        Some(other) => Err(Error::conflict(format!("notification.alias: it is taken by the template '{other}'"))),
        None => Ok(()),
    }
}

/// The template with this id in this environment, archived or not.
pub fn get(db: &Db<'_>, environment: EnvironmentRow, template_id: &str) -> Result<Template> {
    find(db, environment, template_id)?.ok_or_else(|| Error::unknown("id", "template", template_id))
}

fn find(db: &Db<'_>, environment: EnvironmentRow, template_id: &str) -> Result<Option<Template>> {
    let mut find = db
        .conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM templates WHERE environment = ?1 AND template_id = ?2"))?;
    Ok(find.query_row(params![environment, template_id], from_row).optional()?)
}

/// What a list shows of a template.
pub struct TemplateSummary {
    pub template: TemplateRow,
    pub template_id: String,
    pub name: String,
    pub tags: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub published: bool,
    /// Of what was published last.
    pub topic_id: Option<String>,
}

/// Templates that are not archived, in the order in which they were made, from a row on, with this alias and with all
/// of these tags, compared without case.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    alias: Option<&str>,
    tags: &[String],
    from: TemplateRow,
    limit: usize,
) -> Result<Page<TemplateSummary, TemplateRow>> {
    let mut list = db.conn.prepare_cached(
        "SELECT templates.template, template_id, json_extract(draft, '$.name'), json_extract(draft, '$.tags'),
             templates.created_at, updated_at, newest.template_version IS NOT NULL,
             json_extract(newest.template_json, '$.subscription.topic_id')
         FROM templates
         LEFT JOIN template_versions AS newest ON newest.template_version = (
             SELECT template_version FROM template_versions AS of_template
             WHERE of_template.template = templates.template ORDER BY version DESC LIMIT 1)
         WHERE environment = ?1 AND archived_at IS NULL AND templates.template >= ?2 AND (?3 IS NULL OR alias = ?3)
         ORDER BY templates.template",
    )?;
    let mut rows = list.query(params![environment, from, alias])?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next()? {
        let has: Vec<String> = serde_json::from_str(row.get_ref(3)?.as_str().unwrap_or("[]")).unwrap_or_default();
        if !tags.iter().all(|tag| has.iter().any(|it| it.to_lowercase() == tag.to_lowercase())) {
            continue;
        }
        if summaries.len() == limit {
            // Right behind the last one, also under another filter.
            let next = summaries.last().map(|it: &TemplateSummary| TemplateRow(it.template.0 + 1));
            return Ok(Page { items: summaries, next });
        }
        summaries.push(TemplateSummary {
            template: row.get(0)?,
            template_id: row.get(1)?,
            name: row.get(2)?,
            tags: has,
            created_at: Timestamp(row.get(4)?),
            updated_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            published: row.get(6)?,
            topic_id: row.get(7)?,
        });
    }
    Ok(Page { items: summaries, next: None })
}

/// Replaces the draft, with the alias that the payload gives. An archived template comes back.
pub fn replace(tx: &mut Tx<'_>, template: Template, payload: &TemplatePayload, draft: String) -> Result<Template> {
    let alias = alias_after(&template, payload);
    refuse_taken(tx, template.environment, alias, &template.template_id)?;
    let mut write =
        tx.conn.prepare_cached("UPDATE templates SET alias = ?2, archived_at = NULL WHERE template = ?1")?;
    write.execute(params![template.template, alias])?;
    set_draft(tx, &template, &draft)?;
    let alias = alias.map(str::to_owned);
    Ok(Template { alias, draft, updated_at: Some(tx.now), archived_at: None, ..template })
}

/// The alias that the template has once the payload is written.
fn alias_after<'a>(template: &'a Template, payload: &'a TemplatePayload) -> Option<&'a str> {
    match &payload.alias {
        FieldUpdate::Keep => template.alias.as_deref(),
        FieldUpdate::Clear => None,
        FieldUpdate::Set(alias) => Some(alias),
    }
}

/// Changes what is being worked on.
pub fn set_draft(tx: &mut Tx<'_>, template: &Template, draft: &str) -> Result<()> {
    let mut set = tx.conn.prepare_cached("UPDATE templates SET draft = ?2, updated_at = ?3 WHERE template = ?1")?;
    match set.execute(params![template.template, draft, tx.now.millis()])? {
        1 => Ok(()),
        _ => Err(Error::internal("a template changed inside its own transaction")),
    }
}

/// No new message is made of it, and its alias is free.
pub fn archive(tx: &mut Tx<'_>, template: &Template) -> Result<()> {
    let mut archive =
        tx.conn.prepare_cached("UPDATE templates SET archived_at = ?2 WHERE template = ?1 AND archived_at IS NULL")?;
    archive.execute(params![template.template, tx.now.millis()])?;
    Ok(())
}

/// Publishes a text of the template: the draft, or an older version, from which a new version is made. If that text is
/// published already, no version is made.
pub fn publish(tx: &mut Tx<'_>, template: &Template, template_json: &str) -> Result<()> {
    let newest = find_newest(tx, template.template)?;
    if newest.as_ref().is_some_and(|newest| newest.template_json == template_json) {
        return Ok(());
    }
    let version = newest.map_or(0, |newest| newest.version) + 1;
    let mut publish = tx.conn.prepare_cached(
        "INSERT INTO template_versions (template, version, template_json, created_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    publish.execute(params![template.template, version, template_json, tx.now.millis()])?;
    Ok(())
}

/// What was published last.
pub fn find_newest(db: &Db<'_>, template: TemplateRow) -> Result<Option<PublishedVersion>> {
    let mut find = db.conn.prepare_cached(
        "SELECT template_version, version, template_json, created_at FROM template_versions
         WHERE template = ?1 ORDER BY version DESC LIMIT 1",
    )?;
    Ok(find.query_row([template], version_from_row).optional()?)
}

/// What was published as this version.
pub fn find_version(db: &Db<'_>, template: TemplateRow, version: i64) -> Result<Option<PublishedVersion>> {
    let mut find = db.conn.prepare_cached(
        "SELECT template_version, version, template_json, created_at FROM template_versions
         WHERE template = ?1 AND version = ?2",
    )?;
    Ok(find.query_row(params![template, version], version_from_row).optional()?)
}

/// Numbers and times of the versions up to this one, the newest first, at most `limit`.
pub fn list_versions(
    db: &Db<'_>,
    template: TemplateRow,
    up_to: i64,
    limit: usize,
) -> Result<Page<(i64, Timestamp), i64>> {
    let mut list = db.conn.prepare_cached(
        "SELECT version, created_at FROM template_versions
         WHERE template = ?1 AND version <= ?2 ORDER BY version DESC LIMIT ?3",
    )?;
    let rows =
        list.query_map(params![template, up_to, limit as i64 + 1], |row| Ok((row.get(0)?, Timestamp(row.get(1)?))))?;
    let mut items: Vec<(i64, Timestamp)> = rows.collect::<rusqlite::Result<_>>()?;
    let next = items.get(limit).map(|&(version, _)| version);
    items.truncate(limit);
    Ok(Page { items, next })
}

/// The checks of a submission, a JSON array, if there are any.
pub fn find_checks(db: &Db<'_>, template: &Template, submission_id: &str) -> Result<Option<String>> {
    let mut find =
        db.conn.prepare_cached("SELECT checks FROM template_checks WHERE template = ?1 AND submission_id = ?2")?;
    Ok(find.query_row(params![template.template, submission_id], |row| row.get(0)).optional()?)
}

/// Replaces the checks of a submission.
pub fn put_checks(tx: &mut Tx<'_>, template: &Template, submission_id: &str, checks: &str) -> Result<()> {
    let mut put = tx.conn.prepare_cached(
        "INSERT OR REPLACE INTO template_checks (template, submission_id, checks) VALUES (?1, ?2, ?3)",
    )?;
    put.execute(params![template.template, submission_id, checks])?;
    Ok(())
}

/// Withdraws a submission. It need not exist.
pub fn delete_checks(tx: &mut Tx<'_>, template: &Template, submission_id: &str) -> Result<()> {
    let mut delete =
        tx.conn.prepare_cached("DELETE FROM template_checks WHERE template = ?1 AND submission_id = ?2")?;
    delete.execute(params![template.template, submission_id])?;
    Ok(())
}

/// Creates or replaces a template under a given id, as a seed does: `draft` is the text of the payload. An archived one
/// comes back. If nothing changes, no version is made.
pub fn put(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    template_id: &str,
    payload: &TemplatePayload,
    draft: &str,
    publish: bool,
) -> Result<()> {
    let template = match find(tx, environment, template_id)? {
        None => insert(tx, environment, template_id.to_owned(), payload.alias(), draft.to_owned())?,
        Some(template) => {
            let is_same = alias_after(&template, payload) == template.alias.as_deref()
                && template.archived_at.is_none()
                && (template.draft == draft || template::parse(&template.draft)? == template::parse(draft)?);
            if is_same { template } else { replace(tx, template, payload, draft.to_owned())? }
        }
    };
    if publish { self::publish(tx, &template, &template.draft) } else { Ok(()) }
}

/// A template that can still be changed.
pub fn get_to_change(db: &Db<'_>, environment: EnvironmentRow, template_id: &str) -> Result<Template> {
    match get(db, environment, template_id)? {
        Template { archived_at: Some(_), .. } => {
            Err(Error::not_found(format!("id: the template '{template_id}' is archived")))
        }
        template => Ok(template),
    }
}

/// Removes the alias of this template, unless it is the given one, so that another template can have it.
pub fn free_alias(tx: &mut Tx<'_>, environment: EnvironmentRow, template_id: &str, alias: Option<&str>) -> Result<()> {
    let mut free = tx.conn.prepare_cached(
        "UPDATE templates SET alias = NULL WHERE environment = ?1 AND template_id = ?2 AND alias <> coalesce(?3, '')",
    )?;
    free.execute(params![environment, template_id, alias])?;
    Ok(())
}

/// The template that a definition names: by its id, else by its alias. An archived one is found by
/// its id, and counts as not published.
pub fn find_to_send(db: &Db<'_>, environment: EnvironmentRow, id_or_alias: &str) -> Result<Option<FoundTemplate>> {
    let mut find = db.conn.prepare_cached(
        "SELECT template, template_id, draft, archived_at IS NOT NULL FROM templates
         WHERE environment = ?1 AND template_id = ?2
         UNION ALL
         SELECT template, template_id, draft, 0 FROM templates
         WHERE environment = ?1 AND alias = ?2 AND template_id <> ?2 AND archived_at IS NULL",
    )?;
    let found = find
        .query_map(params![environment, id_or_alias], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<(TemplateRow, String, String, bool)>>>()?;
    let found = found.into_iter().min_by_key(|(_, template_id, ..)| template_id != id_or_alias);
    let Some((template, template_id, draft, is_archived)) = found else {
        return Ok(None);
    };
    Ok(Some(match find_newest(db, template)?.filter(|_| !is_archived) {
        Some(newest) => FoundTemplate {
            template_id,
            template_version: Some(newest.template_version),
            template_json: newest.template_json,
        },
        None => FoundTemplate { template_id, template_version: None, template_json: draft },
    }))
}

/// The id of the template that a definition names, published or not.
pub fn find_id(db: &Db<'_>, environment: EnvironmentRow, id_or_alias: &str) -> Result<Option<String>> {
    let mut find = db.conn.prepare_cached(
        "SELECT template_id FROM (
             SELECT 0 AS rank, template_id FROM templates WHERE environment = ?1 AND template_id = ?2
             UNION ALL
             SELECT 1, template_id FROM templates WHERE environment = ?1 AND alias = ?2 AND archived_at IS NULL)
         ORDER BY rank LIMIT 1",
    )?;
    Ok(find.query_row(params![environment, id_or_alias], |row| row.get(0)).optional()?)
}

/// The alias that the template of a version has now.
pub fn find_alias(db: &Db<'_>, template_version: TemplateVersion) -> Result<Option<String>> {
    let mut find = db.conn.prepare_cached(
        "SELECT alias FROM template_versions JOIN templates USING (template) WHERE template_version = ?1",
    )?;
    Ok(find.query_row([template_version], |row| row.get(0))?)
}

/// The id of the template that a version is of, and the version as JSON.
pub fn get_version(db: &Db<'_>, template_version: TemplateVersion) -> Result<(String, String)> {
    let mut get = db.conn.prepare_cached(
        "SELECT template_id, template_json FROM template_versions JOIN templates USING (template)
         WHERE template_version = ?1",
    )?;
    Ok(get.query_row([template_version], |row| Ok((row.get(0)?, row.get(1)?)))?)
}
