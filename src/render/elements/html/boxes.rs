//! Elements with a padding, border or background around others, and the page around them all.

use super::super::{BoxEnd, Builder};
use super::looks::{border, close, look};
use crate::error::Result;
use crate::model::content::{Element, ElementKind, Look};

/// The note for an e-mail's document about its colours. It precedes everything else.
pub const PAGE: &str = "<!--bulkd-page ";
pub const PAGE_END: &str = "-->";

/// The colours of the page and of the card in it, for the document.
pub fn page(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    let looks = [(Look::Background, "background="), (Look::BodyColor, "card=")];
    if looks.iter().all(|(look, _)| element.looks.get(*look).is_none()) {
        return Ok(());
    }
    builder.markup(PAGE);
    for (property, name) in looks {
        look(builder, element, property, name)?;
        builder.markup(";");
    }
    builder.markup(PAGE_END);
    builder.markup("\n");
    Ok(())
}

/// Writes the contents of an element with its box around them: a cell of its own if it has one.
pub fn boxed<'b>(
    builder: &mut Builder<'b>,
    element: &Element,
    write: impl FnOnce(&mut Builder<'b>) -> Result<()>,
) -> Result<()> {
    // A channel's colours are those of the page, and a list's text colour is that of its items.
    let is_channel = matches!(element.kind, ElementKind::Channel { .. });
    let is_list = matches!(element.kind, ElementKind::List { .. });
    let looks = [
        (Look::Background, "background-color:", !is_channel),
        (Look::Padding, "padding:", true),
        (Look::FontFamily, "font-family:", true),
        (Look::FontSize, "font-size:", !is_list),
        (Look::LineHeight, "line-height:", !is_list),
        (Look::Align, "text-align:", true),
    ];
    let has = |property: Look| element.looks.get(property).is_some();
    let has_border = has(Look::BorderColor) || has(Look::BorderWidth) || has(Look::BorderRadius);
    if !has_border && looks.iter().all(|(property, _, counts)| !counts || !has(*property)) {
        return write(builder);
    }
    builder.markup(&format!(
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"{};border-collapse:separate\"><tr><td style=\"",
        builder.margin()
    ));
    for (property, name, _) in looks.into_iter().filter(|(.., counts)| *counts) {
        look(builder, element, property, name)?;
        close(builder, element, property);
    }
    if has_border {
        border(builder, element)?;
    }
    builder.markup("\">\n");
    builder.in_box(BoxEnd::Ends, write)?;
    builder.markup("</td></tr></table>\n");
    Ok(())
}
