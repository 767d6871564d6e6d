//! Elements as a JSON array in a form that suits any app: `text`, `action`, `image`, `divider`, `quote` and `list`.

use super::super::escape::OutputContext;
use super::super::node::{
    ACTION_ID, ALT_TEXT, BOLD, CHAT, CONTENT, FORMAT, HREF, ITALIC, ITEMS, LIST_TYPE, MARKDOWN, NodeType, PLAIN, SRC,
    STRIKETHROUGH, STYLE, TEXT_STYLE, TYPE, UNDERLINE,
};
use super::{Builder, plain};
use crate::error::Result;
use crate::json::scan::{Items, Members, Quoted};
use crate::model::content::{
    ActionStyle, Element, ElementKind, LocalizedText, MarkdownUse, RawContent, TextRole, TextStyle,
};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { words: Some(words), text_style, markdown, .. }
            if builder.keeps_markdown() && builder.is_markdown(words, *markdown) =>
        {
            begin(builder, NodeType::Text);
            named(builder, FORMAT, MARKDOWN);
            begin_string(builder, CONTENT);
            builder.markdown_source(words, element)?;
            let children = builder.children(element);
            builder.elements(children, plain::inline)?;
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Text { text_style, markdown, .. } => {
            begin(builder, NodeType::Text);
            format(builder, element, *markdown == MarkdownUse::Never);
            begin_string(builder, CONTENT);
            plain::inline(builder, element)?;
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Span { words, text_style } => {
            begin(builder, NodeType::Text);
            format(builder, element, false);
            text(builder, element, Some(words))?;
            end(builder, text_style);
        }
        ElementKind::Quote { words, text_style } => {
            begin(builder, NodeType::Quote);
            match builder.is_markdown(words, MarkdownUse::WhereMarked) {
                true if builder.keeps_markdown() => {
                    named(builder, FORMAT, MARKDOWN);
                    begin_string(builder, CONTENT);
                    builder.markdown_source(words, element)?;
                }
                is_markdown => {
                    format(builder, element, false);
                    begin_string(builder, CONTENT);
                    match is_markdown {
                        true => builder.markdown(words, element)?,
                        false => builder.words(words, element)?,
                    }
                }
            }
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Link { words, href: Some(href), .. } if builder.has(href) => {
            action(builder, element, words, href, ActionStyle::Link)?;
            builder.markup("}");
        }
        ElementKind::Link { words, text_style, .. } => {
            begin(builder, NodeType::Text);
            format(builder, element, false);
            text(builder, element, Some(words))?;
            end(builder, text_style);
        }
        ElementKind::Action { words, href, style, id, .. } => {
            action(builder, element, words, href, *style)?;
            if let Some(id) = id {
                builder.markup(&format!(",\"{ACTION_ID}\":{}", crate::json::quoted(id)));
            }
            builder.markup("}");
        }
        ElementKind::Image { src, href, alt, .. } => {
            begin(builder, NodeType::Image);
            address(builder, element, SRC, Some(src))?;
            if let Some(alt) = alt {
                begin_string(builder, ALT_TEXT);
                builder.words_in(alt, element, OutputContext::Json)?;
                builder.markup("\"");
            }
            address(builder, element, HREF, href.as_ref())?;
            builder.markup("}");
        }
        ElementKind::Divider => {
            begin(builder, NodeType::Divider);
            builder.markup("}");
        }
        ElementKind::List { list, .. } => {
            begin(builder, NodeType::List);
            named(builder, LIST_TYPE, list.name());
            format(builder, element, false);
            builder.markup(&format!(",\"{ITEMS}\":["));
            let items = builder.children(element);
            builder.separated(",", |builder| builder.elements(items, item))?;
            builder.markup("]}");
        }
        ElementKind::ListItem { words, .. } | ElementKind::Other { words, .. } => {
            if words.is_some() {
                begin(builder, NodeType::Text);
                format(builder, element, false);
                text(builder, element, words.as_ref())?;
                builder.markup("}");
            }
            let children = builder.children(element);
            builder.elements(children, write)?;
        }
        ElementKind::Channel { .. }
        | ElementKind::Group { .. }
        | ElementKind::Columns { .. }
        | ElementKind::Column { .. } => {
            let children = builder.children(element);
            builder.elements(children, write)?;
        }
        ElementKind::Meta { .. } | ElementKind::Html { .. } | ElementKind::Hidden => {}
    }
    Ok(())
}

/// A text for each item, and the lists in it after it.
fn item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    let children = builder.children(element);
    let ElementKind::ListItem { words, .. } = &element.kind else {
        return match &element.kind {
            ElementKind::Group { .. } => builder.elements(children, item),
            _ => write(builder, element),
        };
    };
    let is_list = |it: &&Element| matches!(it.kind, ElementKind::List { .. });
    let words = words.as_ref().filter(|words| builder.has(words));
    if words.is_some() || !children.iter().all(|it| is_list(&it)) {
        builder.next();
        builder.markup("\"");
        let line_end = builder.line_end();
        builder.separated(line_end, |builder| {
            if let Some(words) = words {
                builder.next();
                builder.words(words, element)?;
            }
            if children.iter().any(plain::is_part) {
                builder.next();
                builder.elements(children.iter().filter(|it| plain::is_part(it)), plain::inline)?;
            }
            builder.elements(children.iter().filter(|it| !is_list(it) && !plain::is_part(it)), plain::write)
        })?;
        builder.markup("\"");
    }
    builder.elements(children.iter().filter(is_list), write)
}

/// In a chat: how its text is to be read, unless it is the same in all ways.
fn format(builder: &mut Builder<'_>, element: &Element, is_plain: bool) {
    fn has_marks(builder: &Builder<'_>, element: &Element) -> bool {
        element.words().any(|words| builder.has_marks(words))
            || builder.children(element).iter().any(|child| has_marks(builder, child))
    }
    if builder.is_chat() && has_marks(builder, element) {
        named(builder, FORMAT, if is_plain { PLAIN } else { CHAT });
    }
}

fn action(
    builder: &mut Builder<'_>,
    element: &Element,
    words: &LocalizedText,
    href: &LocalizedText,
    style: ActionStyle,
) -> Result<()> {
    begin(builder, NodeType::Action);
    begin_string(builder, CONTENT);
    match element.kind {
        ElementKind::Action { .. } => builder.label(words, element)?,
        _ => builder.words_in(words, element, OutputContext::Json)?,
    }
    builder.markup("\"");
    address(builder, element, HREF, Some(href))?;
    named(builder, STYLE, style.name());
    Ok(())
}

/// What a channel's provider is given as it is: every text in it is a template.
pub fn raw(builder: &mut Builder<'_>, element: &Element, raw: &RawContent) -> Result<()> {
    if let Some(words) = raw.text.as_ref().filter(|_| builder.is_chat()) {
        begin(builder, NodeType::Text);
        if builder.has_marks(words) {
            named(builder, FORMAT, CHAT);
        }
        text(builder, element, Some(words))?;
        builder.markup("}");
    }
    raw_members(builder, element, raw)
}

/// The same without its text.
pub fn raw_members(builder: &mut Builder<'_>, element: &Element, raw: &RawContent) -> Result<()> {
    if raw.members.is_empty() {
        return Ok(());
    }
    begin(builder, NodeType::Raw);
    for member in &raw.members {
        builder.markup(&format!(",\"{}\":", member.name));
        value(builder, element, &member.json, &member.field, OutputContext::Json)?;
    }
    builder.markup("}");
    Ok(())
}

fn value(builder: &mut Builder<'_>, element: &Element, json: &str, field: &str, context: OutputContext) -> Result<()> {
    if json.starts_with('{') {
        let is_markup = Members::of(json).any(|(name, value)| name.plain() == Some("type") && value == "\"mrkdwn\"");
        builder.markup("{");
        for (i, (name, value_of_it)) in Members::of(json).enumerate() {
            let name = name.unescaped().unwrap_or_default();
            builder.markup(&format!("{}{}:", if i > 0 { "," } else { "" }, crate::json::quoted(&name)));
            let context = if is_markup && name == "text" { OutputContext::SlackBlock } else { OutputContext::Json };
            value(builder, element, value_of_it, &format!("{field}.{name}"), context)?;
        }
        builder.markup("}");
    } else if json.starts_with('[') {
        builder.markup("[");
        for (i, item) in Items::of(json).enumerate() {
            builder.markup(if i > 0 { "," } else { "" });
            value(builder, element, item, &format!("{field}[{i}]"), OutputContext::Json)?;
        }
        builder.markup("]");
    } else if let Some(text) = Quoted::of(json).and_then(|text| text.unescaped()) {
        builder.markup("\"");
        builder.source(&text, context, element, field)?;
        builder.markup("\"");
    } else {
        builder.markup(json);
    }
    Ok(())
}

fn begin(builder: &mut Builder<'_>, node: NodeType) {
    builder.next();
    builder.markup(&format!("{{\"{TYPE}\":\"{}\"", node.name()));
}

/// A member that is one of some names.
fn named(builder: &mut Builder<'_>, member: &str, name: &str) {
    builder.markup(&format!(",\"{member}\":\"{name}\""));
}

/// A member whose text follows, and then a quote.
fn begin_string(builder: &mut Builder<'_>, member: &str) {
    builder.markup(&format!(",\"{member}\":\""));
}

fn text(builder: &mut Builder<'_>, element: &Element, words: Option<&LocalizedText>) -> Result<()> {
    begin_string(builder, CONTENT);
    if let Some(words) = words {
        builder.words(words, element)?;
    }
    builder.markup("\"");
    Ok(())
}

fn address(builder: &mut Builder<'_>, element: &Element, member: &str, words: Option<&LocalizedText>) -> Result<()> {
    let Some(words) = words else { return Ok(()) };
    begin_string(builder, member);
    builder.address_in(words, element, OutputContext::Json)?;
    builder.markup("\"");
    Ok(())
}

fn end(builder: &mut Builder<'_>, text_style: &TextStyle) {
    if let Some(style) = text_style.style.filter(|style| *style != TextRole::Text) {
        named(builder, TEXT_STYLE, style.name());
    }
    for (flag, member) in [
        (text_style.bold, BOLD),
        (text_style.italic, ITALIC),
        (text_style.strikethrough, STRIKETHROUGH),
        (text_style.underline, UNDERLINE),
    ] {
        if flag {
            builder.markup(&format!(",\"{member}\":true"));
        }
    }
    builder.markup("}");
}
