//! Elements as a JSON array in a form that suits any app: `text`, `action`, `image`, `divider`, `quote` and `list`.

use super::{Builder, plain};
use crate::error::Result;
use crate::model::content::{Element, ElementKind, LocalizedText, TextRole, TextStyle};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { words: Some(words), children, look, markdown: true } if builder.keeps_markdown() => {
            begin(builder, "text");
            builder.markup(",\"format\":\"markdown\",\"content\":\"");
            builder.markdown_source(words, element)?;
            builder.elements(children, plain::inline)?;
            builder.markup("\"");
            end(builder, look);
        }
        ElementKind::Text { look, .. } => {
            begin(builder, "text");
            builder.markup(",\"content\":\"");
            plain::inline(builder, element)?;
            builder.markup("\"");
            end(builder, look);
        }
        ElementKind::Span { words, look } => {
            begin(builder, "text");
            text(builder, element, Some(words))?;
            end(builder, look);
        }
        ElementKind::Quote { words, look, .. } => {
            begin(builder, "quote");
            text(builder, element, Some(words))?;
            end(builder, look);
        }
        ElementKind::Link { words, href } => {
            begin(builder, "action");
            text(builder, element, Some(words))?;
            address(builder, element, "href", Some(href))?;
            builder.markup(",\"style\":\"link\"}");
        }
        ElementKind::Action { words, href, style, id, .. } => {
            begin(builder, "action");
            text(builder, element, Some(words))?;
            address(builder, element, "href", Some(href))?;
            builder.markup(&format!(",\"style\":\"{}\"", style.name()));
            if let Some(id) = id {
                builder.markup(&format!(",\"action_id\":{}", crate::json::quoted(id)));
            }
            builder.markup("}");
        }
        ElementKind::Image { src, href, alt, .. } => {
            begin(builder, "image");
            address(builder, element, "src", Some(src))?;
            if let Some(alt) = alt {
                builder.markup(",\"alt_text\":\"");
                builder.words(alt, element)?;
                builder.markup("\"");
            }
            address(builder, element, "href", href.as_ref())?;
            builder.markup("}");
        }
        ElementKind::Divider { .. } => {
            begin(builder, "divider");
            builder.markup("}");
        }
        ElementKind::List { list, elements, .. } => {
            begin(builder, "list");
            builder.markup(&format!(",\"list_type\":\"{}\",\"items\":[", list.name()));
            builder.separated(",", |builder| builder.elements(elements, item))?;
            builder.markup("]}");
        }
        ElementKind::ListItem { words, elements, .. } | ElementKind::Other { words, elements } => {
            if words.is_some() {
                begin(builder, "text");
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

fn begin(builder: &mut Builder<'_>, name: &str) {
    builder.next();
    builder.markup(&format!("{{\"type\":\"{name}\""));
}

fn text(builder: &mut Builder<'_>, element: &Element, words: Option<&LocalizedText>) -> Result<()> {
    builder.markup(",\"content\":\"");
    if let Some(words) = words {
        builder.words(words, element)?;
    }
    builder.markup("\"");
    Ok(())
}

fn address(builder: &mut Builder<'_>, element: &Element, field: &str, words: Option<&LocalizedText>) -> Result<()> {
    let Some(words) = words else { return Ok(()) };
    builder.markup(&format!(",\"{field}\":\""));
    builder.address(words, element)?;
    builder.markup("\"");
    Ok(())
}

fn end(builder: &mut Builder<'_>, look: &TextStyle) {
    if let Some(style) = look.style.filter(|style| *style != TextRole::Text) {
        builder.markup(&format!(",\"text_style\":\"{}\"", style.name()));
    }
    for (flag, name) in [
        (look.bold, "bold"),
        (look.italic, "italic"),
        (look.strikethrough, "strikethrough"),
        (look.underline, "underline"),
    ] {
        if flag {
            builder.markup(&format!(",\"{name}\":true"));
        }
    }
    builder.markup("}");
}
