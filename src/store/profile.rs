//! Users' stored profiles. Earlier versions are kept: messages point to the version that they were made with.

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx};
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::ProfileVersion;

/// Stands in place of a profile that was deleted.
const DELETED: &str = "null";
/// Versions that one commit overwrites.
const OVERWRITTEN_VERSIONS: usize = 256;

/// A user's profile as it is now, with the number of this version of it.
pub fn find_current(
    db: &Db<'_>,
    environment: EnvironmentRow,
    user_id: &str,
) -> Result<Option<(ProfileVersion, String)>> {
    let mut find = db.conn.prepare_cached(
        "SELECT profile_version, profile FROM profiles LEFT JOIN profile_versions USING (profile_version)
         WHERE profiles.environment = ?1 AND profiles.user_id = ?2",
    )?;
    Ok(find.query_row(params![environment, user_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// The number of the version that a user's profile has now.
pub fn current_version(db: &Db<'_>, environment: EnvironmentRow, user_id: &str) -> Result<Option<ProfileVersion>> {
    let mut find =
        db.conn.prepare_cached("SELECT profile_version FROM profiles WHERE environment = ?1 AND user_id = ?2")?;
    Ok(find.query_row(params![environment, user_id], |row| row.get(0)).optional()?)
}

/// A profile as it was. `None` if it was deleted since.
pub fn get_version(db: &Db<'_>, profile_version: ProfileVersion) -> Result<Option<String>> {
    let mut get = db.conn.prepare_cached(
        "SELECT iif(version.profile_version <= deleted_profiles.profile_version, ?2, profile)
         FROM profile_versions AS version LEFT JOIN deleted_profiles USING (environment, user_id)
         WHERE version.profile_version = ?1",
    )?;
    let profile = get.query_row(params![profile_version, DELETED], |row| row.get(0)).optional()?;
    let profile: String = profile.ok_or_else(|| Error::internal("a version of a profile is missing"))?;
    Ok(Some(profile).filter(|profile| profile != DELETED))
}

/// Whether the environment has any profile.
pub fn any(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut any = db.conn.prepare_cached("SELECT 1 FROM profiles WHERE environment = ?1 LIMIT 1")?;
    Ok(any.exists([environment])?)
}

/// Stores a profile in place of the user's current one. If nothing differs, nothing changes.
pub fn replace(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str, profile: &str) -> Result<()> {
    let current = find_current(tx, environment, user_id)?;
    if current.as_ref().is_some_and(|(_, current)| current == profile) {
        return Ok(());
    }
    let mut version = tx.conn.prepare_cached(
        "INSERT INTO profile_versions (profile, created_at, environment, user_id) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let version = version.insert(params![profile, tx.now.millis(), environment, user_id])?;
    let mut replace = tx.conn.prepare_cached(
        "INSERT INTO profiles (environment, user_id, profile_version) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET profile_version = excluded.profile_version",
    )?;
    replace.execute(params![environment, user_id, version])?;
    if let Some((replaced, _)) = current {
        let mut told =
            tx.conn.prepare_cached("UPDATE profile_versions SET replaced_at = ?2 WHERE profile_version = ?1")?;
        told.execute(params![replaced, tx.now.millis()])?;
    }
    Ok(())
}

/// Removes a user's profile, with all earlier versions of it: the versions that messages point to then say only that.
pub fn delete(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str) -> Result<()> {
    let mut delete = tx.conn.prepare_cached("DELETE FROM profiles WHERE environment = ?1 AND user_id = ?2")?;
    delete.execute(params![environment, user_id])?;
    if overwrite(tx, environment, user_id, ProfileVersion(i64::MAX))? == OVERWRITTEN_VERSIONS {
        let mut rest = tx.conn.prepare_cached(
            "INSERT OR REPLACE INTO deleted_profiles (environment, user_id, profile_version)
             VALUES (?1, ?2, (SELECT max(profile_version) FROM profile_versions))",
        )?;
        rest.execute(params![environment, user_id])?;
        tx.wakeups.retention = true;
    }
    Ok(())
}

/// Overwrites some of a user's versions, up to this one. Returns how many.
fn overwrite(tx: &Tx<'_>, environment: EnvironmentRow, user_id: &str, up_to: ProfileVersion) -> Result<usize> {
    let mut overwrite = tx.conn.prepare_cached(
        "UPDATE profile_versions SET profile = ?4, user_id = NULL, replaced_at = coalesce(replaced_at, ?5)
         WHERE profile_version IN (
             SELECT profile_version FROM profile_versions
             WHERE environment = ?1 AND user_id = ?2 AND profile_version <= ?3
             ORDER BY profile_version DESC LIMIT ?6)",
    )?;
    let limit = OVERWRITTEN_VERSIONS as i64;
    Ok(overwrite.execute(params![environment, user_id, up_to, DELETED, tx.now.millis(), limit])?)
}

/// Whether versions of deleted profiles are still to be overwritten.
pub fn any_deleted(db: &Db<'_>) -> Result<bool> {
    Ok(db.conn.prepare_cached("SELECT 1 FROM deleted_profiles LIMIT 1")?.exists([])?)
}

/// Overwrites some of the versions of one such profile.
pub fn overwrite_deleted(tx: &mut Tx<'_>) -> Result<()> {
    let mut first =
        tx.conn.prepare_cached("SELECT environment, user_id, profile_version FROM deleted_profiles LIMIT 1")?;
    let first: Option<(EnvironmentRow, String, ProfileVersion)> =
        first.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((environment, user_id, up_to)) = first else { return Ok(()) };
    if overwrite(tx, environment, &user_id, up_to)? < OVERWRITTEN_VERSIONS {
        let mut done =
            tx.conn.prepare_cached("DELETE FROM deleted_profiles WHERE environment = ?1 AND user_id = ?2")?;
        done.execute(params![environment, user_id])?;
    }
    Ok(())
}
