//! Elements as plain text: one paragraph for each element. Those without words leave none.

use super::{Builder, WriteElement};
use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::content::{Element, ElementKind, ListType, LocalizedText, MarkdownUse};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { .. } => {
            builder.next();
            inline(builder, element)
        }
        ElementKind::Span { words, .. } => {
            builder.next();
            builder.words(words, element)
        }
        ElementKind::Quote { words, .. } => {
            builder.next();
            match builder.is_markdown(words, MarkdownUse::WhereMarked) {
                true => builder.markdown(words, element),
                false => builder.words(words, element),
            }
        }
        ElementKind::Link { words, href: None, .. } => {
            builder.next();
            builder.words(words, element)
        }
        ElementKind::Link { words, href: Some(href), .. } | ElementKind::Action { words, href, .. } => {
            builder.next();
            label(builder, element, words)?;
            builder.markup(": ");
            builder.address(href, element)
        }
        // A push message has its image apart.
        ElementKind::Image { href: None, alt: None, .. } if builder.target().channel == Channel::Push => Ok(()),
        // An image that is only decoration says nothing.
        ElementKind::Image { href, alt: Some(alt), .. }
            if !builder.has(alt) && !href.as_ref().is_some_and(|href| builder.has(href)) =>
        {
            Ok(())
        }
        ElementKind::Image { src, href, alt, .. } => {
            builder.next();
            match (alt, href.as_ref().filter(|href| builder.has(href))) {
                (None, None) => builder.words(src, element),
                _ => image(builder, element, alt.as_ref(), href.as_ref()),
            }
        }
        ElementKind::Divider => {
            builder.next();
            builder.markup("---");
            Ok(())
        }
        ElementKind::Html { words } => {
            builder.next();
            builder.stripped(words, element)
        }
        ElementKind::List { list, .. } => {
            builder.next();
            let item = match list {
                ListType::Ordered => ordered,
                ListType::Unordered => unordered,
            };
            let line_end = builder.line_end();
            let items = builder.children(element);
            builder.separated(line_end, |builder| builder.elements(items, item))
        }
        ElementKind::ListItem { words, .. } | ElementKind::Other { words, .. } => {
            if let Some(words) = words.as_ref().filter(|words| builder.has(words)) {
                builder.next();
                builder.words(words, element)?;
            }
            parts(builder, element, write)
        }
        ElementKind::Channel { .. }
        | ElementKind::Group { .. }
        | ElementKind::Columns { .. }
        | ElementKind::Column { .. } => {
            let children = builder.children(element);
            builder.elements(children, write)
        }
        ElementKind::Meta { .. } | ElementKind::Hidden => Ok(()),
    }
}

fn label(builder: &mut Builder<'_>, element: &Element, words: &LocalizedText) -> Result<()> {
    match element.kind {
        ElementKind::Action { .. } => builder.label(words, element),
        _ => builder.words(words, element),
    }
}

/// The text in place of an image, and its link.
fn image(
    builder: &mut Builder<'_>,
    element: &Element,
    alt: Option<&LocalizedText>,
    href: Option<&LocalizedText>,
) -> Result<()> {
    let alt = alt.filter(|alt| builder.has(alt));
    if let Some(alt) = alt {
        builder.words(alt, element)?;
    }
    let Some(href) = href.filter(|href| builder.has(href)) else { return Ok(()) };
    builder.markup(if alt.is_some() { " (" } else { "" });
    builder.address(href, element)?;
    builder.markup(if alt.is_some() { ")" } else { "" });
    Ok(())
}

/// Whether an element is a part of a line.
pub fn is_part(element: &Element) -> bool {
    matches!(element.kind, ElementKind::Span { .. } | ElementKind::Link { .. })
}

/// The contents of an item: its parts on one line, everything else below.
pub fn parts(builder: &mut Builder<'_>, element: &Element, write: WriteElement) -> Result<()> {
    let children = builder.children(element);
    if children.iter().any(is_part) {
        builder.next();
        builder.elements(children.iter().filter(|it| is_part(it)), inline)?;
    }
    builder.elements(children.iter().filter(|it| !is_part(it)), write)
}

/// Parts of a line. Two adjacent links would become one.
pub fn line(builder: &mut Builder<'_>, parts: &[Element], write: WriteElement) -> Result<()> {
    let leads = |it: &Element| {
        matches!(it.kind, ElementKind::Link { .. } | ElementKind::Action { .. } | ElementKind::Image { .. })
    };
    let mut was_link = false;
    for part in parts {
        let is_meant = builder.is_meant(part);
        if is_meant && std::mem::replace(&mut was_link, leads(part)) && leads(part) {
            builder.markup(" ");
        }
        builder.elements(std::iter::once(part), write)?;
    }
    Ok(())
}

/// A part of a paragraph.
pub fn inline(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Link { words, href: Some(href), .. } | ElementKind::Action { words, href, .. }
            if builder.has(href) =>
        {
            label(builder, element, words)?;
            builder.markup(" (");
            builder.address(href, element)?;
            builder.markup(")");
            Ok(())
        }
        ElementKind::Link { words, .. } | ElementKind::Action { words, .. } => label(builder, element, words),
        ElementKind::Image { src, href: None, alt: None, .. } => builder.words(src, element),
        ElementKind::Image { href, alt, .. } => image(builder, element, alt.as_ref(), href.as_ref()),
        ElementKind::Html { words } => builder.stripped(words, element),
        ElementKind::Meta { .. } | ElementKind::Hidden | ElementKind::Divider => Ok(()),
        ElementKind::Text { words: Some(words), markdown, .. } if builder.is_markdown(words, *markdown) => {
            builder.markdown(words, element)?;
            let children = builder.children(element);
            line(builder, children, inline)
        }
        _ => {
            element.words().try_for_each(|words| builder.words(words, element))?;
            let children = builder.children(element);
            line(builder, children, inline)
        }
    }
}

fn ordered(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    item(builder, element, true)
}

fn unordered(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    item(builder, element, false)
}

/// An item has a line of its own, and its contents are on lines below.
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
        ElementKind::Group { .. } => {
            let children = builder.children(element);
            builder.elements(children, if numbered { ordered } else { unordered })
        }
        _ => write(builder, element),
    }
}
