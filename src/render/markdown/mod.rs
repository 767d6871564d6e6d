//! Converts Markdown into other forms: HTML for e-mails, with inline styles; plain text; and Slack's own markup. The
//! Markdown that is common in notifications is supported. HTML in it stays text.

mod cards;
mod depth;
mod html;
mod marks;
mod piece;
mod text;
mod underlines;
mod verbatim;

use std::collections::HashSet;

use super::chat;
use super::escape::{OutputContext, blank_script, is_scheme_open};
use crate::model::content::is_script;
use crate::template::{Compiler, Rewrite, TextPart};

pub use cards::{for_cards, has_emphasis_or_links, lost_in_cards};
pub use marks::{emphasis, is_emphasized, is_marked, is_slack_markup};
use piece::MarkdownPiece;
pub use underlines::{underlines, without_underlines};
pub use verbatim::{addresses, guarded, settled};

/// The target form of Markdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkdownForm {
    Html,
    /// Plain text in such a context.
    Plain(OutputContext),
}

impl MarkdownForm {
    fn walk(self, source: &str, put: &mut dyn FnMut(MarkdownPiece<'_>)) {
        match self {
            MarkdownForm::Html => html::walk(source, put),
            MarkdownForm::Plain(_) => text::walk_text(source, false, put),
        }
    }

    /// Converts the part of a text from a place on into this form.
    pub fn rewrite(self) -> Rewrite {
        match self {
            MarkdownForm::Html => |out, start| rewrite(MarkdownForm::Html, out, start),
            MarkdownForm::Plain(OutputContext::Json) => {
                |out, start| rewrite(MarkdownForm::Plain(OutputContext::Json), out, start)
            }
            MarkdownForm::Plain(OutputContext::Chat) => {
                |out, start| rewrite(MarkdownForm::Plain(OutputContext::Chat), out, start)
            }
            MarkdownForm::Plain(_) => |out, start| rewrite(MarkdownForm::Plain(OutputContext::Plain), out, start),
        }
    }

    /// The contexts of markup, words and addresses.
    fn contexts(self) -> [OutputContext; 3] {
        match self {
            MarkdownForm::Html => [OutputContext::Plain, OutputContext::Html, OutputContext::Attribute],
            MarkdownForm::Plain(context) => [context; 3],
        }
    }
}

/// Writes Markdown in another form.
pub fn render(source: &str, form: MarkdownForm, out: &mut String) {
    let [markup_context, words_context, address_context] = form.contexts();
    form.walk(source, &mut |piece| match piece {
        MarkdownPiece::Markup(markup) => markup_context.push(markup, out),
        MarkdownPiece::Words(words) | MarkdownPiece::Code(words) => words_context.push(words, out),
        MarkdownPiece::Attribute(words) => address_context.push(words, out),
        MarkdownPiece::Address(address) => {
            let at = out.len();
            out.push_str(address);
            blank_script(out, at);
            address_context.rewrite(out, at);
        }
    });
}

/// The longest Markdown, in bytes: parsed, it is up to seventy times as large.
pub const BYTES: u32 = 1024 * 1024;

pub fn check_length(source: &str) -> std::result::Result<(), String> {
    match source.len() > BYTES as usize {
        true => Err(format!("expected at most {BYTES} bytes of Markdown")),
        false => Ok(()),
    }
}

fn rewrite(form: MarkdownForm, out: &mut String, start: usize) {
    let source = out.split_off(start);
    render(&source, form, out);
}

/// Markdown as plain text.
pub fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    render(source, MarkdownForm::Plain(OutputContext::Plain), &mut out);
    out
}

/// Markdown in the markup of Slack. The author's references, such as `<@U123>`, stay.
pub fn slack(source: &str) -> String {
    let (source, references) = chat::without_references(source);
    let source = settled(&source);
    let mut out = String::with_capacity(source.len());
    text::walk_text(&source, true, &mut |piece| match piece {
        MarkdownPiece::Markup(markup) => out.push_str(markup),
        MarkdownPiece::Words(words) | MarkdownPiece::Attribute(words) => {
            out.push_str(&chat::with_references(words, &references))
        }
        MarkdownPiece::Code(words) => out.push_str(&chat::slack_code(words, &references)),
        MarkdownPiece::Address(address) => out.push_str(&chat::slack_escaped(address).replace('|', "%7C")),
    });
    out
}

/// Markdown with words and variables, compiled to the parts around its variables.
pub fn compile(parts: &[TextPart<'_>], form: MarkdownForm, compiler: &mut Compiler<'_>) {
    // While it is parsed, letters stand for the variables.
    let words = |part: &TextPart<'_>| match part {
        TextPart::Words(words) => (*words).to_owned(),
        TextPart::Variable(_) => String::new(),
    };
    let all: String = parts.iter().map(words).collect();
    let mark = letters_without(&all);
    let (mut source, mut variables) = (String::new(), Vec::new());
    for part in parts {
        match part {
            TextPart::Words(words) => source.push_str(words),
            TextPart::Variable(variable) => {
                source.push_str(&format!("{mark}{}z", variables.len()));
                variables.push(*variable);
            }
        }
    }
    let put = |text: &str, context: OutputContext, compiler: &mut Compiler<'_>| {
        let escape = context.of_text();
        let mut parts = text.split(mark.as_str());
        compiler.words_escaped(parts.next().unwrap_or_default(), escape.words);
        for part in parts {
            let (number, rest) = part.split_once('z').unwrap_or((part, ""));
            if let Some(variable) = number.parse::<usize>().ok().and_then(|i| variables.get(i)) {
                compiler.variable(variable, escape);
            }
            compiler.words_escaped(rest, escape.words);
        }
    };
    let [markup_context, words_context, address_context] = form.contexts();
    form.walk(&source, &mut |piece| match piece {
        MarkdownPiece::Markup(markup) => compiler.words_escaped(markup, markup_context.of_text().words),
        MarkdownPiece::Words(words) | MarkdownPiece::Code(words) => put(words, words_context, compiler),
        MarkdownPiece::Attribute(words) => put(words, address_context, compiler),
        MarkdownPiece::Address(address) => {
            let beginning = address.split(mark.as_str()).next().unwrap_or_default();
            if !is_scheme_open(beginning) && !is_script(address) {
                return put(address, address_context, compiler);
            }
            compiler.begin();
            put(address, OutputContext::Plain, compiler);
            compiler.finish_with(address_context.of_address());
        }
    });
}

/// Letters that the words do not contain. Each number that they contain is checked once.
fn letters_without(words: &str) -> String {
    let number = |(_, rest): (&str, &str)| {
        let digits = rest.bytes().take(20).take_while(u8::is_ascii_digit).count();
        rest.get(..digits)?.parse::<usize>().ok()
    };
    let held = words.match_indices("xq").map(|(at, found)| words.split_at(at + found.len()));
    let held: HashSet<usize> = held.filter_map(number).collect();
    let free = (0..=held.len()).find(|number| !held.contains(number)).unwrap_or_default();
    format!("xq{free}v")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_plus_signs_are_underlined() {
        let html = |source: &str| {
            let mut out = String::new();
            render(&underlines(source), MarkdownForm::Html, &mut out);
            out
        };
        for (source, expected) in [
            ("+all+ and **+both+** +two words+.", "<u>all</u> and <strong><u>both</u></strong> <u>two words</u>."),
            ("C++ and +1 555 +2+, 1 + 2 + 3, a+b+c", "C++ and +1 555 +2+, 1 + 2 + 3, a+b+c"),
            ("\\+no+ `+code+` ", "+no+ <code"),
            ("[+x+](https://a.b/+c+)", "<a href=\"https://a.b/+c+\" style=\"color:#2a6fdb\"><u>x</u></a>"),
            ("+one\nline+", "+one<br>\nline+"),
        ] {
            assert!(html(source).starts_with(expected), "{source}: {}", html(source));
        }
        assert!(html("`+code+`").contains("+code+</code>"));
        assert_eq!(plain(&underlines("+a+ `+b+`")), "a +b+");
        assert_eq!(without_underlines("+a+ {{add +b+}}"), "a {{add +b+}}");
        assert!(is_marked("Read +this+") && !is_marked("C++ or +1 (555) 1+1"));
        assert!(is_emphasized("**Pay** now") && !is_emphasized("1. *a*") && !is_emphasized("[*a*](b)"));
    }

    #[test]
    fn letters_that_the_words_do_not_hold_are_found_at_one_look() {
        assert_eq!(letters_without("xq0v xq2v xq99999999999999999999999v xqv"), "xq1v");
        let words: String = (0..300_000).map(|i| format!("xq{i}v")).collect();
        assert_eq!(letters_without(&words), "xq300000v");
    }
}
