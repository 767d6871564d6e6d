//! Courier's helpers: what may be called in a text besides the engine's own. Where Courier's documentation does not say
//! what a helper makes of odd arguments, it makes nothing of them.

use std::cell::Cell;

use handlebars::{
    BlockParamHolder, Context, Handlebars, Helper, HelperDef, JsonRender, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson,
};
use serde_json::{Number, Value};

use super::expression::{compare_by_sign, is_truthy, number};
use super::{TEXT_LIMIT, dates, indexes, too_long};

/// Bytes that may be copied and compared for one text besides what is written: helpers can double a text again and
/// again and then drop it, and conditions in loops can look at long ones in every round.
const WORK_LIMIT: usize = 8 * TEXT_LIMIT;
/// Longest path that is looked up by `path` and `var`.
const PATH_LIMIT: usize = 1_000;
/// Most digits behind the point.
const DIGITS_LIMIT: usize = 20;

thread_local! {
    /// What is left of it for the text that this thread renders.
    static WORK_LEFT: Cell<usize> = const { Cell::new(WORK_LIMIT) };
}

/// Has the next text begin with all its work before it.
pub fn begin() {
    WORK_LEFT.set(WORK_LIMIT);
}

fn work(value: &Value) -> Result<(), String> {
    let bytes = size(value);
    if bytes > TEXT_LIMIT {
        return Err(too_long());
    }
    spend(bytes)
}

/// Takes note of bytes that were copied or compared and are not in the text.
pub fn spend(bytes: usize) -> Result<(), String> {
    let left = WORK_LEFT.get().checked_sub(bytes);
    WORK_LEFT.set(left.ok_or_else(|| format!("the text needs more than {WORK_LIMIT} bytes copied on the way"))?);
    Ok(())
}

/// A copy of a value, if there is work left for one.
pub fn copied(value: &Value) -> Result<Value, String> {
    work(value).map(|()| value.clone())
}

/// Helpers that look at their arguments without copying them.
const LOOKING: [&str; 4] = ["and", "or", "not", "default"];

type Call = fn(&[&Value]) -> Result<Value, String>;

const VALUES: &[(&str, Call)] = &[
    ("and", |args| Ok(Value::Bool(args.iter().all(|it| is_truthy(it))))),
    ("or", |args| Ok(Value::Bool(args.iter().any(|it| is_truthy(it))))),
    ("not", |args| Ok(Value::Bool(!args.iter().any(|it| is_truthy(it))))),
    ("default", default),
    ("capitalize", |args| Ok(Value::from(capitalize(&text(args, 0))))),
    ("concat", concat),
    ("format", format),
    ("datetime-format", |args| dates::format(get(args, 0), &text(args, 1), &text(args, 2))),
    ("swu_datetimeformat", |args| dates::format(get(args, 0), &text(args, 1), &text(args, 2))),
    ("swu_iso8601_to_time", |args| Ok(dates::read(get(args, 0)))),
    ("swu_timestamp_to_time", |args| Ok(dates::read(get(args, 0)))),
    ("trim", |args| Ok(trimmed(args, true, true))),
    ("trim-left", |args| Ok(trimmed(args, true, false))),
    ("trim-right", |args| Ok(trimmed(args, false, true))),
    ("trim-one-char-right", trim_one_char_right),
    ("truncate", truncate),
    ("abs", |args| one(args, f64::abs)),
    ("ceil", |args| one(args, f64::ceil)),
    ("floor", |args| one(args, f64::floor)),
    ("inc", |args| one(args, |it| it + 1.0)),
    ("round", round),
    ("add", |args| all(args, |a, b| a + b)),
    ("subtract", |args| all(args, |a, b| a - b)),
    ("sub", |args| all(args, |a, b| a - b)),
    ("multiply", |args| all(args, |a, b| a * b)),
    ("divide", |args| all(args, |a, b| a / b)),
    ("mod", |args| all(args, |a, b| a % b)),
    ("translate", |args| Ok(Value::from(if args.len() > 1 { text(args, 1) } else { text(args, 0) }))),
];

/// `format="..."`, `default="..."` and the like say the same as if they stood behind the rest, in this order.
pub const NAMED: [&str; 5] = ["format", "length", "suffix", "default", "timezone"];

const CONDITIONS: [&str; 2] = ["condition", "conditional"];
const LOOKUPS: [&str; 2] = ["path", "var"];

pub fn names() -> impl Iterator<Item = &'static str> {
    let values = VALUES.iter().map(|(name, _)| *name).filter(|name| !["and", "or", "not"].contains(name));
    values.chain(CONDITIONS).chain(LOOKUPS).chain(["set"])
}

pub fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}

pub fn opens_block(name: &str) -> bool {
    CONDITIONS.contains(&name)
}

pub fn register(engine: &mut Handlebars<'static>) {
    for (name, call) in VALUES {
        engine.register_helper(name, Box::new(ValueHelper(*call)));
    }
    for name in CONDITIONS {
        engine.register_helper(name, Box::new(Conditional));
    }
    for name in LOOKUPS {
        engine.register_helper(name, Box::new(Lookup));
    }
    engine.register_helper("set", Box::new(Set));
}

fn failed(helper: &Helper<'_>, problem: String) -> RenderError {
    RenderErrorReason::Other(format!("{}: {problem}", helper.name())).into()
}

/// A name alone is a variable, even if there is a helper of that name.
fn as_variable<'rc>(
    helper: &Helper<'rc>,
    context: &'rc Context,
    render: &RenderContext<'_, 'rc>,
) -> Option<ScopedJson<'rc>> {
    let alone = helper.params().is_empty() && helper.hash().is_empty() && !helper.is_block();
    alone.then(|| find(helper.name(), context, render).unwrap_or(Value::Null).into())
}

/// What a path leads to from here, a copy of it.
fn find(path: &str, context: &Context, render: &RenderContext<'_, '_>) -> Option<Value> {
    if path.len() > PATH_LIMIT {
        return None;
    }
    let path = &*indexes::in_path(path);
    let of_loop = ["item", "index"].iter().find_map(|name| {
        let rest = path.strip_prefix("$.")?.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("${name}{rest}"))
    });
    let evaluate = |path: &str| {
        let found = render.evaluate(context, path).ok()?;
        (!found.is_missing()).then(|| found.as_json().clone())
    };
    of_loop.and_then(|path| evaluate(&path)).or_else(|| evaluate(path))
}

struct ValueHelper(Call);

impl HelperDef for ValueHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        if let Some(value) = as_variable(helper, context, render) {
            return Ok(value);
        }
        let named = NAMED.iter().filter_map(|it| helper.hash_get(it));
        let args: Vec<&Value> = helper.params().iter().chain(named).map(|it| it.value()).collect();
        let looking = LOOKING.contains(&helper.name());
        let paid = if looking { Ok(()) } else { args.iter().try_for_each(|arg| work(arg)) };
        let value = paid.and_then(|()| (self.0)(&args)).and_then(|value| work(&value).map(|()| value));
        value.map(ScopedJson::from).map_err(|problem| failed(helper, problem))
    }
}

/// About as many bytes as a value takes.
pub fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 1 + size(item)).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 1,
    }
}

/// `condition` and `conditional`: `(condition a "==" b)`, and what to say if it is so and if not, or a block.
struct Conditional;

impl Conditional {
    fn holds(args: &[&Value]) -> Result<(bool, usize), String> {
        let sign = args.get(1).and_then(|it| it.as_str()).filter(|_| args.len() >= 3);
        match sign.and_then(|sign| compare_by_sign(sign, get(args, 0), get(args, 2))) {
            Some(holds) => Ok((holds, 3)),
            None => Ok((is_truthy(get(args, 0)), 1)),
        }
    }
}

impl HelperDef for Conditional {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        if let Some(value) = as_variable(helper, context, render) {
            return Ok(value);
        }
        let args: Vec<&Value> = helper.params().iter().map(|it| it.value()).collect();
        let (holds, used) = Conditional::holds(&args).map_err(|problem| failed(helper, problem))?;
        let value = match args.get(used..).unwrap_or_default() {
            [] => Value::Bool(holds),
            [yes, ..] if holds => (*yes).clone(),
            [_, no, ..] => (*no).clone(),
            _ => Value::Null,
        };
        work(&value).map_err(|problem| failed(helper, problem))?;
        Ok(value.into())
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> Result<(), RenderError> {
        if helper.is_block() {
            let args: Vec<&Value> = helper.params().iter().map(|it| it.value()).collect();
            let (holds, _) = Conditional::holds(&args).map_err(|problem| failed(helper, problem))?;
            let branch = if holds { helper.template() } else { helper.inverse() };
            return branch.map_or(Ok(()), |template| template.render(engine, context, render, out));
        }
        let words = self.call_inner(helper, engine, context, render)?.render();
        let words = if render.is_disable_escape() { words } else { engine.get_escape_fn()(&words) };
        if words.is_empty() { Ok(()) } else { out.write(&words).map_err(RenderError::from) }
    }
}

/// `path` and `var`: what a path leads to. Without it `path` says nothing and `var` says the path in braces.
struct Lookup;

impl HelperDef for Lookup {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        if let Some(value) = as_variable(helper, context, render) {
            return Ok(value);
        }
        let Some(argument) = helper.param(0) else { return Ok(Value::Null.into()) };
        let found = match (argument.value(), argument.relative_path()) {
            // A path without quotes has been followed already.
            (value, Some(_)) if !value.is_null() => value.clone(),
            (Value::String(path), None) => find(path, context, render).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        work(&found).map_err(|problem| failed(helper, problem))?;
        if !found.is_null() || helper.name() != "var" {
            return Ok(found.into());
        }
        let name = argument.relative_path().map(String::as_str).or_else(|| argument.value().as_str());
        Ok(Value::from(format!("{{{}}}", name.unwrap_or_default())).into())
    }
}

/// `set "name" value`: from here on, up to the end of the loop or `with` that it stands in, the name is that value.
struct Set;

impl HelperDef for Set {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        if let Some(value) = as_variable(helper, context, render) {
            return Ok(value);
        }
        let name = helper.param(0).and_then(|it| it.try_get_constant_value()).and_then(Value::as_str);
        let Some(name) = name else { return Err(failed(helper, "expected a name in quotes".to_owned())) };
        let value = helper.param(1).map_or(&Value::Null, |it| it.value());
        let value = copied(value).map_err(|problem| failed(helper, problem))?;
        if let Some(block) = render.block_mut() {
            block.set_block_param(name, BlockParamHolder::value(value));
        }
        Ok(Value::Null.into())
    }
}

fn get<'a>(args: &[&'a Value], i: usize) -> &'a Value {
    args.get(i).copied().unwrap_or(&Value::Null)
}

fn text(args: &[&Value], i: usize) -> String {
    get(args, i).render()
}

/// A number without a point if it is whole; nothing if it is none.
fn numeric(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn one(args: &[&Value], of: fn(f64) -> f64) -> Result<Value, String> {
    Ok(number(get(args, 0)).map_or(Value::Null, |it| numeric(of(it))))
}

fn all(args: &[&Value], of: fn(f64, f64) -> f64) -> Result<Value, String> {
    let numbers: Option<Vec<f64>> = args.iter().map(|it| number(it)).collect();
    Ok(numbers.and_then(|it| it.into_iter().reduce(of)).map_or(Value::Null, numeric))
}

fn round(args: &[&Value]) -> Result<Value, String> {
    let scale = 10_f64.powi(number(get(args, 1)).unwrap_or(0.0).clamp(0.0, 15.0) as i32);
    Ok(number(get(args, 0)).map_or(Value::Null, |it| {
        // As JavaScript does, halves go up.
        numeric((it * scale + 0.5).floor() / scale)
    }))
}

fn default(args: &[&Value]) -> Result<Value, String> {
    let is_something = |it: &&&Value| !it.is_null() && it.as_str() != Some("");
    Ok(args.iter().find(is_something).map_or(Value::Null, |it| (*it).clone()))
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn concat(args: &[&Value]) -> Result<Value, String> {
    let mut all = String::new();
    for arg in args {
        all.push_str(&arg.render());
        if all.len() > TEXT_LIMIT {
            return Err(too_long());
        }
    }
    Ok(Value::from(all))
}

fn trimmed(args: &[&Value], left: bool, right: bool) -> Value {
    let (text, chars) = (text(args, 0), text(args, 1));
    let is_dropped = |c: char| if chars.is_empty() { c.is_whitespace() } else { chars.contains(c) };
    let text = if left { text.trim_start_matches(is_dropped) } else { &text };
    Value::from(if right { text.trim_end_matches(is_dropped) } else { text })
}

/// The last character goes; if one is named, only that one.
fn trim_one_char_right(args: &[&Value]) -> Result<Value, String> {
    let (text, wanted) = (text(args, 0), text(args, 1));
    let mut chars = text.chars();
    let last = chars.next_back();
    let goes = last.is_some_and(|last| wanted.is_empty() || wanted.contains(last));
    Ok(Value::from(if goes { chars.as_str() } else { &text }))
}

fn truncate(args: &[&Value]) -> Result<Value, String> {
    let text = text(args, 0);
    let Some(length) = number(get(args, 1)).filter(|it| *it >= 0.0) else { return Ok(Value::from(text)) };
    Ok(match text.char_indices().nth(length as usize) {
        None => Value::from(text),
        Some((end, _)) => Value::from(format!("{}{}", text.get(..end).unwrap_or_default(), self::text(args, 2))),
    })
}

/// `format "%s costs %.2f" name price`, or a number and a pattern such as `"0,0.00"` or `"%.2f"`.
fn format(args: &[&Value]) -> Result<Value, String> {
    let (first, second) = (get(args, 0), get(args, 1));
    match (first, second) {
        (Value::String(pattern), _) if pattern.contains('%') => printf(pattern, args.get(1..).unwrap_or_default()),
        (_, Value::String(pattern)) if pattern.contains('%') => printf(pattern, &[first]),
        (value, Value::String(pattern)) if !pattern.is_empty() => Ok(match number(value) {
            Some(number) => Value::from(by_pattern(number, pattern)),
            None => Value::from(value.render()),
        }),
        (value, _) => Ok(Value::from(value.render())),
    }
}

fn printf(pattern: &str, args: &[&Value]) -> Result<Value, String> {
    let (mut out, mut args) = (String::new(), args.iter());
    let mut parts = pattern.split('%');
    out.push_str(parts.next().unwrap_or_default());
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // Two of them are one.
            out.push('%');
            out.push_str(parts.next().unwrap_or_default());
            continue;
        }
        let precision = part.strip_prefix('.').map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        let digits = precision.and_then(|count| part.get(1..1 + count)?.parse::<usize>().ok());
        let rest = part.get(precision.map_or(0, |count| count + 1)..).unwrap_or_default();
        let arg = |args: &mut std::slice::Iter<'_, &Value>| args.next().map_or(Value::Null, |it| (*it).clone());
        match rest.chars().next() {
            Some('s' | 'j' | 'o') => out.push_str(&arg(&mut args).render()),
            Some('d' | 'i') => {
                out.push_str(&number(&arg(&mut args)).map_or(Value::Null, |it| numeric(it.trunc())).render())
            }
            Some('f') => {
                let shown = |it| format!("{it:.*}", digits.unwrap_or(6).min(DIGITS_LIMIT));
                out.push_str(&number(&arg(&mut args)).map(shown).unwrap_or_default());
            }
            _ => {
                out.push('%');
                out.push_str(part);
                continue;
            }
        }
        out.push_str(rest.get(1..).unwrap_or_default());
        if out.len() > TEXT_LIMIT {
            return Err(too_long());
        }
    }
    Ok(Value::from(out))
}

/// A number by a pattern of `0`, `,` and `.`, such as `$0,0.00`; what stands around it stays.
fn by_pattern(number: f64, pattern: &str) -> String {
    let is_part = |c: char| matches!(c, '0' | '#' | ',' | '.');
    let (Some(start), Some(end)) = (pattern.find(is_part), pattern.rfind(is_part)) else {
        return numeric(number).render();
    };
    let (before, rest) = pattern.split_at(start);
    let (shape, after) = rest.split_at(end - start + 1);
    let digits = shape.split_once('.').map_or(0, |(_, digits)| digits.len().min(DIGITS_LIMIT));
    let plain = format!("{:.digits$}", number.abs());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), ""), |it| it);
    let mut grouped = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && shape.contains(',') && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{before}{grouped}{point}{fraction}{after}")
}
