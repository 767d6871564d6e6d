//! Brands and their versions.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx};
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::{Error, Result, shown};
use crate::model::brand::BrandPayload;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{BrandRow, BrandVersion};

const COLUMNS: &str = "brands.brand, brands.brand_id, brands.created_at, brands.updated_at, brand_version, brand_json, \
                       brand_versions.created_at, brands.environment";
const FROM: &str = "FROM brands JOIN brand_versions USING (brand_version)";

/// A brand as it is now.
pub struct Brand {
    pub brand: BrandRow,
    environment: EnvironmentRow,
    pub brand_id: String,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub brand_version: BrandVersion,
    /// `{id, name, settings?, snippets?}`.
    pub brand_json: String,
    /// When the current version was made.
    pub published_at: Timestamp,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Brand> {
    Ok(Brand {
        brand: row.get(0)?,
        brand_id: row.get(1)?,
        created_at: Timestamp(row.get(2)?),
        updated_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
        brand_version: row.get(4)?,
        brand_json: row.get(5)?,
        published_at: Timestamp(row.get(6)?),
        environment: row.get(7)?,
    })
}

/// Creates a brand, under the id that it names or a new one.
pub fn create(tx: &mut Tx<'_>, environment: EnvironmentRow, payload: &BrandPayload) -> Result<Brand> {
    let brand_id = match &payload.id {
        Some(id) if find_current(tx, environment, id)?.is_some() => {
            let shown = shown(id);
            return Err(Error::conflict(format!("id: there is a brand '{shown}' already")));
        }
        Some(id) => id.clone(),
        None => {
            let now = tx.now();
            tx.ids.brand(now)
        }
    };
    insert(tx, environment, &brand_id, payload)?;
    get(tx, environment, &brand_id)
}

fn insert(tx: &Tx<'_>, environment: EnvironmentRow, brand_id: &str, payload: &BrandPayload) -> Result<()> {
    let version = add_version(tx, environment, &payload.to_json(brand_id))?;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO brands (environment, brand_id, brand_version, created_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute(params![environment, brand_id, version, tx.now.millis()])?;
    Ok(())
}

fn add_version(tx: &Tx<'_>, environment: EnvironmentRow, brand_json: &str) -> Result<BrandVersion> {
    let mut add = tx
        .conn
        .prepare_cached("INSERT INTO brand_versions (brand_json, created_at, environment) VALUES (?1, ?2, ?3)")?;
    Ok(BrandVersion(add.insert(params![brand_json, tx.now.millis(), environment])?))
}

/// The brand with this id in this environment.
pub fn get(db: &Db<'_>, environment: EnvironmentRow, brand_id: &str) -> Result<Brand> {
    find(db, environment, brand_id)?.ok_or_else(|| Error::unknown("brand_id", "brand", brand_id))
}

fn find(db: &Db<'_>, environment: EnvironmentRow, brand_id: &str) -> Result<Option<Brand>> {
    let mut find =
        db.conn.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE brands.environment = ?1 AND brand_id = ?2"))?;
    Ok(find.query_row(params![environment, brand_id], from_row).optional()?)
}

/// Brands in the order in which they were made, from a row on, about `bytes` of them at most.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    from: BrandRow,
    limit: usize,
    bytes: usize,
) -> Result<Page<Brand, BrandRow>> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} WHERE brands.environment = ?1 AND brand >= ?2 ORDER BY brand LIMIT ?3"
    ))?;
    let mut rows = list.query(params![environment, from, limit as i64 + 1])?;
    let (mut brands, mut read): (Vec<Brand>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if brands.len() == limit || read >= bytes {
            let next = brands.last().map(|it| BrandRow(it.brand.0 + 1));
            return Ok(Page { items: brands, next });
        }
        let brand = from_row(row)?;
        read += brand.brand_json.len();
        brands.push(brand);
    }
    Ok(Page { items: brands, next: None })
}

/// Replaces what the brand says by the payload. If nothing changes, no version is made.
pub fn replace(tx: &mut Tx<'_>, brand: &Brand, payload: &BrandPayload) -> Result<()> {
    let brand_json = payload.to_json(&brand.brand_id);
    if brand_json == brand.brand_json {
        return Ok(());
    }
    let version = add_version(tx, brand.environment, &brand_json)?;
    note_replaced(tx, brand)?;
    let mut replace =
        tx.conn.prepare_cached("UPDATE brands SET brand_version = ?2, updated_at = ?3 WHERE brand = ?1")?;
    match replace.execute(params![brand.brand, version, tx.now.millis()])? {
        1 => Ok(()),
        _ => Err(Error::internal("a brand changed inside its own transaction")),
    }
}

/// The current version ends.
fn note_replaced(tx: &Tx<'_>, brand: &Brand) -> Result<()> {
    let mut told = tx.conn.prepare_cached("UPDATE brand_versions SET replaced_at = ?2 WHERE brand_version = ?1")?;
    told.execute(params![brand.brand_version, tx.now.millis()])?;
    Ok(())
}

/// Creates or replaces a brand under a given id, as a seed does.
pub fn put(tx: &mut Tx<'_>, environment: EnvironmentRow, brand_id: &str, payload: &BrandPayload) -> Result<()> {
    match find(tx, environment, brand_id)? {
        Some(brand) => replace(tx, &brand, payload),
        None => insert(tx, environment, brand_id, payload),
    }
}

/// Removes a brand that no template uses. Its versions stay, for the messages that went out in them.
pub fn delete(tx: &mut Tx<'_>, brand: &Brand) -> Result<()> {
    let mut users = tx.conn.prepare_cached(
        "SELECT template_id FROM templates
         WHERE environment = (SELECT environment FROM brands WHERE brand = ?1) AND archived_at IS NULL
           AND ?2 IN (
               json_extract(draft, '$.brand.id'),
               (SELECT json_extract(template_json, '$.brand.id') FROM template_versions
                WHERE template_versions.template = templates.template ORDER BY version DESC LIMIT 1))
         LIMIT 1",
    )?;
    let user: Option<String> = users.query_row(params![brand.brand, brand.brand_id], |row| row.get(0)).optional()?;
    if let Some(template_id) = user {
        return Err(Error::conflict(format!(
            "brand_id: the template '{template_id}' uses this brand; change that first"
        )));
    }
    note_replaced(tx, brand)?;
    tx.conn.execute("DELETE FROM brands WHERE brand = ?1", [brand.brand])?;
    Ok(())
}

/// The current version of a brand.
pub fn find_current(db: &Db<'_>, environment: EnvironmentRow, brand_id: &str) -> Result<Option<BrandVersion>> {
    let mut find =
        db.conn.prepare_cached("SELECT brand_version FROM brands WHERE environment = ?1 AND brand_id = ?2")?;
    Ok(find.query_row(params![environment, brand_id], |row| row.get(0)).optional()?)
}

/// A version of a brand, as JSON: `{id, name, settings?, snippets?}`.
pub fn get_version(db: &Db<'_>, brand_version: BrandVersion) -> Result<String> {
    let mut get = db.conn.prepare_cached("SELECT brand_json FROM brand_versions WHERE brand_version = ?1")?;
    Ok(get.query_row([brand_version], |row| row.get(0))?)
}
