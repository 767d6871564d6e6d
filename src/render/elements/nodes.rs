//! Elements as a JSON array in a form that suits any app: `text`, `action`, `image`, `divider`, `quote` and `list`.

use super::super::node::{
    ACTION_ID, ALT_TEXT, BOLD, CONTENT, FORMAT, HREF, ITALIC, ITEMS, LIST_TYPE, MARKDOWN, NodeType, SRC, STRIKETHROUGH,
    STYLE, TEXT_STYLE, TYPE, UNDERLINE,
};
use super::{Builder, plain};
use crate::error::Result;
use crate::model::content::{ActionStyle, Element, ElementKind, LocalizedText, TextRole, TextStyle};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { words: Some(words), children, text_style, markdown: true } if builder.keeps_markdown() => {
            begin(builder, NodeType::Text);
            named(builder, FORMAT, MARKDOWN);
            begin_string(builder, CONTENT);
            builder.markdown_source(words, element)?;
            builder.elements(children, plain::inline)?;
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Text { text_style, .. } => {
            begin(builder, NodeType::Text);
            begin_string(builder, CONTENT);
            plain::inline(builder, element)?;
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Span { words, text_style } => {
            begin(builder, NodeType::Text);
            text(builder, element, Some(words))?;
            end(builder, text_style);
        }
        ElementKind::Quote { words, text_style, .. } => {
            begin(builder, NodeType::Quote);
            text(builder, element, Some(words))?;
            end(builder, text_style);
        }
        ElementKind::Link { words, href } => {
            begin(builder, NodeType::Action);
            text(builder, element, Some(words))?;
            address(builder, element, HREF, Some(href))?;
            named(builder, STYLE, ActionStyle::Link.name());
            builder.markup("}");
        }
        ElementKind::Action { words, href, style, id, .. } => {
            begin(builder, NodeType::Action);
            text(builder, element, Some(words))?;
            address(builder, element, HREF, Some(href))?;
            named(builder, STYLE, style.name());
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
                builder.words(alt, element)?;
                builder.markup("\"");
            }
            address(builder, element, HREF, href.as_ref())?;
            builder.markup("}");
        }
        ElementKind::Divider { .. } => {
            begin(builder, NodeType::Divider);
            builder.markup("}");
        }
        ElementKind::List { list, elements, .. } => {
            begin(builder, NodeType::List);
            named(builder, LIST_TYPE, list.name());
            builder.markup(&format!(",\"{ITEMS}\":["));
            builder.separated(",", |builder| builder.elements(elements, item))?;
            builder.markup("]}");
        }
        ElementKind::ListItem { words, elements, .. } | ElementKind::Other { words, elements } => {
            if words.is_some() {
                begin(builder, NodeType::Text);
                text(builder, element, words.as_ref())?;
                builder.markup("}");
            }
            builder.elements(elements, write)?;
        }
        ElementKind::Channel { elements, .. } | ElementKind::Group { elements } | ElementKind::Columns { elements } => {
            builder.elements(elements, write)?;
        }
        ElementKind::Column { elements, .. } => builder.elements(elements, write)?,
        ElementKind::Meta { .. } | ElementKind::Html { .. } | ElementKind::Hidden => {}
    }
    Ok(())
}

/// A text for each item, and the lists in it after it.
fn item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    let ElementKind::ListItem { words, elements, .. } = &element.kind else {
        return match &element.kind {
            ElementKind::Group { elements } => builder.elements(elements, item),
            _ => write(builder, element),
        };
    };
    let is_list = |it: &&Element| matches!(it.kind, ElementKind::List { .. });
    if words.is_some() || !elements.iter().all(|it| is_list(&it)) {
        builder.next();
        builder.markup("\"");
        let line_end = builder.line_end();
        builder.separated(line_end, |builder| {
            if let Some(words) = words {
                builder.next();
                builder.words(words, element)?;
            }
            builder.elements(elements.iter().filter(|it| !is_list(it)), plain::write)
        })?;
        builder.markup("\"");
    }
    builder.elements(elements.iter().filter(is_list), write)
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
    builder.address(words, element)?;
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
