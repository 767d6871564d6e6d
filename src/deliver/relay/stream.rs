//! How far the stream of an outbox has come.

use std::collections::HashMap;

use redis::Value;

use super::keys::{Keys, entry_of};
use super::link::Link;
use crate::error::{Error, Result};

/// An entry of a stream as Redis lists it: its id, and its fields, names and values by turns. Other programs write some, in
/// whatever bytes.
pub type Entry = (String, Vec<Vec<u8>>);
/// Entries by streams. `None` where there is nothing.
pub type ByStream = Option<Vec<(String, Vec<Entry>)>>;

/// The fields of an entry as texts.
pub fn texts(fields: &[Vec<u8>]) -> Vec<String> {
    fields.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect()
}

pub struct Stream {
    /// The last entry that was ever in it.
    pub last: i64,
    /// How many are in it now.
    pub length: u64,
}

pub fn look(link: &mut Link, keys: &Keys) -> Result<Stream> {
    let mut ask = redis::cmd("XINFO");
    ask.arg("STREAM").arg(&keys.outbox);
    let told: HashMap<String, Value> = match link.ask(&ask) {
        Ok(told) => told,
        Err(error) if is_no_key(&error) => return Ok(Stream { last: 0, length: 0 }),
        Err(error) => return Err(link.failed(&error)),
    };
    let length = told.get("length").and_then(|it| redis::from_redis_value_ref(it).ok());
    let last = told.get("last-generated-id").and_then(|it| redis::from_redis_value_ref::<String>(it).ok());
    match (last.as_deref().and_then(entry_of), length) {
        (Some(last), Some(length)) => Ok(Stream { last, length }),
        _ => Err(Error::unavailable(format!("{}: the answer to XINFO STREAM could not be read", link.place()))),
    }
}

fn is_no_key(error: &redis::RedisError) -> bool {
    error.code() == Some("ERR") && error.detail().is_some_and(|it| it.contains("no such key"))
}
