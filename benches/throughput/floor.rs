//! What SQLite itself can do: the same rows in the same schema, by plain prepared statements, in one thread.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ToSql, params};

use crate::users::Batch;

fn open(path: &Path, durability: &str) -> Connection {
    let file = Connection::open(path).unwrap();
    let synchronous = if durability == "full" { "FULL" } else { "NORMAL" };
    file.execute_batch(&format!(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; {}",
        include_str!("../../schema.sql")
    ))
    .unwrap();
    file
}

/// Inserts `users` users, `batch` a transaction.
pub fn insert_users(path: &Path, durability: &str, users: usize, batch: usize) -> Duration {
    let file = open(path, durability);
    let mut rows = Batch::new(batch, 1);
    let mut number = 0;
    let mut spent = Duration::ZERO;
    while number < users {
        rows.renew();
        let begun = Instant::now();
        file.execute_batch("BEGIN").unwrap();
        let mut insert =
            file.prepare_cached("INSERT INTO users (number, recipient, user) VALUES (?1, ?2, ?3)").unwrap();
        for (recipient, user) in rows.rows() {
            number += 1;
            insert.execute(params![number, recipient, user]).unwrap();
        }
        file.execute_batch("COMMIT").unwrap();
        spent += begun.elapsed();
    }
    spent
}

/// Inserts `messages` messages like those that the drain makes, `batch` a transaction; `texts` are subject, body and
/// content.
pub fn insert_messages<T: ToSql>(
    path: &Path,
    durability: &str,
    messages: usize,
    batch: usize,
    texts: &[T; 3],
) -> Duration {
    let file = open(path, durability);
    let mut rows = Batch::new(batch, 1);
    let mut number = 0;
    let mut spent = Duration::ZERO;
    while number < messages {
        rows.renew();
        let begun = Instant::now();
        file.execute_batch("BEGIN").unwrap();
        let mut insert = file
            .prepare_cached(
                "INSERT INTO messages (number, recipient, status, reason, error, channel, provider, address, subject,
                                       body, content, profile_version)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )
            .unwrap();
        for (recipient, _) in rows.rows() {
            number += 1;
            let (none, address) = (None::<&str>, "reader-000000@example.com");
            insert
                .execute(params![
                    number, recipient, "SENT", none, none, "email", "sendgrid", address, texts[0], texts[1], texts[2],
                    none
                ])
                .unwrap();
        }
        file.execute_batch("COMMIT").unwrap();
        spent += begun.elapsed();
    }
    spent
}
