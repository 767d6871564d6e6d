//! Helpers that join, cut and fill in texts.

use super::json_text;
use super::pattern::Pattern;
use super::sprintf;
use crate::template::budget::{Problem, TEXT_BYTES};
use crate::template::call::{CallCheck, Form, Helper, HelperCall, KnownArguments, expected, printed};
use crate::template::heap::Heap;
use crate::template::number::is_space;
use crate::template::values::{Value, first_units};

const PAGE: &str = "docs/platform/content/template-designer/handlebars-helpers";
const PREVIEW: &str = "courier-designer's preview helpers";

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "capitalize",
        arguments: "text",
        form: Form::Value(capitalize),
        about: "The text with its first letter large.",
        source: PAGE,
        checks: &[CallCheck::Argument("text", has_letters)],
    },
    Helper {
        name: "concat",
        arguments: "[separator=] [safe=] …",
        form: Form::Value(concat),
        about: "All its arguments as one text, the separator between them. With `safe=true` it is not escaped.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "format",
        arguments: "pattern …",
        form: Form::Value(format),
        about: "The pattern with its arguments, or the items of a list that is the only one, where it has \
                placeholders: sprintf-js's, such as `%s`, `%d`, `%.2f`, `%05d` and `%2$s`.",
        source: PAGE,
        checks: &[CallCheck::Call(is_filled)],
    },
    Helper {
        name: "trim",
        arguments: "text",
        form: Form::Content(|call| trimmed(call, |text| text.trim_matches(is_space))),
        about: "The text without the space around it.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "trim-left",
        arguments: "text",
        form: Form::Content(|call| trimmed(call, |text| text.trim_start_matches(is_space))),
        about: "The text without the space before it.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "trim-right",
        arguments: "text",
        form: Form::Content(|call| trimmed(call, |text| text.trim_end_matches(is_space))),
        about: "The text without the space behind it.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "trim-one-char-right",
        arguments: "text",
        form: Form::Content(trim_one_char_right),
        about: "The text without its last character.",
        source: PAGE,
        checks: &[CallCheck::Argument("text", is_text)],
    },
    Helper {
        name: "truncate",
        arguments: "text [length] [suffix]",
        form: Form::Value(truncate),
        about: "A text that is longer than that many characters cut there, with the suffix behind it.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "replace-all",
        arguments: "text search replacement",
        form: Form::Content(replace_all),
        about: "The text with every match of a regular expression replaced; `$1` and `$&` in the replacement are \
                JavaScript's.",
        source: PREVIEW,
        checks: &[CallCheck::Argument("search", is_search), CallCheck::Argument("replacement", is_replacement)],
    },
    Helper {
        name: "split",
        arguments: "text separator",
        form: Form::Value(split),
        about: "A list of what stands between the separators.",
        source: PREVIEW,
        checks: &[CallCheck::Argument("text", is_text), CallCheck::Argument("separator", is_text)],
    },
    Helper {
        name: "parse-string",
        arguments: "text",
        form: Form::Value(parse_string),
        about: "The text with JSON's escapes in it, such as `\\n`, read.",
        source: PREVIEW,
        checks: &[CallCheck::Argument("text", is_escaped)],
    },
    Helper {
        name: "line-break",
        arguments: "",
        form: Form::Value(|_| Ok(Value::Text("\n"))),
        about: "A new line; `<br>` in HTML of your own.",
        source: PREVIEW,
        checks: &[],
    },
    Helper {
        name: "text-direction",
        arguments: "[text]",
        form: Form::Value(text_direction),
        about: "`text-rtl` if the first letter is of a script that is written from right to left.",
        source: PREVIEW,
        checks: &[],
    },
    Helper {
        name: "translate",
        arguments: "key …",
        form: Form::Value(translate),
        about: "The key: there are no translations here, into which its arguments would go.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "t",
        arguments: "key …",
        form: Form::Value(translate),
        about: "`translate` under another name.",
        source: PAGE,
        checks: &[],
    },
];

fn text_of<'a>(value: Value<'a>) -> Result<&'a str, Problem> {
    value.as_text().ok_or_else(|| expected("a text", value))
}

fn is_text<'a>(value: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    text_of(value).map(drop)
}

/// Refuses a value that `capitalize` cannot change: one that is true and not a text.
fn has_letters<'a>(value: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    if value.is_truthy() { text_of(value).map(drop) } else { Ok(()) }
}

fn capitalize<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let value = call.arg(0);
    if !value.is_truthy() {
        return Ok(value);
    }
    let mut rest = text_of(value)?.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    call.give(&first.chain(rest).collect::<String>())
}

fn concat<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let separator = match call.named("separator") {
        Some(separator) if !separator.is_nothing() => separator.text(call.heap)?,
        _ => "",
    };
    let mut text = String::new();
    for (place, value) in call.args.iter().enumerate() {
        text.push_str(if place > 0 { separator } else { "" });
        value.print(call.heap, &mut text)?;
        if text.len() > TEXT_BYTES {
            return Err(Problem::too_long());
        }
    }
    let text = call.heap.text(&text)?;
    let is_safe = call.named("safe").is_some_and(Value::is_truthy);
    Ok(if is_safe { Value::Markup(text) } else { Value::Text(text) })
}

/// The pattern in an argument.
fn pattern_of<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<&'a str, Problem> {
    match argument.is_nothing() {
        true => Err(expected("a pattern such as \"%.2f\"", argument)),
        false => argument.text(heap),
    }
}

/// Whether the pattern of `format` can be filled.
fn is_filled(known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
    match known.arg(0) {
        Some(pattern) => sprintf::check(pattern_of(pattern, known.heap)?),
        None => Ok(()),
    }
}

fn format<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let (pattern, values) = call.args.split_first().map_or((Value::Undefined, &[][..]), |(first, rest)| (*first, rest));
    let pattern = pattern_of(pattern, call.heap)?;
    let values = match values {
        [list] if list.is_list() => list.items(call.heap)?,
        values => values,
    };
    call.give(&sprintf::format(pattern, values, call.heap)?)
}

fn trimmed<'a>(call: &HelperCall<'_, 'a>, trim: fn(&'a str) -> &'a str) -> Result<Value<'a>, Problem> {
    let text = match (call.arg(0), call.this) {
        // Courier drops members that are null before it renders, and keeps items.
        (Value::Null, Value::Null) => "null",
        _ => call.printed(0)?,
    };
    call.heap.budget.scanned(text.len())?;
    Ok(Value::Text(trim(text)))
}

fn trim_one_char_right<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let mut chars = text_of(call.arg(0))?.chars();
    chars.next_back();
    Ok(Value::Text(chars.as_str()))
}

fn truncate<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let value = call.arg(0);
    let Some(text) = value.as_text() else { return Ok(value) };
    let length = if call.arg(1).is_nothing() { f64::NAN } else { call.arg(1).number(call.heap)? };
    if length.is_nan() {
        return Ok(value);
    }
    call.heap.budget.scanned(text.len())?;
    let kept = first_units(text, length.max(0.0) as usize);
    if kept.len() == text.len() {
        return Ok(value);
    }
    match call.arg(2) {
        suffix if suffix.is_nothing() => Ok(Value::Text(kept)),
        suffix => call.give(&[kept, suffix.text(call.heap)?].concat()),
    }
}

fn replace_all<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let (text, search) = (call.printed(0)?, search_of(call.arg(1), call.heap)?);
    call.give(&Pattern::new(search, call.heap)?.replace_all(text, replacement_of(call.arg(2))?, call)?)
}

/// The regular expression in an argument.
fn search_of<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<&'a str, Problem> {
    match printed(argument, heap)? {
        "" => Err(expected("a regular expression to search for", argument)),
        search => Ok(search),
    }
}

fn replacement_of(argument: Value<'_>) -> Result<&str, Problem> {
    argument.as_text().ok_or_else(|| expected("a text to replace it by", argument))
}

fn is_search<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    Pattern::check(search_of(argument, heap)?)
}

fn is_replacement<'a>(argument: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    replacement_of(argument).map(drop)
}

fn split<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let (text, separator) = (text_of(call.arg(0))?, text_of(call.arg(1))?);
    call.heap.budget.scanned(text.len())?;
    let mut parts = Vec::new();
    let mut add = |part: &'a str| {
        call.heap.budget.bytes(size_of::<Value<'_>>())?;
        parts.push(Value::Text(part));
        Ok(())
    };
    if separator.is_empty() {
        // Between any two characters.
        text.split("").filter(|part| !part.is_empty()).try_for_each(&mut add)?;
    } else {
        text.split(separator).try_for_each(&mut add)?;
    }
    call.heap.list(&parts).map(Value::List)
}

fn is_escaped<'a>(argument: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    json_text::unescaped(text_of(argument)?).map(drop)
}

fn parse_string<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let text = text_of(call.arg(0))?;
    call.heap.budget.bytes(text.len())?;
    call.give(&json_text::unescaped(text)?)
}

/// The first letter with a direction decides, by the ranges of the package `direction`, which treats all characters
/// beyond the basic plane as left to right.
fn text_direction<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let text = call.printed(0)?;
    call.heap.budget.scanned(text.len())?;
    let is_rtl = |c: char| match c {
        '\u{591}'..='\u{7ff}' | '\u{200f}' | '\u{fb1d}'..='\u{fdfd}' | '\u{fe70}'..='\u{fefc}' => Some(true),
        'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2b8}' => Some(false),
        '\u{300}'..='\u{590}' | '\u{800}'..='\u{1fff}' | '\u{200e}' | '\u{2c00}'..='\u{fb1c}' => Some(false),
        '\u{fe00}'..='\u{fe6f}' | '\u{fefd}'.. => Some(false),
        _ => None,
    };
    Ok(Value::Text(if text.chars().find_map(is_rtl) == Some(true) { "text-rtl" } else { "" }))
}

/// There are no translations, so it is the key.
fn translate<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    call.printed(0).map(Value::Text)
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, given, printed};

    const DATA: &str = r#"{
        "n": 42, "none": null, "arr": ["a", "b"], "o": {}, "zero": 0, "list": [1, null, [2, 3]],
        "user": {"firstName": "ada", "lastName": "Lovelace"}, "order": {"id": "A-1042"}, "csv": "red,green,blue",
        "name": "Ann", "message": "Your order has shipped and is on its way to you", "profile": {"name": "rod"}
    }"#;

    #[test]
    fn texts_are_joined() {
        check(
            DATA,
            &[
                (r#"capitalize "foo""#, "Foo"),
                (r#"capitalize "courier""#, "Courier"),
                (r#"capitalize "try courier""#, "Try courier"),
                (r#"capitalize (var "name")"#, "Ann"),
                (r#"capitalize (var "profile.name")"#, "Rod"),
                ("capitalize user.firstName", "Ada"),
                (r#"capitalize "élan""#, "Élan"),
                (r#"capitalize "ßa""#, "SSa"),
                (r#"capitalize " foo""#, " foo"),
                (r#"capitalize "  ""#, "  "),
                ("capitalize zero", "0"),
                ("capitalize nobody", ""),
                ("capitalize n", "!expected a text, found the number 42"),
                (r#"concat "hello" " " "world""#, "hello world"),
                (r#"concat "hello" "world""#, "helloworld"),
                (r#"concat "hello" " " (var "name")"#, "hello Ann"),
                (r#"concat "hello" " " (var "profile.name")"#, "hello rod"),
                (r#"concat user.firstName user.lastName separator=" ""#, "ada Lovelace"),
                (r#"concat "Order-" order.id"#, "Order-A-1042"),
                ("concat", ""),
                (r#"concat list nobody none o true 1.50 separator="|""#, "1,,2,3|||[object Object]|true|1.5"),
                ("concat 1 2 separator=nobody", "12"),
                ("concat 1 2 separator=0", "102"),
            ],
        );
        assert_eq!(given(DATA, r#"concat "<b>" safe=true"#).as_deref(), Ok(r#"Markup("<b>")"#));
        assert_eq!(given(DATA, r#"concat "<b>" safe=false"#).as_deref(), Ok(r#"Text("<b>")"#));
        let long = "x".repeat(2_000_000);
        let problem = printed(DATA, &format!("concat {long:?} {long:?} {long:?} {long:?}")).unwrap_err();
        assert_eq!(problem, "the text would be longer than 6291456 bytes");
    }

    #[test]
    fn texts_are_trimmed_and_cut() {
        check(
            DATA,
            &[
                (r#"trim "  a string  ""#, "a string"),
                (r#"trim "\n\u00a0\ufefftest\t\u0085""#, "test\t\u{85}"),
                (r#"trim-left "  a string""#, "a string"),
                (r#"trim-left "  spaced out  ""#, "spaced out  "),
                (r#"trim-right "a string  ""#, "a string"),
                (r#"trim-right " a string ""#, " a string"),
                ("trim nobody", ""),
                ("trim n", "42"),
                ("trim arr", "a,b"),
                (r#"trim-one-char-right "ends with\\ ""#, "ends with\\"),
                (r#"trim-one-char-right "hello world""#, "hello worl"),
                (r#"trim-one-char-right """#, ""),
                (r#"trim-one-char-right "a🎉""#, "a"),
                ("trim-one-char-right n", "!expected a text, found the number 42"),
                (r#"truncate "some very long string" 9"#, "some very"),
                (r#"truncate "some very long string" 9 "...""#, "some very..."),
                (r#"truncate "some very long string" 21 "...""#, "some very long string"),
                (r#"truncate "some very long string" 20 "...""#, "some very long strin..."),
                (r#"truncate message 20 "...""#, "Your order has shipp..."),
                ("truncate message 10", "Your order"),
                (r#"truncate "A-1042" 40 "...""#, "A-1042"),
                (r#"truncate "A-1042" 2 "…""#, "A-…"),
                (r#"truncate "A-1042" "2" 5"#, "A-5"),
                (r#"truncate "A-1042" 2.7"#, "A-"),
                (r#"truncate "A-1042" 0 "x""#, "x"),
                (r#"truncate "A-1042" -1 "x""#, "x"),
                (r#"truncate "A-1042""#, "A-1042"),
                (r#"truncate "A-1042" "x""#, "A-1042"),
                (r#"truncate "a🎉b" 3"#, "a🎉"),
                (r#"truncate "a🎉b" 2 "!""#, "a!"),
                ("truncate n 1", "42"),
                ("truncate nobody 1", ""),
            ],
        );
    }

    #[test]
    fn texts_are_taken_apart() {
        check(
            DATA,
            &[
                (r#"concat (split csv ",") separator="""#, "red,green,blue"),
                (r#"lookup (split csv ",") 2"#, "blue"),
                (r#"lookup (split csv ",") "length""#, "3"),
                (r#"lookup (split csv ".") "length""#, "1"),
                (r#"split ",a," ",""#, ",a,"),
                (r#"split "é🎉" """#, "é,🎉"),
                (r#"lookup (split "" "") "length""#, "0"),
                (r#"lookup (split "" ",") "length""#, "1"),
                (r#"split nobody ",""#, "!expected a text, found nothing"),
                (r#"split n ",""#, "!expected a text, found the number 42"),
                (r#"split arr ",""#, "!expected a text, found a list"),
                ("split csv", "!expected a text, found nothing"),
                (r#"parse-string "a\\nb\\u0041\\t""#, "a\nbA\t"),
                (r#"parse-string "say \"hi\"""#, "say \"hi\""),
                (r#"parse-string "42""#, "42"),
                ("parse-string n", "!expected a text, found the number 42"),
                (
                    r#"parse-string "a\\""#,
                    r#"!expected JSON's escapes such as \n and \u0041, found "\\" at character 2 of "a\\""#,
                ),
            ],
        );
        assert_eq!(given(DATA, r#"parse-string "42""#).as_deref(), Ok(r#"Text("42")"#));
    }

    #[test]
    fn directions_and_lines() {
        check(
            DATA,
            &[
                (r#"text-direction "مرحبا""#, "text-rtl"),
                (r#"text-direction "12 שלום abc""#, "text-rtl"),
                (r#"text-direction "abc مرحبا""#, ""),
                (r#"text-direction "🎉 مرحبا""#, ""),
                (r#"text-direction "12""#, ""),
                ("text-direction nobody", ""),
                ("text-direction", ""),
                (r#"concat "a" (line-break) "b""#, "a\nb"),
            ],
        );
    }

    #[test]
    fn keys_stand_in_for_translations() {
        check(
            DATA,
            &[
                (r#"t "Salutation""#, "Salutation"),
                (r#"t "Salutation" user.firstName user.lastName"#, "Salutation"),
                (r#"t "Salutation" default="Welcome""#, "Salutation"),
                (r#"translate "greeting""#, "greeting"),
                (r#"translate "greeting" "Hello""#, "greeting"),
                (r#"translate "x" default="Y""#, "x"),
                (r#"translate "x" nobody"#, "x"),
                ("t nobody", ""),
                ("translate n", "42"),
            ],
        );
    }
}
