//! The helpers that a text may call: handlebars.js's own and Courier's list, in a file for each group. Everything about
//! helpers derives from these tables: what a call finds, how many arguments it needs, the nearest name in an error, and
//! the table of `docs/templates.md`.

mod calendar;
mod data;
mod dates;
mod intl;
mod json_path;
mod json_text;
mod language;
mod locale;
mod logic;
mod math;
mod message;
mod numerals;
mod options;
mod pattern;
mod sprintf;
#[cfg(test)]
mod testing;
mod text;

use super::call::Helper;

/// All helpers. A new group is added here.
pub const HELPERS: [&[Helper]; 7] =
    [language::HELPERS, logic::HELPERS, data::HELPERS, text::HELPERS, math::HELPERS, dates::HELPERS, intl::HELPERS];
