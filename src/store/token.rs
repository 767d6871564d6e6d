//! Push tokens of users.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx, rows};
use crate::error::{Error, Result, shown};
use crate::model::environment::EnvironmentRow;
use crate::model::provider::Provider;
use crate::model::token::{ProviderKey, Token, is_active};

const COLUMNS: &str = "token, provider_key, token_json";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Token> {
    let provider_key = rows::name(row, 1, ProviderKey::from_name)?;
    Ok(Token { token: row.get(0)?, provider_key, details: row.get(2)? })
}

pub fn get(db: &Db<'_>, environment: EnvironmentRow, user_id: &str, token: &str) -> Result<Token> {
    let mut get = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM user_tokens WHERE environment = ?1 AND user_id = ?2 AND token = ?3"
    ))?;
    let found = get.query_row(params![environment, user_id, token], from_row).optional()?;
    found.ok_or_else(|| {
        let shown = shown(token);
        Error::not_found(format!("token: this user has no token '{shown}' under this API key"))
    })
}

/// All tokens of a user, in their own order.
pub fn list(db: &Db<'_>, environment: EnvironmentRow, user_id: &str) -> Result<Vec<Token>> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM user_tokens WHERE environment = ?1 AND user_id = ?2 ORDER BY token"
    ))?;
    let tokens = list.query_map(params![environment, user_id], from_row)?;
    Ok(tokens.collect::<rusqlite::Result<_>>()?)
}

/// The tokens by which a user can be [reached](is_active). The latest registered comes first.
pub fn list_active(db: &Db<'_>, environment: EnvironmentRow, user_id: &str) -> Result<Vec<(Provider, String)>> {
    let mut list = db.conn.prepare_cached(
        "SELECT provider_key, token, token_json ->> 'status', token_json ->> 'expiry_date' FROM user_tokens
         WHERE environment = ?1 AND user_id = ?2 ORDER BY created_at DESC, token",
    )?;
    let mut rows = list.query(params![environment, user_id])?;
    let mut active = Vec::new();
    while let Some(row) = rows.next()? {
        // What is not text counts as none: `false` for an expiry is kept as a number.
        let text = |column| row.get_ref(column).map(|value| value.as_str().ok());
        if is_active(text(2)?.unwrap_or_default(), text(3)?, db.now) {
            active.push((rows::name(row, 0, Provider::from_name)?, row.get(1)?));
        }
    }
    Ok(active)
}

/// Whether any user of the environment has a token.
pub fn any(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut any = db.conn.prepare_cached("SELECT 1 FROM user_tokens WHERE environment = ?1 LIMIT 1")?;
    Ok(any.exists([environment])?)
}

/// Registers a token, in place of one with the same text. If nothing differs, nothing changes.
pub fn put(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str, token: &Token) -> Result<()> {
    let mut put = tx.conn.prepare_cached(
        "INSERT INTO user_tokens (environment, user_id, token, provider_key, token_json, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET provider_key = excluded.provider_key, token_json = excluded.token_json
         WHERE provider_key <> excluded.provider_key OR token_json <> excluded.token_json",
    )?;
    put.execute(params![environment, user_id, token.token, token.provider_key.name(), token.details, tx.now.millis()])?;
    Ok(())
}

pub fn delete(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str, token: &str) -> Result<()> {
    let mut delete =
        tx.conn.prepare_cached("DELETE FROM user_tokens WHERE environment = ?1 AND user_id = ?2 AND token = ?3")?;
    delete.execute(params![environment, user_id, token])?;
    Ok(())
}
