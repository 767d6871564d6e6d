//! How elements of an e-mail look: their properties as styles, and as the attributes that Outlook needs.

use super::super::Builder;
use crate::error::Result;
use crate::model::content::{Align, Element, Look, LookValue, TextRole, TextStyle};
use crate::render::palette::PRIMARY;

/// The start of a table for layout.
pub const TABLE: &str = "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"";
/// What fits into a card of the usual width.
pub const CARD_PIXELS: f64 = 520.0;

/// A number of pixels, if the value is one.
pub fn pixels(value: &LookValue) -> Option<f64> {
    value.text.strip_suffix("px")?.parse().ok()
}

/// A length as an attribute for Outlook, which ignores the style: a number of pixels, or a percentage.
pub fn attribute(builder: &mut Builder<'_>, name: &str, value: &LookValue) {
    match pixels(value) {
        Some(pixels) => builder.markup(&format!(" {name}=\"{pixels}\"")),
        None if value.text.ends_with('%') && !is_of_data(value) => {
            builder.markup(&format!(" {name}=\"{}\"", value.text));
        }
        None => {}
    }
}

/// Whether only data tell what a value is.
pub fn is_of_data(value: &LookValue) -> bool {
    value.text.contains("{{")
}

/// A property with the background colour, else with the brand's. If data make the former, both are written.
pub fn accent(builder: &mut Builder<'_>, element: &Element, property: &str) -> Result<()> {
    let background = element.looks.get(Look::Background);
    builder.markup(property);
    if background.is_none_or(is_of_data) {
        builder.brand_color(PRIMARY);
    }
    let again = if background.is_some_and(is_of_data) { format!(";{property}") } else { String::new() };
    look(builder, element, Look::Background, &again)?;
    if property.starts_with("border") {
        builder.markup(";");
    }
    Ok(())
}

pub fn side(align: Align) -> &'static str {
    match align {
        Align::Full => "center",
        align => align.name(),
    }
}

/// A text at full width is even on both sides.
pub fn text_side(align: Align) -> &'static str {
    match align {
        Align::Full => "justify",
        align => align.name(),
    }
}

/// Writes a value, if there is one, after the name of its property.
pub fn look(builder: &mut Builder<'_>, element: &Element, look: Look, before: &str) -> Result<()> {
    let Some(value) = element.looks.get(look) else { return Ok(()) };
    builder.markup(before);
    builder.look(value, look, element)
}

/// Ends a property that [`look`] has written.
pub fn close(builder: &mut Builder<'_>, element: &Element, look: Look) {
    if element.looks.get(look).is_some() {
        builder.markup(";");
    }
}

/// Writes a value, or another if there is none.
pub fn or(builder: &mut Builder<'_>, element: &Element, look: Look, default: &str) -> Result<()> {
    match element.looks.get(look) {
        Some(value) => builder.look(value, look, element),
        None => {
            builder.markup(default);
            Ok(())
        }
    }
}

pub fn border(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    if element.looks.get(Look::BorderWidth).is_some() || element.looks.get(Look::BorderColor).is_some() {
        builder.markup("border:");
        or(builder, element, Look::BorderWidth, "1px")?;
        builder.markup(" solid ");
        or(builder, element, Look::BorderColor, "#d0d7de")?;
        builder.markup(";");
    }
    look(builder, element, Look::BorderRadius, "border-radius:")?;
    close(builder, element, Look::BorderRadius);
    Ok(())
}

/// The appearance of a text style.
pub fn size(text_style: &TextStyle) -> &'static str {
    match text_style.style {
        Some(TextRole::H1) => "font-size:24px;line-height:1.3;",
        Some(TextRole::H2) => "font-size:20px;line-height:1.3;",
        Some(TextRole::H3) => "font-size:18px;line-height:1.3;",
        Some(TextRole::Subtext) => "font-size:12px;color:#5f6b7a;",
        _ => "",
    }
}

pub const TEXT_LOOKS: [(Look, &str); 5] = [
    (Look::Color, "color:"),
    (Look::Background, "background-color:"),
    (Look::FontFamily, "font-family:"),
    (Look::FontSize, "font-size:"),
    (Look::LineHeight, "line-height:"),
];

pub fn align(builder: &mut Builder<'_>, text_style: &TextStyle) {
    if let Some(align) = text_style.align {
        builder.markup(&format!("text-align:{};", text_side(align)));
    }
}

pub fn text_looks(builder: &mut Builder<'_>, element: &Element, text_style: &TextStyle) -> Result<()> {
    align(builder, text_style);
    for (property, name) in TEXT_LOOKS.into_iter().chain([(Look::Padding, "padding:")]) {
        look(builder, element, property, name)?;
        close(builder, element, property);
    }
    border(builder, element)
}

pub fn span_looks(builder: &mut Builder<'_>, element: &Element, color: Option<&str>) -> Result<()> {
    if let (Some(color), None) = (color, element.looks.get(Look::Color)) {
        builder.markup(&format!("color:{color};"));
    }
    for (property, name) in [
        (Look::Color, "color:"),
        (Look::Highlight, "background-color:"),
        (Look::Background, "background-color:"),
        (Look::FontFamily, "font-family:"),
        (Look::FontSize, "font-size:"),
    ] {
        look(builder, element, property, name)?;
        close(builder, element, property);
    }
    Ok(())
}

pub fn formatted<'b>(
    builder: &mut Builder<'b>,
    text_style: &TextStyle,
    write: impl FnOnce(&mut Builder<'b>) -> Result<()>,
) -> Result<()> {
    let tags = [
        (text_style.bold, "strong"),
        (text_style.italic, "em"),
        (text_style.strikethrough, "s"),
        (text_style.underline, "u"),
    ];
    for (_, tag) in tags.iter().filter(|(is_on, _)| *is_on) {
        builder.markup(&format!("<{tag}>"));
    }
    write(builder)?;
    for (_, tag) in tags.iter().rev().filter(|(is_on, _)| *is_on) {
        builder.markup(&format!("</{tag}>"));
    }
    Ok(())
}
