//! Users' stored profiles. What a profile was once is kept: messages point to the version that they were made with.

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx};
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::ProfileVersion;

/// A user's profile as it is now, with the number of this version of it.
pub fn find_current(
    db: &Db<'_>,
    environment: EnvironmentRow,
    user_id: &str,
) -> Result<Option<(ProfileVersion, String)>> {
    let mut find = db.conn.prepare_cached(
        "SELECT profile_version, profile FROM profiles LEFT JOIN profile_versions USING (profile_version)
         WHERE environment = ?1 AND user_id = ?2",
    )?;
    Ok(find.query_row(params![environment, user_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// The number of the version that a user's profile has now.
pub fn current_version(db: &Db<'_>, environment: EnvironmentRow, user_id: &str) -> Result<Option<ProfileVersion>> {
    let mut find =
        db.conn.prepare_cached("SELECT profile_version FROM profiles WHERE environment = ?1 AND user_id = ?2")?;
    Ok(find.query_row(params![environment, user_id], |row| row.get(0)).optional()?)
}

/// A profile as it was.
pub fn get_version(db: &Db<'_>, profile_version: ProfileVersion) -> Result<String> {
    let mut get = db.conn.prepare_cached("SELECT profile FROM profile_versions WHERE profile_version = ?1")?;
    let profile = get.query_row([profile_version], |row| row.get(0)).optional()?;
    profile.ok_or_else(|| Error::internal("a version of a profile is missing"))
}

/// Whether the environment has any profile.
pub fn any(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut any = db.conn.prepare_cached("SELECT 1 FROM profiles WHERE environment = ?1 LIMIT 1")?;
    Ok(any.exists([environment])?)
}

/// Stores a profile in place of the one that the user has. The same one again changes nothing.
pub fn replace(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str, profile: &str) -> Result<()> {
    if find_current(tx, environment, user_id)?.is_some_and(|(_, current)| current == profile) {
        return Ok(());
    }
    let mut version = tx.conn.prepare_cached("INSERT INTO profile_versions (profile, created_at) VALUES (?1, ?2)")?;
    let version = version.insert(params![profile, tx.now.millis()])?;
    let mut replace = tx.conn.prepare_cached(
        "INSERT INTO profiles (environment, user_id, profile_version) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET profile_version = excluded.profile_version",
    )?;
    replace.execute(params![environment, user_id, version])?;
    Ok(())
}

/// The user has no profile any more.
pub fn delete(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str) -> Result<()> {
    let mut delete = tx.conn.prepare_cached("DELETE FROM profiles WHERE environment = ?1 AND user_id = ?2")?;
    delete.execute(params![environment, user_id])?;
    Ok(())
}
