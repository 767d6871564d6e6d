//! Elements as the HTML of an e-mail: blocks with their styles inline, for the brand's frame to stand around.
//!
//! What has a padding, a border or a background around other elements is a table, since Outlook knows these of cells only.

use super::super::escape::OutputContext;
use super::super::palette::{BUTTON_CLASS, LINE, LINK, PRIMARY, QUOTE};
use super::{Builder, plain};
use crate::error::Result;
use crate::model::content::{
    ActionStyle, Align, Element, ElementKind, ListType, LocalizedText, Look, LookValue, MarkdownUse, TextRole,
    TextStyle,
};

/// How a table begins that carries the layout.
const TABLE: &str = "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"";
/// What fits into a card of the usual width.
const CARD_PIXELS: f64 = 520.0;
/// What stands between columns that say nothing of it.
const GAP_PIXELS: f64 = 16.0;

/// What the document of an e-mail is told of its colours: it stands before everything else.
pub const PAGE: &str = "<!--bulkd-page ";
pub const PAGE_END: &str = "-->";

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { words, text_style, markdown, .. } => {
            let is_markdown = words.as_ref().is_some_and(|words| builder.is_markdown(words, *markdown));
            let tag = match text_style.style {
                Some(TextRole::H1) => "h1",
                Some(TextRole::H2) => "h2",
                Some(TextRole::H3) => "h3",
                Some(TextRole::Subtext) if !is_markdown => "p",
                _ if is_markdown => "div",
                _ => "p",
            };
            builder.markup(&format!("<{tag} style=\"{};{}", builder.margin(), size(text_style)));
            text_looks(builder, element, text_style)?;
            builder.markup("\">");
            formatted(builder, text_style, |builder| {
                match words {
                    Some(words) if is_markdown => builder.markdown(words, element)?,
                    Some(words) => builder.words(words, element)?,
                    None => {}
                }
                let children = builder.children(element);
                builder.elements(children, inline)
            })?;
            builder.markup(&format!("</{tag}>\n"));
            Ok(())
        }
        ElementKind::Span { text_style, .. } | ElementKind::Link { text_style, .. } => {
            builder.markup(&format!("<p style=\"{}", builder.margin()));
            if let Some(align) = text_style.align {
                builder.markup(&format!(";text-align:{}", text_side(align)));
            }
            builder.markup("\">");
            inline(builder, element)?;
            builder.markup("</p>\n");
            Ok(())
        }
        ElementKind::Action { words, href, style, align, .. } => action(builder, element, words, href, *style, *align),
        ElementKind::Image { align, .. } => {
            let align = align.map_or("center", side);
            builder.markup(&format!("<div style=\"{};text-align:{align}", builder.margin()));
            look(builder, element, Look::Padding, ";padding:")?;
            builder.markup("\">");
            inline(builder, element)?;
            builder.markup("</div>\n");
            Ok(())
        }
        ElementKind::Divider => {
            builder.markup("<hr");
            let align = element.looks.get(Look::Align).filter(|value| !is_of_data(value));
            let align = align.map_or("center", |value| value.text.as_str());
            if let Some(width) = element.looks.get(Look::Width) {
                attribute(builder, "width", width);
                builder.markup(&format!(" align=\"{align}\""));
            }
            builder.markup(" style=\"border:0;border-top:");
            or(builder, element, Look::BorderWidth, "1px")?;
            builder.markup(" solid ");
            or(builder, element, Look::Color, LINE)?;
            builder.markup(";margin:");
            let around = if builder.ends_box() { "16px 0 0" } else { "16px 0" };
            or(builder, element, Look::Padding, around)?;
            if element.looks.get(Look::Width).is_some() {
                look(builder, element, Look::Width, ";width:")?;
                builder.markup(match align {
                    "left" => ";margin-left:0;margin-right:auto",
                    "right" => ";margin-left:auto;margin-right:0",
                    _ => ";margin-left:auto;margin-right:auto",
                });
            }
            builder.markup("\">\n");
            Ok(())
        }
        ElementKind::Quote { words, text_style } => {
            // The bar is a cell, which also Outlook draws, and which stands where lines begin.
            let margin = builder.margin();
            builder.markup(&format!("<blockquote style=\"{margin}\">{TABLE}><tr><td style=\"border-left:"));
            or(builder, element, Look::BorderWidth, "4px")?;
            builder.markup(" solid ");
            or(builder, element, Look::BorderColor, QUOTE)?;
            builder.markup("\"></td><td style=\"padding:");
            or(builder, element, Look::Padding, "4px 16px")?;
            builder.markup(&format!(";{}", size(text_style)));
            align(builder, text_style);
            for (property, name) in TEXT_LOOKS {
                look(builder, element, property, name)?;
                close(builder, element, property);
            }
            look(builder, element, Look::BorderRadius, "border-radius:")?;
            builder.markup("\">");
            let is_markdown = builder.is_markdown(words, MarkdownUse::WhereMarked);
            formatted(builder, text_style, |builder| match is_markdown {
                true => builder.markdown(words, element),
                false => builder.words(words, element),
            })?;
            builder.markup("</td></tr></table></blockquote>\n");
            Ok(())
        }
        ElementKind::Html { words } => {
            match builder.is_mjml(words) {
                true => {
                    builder.markup(&format!("<div style=\"{}\">", builder.margin()));
                    builder.mjml(words, element, true)?;
                    builder.markup("</div>");
                }
                false => builder.html(words, element)?,
            }
            builder.markup("\n");
            Ok(())
        }
        ElementKind::Channel { .. } => {
            page(builder, element)?;
            boxed(builder, element, |builder| children(builder, element, write))
        }
        ElementKind::Group { .. } => boxed(builder, element, |builder| children(builder, element, write)),
        ElementKind::Columns { .. } => boxed(builder, element, |builder| {
            builder.markup(&format!("{TABLE} width=\"100%\" style=\"table-layout:fixed\"><tr>\n"));
            let gap = element.looks.get(Look::Gap).and_then(pixels).unwrap_or(GAP_PIXELS);
            let alignment =
                element.looks.get(Look::VerticalAlign).map_or("top", |value| value.text.as_str()).to_owned();
            let columns = builder.children(element);
            let gaps = gap * columns.len().saturating_sub(1) as f64;
            let outer = builder.enter_columns(1.0 - (gaps / CARD_PIXELS).min(0.9), alignment);
            // A cell of its own, so that the outer ones begin where everything else does, in both directions.
            // Where the columns stand below each other something has to be between them.
            let class = if builder.ends_box() { "bulkd-gap bulkd-space" } else { "bulkd-gap" };
            let between = format!(
                "<td class=\"{class}\" width=\"{gap}\" style=\"width:{gap}px;font-size:0;line-height:0\">&nbsp;</td>\n"
            );
            builder.separated(between, |builder| builder.elements(columns, column))?;
            builder.leave_columns(outer);
            builder.markup("</tr></table>\n");
            Ok(())
        }),
        ElementKind::Column { .. } => boxed(builder, element, |builder| children(builder, element, write)),
        ElementKind::List { list, image, .. } => boxed(builder, element, |builder| {
            let tag = if *list == ListType::Ordered { "ol" } else { "ul" };
            builder.markup(&format!("<{tag} style=\"{}", builder.margin()));
            for (property, name) in
                [(Look::Color, ";color:"), (Look::FontSize, ";font-size:"), (Look::LineHeight, ";line-height:")]
            {
                look(builder, element, property, name)?;
            }
            if let Some(src) = image {
                builder.markup(";list-style-image:url(");
                builder.address_in(src, element, OutputContext::CssUrl)?;
                builder.markup(")");
            }
            builder.markup("\">\n");
            children(builder, element, item)?;
            builder.markup(&format!("</{tag}>\n"));
            Ok(())
        }),
        ElementKind::ListItem { words, .. } | ElementKind::Other { words, .. } => {
            if let Some(words) = words {
                let is_last = builder.children(element).is_empty();
                let margin = if is_last { builder.margin() } else { "margin:0 0 16px" };
                builder.markup(&format!("<p style=\"{margin}\">"));
                builder.words(words, element)?;
                builder.markup("</p>\n");
            }
            children(builder, element, write)
        }
        ElementKind::Meta { .. } | ElementKind::Hidden => Ok(()),
    }
}

fn children(builder: &mut Builder<'_>, element: &Element, write: super::WriteElement) -> Result<()> {
    let children = builder.children(element);
    builder.elements(children, write)
}

/// A part of a paragraph.
fn inline(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Span { words, text_style } => {
            let is_plain = element.looks.is_empty() && text_style.style.is_none();
            if !is_plain {
                builder.markup(&format!("<span style=\"{}", size(text_style)));
                span_looks(builder, element, None)?;
                builder.markup("\">");
            }
            formatted(builder, text_style, |builder| builder.words(words, element))?;
            builder.markup(if is_plain { "" } else { "</span>" });
            Ok(())
        }
        ElementKind::Link { words, href: Some(href), text_style } if builder.has(href) => {
            builder.markup("<a href=\"");
            builder.address(href, element)?;
            builder.markup(&format!("\" style=\"{}", size(text_style)));
            span_looks(builder, element, Some(LINK))?;
            builder.markup("\">");
            formatted(builder, text_style, |builder| builder.words(words, element))?;
            builder.markup("</a>");
            Ok(())
        }
        ElementKind::Link { words, text_style, .. } => {
            formatted(builder, text_style, |builder| builder.words(words, element))
        }
        ElementKind::Action { words, href, .. } => {
            builder.markup("<a href=\"");
            builder.address(href, element)?;
            builder.markup("\" style=\"color:");
            or(builder, element, Look::Color, LINK)?;
            look(builder, element, Look::FontSize, ";font-size:")?;
            builder.markup("\">");
            builder.label(words, element)?;
            builder.markup("</a>");
            Ok(())
        }
        ElementKind::Image { src, href, alt, align } => {
            picture(builder, element, src, href.as_ref(), alt.as_ref(), *align == Some(Align::Full))
        }
        ElementKind::Html { words } => builder.html(words, element),
        ElementKind::Meta { .. } | ElementKind::Hidden | ElementKind::Divider => Ok(()),
        _ => {
            element.words().try_for_each(|words| builder.words(words, element))?;
            children(builder, element, inline)
        }
    }
}

fn picture(
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
    // Outlook looks at the attribute alone, and lets an image widen the whole e-mail.
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

fn action(
    builder: &mut Builder<'_>,
    element: &Element,
    words: &LocalizedText,
    href: &LocalizedText,
    style: ActionStyle,
    align: Option<Align>,
) -> Result<()> {
    let side = align.map_or("center", side);
    if style == ActionStyle::Link {
        builder.markup(&format!("<p style=\"{};text-align:{side}\">", builder.margin()));
        inline(builder, element)?;
        builder.markup("</p>\n");
        return Ok(());
    }
    // Something that is aligned by itself would float beside what follows. Outlook keeps no padding but that of cells.
    let width = element.looks.get(Look::Width);
    let is_wide = align == Some(Align::Full) || width.is_some();
    let display = if is_wide { "block" } else { "inline-block" };
    let below = if builder.ends_box() { "0" } else { "0 0 16px" };
    builder.markup(&format!("{TABLE} width=\"100%\"><tr><td align=\"{side}\" style=\"padding:{below}\">{TABLE}"));
    match width {
        Some(width) => {
            attribute(builder, "width", width);
            look(builder, element, Look::Width, " style=\"width:")?;
            builder.markup("\"");
        }
        None => builder.markup(if is_wide { " width=\"100%\"" } else { "" }),
    }
    // Its colour is the background's of a button, and of a lesser one that of its border or line, and of its words.
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
    // Of a colour that is none a client takes the one before it.
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

/// A property of the background's colour, else of the brand's; if data make the former, of both.
fn accent(builder: &mut Builder<'_>, element: &Element, property: &str) -> Result<()> {
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

/// The colours of the page and of the card in it, for the document.
fn page(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
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

/// Writes what stands in an element with what it has around it, in a cell of its own if it has anything.
fn boxed<'b>(
    builder: &mut Builder<'b>,
    element: &Element,
    write: impl FnOnce(&mut Builder<'b>) -> Result<()>,
) -> Result<()> {
    // A channel's colours are those of the page, a list's text that of its items.
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
    builder.in_box(true, write)?;
    builder.markup("</td></tr></table>\n");
    Ok(())
}

/// A number of pixels, if the value is one.
fn pixels(value: &LookValue) -> Option<f64> {
    value.text.strip_suffix("px")?.parse().ok()
}

/// A length as an attribute, which Outlook looks at alone: a number of pixels, or a share.
fn attribute(builder: &mut Builder<'_>, name: &str, value: &LookValue) {
    match pixels(value) {
        Some(pixels) => builder.markup(&format!(" {name}=\"{pixels}\"")),
        None if value.text.ends_with('%') && !is_of_data(value) => {
            builder.markup(&format!(" {name}=\"{}\"", value.text));
        }
        None => {}
    }
}

/// Whether only data tell what a value is.
fn is_of_data(value: &LookValue) -> bool {
    value.text.contains("{{")
}

fn column(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    let alignment = match element.looks.get(Look::VerticalAlign) {
        Some(own) => own.text.clone(),
        None => builder.columns().alignment.clone(),
    };
    let (share, ends_box) = (builder.columns().share, builder.columns().ends_box);
    builder.next();
    builder.markup("<td class=\"bulkd-column\"");
    // Shares are of what the gaps leave.
    let percent = element.looks.get(Look::Width).and_then(|width| width.text.strip_suffix('%')?.parse::<f64>().ok());
    let percent = percent.map(|percent| format!("{}%", (percent * share * 100.0).round() / 100.0));
    match (&percent, element.looks.get(Look::Width)) {
        (Some(percent), _) => builder.markup(&format!(" width=\"{percent}\"")),
        (None, Some(width)) => attribute(builder, "width", width),
        (None, None) => {}
    }
    let alignment = if alignment.contains("{{") { "top".to_owned() } else { alignment };
    builder.markup(&format!(" valign=\"{alignment}\" style=\"vertical-align:{alignment};padding:0"));
    match percent {
        Some(percent) => builder.markup(&format!(";width:{percent}")),
        None => look(builder, element, Look::Width, ";width:")?,
    }
    builder.markup("\">\n");
    builder.in_box(ends_box, |builder| write(builder, element))?;
    builder.markup("</td>\n");
    Ok(())
}

fn item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::ListItem { words, .. } => {
            builder.markup(if builder.ends_box() { "<li style=\"margin:0" } else { "<li style=\"margin:0 0 4px" });
            for (property, name) in [
                (Look::Background, ";background-color:"),
                (Look::Color, ";color:"),
                (Look::FontSize, ";font-size:"),
                (Look::LineHeight, ";line-height:"),
            ] {
                look(builder, element, property, name)?;
            }
            builder.markup("\">");
            if let Some(words) = words {
                builder.words(words, element)?;
            }
            let children = builder.children(element);
            builder.elements(children, |builder, child| match plain::is_part(child) {
                true => inline(builder, child),
                false => write(builder, child),
            })?;
            builder.markup("</li>\n");
            Ok(())
        }
        ElementKind::Group { .. } => children(builder, element, item),
        _ => {
            builder.markup("<li>");
            write(builder, element)?;
            builder.markup("</li>\n");
            Ok(())
        }
    }
}

fn side(align: Align) -> &'static str {
    match align {
        Align::Full => "center",
        align => align.name(),
    }
}

/// Of a text that is as wide as it may be both sides are even.
fn text_side(align: Align) -> &'static str {
    match align {
        Align::Full => "justify",
        align => align.name(),
    }
}

/// Writes a value, if there is one, behind the name of its property.
fn look(builder: &mut Builder<'_>, element: &Element, look: Look, before: &str) -> Result<()> {
    let Some(value) = element.looks.get(look) else { return Ok(()) };
    builder.markup(before);
    builder.look(value, look, element)
}

/// Ends a property that [`look`] has written.
fn close(builder: &mut Builder<'_>, element: &Element, look: Look) {
    if element.looks.get(look).is_some() {
        builder.markup(";");
    }
}

/// Writes a value, or another if there is none.
fn or(builder: &mut Builder<'_>, element: &Element, look: Look, default: &str) -> Result<()> {
    match element.looks.get(look) {
        Some(value) => builder.look(value, look, element),
        None => {
            builder.markup(default);
            Ok(())
        }
    }
}

fn border(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
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

/// What a text style is for the eye.
fn size(text_style: &TextStyle) -> &'static str {
    match text_style.style {
        Some(TextRole::H1) => "font-size:24px;line-height:1.3;",
        Some(TextRole::H2) => "font-size:20px;line-height:1.3;",
        Some(TextRole::H3) => "font-size:18px;line-height:1.3;",
        Some(TextRole::Subtext) => "font-size:12px;color:#5f6b7a;",
        _ => "",
    }
}

const TEXT_LOOKS: [(Look, &str); 5] = [
    (Look::Color, "color:"),
    (Look::Background, "background-color:"),
    (Look::FontFamily, "font-family:"),
    (Look::FontSize, "font-size:"),
    (Look::LineHeight, "line-height:"),
];

fn align(builder: &mut Builder<'_>, text_style: &TextStyle) {
    if let Some(align) = text_style.align {
        builder.markup(&format!("text-align:{};", text_side(align)));
    }
}

fn text_looks(builder: &mut Builder<'_>, element: &Element, text_style: &TextStyle) -> Result<()> {
    align(builder, text_style);
    for (property, name) in TEXT_LOOKS.into_iter().chain([(Look::Padding, "padding:")]) {
        look(builder, element, property, name)?;
        close(builder, element, property);
    }
    border(builder, element)
}

fn span_looks(builder: &mut Builder<'_>, element: &Element, color: Option<&str>) -> Result<()> {
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

fn formatted<'b>(
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
