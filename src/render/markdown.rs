//! Markdown as HTML for e-mails: what is common in notifications, with the styles inline. HTML in it stays text.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::escape::{Escape, blank_script, is_scheme_open};
use super::text::Step;
use crate::model::content::is_script;

/// A part of the HTML.
enum Piece<'a> {
    Markup(&'a str),
    Words(&'a str),
    Address(&'a str),
}

/// Writes Markdown as HTML.
pub fn render(source: &str, out: &mut String) {
    walk(source, &mut |piece| match piece {
        Piece::Markup(markup) => out.push_str(markup),
        Piece::Words(words) => Escape::Html.push(words, out),
        Piece::Address(address) => {
            let at = out.len();
            out.push_str(address);
            blank_script(out, at);
            Escape::Attribute.tail(out, at);
        }
    });
}

/// Markdown of words and variables, compiled to the HTML around its variables.
pub fn compile(steps: Vec<Step>) -> Vec<Step> {
    // While it is read, letters stand for the variables, some that the words do not hold.
    let words = |step: &Step| match step {
        Step::Words(words) => words.clone(),
        _ => String::new(),
    };
    let all: String = steps.iter().map(words).collect();
    let mark = (0..).map(|i| format!("xq{i}v")).find(|mark| !all.contains(mark.as_str())).unwrap_or_default();
    let (mut source, mut variables) = (String::new(), Vec::new());
    for step in steps {
        match step {
            Step::Words(words) => source.push_str(&words),
            Step::Variable(variable, _) => {
                source.push_str(&format!("{mark}{}z", variables.len()));
                variables.push(variable);
            }
            _ => {}
        }
    }
    let mut compiled = Vec::new();
    let put = |text: &str, escape: Escape, compiled: &mut Vec<Step>| {
        let mut parts = text.split(mark.as_str());
        compiled.push(Step::Words(escape.escaped(parts.next().unwrap_or_default())));
        for part in parts {
            let (number, rest) = part.split_once('z').unwrap_or((part, ""));
            let variable = number.parse::<usize>().ok().and_then(|i| variables.get(i).cloned());
            compiled.extend(variable.map(|it| Step::Variable(it, escape)));
            compiled.push(Step::Words(escape.escaped(rest)));
        }
    };
    walk(&source, &mut |piece| match piece {
        Piece::Markup(markup) => compiled.push(Step::Words(markup.to_owned())),
        Piece::Words(words) => put(words, Escape::Html, &mut compiled),
        Piece::Address(address) => {
            let beginning = address.split(mark.as_str()).next().unwrap_or_default();
            if !is_scheme_open(beginning) && !is_script(address) {
                return put(address, Escape::Attribute, &mut compiled);
            }
            let mut steps = Vec::new();
            put(address, Escape::Plain, &mut steps);
            compiled.push(Step::Address(steps, Escape::Attribute));
        }
    });
    compiled
}

fn walk(source: &str, put: &mut dyn FnMut(Piece<'_>)) {
    let mut tight = Vec::new();
    let mut open_paragraphs = 0_usize;
    let events = Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH);
    for event in events {
        match event {
            Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) => put(Piece::Words(&words)),
            Event::Code(words) => {
                put(Piece::Markup("<code>"));
                put(Piece::Words(&words));
                put(Piece::Markup("</code>"));
            }
            Event::SoftBreak | Event::HardBreak => put(Piece::Markup("<br>\n")),
            Event::Rule => put(Piece::Markup("<hr>")),
            Event::Start(tag) => match tag {
                Tag::Paragraph => {
                    // Between paragraphs only: the text itself is one.
                    if open_paragraphs > 0 && tight.is_empty() {
                        put(Piece::Markup("<br><br>\n"));
                    }
                    open_paragraphs += 1;
                }
                Tag::Link { dest_url, .. } => {
                    put(Piece::Markup("<a href=\""));
                    put(Piece::Address(&dest_url));
                    put(Piece::Markup("\" style=\"color:#2a6fdb\">"));
                }
                Tag::Image { dest_url, .. } => {
                    put(Piece::Markup("<img src=\""));
                    put(Piece::Address(&dest_url));
                    put(Piece::Markup("\" style=\"max-width:100%\">"));
                }
                Tag::List(first) => {
                    tight.push(first.is_some());
                    put(Piece::Markup(if first.is_some() { "<ol>" } else { "<ul>" }));
                }
                tag => put(Piece::Markup(opening(&tag))),
            },
            Event::End(tag) => match tag {
                TagEnd::List(_) => {
                    put(Piece::Markup(if tight.pop() == Some(true) { "</ol>" } else { "</ul>" }));
                }
                tag => put(Piece::Markup(closing(tag))),
            },
            _ => {}
        }
    }
}

fn opening(tag: &Tag<'_>) -> &'static str {
    match tag {
        Tag::Heading { level: HeadingLevel::H1, .. } => "<h1>",
        Tag::Heading { level: HeadingLevel::H2, .. } => "<h2>",
        Tag::Heading { .. } => "<h3>",
        Tag::BlockQuote(_) => "<blockquote>",
        Tag::CodeBlock(CodeBlockKind::Indented | CodeBlockKind::Fenced(_)) => "<pre>",
        Tag::Item => "<li>",
        Tag::Emphasis => "<em>",
        Tag::Strong => "<strong>",
        Tag::Strikethrough => "<s>",
        _ => "",
    }
}

fn closing(tag: TagEnd) -> &'static str {
    match tag {
        TagEnd::Heading(HeadingLevel::H1) => "</h1>",
        TagEnd::Heading(HeadingLevel::H2) => "</h2>",
        TagEnd::Heading(_) => "</h3>",
        TagEnd::BlockQuote(_) => "</blockquote>",
        TagEnd::CodeBlock => "</pre>",
        TagEnd::Item => "</li>",
        TagEnd::Emphasis => "</em>",
        TagEnd::Strong => "</strong>",
        TagEnd::Strikethrough => "</s>",
        TagEnd::Link => "</a>",
        _ => "",
    }
}
