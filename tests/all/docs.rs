//! What the documents say of the program that the program knows itself. `BULKD_BLESS=1` writes it anew.

use std::fs;
use std::path::Path;

use bulkd::render::helpers::helpers;
use bulkd::template::{Form, Helper};

use crate::support::cases;

/// A row of the table of helpers.
fn row(helper: &Helper) -> String {
    let form = match helper.form {
        Form::Value(_) => "value",
        Form::Condition(_) => "condition",
        Form::Content(_) => "changing block",
        Form::Language(_) if helper.name == "set" => "tag",
        Form::Language(_) => "block",
    };
    let arguments = if helper.arguments.is_empty() { String::new() } else { format!("`{}`", helper.arguments) };
    format!("| `{}` | {arguments} | {form} | {} | {} |\n", helper.name, helper.about, helper.source)
}

#[test]
fn the_table_of_helpers_is_that_of_the_program() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md");
    let text = fs::read_to_string(&file).unwrap();
    let mut all: Vec<&Helper> = helpers().iter().collect();
    all.sort_by_key(|helper| helper.name);
    let rows: String = all.into_iter().map(row).collect();
    let table = format!("| name | arguments | used as | what it does | source |\n|---|---|---|---|---|\n{rows}");
    let (before, rest) = text.split_once("<!-- helpers -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /helpers -->").unwrap();
    let expected = format!("{before}<!-- helpers -->\n{table}<!-- /helpers -->{after}");
    if cases::is_blessing() {
        fs::write(&file, expected).unwrap();
    } else {
        assert!(text == expected, "docs/templates.md has another table; run this test with BULKD_BLESS=1");
    }
}

#[test]
fn no_two_helpers_have_the_same_name_and_each_says_what_it_does() {
    let mut names: Vec<&str> = Vec::new();
    for helper in helpers().iter() {
        assert!(!names.contains(&helper.name), "{} is there twice", helper.name);
        assert!(helper.about.ends_with('.') && !helper.source.is_empty(), "{}", helper.name);
        names.push(helper.name);
    }
    for name in ["if", "each", "condition", "var", "datetime-format", "formatMessage", "markdown"] {
        assert!(names.contains(&name), "{name} is missing");
    }
}
