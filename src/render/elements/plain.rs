//! Elements as plain text: one paragraph an element. Those that carry no words leave none.

use super::Builder;
use crate::error::Result;
use crate::model::content::{Element, Kind, ListType};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        Kind::Text { .. } => {
            builder.next();
            inline(builder, element)
        }
        Kind::Span { words, .. } | Kind::Quote { words, .. } => {
            builder.next();
            builder.words(words, element)
        }
        Kind::Link { words, href } | Kind::Action { words, href, .. } => {
            builder.next();
            builder.words(words, element)?;
            builder.markup(": ");
            builder.address(href, element)
        }
        Kind::Image { src, alt, .. } => {
            builder.next();
            builder.words(alt.as_ref().unwrap_or(src), element)
        }
        Kind::Divider { .. } => {
            builder.next();
            builder.markup("---");
            Ok(())
        }
        Kind::Html { words } => {
            builder.next();
            builder.stripped(words, element)
        }
        Kind::List { list, elements, .. } => {
            builder.next();
            let item = match list {
                ListType::Ordered => ordered,
                ListType::Unordered => unordered,
            };
            let line_end = builder.line_end();
            builder.separated(line_end, |builder| builder.elements(elements, item))
        }
        Kind::ListItem { words, elements, .. } | Kind::Other { words, elements } => {
            if let Some(words) = words {
                builder.next();
                builder.words(words, element)?;
            }
            builder.elements(elements, write)
        }
        Kind::Channel { elements, .. } | Kind::Group { elements } | Kind::Columns { elements } => {
            builder.elements(elements, write)
        }
        Kind::Column { elements, .. } => builder.elements(elements, write),
        Kind::Meta { .. } | Kind::Hidden => Ok(()),
    }
}

/// A part of a paragraph.
pub fn inline(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        Kind::Link { words, href } | Kind::Action { words, href, .. } => {
            builder.words(words, element)?;
            builder.markup(" (");
            builder.address(href, element)?;
            builder.markup(")");
            Ok(())
        }
        Kind::Image { alt, .. } => alt.iter().try_for_each(|alt| builder.words(alt, element)),
        Kind::Html { words } => builder.stripped(words, element),
        Kind::Meta { .. } | Kind::Hidden | Kind::Divider { .. } => Ok(()),
        Kind::Text { words: Some(words), children, markdown: true, .. } => {
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
        Kind::ListItem { .. } => {
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
        Kind::Group { elements } => builder.elements(elements, if numbered { ordered } else { unordered }),
        _ => write(builder, element),
    }
}
