//! Backups. Ours; Courier has nothing of the kind.

use serde::Deserialize;
use serde_json::json;

use super::call::{Action, Answer, Call};
use crate::error::{Error, Kind, Result};
use crate::json;
use crate::store::check::FileSummary;

/// The longest name that file systems take, less what is added to it while the file is written.
pub const LONGEST_NAME: usize = 200;

#[derive(Deserialize)]
struct CreateBody {
    file: String,
}

/// `POST /_bulkd/backup` with `{file}`: 201 `{file, bytes, pages, seconds, check}` once the copy is there and was checked.
/// It has all environments in it, by any key: `--backup-dir` allows it.
pub fn create(mut call: Call<'_>) -> Result<Action> {
    let body: CreateBody = json::read(&call.json()?, String::new)?;
    let Some(folder) = &call.settings.backup_dir else {
        let why = "backups are made in a folder that bulkd was started with; name one with --backup-dir";
        return Err(Error::new(Kind::Forbidden, why));
    };
    if !is_plain(&body.file) {
        return Err(Error::invalid("file", "expected a plain name that ends in .db, such as 2026-09-21.db"));
    }
    let path = folder.join(&body.file);
    Action::whole(move |store| {
        let made = store.back_up(&path)?;
        log::info!("{} is a backup of the file: {}", path.display(), made.words());
        let FileSummary { jobs, users, messages, failures } = made.holds.unwrap_or_default();
        let shown = json!({
            "file": body.file,
            "bytes": made.bytes,
            "pages": made.pages,
            "seconds": made.taken.as_secs_f64(),
            "check": { "sound": true, "jobs": jobs, "users": users, "messages": messages, "failures": failures },
        });
        Ok(Answer::new(201, shown.to_string()))
    })
}

/// Whether a name stays in the folder, is not hidden, and is none that SQLite or bulkd uses beside a database.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.len() <= LONGEST_NAME
        && name.bytes().all(is_plain)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.ends_with(".db")
}
