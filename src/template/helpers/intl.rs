//! Numbers, dates and messages in the language of who reads them: the helpers of handlebars-intl.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::budget::Problem;
use super::super::call::{Call, Form, Helper};
use super::super::values::Value;
use super::calendar::{DateFormat, RelativeFormat};
use super::data::expected;
use super::dates::moment;
use super::message;
use super::numerals::NumberFormat;
use super::options::{Language, Options};
use crate::error::shown;

const README: &str = "github.com/formatjs/handlebars-intl#helpers";
const USES: &str = "docs/platform/content/template-designer/handlebars-designer#use-cases";

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "intl",
        arguments: "[locales=] [formats=] [messages=]",
        form: Form::Language,
        about: "The languages, formats and messages that the helpers of `intl` in it know.",
        source: USES,
    },
    Helper {
        name: "intlGet",
        arguments: "\"path\"",
        form: Form::Value(intl_get),
        about: "What a path such as `messages.greeting` leads to in what `intl` knows.",
        source: README,
    },
    Helper {
        name: "formatMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_message),
        about: "A message in ICU's MessageFormat with its named arguments: `{name}`, `number`, `date`, `time`, `plural`, \
                `selectordinal` and `select`.",
        source: USES,
    },
    Helper {
        name: "formatHTMLMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_html_message),
        about: "The same for a message of HTML: its arguments are escaped, it is not.",
        source: README,
    },
    Helper {
        name: "formatNumber",
        arguments: "number [format] [locales=] [style=] [currency=] …",
        form: Form::Value(format_number),
        about: "A number as the language writes it, with the options of `Intl.NumberFormat`.",
        source: README,
    },
    Helper {
        name: "formatDate",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "date")),
        about: "A date as the language writes it, with the options of `Intl.DateTimeFormat`.",
        source: README,
    },
    Helper {
        name: "formatTime",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "time")),
        about: "The same with formats for times. Without options it is a date too.",
        source: README,
    },
    Helper {
        name: "formatRelative",
        arguments: "date [format] [locales=] [now=] [style=] [units=]",
        form: Form::Value(format_relative),
        about: "How long ago or ahead a date is, such as `in 3 days`.",
        source: README,
    },
    Helper {
        name: "intlMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_message),
        about: "`formatMessage` under another name.",
        source: README,
    },
    Helper {
        name: "intlHTMLMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_html_message),
        about: "`formatHTMLMessage` under another name.",
        source: README,
    },
    Helper {
        name: "intlNumber",
        arguments: "number [format] [locales=] [style=] [currency=] …",
        form: Form::Value(format_number),
        about: "`formatNumber` under another name.",
        source: README,
    },
    Helper {
        name: "intlDate",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "date")),
        about: "`formatDate` under another name.",
        source: README,
    },
    Helper {
        name: "intlTime",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "time")),
        about: "`formatTime` under another name.",
        source: README,
    },
];

/// What a path leads to in what `intl` knows.
fn known<'a>(path: &str, call: &Call<'_, 'a>, language: &Language<'a>) -> Result<Value<'a>, Problem> {
    match language.find(path, call.heap)? {
        Value::Undefined => Err(Problem(format!("there is no '{}' in what intl was given", shown(path)))),
        value => Ok(value),
    }
}

fn intl_get<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    let argument = call.arg(0);
    let path = argument.as_text().ok_or_else(|| expected("a path in quotes", argument))?;
    known(path, call, &Language::of(call)?)
}

/// The options of a call, and of the format that it names.
fn options<'o, 'a>(group: &str, call: &'o Call<'o, 'a>, language: &Language<'a>) -> Result<Options<'o, 'a>, Problem> {
    let format = match call.arg(1) {
        name if name.is_nothing() => Value::Undefined,
        name => {
            let name = name.as_text().ok_or_else(|| expected("the name of a format in quotes", name))?;
            known(&format!("formats.{group}.{}", shown(name)), call, language)?
        }
    };
    Ok(Options { named: call.named, format, heap: call.heap })
}

fn format_number<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    let Value::Number(number) = call.arg(0) else {
        return Err(expected("a number", call.arg(0)));
    };
    let language = Language::of(call)?;
    let format = NumberFormat::of(&options("number", call, &language)?)?;
    let mut out = String::new();
    format.write(number, language.locale, &mut out);
    call.give(&out)
}

fn format_date<'a>(call: &Call<'_, 'a>, group: &str) -> Result<Value<'a>, Problem> {
    let moment = moment(call.arg(0), call.heap)?;
    let language = Language::of(call)?;
    let format = DateFormat::of(&options(group, call, &language)?)?;
    let mut out = String::new();
    format.write(moment, language.locale, &mut out);
    call.give(&out)
}

fn format_relative<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    let at = moment(call.arg(0), call.heap)?.at.as_millisecond();
    let language = Language::of(call)?;
    let options = options("relative", call, &language)?;
    let now = match options.get("now")? {
        Value::Undefined => now(),
        now => moment(now, call.heap)?.at.as_millisecond(),
    };
    let mut out = String::new();
    RelativeFormat::of(&options)?.write(at - now, &language, &mut out);
    call.give(&out)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or_default();
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

fn message_of<'a>(call: &Call<'_, 'a>, is_html: bool) -> Result<String, Problem> {
    let message = match (call.arg(0), call.named("intlName")) {
        (Value::Undefined, Some(path)) => {
            let path = path.as_text().ok_or_else(|| expected("intlName= to be a path in quotes", path))?;
            known(path, call, &Language::of(call)?)?
        }
        (message, _) => message,
    };
    let text = message.as_text().ok_or_else(|| expected("a message in quotes, or its path as intlName=", message))?;
    message::format(text, is_html, call)
}

fn format_message<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    call.give(&message_of(call, false)?)
}

fn format_html_message<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    call.heap.text(&message_of(call, true)?).map(Value::Markup)
}
