//! Numbers, dates and messages in the reader's language: the helpers of handlebars-intl.

use std::time::{SystemTime, UNIX_EPOCH};

use super::calendar::{DateFormat, RelativeFormat};
use super::data::{is_path, path_of};
use super::dates::moment;
use super::message;
use super::numerals::NumberFormat;
use super::options::{FormatOptions, Language, constants};
use crate::error::shown;
use crate::template::budget::Problem;
use crate::template::call::{CallCheck, Form, Helper, HelperCall, Keyword, KnownArguments, expected};
use crate::template::heap::Heap;
use crate::template::values::Value;

const README: &str = "github.com/formatjs/handlebars-intl#helpers";
const USES: &str = "docs/platform/content/template-designer/handlebars-designer#use-cases";

const NUMBER: &[CallCheck] = &[
    CallCheck::Argument("number", is_number),
    CallCheck::Argument("format", is_name),
    CallCheck::Call(has_number_options),
];
const DATE: &[CallCheck] =
    &[CallCheck::Argument("date", is_date), CallCheck::Argument("format", is_name), CallCheck::Call(has_date_options)];

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "intl",
        arguments: "[locales=] [formats=] [messages=]",
        form: Form::Language(Keyword::Intl),
        about: "The languages, formats and messages that the helpers of `intl` in it know.",
        source: USES,
        checks: &[],
    },
    Helper {
        name: "intlGet",
        arguments: "\"path\"",
        form: Form::Value(intl_get),
        about: "What a path such as `messages.greeting` leads to in what `intl` knows.",
        source: README,
        checks: &[CallCheck::Argument("path", is_path)],
    },
    Helper {
        name: "formatMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_message),
        about: "A message in ICU's MessageFormat with its named arguments: `{name}`, `number`, `date`, `time`, `plural`, \
                `selectordinal` and `select`.",
        source: USES,
        checks: &[CallCheck::Call(has_message)],
    },
    Helper {
        name: "formatHTMLMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_html_message),
        about: "`formatMessage` for a message of HTML: its arguments are escaped, it is not.",
        source: README,
        checks: &[CallCheck::Call(has_message)],
    },
    Helper {
        name: "formatNumber",
        arguments: "number [format] [locales=] [style=] [currency=] …",
        form: Form::Value(format_number),
        about: "A number as the language writes it, with the options of `Intl.NumberFormat`.",
        source: README,
        checks: NUMBER,
    },
    Helper {
        name: "formatDate",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "date")),
        about: "A date as the language writes it, with the options of `Intl.DateTimeFormat`.",
        source: README,
        checks: DATE,
    },
    Helper {
        name: "formatTime",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "time")),
        about: "`formatDate` with formats for times. Without options it is a date too.",
        source: README,
        checks: DATE,
    },
    Helper {
        name: "formatRelative",
        arguments: "date [format] [locales=] [now=] [style=] [units=]",
        form: Form::Value(format_relative),
        about: "How long ago or ahead a date is, such as `in 3 days`.",
        source: README,
        checks: &[
            CallCheck::Argument("date", is_date),
            CallCheck::Argument("format", is_name),
            CallCheck::Argument("now=", is_date),
            CallCheck::Call(has_relative_options),
        ],
    },
    Helper {
        name: "intlMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_message),
        about: "`formatMessage` under another name.",
        source: README,
        checks: &[CallCheck::Call(has_message)],
    },
    Helper {
        name: "intlHTMLMessage",
        arguments: "[message] [intlName=] [locales=] [name=] …",
        form: Form::Value(format_html_message),
        about: "`formatHTMLMessage` under another name.",
        source: README,
        checks: &[CallCheck::Call(has_message)],
    },
    Helper {
        name: "intlNumber",
        arguments: "number [format] [locales=] [style=] [currency=] …",
        form: Form::Value(format_number),
        about: "`formatNumber` under another name.",
        source: README,
        checks: NUMBER,
    },
    Helper {
        name: "intlDate",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "date")),
        about: "`formatDate` under another name.",
        source: README,
        checks: DATE,
    },
    Helper {
        name: "intlTime",
        arguments: "date [format] [locales=] [timeZone=] …",
        form: Form::Value(|call| format_date(call, "time")),
        about: "`formatTime` under another name.",
        source: README,
        checks: DATE,
    },
];

/// The value of a path in the data of `intl`.
fn known<'a>(path: &str, call: &HelperCall<'_, 'a>, language: &Language<'a>) -> Result<Value<'a>, Problem> {
    match language.find(path, call.heap)? {
        Value::Undefined => Err(Problem(format!("there is no '{}' in what intl was given", shown(path)))),
        value => Ok(value),
    }
}

fn intl_get<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    known(path_of(call.arg(0))?, call, &Language::of(call)?)
}

/// The name of a format that an argument is, if it is one.
fn name_of(argument: Value<'_>) -> Result<Option<&str>, Problem> {
    match argument.as_text() {
        None if !argument.is_nothing() => Err(expected("the name of a format in quotes", argument)),
        name => Ok(name),
    }
}

fn is_name<'a>(argument: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    name_of(argument).map(drop)
}

fn has_number_options(known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
    NumberFormat::of(&FormatOptions::plain(&constants(known), known.heap)).map(drop)
}

fn has_date_options(known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
    DateFormat::of(&FormatOptions::plain(&constants(known), known.heap)).map(drop)
}

fn has_relative_options(known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
    RelativeFormat::of(&FormatOptions::plain(&constants(known), known.heap)).map(drop)
}

/// The options of a call, and of the format that it names.
fn options<'o, 'a>(
    group: &str,
    call: &'o HelperCall<'o, 'a>,
    language: &Language<'a>,
) -> Result<FormatOptions<'o, 'a>, Problem> {
    let format = match name_of(call.arg(1))? {
        None => Value::Undefined,
        Some(name) => known(&format!("formats.{group}.{}", shown(name)), call, language)?,
    };
    Ok(FormatOptions { named: call.named, format, heap: call.heap })
}

fn number_of(argument: Value<'_>) -> Result<f64, Problem> {
    match argument {
        Value::Number(number) => Ok(number),
        _ => Err(expected("a number", argument)),
    }
}

fn is_number<'a>(argument: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    number_of(argument).map(drop)
}

fn is_date<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    moment(argument, heap).map(drop)
}

fn format_number<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let number = number_of(call.arg(0))?;
    let language = Language::of(call)?;
    let format = NumberFormat::of(&options("number", call, &language)?)?;
    let mut out = String::new();
    format.write(number, language.locale, &mut out);
    call.give(&out)
}

fn format_date<'a>(call: &HelperCall<'_, 'a>, group: &str) -> Result<Value<'a>, Problem> {
    let moment = moment(call.arg(0), call.heap)?;
    let language = Language::of(call)?;
    let format = DateFormat::of(&options(group, call, &language)?)?;
    let mut out = String::new();
    format.write(moment, language.locale, &mut out);
    call.give(&out)
}

fn format_relative<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
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
#[allow(clippy::disallowed_methods, reason = "the engine knows nothing of bulkd, and so of its clock")]
fn now() -> i64 {
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or_default();
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

fn message_of<'a>(call: &HelperCall<'_, 'a>, is_html: bool) -> Result<String, Problem> {
    let message = match (call.arg(0), call.named("intlName")) {
        (Value::Undefined, Some(path)) => {
            let path = path.as_text().ok_or_else(|| expected("intlName= to be a path in quotes", path))?;
            known(path, call, &Language::of(call)?)?
        }
        (message, _) => message,
    };
    message::format(text_of(message)?, is_html, call)
}

fn text_of(message: Value<'_>) -> Result<&str, Problem> {
    message.as_text().ok_or_else(|| expected("a message in quotes, or its path as intlName=", message))
}

/// Whether a message can be written, as far as it is known.
fn has_message(known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
    match known.arg(0) {
        None => Ok(()),
        Some(Value::Undefined) if known.has_named("intlName") => Ok(()),
        Some(message) => message::check(text_of(message)?, known),
    }
}

fn format_message<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    call.give(&message_of(call, false)?)
}

fn format_html_message<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    call.heap.text(&message_of(call, true)?).map(Value::Markup)
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, given, printed};

    const DATA: &str = r#"{"data": {
        "intl": {
            "formats": {
                "number": {
                    "usd": {"style": "currency", "currency": "USD"},
                    "eur": {"style": "currency", "currency": "EUR"}
                },
                "date": {"hm": {"hour": "numeric", "minute": "numeric"}},
                "time": {"hm": {"hour": "numeric", "minute": "numeric"}}
            },
            "messages": {"post": {"meta": "Posted {ago}, {num, plural, one{# comment} other{# comments}}"}}
        },
        "at": 1390518044403, "text": "1390518044403", "n": 40000.004, "four": "4", "o": {}
    }}"#;

    #[test]
    fn numbers_are_written() {
        check(
            DATA,
            &[
                ("formatNumber 4", "4"),
                ("formatNumber 4.004", "4.004"),
                ("formatNumber 40000", "40,000"),
                ("formatNumber n", "40,000.004"),
                (r#"formatNumber n locales="de-DE""#, "40.000,004"),
                (r#"formatNumber 40000 style="currency" currency="USD""#, "$40,000.00"),
                (r#"formatNumber 40000 style="currency" currency="EUR""#, "€40,000.00"),
                (r#"formatNumber 40000 style="currency" currency="JPY""#, "¥40,000"),
                (r#"formatNumber 40000 style="currency" currency="USD" currencyDisplay="code""#, "USD\u{a0}40,000.00"),
                (r#"formatNumber 40000 style="currency" currency="USD" locales="de-DE""#, "40.000,00\u{a0}$"),
                (r#"formatNumber 400 style="percent""#, "40,000%"),
                (r#"formatNumber 0.25 style="percent""#, "25%"),
                (r#"formatNumber 128.5 style="currency" currency="usd""#, "$128.50"),
                (r#"formatNumber 1234.5 locales="fr-FR""#, "1\u{202f}234,5"),
                (r#"formatNumber 40000 "usd""#, "$40,000.00"),
                (r#"formatNumber 40000 "eur" maximumFractionDigits=0"#, "€40,000"),
                (r#"intlNumber 1234.5678 maximumFractionDigits="2""#, "1,234.57"),
                ("formatNumber 1.005 maximumFractionDigits=2", "1.01"),
                ("formatNumber 5 minimumFractionDigits=4", "5.0000"),
                ("formatNumber 7 minimumIntegerDigits=3", "007"),
                ("formatNumber 12345 useGrouping=false", "12345"),
                ("formatNumber 12345 maximumSignificantDigits=2", "12,000"),
                (r#"formatNumber 5 signDisplay="always""#, "+5"),
                (r#"formatNumber -1234.5 style="currency" currency="EUR" locales="nl""#, "€\u{a0}-1.234,50"),
                (r#"formatNumber 0.256 style="percent" locales="tr""#, "%26"),
                (r#"formatNumber 1234 locales="es""#, "1234"),
                (r#"formatNumber 12345.6 locales="xx""#, "12,345.6"),
                (r#"formatNumber 5 style="currency" currency="XYZ" currencyDisplay="name""#, "5.00 XYZ"),
            ],
        );
    }

    #[test]
    fn dates_are_written() {
        check(
            DATA,
            &[
                ("formatDate at", "1/23/2014"),
                ("formatDate text", "1/23/2014"),
                (r#"formatDate at hour="numeric" minute="numeric" timeZone="UTC""#, "11:00 PM"),
                ("formatTime at", "1/23/2014"),
                (r#"formatTime at "hm""#, "11:00 PM"),
                (r#"formatDate at "hm" timeZone="America/New_York""#, "6:00 PM"),
                (r#"formatDate "2026-09-15T00:00:00Z""#, "9/15/2026"),
                (r#"formatDate "2026-09-15" day="numeric" month="long" year="numeric""#, "September 15, 2026"),
                ("formatTime 1790157600000", "9/23/2026"),
                ("intlDate 1790157600000", "9/23/2026"),
                ("intlTime 1790157600000", "9/23/2026"),
                (r#"formatDate at dateStyle="full" locales="de""#, "Donnerstag, 23. Januar 2014"),
                (r#"formatDate at dateStyle="long" timeStyle="short""#, "January 23, 2014 at 11:00 PM"),
                (r#"formatDate at dateStyle="medium" locales="fr""#, "23 janv. 2014"),
                (r#"formatDate at dateStyle="short" locales="en-GB""#, "23/01/2014"),
                (r#"formatDate at month="long" year="numeric" locales="pl""#, "styczeń 2014"),
                (r#"formatDate at weekday="short" locales="de""#, "Do"),
                (r#"formatDate at weekday="narrow""#, "T"),
                (r#"formatDate at timeZoneName="short""#, "1/23/2014, UTC"),
                (r#"formatDate at timeStyle="long" timeZone="America/New_York""#, "6:00:44 PM EST"),
                (r#"formatDate at timeStyle="full""#, "11:00:44 PM Coordinated Universal Time"),
                (r#"formatDate at timeStyle="long" timeZone="+05:30""#, "4:30:44 AM GMT+5:30"),
                (r#"formatDate at hour="numeric" hour12=false"#, "23"),
                (r#"formatDate at day="numeric" year="numeric""#, "23 2014"),
                (r#"formatDate at dateStyle="medium" locales="xx""#, "Jan 23, 2014"),
                (r#"formatDate at year="numeric" month="2-digit" day="2-digit" locales="sv""#, "2014-01-23"),
            ],
        );
    }

    #[test]
    fn times_from_now_are_written() {
        check(
            DATA,
            &[
                ("formatRelative 2000 now=1000", "in 1 second"),
                ("formatRelative 0 now=1000", "1 second ago"),
                ("formatRelative 86400000 now=0", "tomorrow"),
                (r#"formatRelative 86400000 now=0 style="numeric""#, "in 1 day"),
                ("formatRelative 0 now=259200000", "3 days ago"),
                ("formatRelative 5 now=5", "now"),
                ("formatRelative 44000 now=0", "in 44 seconds"),
                ("formatRelative 45000 now=0", "in 1 minute"),
                ("formatRelative 7200000 now=0", "in 2 hours"),
                (r#"formatRelative 7200000 now=0 units="minute""#, "in 120 minutes"),
                (r#"formatRelative 7200000000 now=0 units="minute""#, "in 120,000 minutes"),
                (r#"formatRelative 2600000000 now="1970-01-01""#, "next month"),
                ("formatRelative 0 now=157784760000", "5 years ago"),
                (r#"formatRelative 0 now=259200000 locales="de""#, "vor 3 Tagen"),
                (r#"formatRelative 0 now=172800000 locales="de""#, "vorgestern"),
                (r#"formatRelative 432000000 now=0 locales="ru""#, "через 5 дней"),
                (r#"formatRelative 0 now=31556952000"#, "last year"),
            ],
        );
        let now = printed(DATA, "formatRelative at").unwrap();
        assert!(now.ends_with(" years ago"), "{now}");
    }

    #[test]
    fn messages_are_found_and_filled_in() {
        check(
            DATA,
            &[
                (r#"formatMessage "Hi {name}" name="ada""#, "Hi ada"),
                (
                    r#"formatMessage (intlGet "messages.post.meta") num=1000 ago="3 days ago""#,
                    "Posted 3 days ago, 1,000 comments",
                ),
                (
                    r#"formatMessage intlName="messages.post.meta" num=1 ago=(formatRelative 0 now=259200000)"#,
                    "Posted 3 days ago, 1 comment",
                ),
                (
                    r#"intlMessage "{product} cost {price, number, usd} (or {price, number, eur})" product="oranges" price=40000"#,
                    "oranges cost $40,000.00 (or €40,000.00)",
                ),
                (r#"formatHTMLMessage "<b>{v}</b>" v="<b>Bold</b>""#, "<b>&lt;b&gt;Bold&lt;/b&gt;</b>"),
                (r#"intlHTMLMessage "<i>{v}</i>" v=5"#, "<i>5</i>"),
                (r#"intlGet "formats.number.usd.currency""#, "USD"),
            ],
        );
        let html = given(DATA, r#"formatHTMLMessage "<b>{v}</b>" v="&""#);
        assert_eq!(html.as_deref(), Ok(r#"Markup("<b>&amp;</b>")"#));
    }

    #[test]
    fn languages_come_from_the_data() {
        let data = r#"{"intl": {"locales": ["xx", "de-AT", "fr"]}}"#;
        check(data, &[("formatNumber 1.5", "1,5"), (r#"formatNumber 1.5 locales="en""#, "1.5")]);
        check(r#"{"data": {"intl": {"locales": "fr"}}}"#, &[("formatNumber 0.5 style=\"percent\"", "50\u{a0}%")]);
        check(r#"{"intl": {"locales": 5}, "locale": "de"}"#, &[("formatNumber 1.5", "1.5")]);
        check(r#"{"intl": "de"}"#, &[("formatNumber 1.5", "1.5")]);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        check(
            DATA,
            &[
                ("formatNumber four", "!expected a number, found the text \"4\""),
                ("formatNumber nobody", "!expected a number, found nothing"),
                (r#"formatNumber 1 "USD""#, "!there is no 'formats.number.USD' in what intl was given"),
                ("formatNumber 1 2", "!expected the name of a format in quotes, found the number 2"),
                (
                    r#"formatNumber 1 style="currency""#,
                    "!expected currency= to be a code of three letters such as 'USD', found nothing",
                ),
                (
                    r#"formatNumber 1 style="currency" currency="dollars""#,
                    "!expected currency= to be a code of three letters such as 'USD', found the text \"dollars\"",
                ),
                (
                    r#"formatNumber 1 style="money""#,
                    "!expected style= to be one of 'decimal', 'percent', 'currency', found the text \"money\"",
                ),
                (
                    "formatNumber 1 maximumFractionDigits=101",
                    "!expected maximumFractionDigits= to be a number from 0 to 100, found the number 101",
                ),
                (
                    "formatNumber 1 minimumFractionDigits=3 maximumFractionDigits=2",
                    "!expected minimumFractionDigits= to be a number from 0 to 2, which is maximumFractionDigits=, found the number 3",
                ),
                (
                    r#"formatDate "soon""#,
                    "!expected milliseconds since 1970 or a date in ISO 8601, found the text \"soon\"",
                ),
                (
                    r#"formatDate 1 timeZone="Mars/Base""#,
                    "!expected an offset, or the name of a time zone that is known here, found \"Mars/Base\"",
                ),
                (
                    r#"formatDate 1 day="long""#,
                    "!expected day= to be one of 'numeric', '2-digit', found the text \"long\"",
                ),
                (r#"formatTime 1 "x""#, "!there is no 'formats.time.x' in what intl was given"),
                (
                    r#"formatRelative 1 now="soon""#,
                    "!expected milliseconds since 1970 or a date in ISO 8601, found the text \"soon\"",
                ),
                (
                    r#"formatRelative 1 units="days""#,
                    "!expected units= to be one of 'second', 'minute', 'hour', 'day', 'month', 'year', found the text \"days\"",
                ),
                ("formatMessage", "!expected a message in quotes, or its path as intlName=, found nothing"),
                (r#"formatMessage intlName="messages.x""#, "!there is no 'messages.x' in what intl was given"),
                (r#"intlGet "messages.x.y""#, "!there is no 'messages.x.y' in what intl was given"),
                ("intlGet 1", "!expected a path in quotes, found the number 1"),
            ],
        );
    }
}
