//! Elements as the HTML of an e-mail: blocks with their styles inline, for the brand's frame to stand around.

use super::super::escape::OutputContext;
use super::super::palette::{BUTTON_CLASS, LINE, LINK, PRIMARY, QUOTE};
use super::Builder;
use crate::error::Result;
use crate::model::content::{
    ActionStyle, Align, ChannelStyle, Element, ElementKind, ListType, LocalizedText, TextRole, TextStyle,
};

/// How a table begins that carries the layout.
const TABLE: &str = "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"";
/// What fits into a card of the usual width.
const CARD_PIXELS: u32 = 520;
/// Between columns, where they stand beside each other.
const GAP: &str = "<td class=\"bulkd-gap\" width=\"16\" style=\"width:16px;font-size:0\">&nbsp;</td>\n";

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { words, children, text_style, markdown } => {
            let tag = match text_style.style {
                Some(TextRole::H1) => "h1",
                Some(TextRole::H2) => "h2",
                Some(TextRole::Subtext) => "p",
                _ if *markdown => "div",
                _ => "p",
            };
            builder.markup(&format!("<{tag} style=\"margin:0 0 16px;{}", size(text_style)));
            style(builder, element, text_style)?;
            builder.markup("\">");
            formatted(builder, text_style, |builder| {
                match words {
                    Some(words) if *markdown => builder.markdown(words, element)?,
                    Some(words) => builder.words(words, element)?,
                    None => {}
                }
                builder.elements(children, inline)
            })?;
            builder.markup(&format!("</{tag}>\n"));
            Ok(())
        }
        ElementKind::Span { .. } | ElementKind::Link { .. } => {
            builder.markup("<p style=\"margin:0 0 16px\">");
            inline(builder, element)?;
            builder.markup("</p>\n");
            Ok(())
        }
        ElementKind::Action { words, href, style, align, color, .. } => {
            action(builder, element, words, href, *style, *align, color.as_deref())
        }
        ElementKind::Image { align, .. } => {
            let align = align.map_or("center", side);
            builder.markup(&format!("<div style=\"margin:0 0 16px;text-align:{align}\">"));
            inline(builder, element)?;
            builder.markup("</div>\n");
            Ok(())
        }
        ElementKind::Divider { color } => {
            builder.markup("<hr style=\"border:0;border-top:1px solid ");
            css(builder, element, color.as_deref().unwrap_or(LINE), "color")?;
            builder.markup(";margin:16px 0\">\n");
            Ok(())
        }
        ElementKind::Quote { words, text_style, border_color } => {
            // The bar is a cell, which also Outlook draws, and which stands where lines begin.
            builder.markup(&format!(
                "<blockquote style=\"margin:0 0 16px\">{TABLE}><tr><td style=\"border-left:4px solid "
            ));
            css(builder, element, border_color.as_deref().unwrap_or(QUOTE), "border_color")?;
            builder.markup(&format!("\"></td><td style=\"padding:4px 16px;{}", size(text_style)));
            style(builder, element, text_style)?;
            builder.markup("\">");
            formatted(builder, text_style, |builder| builder.words(words, element))?;
            builder.markup("</td></tr></table></blockquote>\n");
            Ok(())
        }
        ElementKind::Html { words } => {
            builder.words_in(words, element, OutputContext::Markup)?;
            builder.markup("\n");
            Ok(())
        }
        ElementKind::Channel { elements, channel_style, .. } => channel(builder, element, channel_style, elements),
        ElementKind::Columns { elements } => {
            builder.markup(&format!("{TABLE} width=\"100%\" style=\"table-layout:fixed\"><tr>\n"));
            builder.separated(GAP, |builder| builder.elements(elements, column))?;
            builder.markup("</tr></table>\n");
            Ok(())
        }
        ElementKind::List { list, elements, image, href } => {
            if let Some(src) = image {
                builder.markup("<div style=\"margin:0 0 16px;text-align:center\">");
                picture(builder, element, src, href.as_ref(), None, None)?;
                builder.markup("</div>\n");
            }
            let tag = if *list == ListType::Ordered { "ol" } else { "ul" };
            builder.markup(&format!("<{tag} style=\"margin:0 0 16px\">\n"));
            builder.elements(elements, item)?;
            builder.markup(&format!("</{tag}>\n"));
            Ok(())
        }
        ElementKind::ListItem { words, elements, .. } | ElementKind::Other { words, elements } => {
            if let Some(words) = words {
                builder.markup("<p style=\"margin:0 0 16px\">");
                builder.words(words, element)?;
                builder.markup("</p>\n");
            }
            builder.elements(elements, write)
        }
        ElementKind::Group { elements } | ElementKind::Column { elements, .. } => builder.elements(elements, write),
        ElementKind::Meta { .. } | ElementKind::Hidden => Ok(()),
    }
}

/// A part of a paragraph.
fn inline(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Span { words, text_style } => formatted(builder, text_style, |builder| match &text_style.color {
            Some(color) => {
                builder.markup("<span style=\"color:");
                css(builder, element, color, "color")?;
                builder.markup("\">");
                builder.words(words, element)?;
                builder.markup("</span>");
                Ok(())
            }
            None => builder.words(words, element),
        }),
        ElementKind::Link { words, href } | ElementKind::Action { words, href, .. } => {
            builder.markup("<a href=\"");
            builder.address(href, element)?;
            builder.markup(&format!("\" style=\"color:{LINK}\">"));
            builder.words(words, element)?;
            builder.markup("</a>");
            Ok(())
        }
        ElementKind::Image { src, href, alt, width, .. } => {
            picture(builder, element, src, href.as_ref(), alt.as_ref(), width.as_deref())
        }
        ElementKind::Html { words } => builder.words_in(words, element, OutputContext::Markup),
        ElementKind::Meta { .. } | ElementKind::Hidden | ElementKind::Divider { .. } => Ok(()),
        _ => {
            element.words().try_for_each(|words| builder.words(words, element))?;
            builder.elements(element.children(), inline)
        }
    }
}

fn picture(
    builder: &mut Builder<'_>,
    element: &Element,
    src: &LocalizedText,
    href: Option<&LocalizedText>,
    alt: Option<&LocalizedText>,
    width: Option<&str>,
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
    let pixels = width.and_then(pixels);
    if let Some(pixels) = pixels {
        // Outlook looks at nothing else, and lets an image widen the whole e-mail.
        builder.markup(&format!("\" width=\"{}", pixels.min(CARD_PIXELS)));
    }
    builder.markup("\" style=\"border:0;max-width:100%;height:auto");
    match (pixels, width) {
        (Some(pixels), _) => builder.markup(&format!(";width:{pixels}px")),
        (None, Some(width)) => {
            builder.markup(";width:");
            css(builder, element, width, "width")?;
        }
        (None, None) => {}
    }
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
    color: Option<&str>,
) -> Result<()> {
    let side = align.map_or("center", side);
    if style == ActionStyle::Link {
        builder.markup(&format!("<p style=\"margin:0 0 16px;text-align:{side}\">"));
        inline(builder, element)?;
        builder.markup("</p>\n");
        return Ok(());
    }
    // Something that is aligned by itself would float beside what follows. Outlook keeps no padding but that of cells.
    let (width, display) = if align == Some(Align::Full) { (" width=\"100%\"", "block") } else { ("", "inline-block") };
    builder.markup(&format!(
        "{TABLE} width=\"100%\"><tr><td align=\"{side}\" style=\"padding:0 0 16px\">{TABLE}{width}><tr>\
         <td class=\"{BUTTON_CLASS}\" align=\"center\" style=\"border-radius:4px;mso-padding-alt:10px 24px;background-color:"
    ));
    match color {
        Some(color) => css(builder, element, color, "background_color")?,
        None => builder.brand_color(PRIMARY),
    }
    builder.markup("\"><a href=\"");
    builder.address(href, element)?;
    builder.markup(&format!(
        "\" style=\"display:{display};padding:10px 24px;color:#ffffff;text-decoration:none;mso-padding-alt:0\">"
    ));
    builder.words(words, element)?;
    builder.markup("</a></td></tr></table></td></tr></table>\n");
    Ok(())
}

fn channel(
    builder: &mut Builder<'_>,
    element: &Element,
    channel_style: &ChannelStyle,
    elements: &[Element],
) -> Result<()> {
    let styles = [
        ("font-size", "font_size", &channel_style.font_size),
        ("line-height", "line_height", &channel_style.line_height),
        ("padding", "padding", &channel_style.padding),
    ];
    if styles.iter().all(|(_, _, value)| value.is_none()) {
        return builder.elements(elements, write);
    }
    builder.markup("<div style=\"");
    for (property, field, value) in styles {
        if let Some(value) = value {
            builder.markup(&format!("{property}:"));
            css(builder, element, value, field)?;
            builder.markup(";");
        }
    }
    builder.markup("\">\n");
    builder.elements(elements, write)?;
    builder.markup("</div>\n");
    Ok(())
}

fn column(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    builder.next();
    builder.markup("<td class=\"bulkd-column\" valign=\"top\"");
    if let ElementKind::Column { width: Some(width), .. } = &element.kind {
        match pixels(width) {
            Some(pixels) => builder.markup(&format!(" width=\"{pixels}\"")),
            None => {
                builder.markup(" width=\"");
                builder.source(width, OutputContext::Attribute, element, "width")?;
                builder.markup("\"");
            }
        }
    }
    builder.markup(">\n");
    write(builder, element)?;
    builder.markup("</td>\n");
    Ok(())
}

fn item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::ListItem { words, elements, color } => {
            builder.markup("<li style=\"margin:0 0 4px");
            if let Some(color) = color {
                builder.markup(";background-color:");
                css(builder, element, color, "background_color")?;
            }
            builder.markup("\">");
            if let Some(words) = words {
                builder.words(words, element)?;
            }
            builder.elements(elements, write)?;
            builder.markup("</li>\n");
            Ok(())
        }
        ElementKind::Group { elements } => builder.elements(elements, item),
        _ => {
            builder.markup("<li>");
            write(builder, element)?;
            builder.markup("</li>\n");
            Ok(())
        }
    }
}

/// A width in pixels, if it is one.
fn pixels(width: &str) -> Option<u32> {
    width.trim().trim_end_matches("px").parse().ok()
}

fn side(align: Align) -> &'static str {
    match align {
        Align::Full => "center",
        align => align.name(),
    }
}

fn css(builder: &mut Builder<'_>, element: &Element, source: &str, field: &'static str) -> Result<()> {
    builder.source(source, OutputContext::Css, element, field)
}

/// What a text style is for the eye.
fn size(text_style: &TextStyle) -> &'static str {
    match text_style.style {
        Some(TextRole::H1) => "font-size:24px;line-height:1.3;",
        Some(TextRole::H2) => "font-size:20px;line-height:1.3;",
        Some(TextRole::Subtext) => "font-size:12px;color:#5f6b7a;",
        _ => "",
    }
}

fn style(builder: &mut Builder<'_>, element: &Element, text_style: &TextStyle) -> Result<()> {
    if let Some(align) = text_style.align {
        builder.markup(&format!("text-align:{};", side(align)));
    }
    if let Some(color) = &text_style.color {
        builder.markup("color:");
        css(builder, element, color, "color")?;
        builder.markup(";");
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
