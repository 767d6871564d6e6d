//! Many rows in few statements: what a statement costs by itself is a good part of what a small row costs.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, Statement, ToSql};

use crate::error::{Error, Result};

/// The value of a column that holds one of an enum's names.
pub fn name<T>(row: &Row<'_>, column: usize, from_name: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    from_name(row.get_ref(column)?.as_str()?).ok_or_else(|| unknown(column))
}

/// The same for a column that may be NULL.
pub fn optional_name<T>(
    row: &Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    row.get_ref(column)?.as_str_or_null()?.map(|text| from_name(text).ok_or_else(|| unknown(column))).transpose()
}

/// What a column holds is nothing that it can hold.
pub fn unknown(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "a name".to_owned(), Type::Text)
}

/// Rows that one statement inserts.
const ROWS: usize = 16;

/// Appends `rows` to a table, numbered from `first_number` on, which has to be beyond every number in it. `insert` is
/// the statement up to its VALUES, the number first and so many `others` behind it; `bind` is called with each row and
/// binds these.
pub fn append<R>(
    conn: &Connection,
    insert: &str,
    others: usize,
    first_number: i64,
    rows: &[R],
    bind: impl Fn(&R, &mut Parameters<'_, '_>) -> rusqlite::Result<()>,
) -> Result<()> {
    // SQLite gives a row without a number the next one, and need not look for its place.
    let row = |number: &str| format!("({number}{})", ", ?".repeat(others));
    let statement =
        |rows: usize| format!("{insert} VALUES {}{}", row("?"), format!(", {}", row("NULL")).repeat(rows - 1));
    let execute = |statement: &mut Statement<'_>, number: i64, rows: &[R]| -> Result<()> {
        let mut parameters = Parameters { statement, next: 1 };
        parameters.bind(number)?;
        rows.iter().try_for_each(|row| bind(row, &mut parameters))?;
        statement.raw_execute()?;
        match conn.last_insert_rowid() == number + rows.len() as i64 - 1 {
            true => Ok(()),
            false => Err(Error::unavailable("the database file is damaged: a row is numbered beyond the last one")),
        }
    };
    let (full, rest) = rows.as_chunks::<ROWS>();
    let mut number = first_number;
    if !full.is_empty() {
        let mut many = conn.prepare_cached(&statement(ROWS))?;
        for rows in full {
            execute(&mut many, number, rows)?;
            number += ROWS as i64;
        }
    }
    if !rest.is_empty() {
        let mut one = conn.prepare_cached(&statement(1))?;
        for row in rest.chunks(1) {
            execute(&mut one, number, row)?;
            number += 1;
        }
    }
    Ok(())
}

/// The parameters of a statement, bound one after the other.
pub struct Parameters<'a, 'conn> {
    statement: &'a mut Statement<'conn>,
    next: usize,
}

impl Parameters<'_, '_> {
    pub fn bind(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.statement.raw_bind_parameter(self.next, value)?;
        self.next += 1;
        Ok(())
    }
}
