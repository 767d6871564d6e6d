//! Values of rows, and many rows in few statements: the fixed cost of a statement is a good part of the cost of a small
//! row.

use std::sync::OnceLock;

use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, Row, Statement, ToSql};

use crate::error::{Error, Result};
use crate::model::row::row_numbers;

macro_rules! to_and_from_sql {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        $(
            impl ToSql for $crate::model::row::$name {
                fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                    Ok(self.0.into())
                }
            }

            impl FromSql for $crate::model::row::$name {
                fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                    value.as_i64().map(Self)
                }
            }
        )+
    };
}
row_numbers!(to_and_from_sql);

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

/// A column holds a value that it cannot have.
pub fn unknown(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "a name".to_owned(), Type::Text)
}

/// Rows that one statement inserts.
const ROWS: usize = 16;

/// A row that is appended under the next number of its table.
pub trait InsertRow {
    /// The statement up to its VALUES, with the number first, then the [shared](InsertRow::SHARED)
    /// columns, then those of its [own](InsertRow::OWN).
    const INSERT: &'static str;
    /// Columns in which most rows are like their neighbours. They are bound once for all rows of a statement, since
    /// every bound value is copied.
    const SHARED: usize;
    const OWN: usize;

    /// Where the texts of its statements are kept.
    fn statements() -> &'static Statements;
    /// Whether the shared columns are the same.
    fn shares(&self, other: &Self) -> bool;
    fn bind_shared(&self, row: &mut Parameters<'_, '_>) -> rusqlite::Result<()>;
    fn bind_own(&self, row: &mut Parameters<'_, '_>) -> rusqlite::Result<()>;
}

/// Appends `rows`, numbered from `first_number` on, which has to be beyond every number in the table.
pub fn append<R: InsertRow>(conn: &Connection, first_number: i64, rows: &[R]) -> Result<()> {
    let (full, rest) = rows.as_chunks::<ROWS>();
    let shared = |rows: &[R; ROWS]| rows.iter().all(|row| row.shares(&rows[0]));
    let mut number = first_number;
    for chunks in full.chunk_by(|one, next| shared(one) == shared(next)) {
        let layout = Layout { rows: ROWS, shared_columns: shared(&chunks[0]) };
        number = insert(conn, layout, number, chunks.as_flattened())?;
    }
    insert(conn, Layout { rows: 1, shared_columns: true }, number, rest).map(drop)
}

/// The texts of statements, each made when it is first needed: making one takes longer than inserting many a row.
pub struct Statements([OnceLock<String>; 3]);

impl Statements {
    pub const fn new() -> Self {
        Statements([const { OnceLock::new() }; 3])
    }
}

/// How many rows a statement inserts, and whether the shared columns are bound once for all of them.
#[derive(Clone, Copy)]
struct Layout {
    rows: usize,
    shared_columns: bool,
}

/// Inserts rows, as many at a time as the layout has, and returns the number after the last one.
fn insert<R: InsertRow>(conn: &Connection, layout: Layout, first_number: i64, rows: &[R]) -> Result<i64> {
    if rows.is_empty() {
        return Ok(first_number);
    }
    let Statements(texts) = R::statements();
    let text = &texts[usize::from(layout.rows > 1) + usize::from(!layout.shared_columns)];
    let mut statement = conn.prepare_cached(text.get_or_init(|| layout.statement::<R>()))?;
    let mut number = first_number;
    for rows in rows.chunks(layout.rows) {
        let mut parameters = Parameters { statement: &mut statement, next: 1 };
        parameters.bind(number)?;
        for (i, row) in rows.iter().enumerate() {
            if i == 0 || !layout.shared_columns {
                row.bind_shared(&mut parameters)?;
            }
            row.bind_own(&mut parameters)?;
        }
        statement.raw_execute()?;
        number += rows.len() as i64;
        if conn.last_insert_rowid() != number - 1 {
            return Err(Error::unavailable("the database file is damaged: a row is numbered beyond the last one"));
        }
    }
    Ok(number)
}

impl Layout {
    /// The parameters are numbered in the order in which [`insert`] binds them.
    fn statement<R: InsertRow>(self) -> String {
        let mut next = 1;
        let mut parameters = |count: usize| {
            let numbered = (next..next + count).map(|number| format!(", ?{number}")).collect::<String>();
            next += count;
            numbered
        };
        let number = parameters(1);
        let mut shared = parameters(R::SHARED);
        let mut rows = Vec::new();
        for row in 0..self.rows {
            if row > 0 && !self.shared_columns {
                shared = parameters(R::SHARED);
            }
            // SQLite gives a row without a number the next one, and need not search for its place.
            let number = if row == 0 { &number } else { ", NULL" };
            rows.push(format!("({}{shared}{})", &number[2..], parameters(R::OWN)));
        }
        format!("{} VALUES {}", R::INSERT, rows.join(", "))
    }
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
