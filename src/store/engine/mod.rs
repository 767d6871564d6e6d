//! What knows SQLite, and no table but that of the file as a whole: the file and its versions, the connections, the one
//! writer with its transactions, and rows in general.

pub mod bell;
pub mod change;
pub mod checkpoint;
pub mod file;
pub mod in_place;
pub mod migrate;
pub mod partial;
pub mod readers;
pub mod recipients;
pub mod recovery;
pub mod rows;
pub mod serving;
pub mod stopping;
pub mod writer;

mod error;
mod tx;

pub use tx::{Db, Tx};
