//! Elements as the HTML of an e-mail: blocks with inline styles, to be put into the brand's frame.
//!
//! An element with a padding, a border or a background around others is a table, since Outlook only supports these for
//! cells.

mod boxes;
mod looks;
mod media;

use super::{BoxEnd, Builder, plain};
use crate::error::Result;
use crate::model::content::{ActionStyle, Align, Element, ElementKind, ListType, Look, MarkdownUse, TextRole};
use crate::render::escape::OutputContext;
use crate::render::palette::{LINE, LINK, QUOTE};
use boxes::{boxed, page};
use looks::{
    CARD_PIXELS, TABLE, TEXT_LOOKS, align, attribute, close, formatted, is_of_data, look, or, pixels, side, size,
    span_looks, text_looks, text_side,
};
use media::{button, picture};

pub use boxes::{PAGE, PAGE_END};

/// The default gap between columns.
const GAP_PIXELS: f64 = 16.0;

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
                builder.in_box(BoxEnd::Inside, |builder| plain::line(builder, children, inline))
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
        ElementKind::Action { style: ActionStyle::Link, align, .. } => {
            let side = align.map_or("center", side);
            builder.markup(&format!("<p style=\"{};text-align:{side}\">", builder.margin()));
            inline(builder, element)?;
            builder.markup("</p>\n");
            Ok(())
        }
        ElementKind::Action { words, href, style, align, .. } => button(builder, element, words, href, *style, *align),
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
            let around = match builder.box_end() {
                BoxEnd::Inside => "16px 0",
                BoxEnd::Ends => "16px 0 0",
                BoxEnd::Undecided => "16px 0 <16px>",
            };
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
            // The bar is a cell, which Outlook draws as well, and which is where lines begin.
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
        // Several columns end at once: one margin is below all of them.
        ElementKind::Columns { .. } if builder.box_end() == BoxEnd::Undecided => {
            builder.markup(&format!("<div style=\"{}\">\n", builder.margin()));
            builder.in_box(BoxEnd::Ends, |builder| write(builder, element))?;
            builder.markup("</div>\n");
            Ok(())
        }
        ElementKind::Columns { .. } => boxed(builder, element, |builder| {
            builder.markup(&format!("{TABLE} width=\"100%\" style=\"table-layout:fixed\"><tr>\n"));
            let gap = element.looks.get(Look::Gap).and_then(pixels).unwrap_or(GAP_PIXELS);
            let alignment =
                element.looks.get(Look::VerticalAlign).map_or("top", |value| value.text.as_str()).to_owned();
            let columns = builder.children(element);
            let gaps = gap * columns.len().saturating_sub(1) as f64;
            let outer = builder.enter_columns(1.0 - (gaps / CARD_PIXELS).min(0.9), alignment);
            // A cell of its own, so that the outer columns begin where everything else does, in both directions. If the
            // columns are stacked, something has to separate them.
            let class = if builder.box_end() == BoxEnd::Ends { "bulkd-gap bulkd-space" } else { "bulkd-gap" };
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
            // The margins of the last item and of the list are one.
            let end = if builder.box_end() == BoxEnd::Undecided { BoxEnd::Ends } else { builder.box_end() };
            builder.in_box(end, |builder| children(builder, element, item))?;
            builder.markup(&format!("</{tag}>\n"));
            Ok(())
        }),
        ElementKind::ListItem { words, .. } | ElementKind::Other { words, .. } => {
            if let Some(words) = words {
                let is_last = builder.children(element).is_empty();
                let margin = if is_last { builder.margin() } else { "margin:0 0 16px".to_owned() };
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

fn column(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    let alignment = match element.looks.get(Look::VerticalAlign) {
        Some(own) => own.text.clone(),
        None => builder.columns().alignment.clone(),
    };
    let (share, end) = (builder.columns().share, builder.columns().end);
    builder.next();
    builder.markup("<td class=\"bulkd-column\"");
    // Percentages are of what the gaps leave.
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
    builder.in_box(end, |builder| write(builder, element))?;
    builder.markup("</td>\n");
    Ok(())
}

fn item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::ListItem { words, .. } => {
            builder.markup(&format!("<li style=\"margin:{}", builder.below("4px")));
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
