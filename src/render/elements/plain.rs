//! Elements as plain text: one paragraph an element. Those that carry no words leave none.

use super::Builder;
use crate::error::Result;
use crate::model::content::{Element, ElementKind, ListType};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { .. } => {
            builder.next();
            inline(builder, element)
        }
        ElementKind::Span { words, .. } | ElementKind::Quote { words, .. } => {
            builder.next();
            builder.words(words, element)
        }
        ElementKind::Link { words, href } | ElementKind::Action { words, href, .. } => {
            builder.next();
            builder.words(words, element)?;
            builder.markup(": ");
            builder.address(href, element)
        }
        ElementKind::Image { src, alt, .. } => {
            builder.next();
            builder.words(alt.as_ref().unwrap_or(src), element)
        }
        ElementKind::Divider { .. } => {
            builder.next();
            builder.markup("---");
            Ok(())
        }
        ElementKind::Html { words } => {
            builder.next();
            builder.stripped(words, element)
        }
        ElementKind::List { list, elements, .. } => {
            builder.next();
            let item = match list {
                ListType::Ordered => ordered,
                ListType::Unordered => unordered,
            };
            let line_end = builder.line_end();
            builder.separated(line_end, |builder| builder.elements(elements, item))
        }
        ElementKind::ListItem { words, elements, .. } | ElementKind::Other { words, elements } => {
            if let Some(words) = words {
                builder.next();
                builder.words(words, element)?;
            }
            builder.elements(elements, write)
        }
        ElementKind::Channel { elements, .. } | ElementKind::Group { elements } | ElementKind::Columns { elements } => {
            builder.elements(elements, write)
        }
        ElementKind::Column { elements, .. } => builder.elements(elements, write),
        ElementKind::Meta { .. } | ElementKind::Hidden => Ok(()),
    }
}

/// A part of a paragraph.
pub fn inline(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Link { words, href } | ElementKind::Action { words, href, .. } => {
            builder.words(words, element)?;
            builder.markup(" (");
            builder.address(href, element)?;
            builder.markup(")");
            Ok(())
        }
        ElementKind::Image { alt, .. } => alt.iter().try_for_each(|alt| builder.words(alt, element)),
        ElementKind::Html { words } => builder.stripped(words, element),
        ElementKind::Meta { .. } | ElementKind::Hidden | ElementKind::Divider { .. } => Ok(()),
        ElementKind::Text { words: Some(words), children, markdown: true, .. } => {
            builder.markdown(words, element)?;
            builder.elements(children, inline)
        }
        _ => {
            element.words().try_for_each(|words| builder.words(words, element))?;
            builder.elements(element.children(), inline)
        }
    }
}

fn ordered(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    item(builder, element, true)
}

fn unordered(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    item(builder, element, false)
}

/// An item stands on a line of its own, and what is in it on lines below.
fn item(builder: &mut Builder<'_>, element: &Element, numbered: bool) -> Result<()> {
    match &element.kind {
        ElementKind::ListItem { .. } => {
            builder.next();
            let indent = "  ".repeat(builder.depth());
            builder.markup(&indent);
            if numbered {
                builder.number();
            } else {
                builder.markup("- ");
            }
            let line_end = builder.line_end();
            builder.separated(line_end, |builder| write(builder, element))
        }
        ElementKind::Group { elements } => builder.elements(elements, if numbered { ordered } else { unordered }),
        _ => write(builder, element),
    }
}
