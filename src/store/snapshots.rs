//! Snapshots are taken, restored and deleted: one at a time, and beside the writer as far as may be.

use super::Tx;
use super::environment::View;
use super::snapshot::{Kept, Restore, Summary, Taken, is_there, not_found};
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;

/// Snapshots of one environment at most.
pub const PER_ENVIRONMENT: usize = 100;
/// What the snapshots of all environments may take in memory.
const ALL_BYTES: usize = 256 * 1024 * 1024;

/// Takes a snapshot, in place of the one of that name.
pub fn take(view: &View<'_>, name: &str) -> Result<Summary> {
    let snapshots = view.store().snapshots();
    let _one = snapshots.one_at_a_time();
    let row = view.write(|_, _| Ok(()))?;
    let taken = view.read(Taken::read)?;
    let others: usize = snapshots.all().values().flat_map(|kept| kept.snapshots.values()).map(|it| it.bytes).sum();
    if others.saturating_add(taken.bytes) > ALL_BYTES {
        let mib = ALL_BYTES / (1024 * 1024);
        let problem = format!("the snapshots of all API keys would take more than {mib} MiB of memory; delete some");
        return Err(Error::conflict(problem));
    }
    let mut after = snapshots.all().get(&row).cloned().unwrap_or_default();
    if after.snapshots.len() >= PER_ENVIRONMENT && !after.snapshots.contains_key(name) {
        let problem = format!("there are {PER_ENVIRONMENT} snapshots under this API key already; delete one first");
        return Err(Error::conflict(problem));
    }
    let summary = taken.summary(name);
    let replaced = after.snapshots.insert(name.to_owned(), taken);
    if let Some(replaced) = replaced {
        after = view.store().write(move |tx| {
            after.let_go(tx, &replaced)?;
            Ok(after)
        })?;
    }
    snapshots.all().insert(row, after);
    Ok(summary)
}

/// Brings an environment back to a snapshot, which stays.
pub fn restore(view: &View<'_>, name: &str) -> Result<Summary> {
    change(view, name, |kept, tx, row, name| {
        let mut taken = kept.snapshots.remove(&name).ok_or_else(|| not_found(&name))?;
        Restore::new(tx, row, kept)?.run(&mut taken)?;
        let summary = taken.summary(&name);
        kept.snapshots.insert(name, taken);
        Ok(summary)
    })
}

pub fn delete(view: &View<'_>, name: &str) -> Result<Summary> {
    change(view, name, |kept, tx, _, name| {
        let taken = kept.snapshots.remove(&name).ok_or_else(|| not_found(&name))?;
        kept.let_go(tx, &taken)?;
        Ok(taken.summary(&name))
    })
}

/// Changes rows and what is known of them together.
fn change(
    view: &View<'_>,
    name: &str,
    change: impl FnOnce(&mut Kept, &mut Tx<'_>, EnvironmentRow, String) -> Result<Summary> + Send + 'static,
) -> Result<Summary> {
    let snapshots = view.store().snapshots();
    let _one = snapshots.one_at_a_time();
    let row = view.read(|_, row| Ok(row))?;
    let mut kept = snapshots.all().get(&row).cloned().ok_or_else(|| not_found(name))?;
    let name = name.to_owned();
    let (kept, summary) = view.store().write(move |tx| {
        if !is_there(tx, row)? {
            return Err(Error::unavailable("what this API key had was reset meanwhile; try again"));
        }
        let summary = change(&mut kept, tx, row, name)?;
        Ok((kept, summary))
    })?;
    snapshots.all().insert(row, kept);
    Ok(summary)
}
