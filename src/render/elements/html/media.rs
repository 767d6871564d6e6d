//! Buttons and pictures.

use super::super::Builder;
use super::looks::{CARD_PIXELS, TABLE, accent, attribute, border, is_of_data, look, or, pixels, side};
use crate::error::Result;
use crate::model::content::{ActionStyle, Align, Element, LocalizedText, Look};
use crate::render::escape::OutputContext;
use crate::render::palette::BUTTON_CLASS;

/// A button, in a row of its own.
pub fn button(
    builder: &mut Builder<'_>,
    element: &Element,
    words: &LocalizedText,
    href: &LocalizedText,
    style: ActionStyle,
    align: Option<Align>,
) -> Result<()> {
    let side = align.map_or("center", side);
    // An aligned element would float beside what follows. Outlook only applies the padding of cells.
    let width = element.looks.get(Look::Width);
    let is_wide = align == Some(Align::Full) || width.is_some();
    let display = if is_wide { "block" } else { "inline-block" };
    let below = builder.below("16px");
    builder.markup(&format!("{TABLE} width=\"100%\"><tr><td align=\"{side}\" style=\"padding:{below}\">{TABLE}"));
    match width {
        Some(width) => {
            attribute(builder, "width", width);
            look(builder, element, Look::Width, " style=\"width:")?;
            builder.markup("\"");
        }
        None => builder.markup(if is_wide { " width=\"100%\"" } else { "" }),
    }
    // The colour of a button is its background's. For a lesser button it is that of its border or line, and of its
    // words.
    let (is_filled, is_outlined) = (style == ActionStyle::Button, style == ActionStyle::Secondary);
    let class = if is_filled { format!("class=\"{BUTTON_CLASS}\" ") } else { String::new() };
    builder.markup(&format!("><tr><td {class}align=\"center\" style=\"mso-padding-alt:"));
    or(builder, element, Look::Padding, "10px 24px")?;
    builder.markup(";");
    let radius = element.looks.get(Look::BorderRadius).is_some();
    if is_outlined {
        accent(builder, element, "border:1px solid ")?;
    }
    border(builder, element)?;
    if !radius {
        builder.markup("border-radius:4px;");
    }
    // A client ignores an invalid colour, and takes the one before it.
    if is_filled {
        accent(builder, element, "background-color:")?;
    }
    builder.markup("\"><a href=\"");
    builder.address(href, element)?;
    builder.markup(&format!("\" style=\"display:{display}"));
    if element.looks.get(Look::Padding).is_none_or(is_of_data) {
        builder.markup(";padding:10px 24px");
    }
    look(builder, element, Look::Padding, ";padding:")?;
    if element.looks.get(Look::Color).is_none_or(is_of_data) {
        match is_filled {
            true => builder.markup(";color:#ffffff"),
            false => {
                builder.markup(";");
                accent(builder, element, "color:")?;
            }
        }
    }
    look(builder, element, Look::Color, ";color:")?;
    look(builder, element, Look::FontSize, ";font-size:")?;
    let decoration = if style == ActionStyle::Tertiary { "underline" } else { "none" };
    builder.markup(&format!(";text-decoration:{decoration};mso-padding-alt:0\">"));
    builder.label(words, element)?;
    builder.markup("</a></td></tr></table></td></tr></table>\n");
    Ok(())
}

pub fn picture(
    builder: &mut Builder<'_>,
    element: &Element,
    src: &LocalizedText,
    href: Option<&LocalizedText>,
    alt: Option<&LocalizedText>,
    is_full: bool,
) -> Result<()> {
    if let Some(href) = href {
        builder.markup("<a href=\"");
        builder.address(href, element)?;
        builder.markup("\">");
    }
    builder.markup("<img src=\"");
    builder.address(src, element)?;
    builder.markup("\" alt=\"");
    if let Some(alt) = alt {
        builder.words_in(alt, element, OutputContext::Attribute)?;
    }
    builder.markup("\"");
    // Outlook only reads the attribute, and lets an image widen the whole e-mail.
    if let Some(width) = element.looks.get(Look::Width).and_then(pixels) {
        builder.markup(&format!(" width=\"{}\"", width.min(CARD_PIXELS)));
    }
    if let Some(height) = element.looks.get(Look::Height).and_then(pixels) {
        builder.markup(&format!(" height=\"{height}\""));
    }
    builder.markup(" style=\"border:0;max-width:100%;height:");
    or(builder, element, Look::Height, "auto")?;
    match element.looks.get(Look::Width) {
        Some(_) => look(builder, element, Look::Width, ";width:")?,
        None if is_full => builder.markup(";width:100%"),
        None => {}
    }
    builder.markup(";");
    border(builder, element)?;
    builder.markup(if href.is_some() { "\"></a>" } else { "\">" });
    Ok(())
}
