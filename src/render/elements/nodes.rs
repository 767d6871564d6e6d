//! Elements as a JSON array in a form that suits any app: `text`, `action`, `image`, `divider`, `quote` and `list`.

use super::super::escape::OutputContext;
use super::super::node::{
    ACTION_ID, ALT_TEXT, BOLD, CHAT, CONTENT, FORMAT, HREF, ITALIC, ITEMS, LIST_TYPE, MARKDOWN, NodeType, PLAIN, SRC,
    STRIKETHROUGH, STYLE, TEXT_STYLE, TYPE, UNDERLINE,
};
use super::super::target::RenderTarget;
use super::{Builder, plain};
use crate::error::Result;
use crate::json::scan::{Items, Members, Quoted};
use crate::model::channel::Channel;
use crate::model::content::{
    ActionStyle, Element, ElementKind, LocalizedText, MarkdownUse, RawContent, TextRole, TextStyle,
};
use crate::model::provider::Provider;

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Text { words, text_style, markdown, .. }
            if builder.keeps_markdown()
                && (words.as_ref().is_some_and(|words| builder.is_markdown(words, *markdown))
                    || *markdown != MarkdownUse::Never && has_marked_parts(builder, element)) =>
        {
            begin(builder, NodeType::Text);
            named(builder, FORMAT, MARKDOWN);
            begin_string(builder, CONTENT);
            if let Some(words) = words {
                builder.markdown_source(words, element)?;
            }
            let children = builder.children(element);
            let part = if builder.is_chat() { part } else { plain::inline };
            plain::line(builder, children, part)?;
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Text { text_style, markdown, .. } => {
            begin(builder, NodeType::Text);
            format(builder, element, *markdown == MarkdownUse::Never);
            begin_string(builder, CONTENT);
            plain::inline(builder, element)?;
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Span { words, text_style } => {
            begin(builder, NodeType::Text);
            format(builder, element, false);
            text(builder, element, Some(words))?;
            end(builder, text_style);
        }
        ElementKind::Quote { words, text_style } => {
            begin(builder, NodeType::Quote);
            match builder.is_markdown(words, MarkdownUse::WhereMarked) {
                true if builder.keeps_markdown() => {
                    named(builder, FORMAT, MARKDOWN);
                    begin_string(builder, CONTENT);
                    builder.markdown_source(words, element)?;
                }
                is_markdown => {
                    format(builder, element, false);
                    begin_string(builder, CONTENT);
                    match is_markdown {
                        true => builder.markdown(words, element)?,
                        false => builder.words(words, element)?,
                    }
                }
            }
            builder.markup("\"");
            end(builder, text_style);
        }
        ElementKind::Link { words, href: Some(href), .. } if builder.has(href) => {
            action(builder, element, words, href, ActionStyle::Link)?;
            builder.markup("}");
        }
        ElementKind::Link { words, text_style, .. } => {
            begin(builder, NodeType::Text);
            format(builder, element, false);
            text(builder, element, Some(words))?;
            end(builder, text_style);
        }
        ElementKind::Action { words, href, style, id, .. } => {
            action(builder, element, words, href, *style)?;
            if let Some(id) = id {
                builder.markup(&format!(",\"{ACTION_ID}\":{}", crate::json::quoted(id)));
            }
            builder.markup("}");
        }
        ElementKind::Image { src, href, alt, .. } => {
            begin(builder, NodeType::Image);
            address(builder, element, SRC, Some(src))?;
            if let Some(alt) = alt {
                begin_string(builder, ALT_TEXT);
                builder.words_in(alt, element, OutputContext::Json)?;
                builder.markup("\"");
            }
            address(builder, element, HREF, href.as_ref())?;
            builder.markup("}");
        }
        ElementKind::Divider => {
            begin(builder, NodeType::Divider);
            builder.markup("}");
        }
        ElementKind::List { list, .. } => {
            begin(builder, NodeType::List);
            named(builder, LIST_TYPE, list.name());
            let items = builder.children(element);
            let is_marked = items.iter().any(|item| has_marked_parts(builder, item));
            match is_marked {
                true => named(builder, FORMAT, MARKDOWN),
                false => format(builder, element, false),
            }
            builder.markup(&format!(",\"{ITEMS}\":["));
            builder.separated(",", |builder| builder.elements(items, if is_marked { marked_item } else { item }))?;
            builder.markup("]}");
        }
        ElementKind::ListItem { words, .. } | ElementKind::Other { words, .. } => {
            if words.is_some() {
                begin(builder, NodeType::Text);
                format(builder, element, false);
                text(builder, element, words.as_ref())?;
                builder.markup("}");
            }
            let children = builder.children(element);
            builder.elements(children, write)?;
        }
        ElementKind::Channel { .. }
        | ElementKind::Group { .. }
        | ElementKind::Columns { .. }
        | ElementKind::Column { .. } => {
            let children = builder.children(element);
            builder.elements(children, write)?;
        }
        ElementKind::Html { words } => {
            begin(builder, NodeType::Text);
            if builder.is_chat() {
                named(builder, FORMAT, CHAT);
            }
            begin_string(builder, CONTENT);
            builder.stripped(words, element)?;
            builder.markup("\"}");
        }
        ElementKind::Meta { .. } | ElementKind::Hidden => {}
    }
    Ok(())
}

/// Whether a chat's text has parts with marks or links.
fn has_marked_parts(builder: &Builder<'_>, element: &Element) -> bool {
    let is_marked = |style: &TextStyle| style.bold || style.italic || style.strikethrough;
    builder.is_chat()
        && builder.children(element).iter().any(|child| match &child.kind {
            ElementKind::Span { text_style, .. } => is_marked(text_style),
            ElementKind::Link { href, text_style, .. } => {
                is_marked(text_style) || href.as_ref().is_some_and(|href| builder.has(href))
            }
            ElementKind::Image { .. } => true,
            ElementKind::Group { .. } => has_marked_parts(builder, child),
            _ => false,
        })
}

/// A part of a chat's text, as Markdown.
fn part(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Span { words, text_style } => {
            builder.emphasized(text_style, |builder| builder.markdown_source(words, element))
        }
        ElementKind::Link { words, href, text_style } => builder.emphasized(text_style, |builder| {
            let Some(href) = href.as_ref().filter(|href| builder.has(href)) else {
                return builder.markdown_source(words, element);
            };
            builder.markup("[");
            builder.markdown_source(words, element)?;
            builder.markup("](");
            builder.address_in(href, element, OutputContext::MarkdownUrl)?;
            builder.markup(")");
            Ok(())
        }),
        ElementKind::Image { src, href, alt, .. } => {
            let leads_to = href.as_ref().filter(|href| builder.has(href)).unwrap_or(src);
            builder.markup("[");
            match alt.as_ref().filter(|alt| builder.has(alt)) {
                Some(alt) => builder.markdown_source(alt, element)?,
                None => builder.words_in(src, element, OutputContext::Markdown)?,
            }
            builder.markup("](");
            builder.address_in(leads_to, element, OutputContext::MarkdownUrl)?;
            builder.markup(")");
            Ok(())
        }
        ElementKind::Group { .. } => {
            let children = builder.children(element);
            plain::line(builder, children, part)
        }
        _ => plain::inline(builder, element),
    }
}

fn item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    item_in(builder, element, false)
}

fn marked_item(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    item_in(builder, element, true)
}

/// A text for each item, followed by the lists in it.
fn item_in(builder: &mut Builder<'_>, element: &Element, is_marked: bool) -> Result<()> {
    let children = builder.children(element);
    let ElementKind::ListItem { words, .. } = &element.kind else {
        return match &element.kind {
            ElementKind::Group { .. } => builder.elements(children, if is_marked { marked_item } else { item }),
            _ => write(builder, element),
        };
    };
    let is_list = |it: &&Element| matches!(it.kind, ElementKind::List { .. });
    let words = words.as_ref().filter(|words| builder.has(words));
    if words.is_some() || !children.iter().all(|it| is_list(&it)) {
        builder.next();
        builder.markup("\"");
        let line_end = builder.line_end();
        builder.separated(line_end, |builder| {
            if let Some(words) = words {
                builder.next();
                match is_marked {
                    true => builder.markdown_source(words, element)?,
                    false => builder.words(words, element)?,
                }
            }
            if children.iter().any(plain::is_part) {
                builder.next();
                let part = if is_marked { part } else { plain::inline };
                builder.elements(children.iter().filter(|it| plain::is_part(it)), part)?;
            }
            builder.elements(children.iter().filter(|it| !is_list(it) && !plain::is_part(it)), plain::write)
        })?;
        builder.markup("\"");
    }
    builder.elements(children.iter().filter(is_list), write)
}

/// For a chat: how its text is to be read, unless that makes no difference.
fn format(builder: &mut Builder<'_>, element: &Element, is_plain: bool) {
    fn has_marks(builder: &Builder<'_>, element: &Element) -> bool {
        element.words().any(|words| builder.has_marks(words))
            || builder.children(element).iter().any(|child| has_marks(builder, child))
    }
    if builder.is_chat() && has_marks(builder, element) {
        named(builder, FORMAT, if is_plain { PLAIN } else { CHAT });
    }
}

fn action(
    builder: &mut Builder<'_>,
    element: &Element,
    words: &LocalizedText,
    href: &LocalizedText,
    style: ActionStyle,
) -> Result<()> {
    begin(builder, NodeType::Action);
    begin_string(builder, CONTENT);
    match element.kind {
        // Buttons of chats have plain words.
        ElementKind::Action { .. } => builder.label_in(words, element, OutputContext::Json)?,
        _ => builder.words_in(words, element, OutputContext::Json)?,
    }
    builder.markup("\"");
    address(builder, element, HREF, Some(href))?;
    named(builder, STYLE, style.name());
    Ok(())
}

/// The raw value for a channel's provider: every text in it is a template.
pub fn raw(builder: &mut Builder<'_>, element: &Element, raw: &RawContent) -> Result<()> {
    if let Some(words) = raw.text.as_ref().filter(|_| builder.is_chat()) {
        begin(builder, NodeType::Text);
        if builder.has_marks(words) {
            named(builder, FORMAT, CHAT);
        }
        text(builder, element, Some(words))?;
        builder.markup("}");
    }
    raw_members(builder, element, raw)
}

/// The same without its text.
pub fn raw_members(builder: &mut Builder<'_>, element: &Element, raw: &RawContent) -> Result<()> {
    if raw.members.is_empty() {
        return Ok(());
    }
    begin(builder, NodeType::Raw);
    for member in &raw.members {
        builder.markup(&format!(",\"{}\":", member.name));
        let markup = RawMarkup::of(member.name, builder.target());
        let mut writer = RawWriter { builder, element, markup };
        writer.value(&member.json, &member.field, "", OutputContext::Json)?;
    }
    builder.markup("}");
    Ok(())
}

/// The markup of the texts in a raw value, except Slack's, which name theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RawMarkup {
    None,
    Teams,
    Discord,
}

impl RawMarkup {
    fn of(member: &str, target: RenderTarget) -> Self {
        match member {
            _ if target.channel != Channel::DirectMessage => RawMarkup::None,
            "card" | "adaptiveCard" | "attachments" => RawMarkup::Teams,
            "payload" if target.provider.is_none_or(|it| it == Provider::Discord) => RawMarkup::Discord,
            _ => RawMarkup::None,
        }
    }

    /// The context of a text under a name, in an object of a type under `within`.
    fn context(self, within: &str, kind: &str, name: &str) -> OutputContext {
        match (self, within, name) {
            _ if kind == "mrkdwn" && name == "text" => OutputContext::SlackBlock,
            (RawMarkup::Teams, _, "text") if kind != "TextRun" => OutputContext::Markdown,
            (RawMarkup::Teams, "facts", "title" | "value") => OutputContext::Markdown,
            (RawMarkup::Discord, "", "content") => OutputContext::Markdown,
            (RawMarkup::Discord, "embed" | "embeds", "title" | "description") => OutputContext::Markdown,
            (RawMarkup::Discord, "fields", "name" | "value") => OutputContext::Markdown,
            _ => OutputContext::Json,
        }
    }
}

/// A raw value being written.
struct RawWriter<'w, 'b> {
    builder: &'w mut Builder<'b>,
    element: &'w Element,
    markup: RawMarkup,
}

impl RawWriter<'_, '_> {
    /// Writes the value of a field, in an object or list under `within`.
    fn value(&mut self, json: &str, field: &str, within: &str, context: OutputContext) -> Result<()> {
        if json.starts_with('{') {
            let kind = Members::of(json).find(|(name, _)| name.plain() == Some("type"));
            let kind = kind.and_then(|(_, value)| Quoted::of(value)?.unescaped()).unwrap_or_default();
            self.builder.markup("{");
            for (i, (name, value)) in Members::of(json).enumerate() {
                let name = name.unescaped().unwrap_or_default();
                let comma = if i > 0 { "," } else { "" };
                self.builder.markup(&format!("{comma}{}:", crate::json::quoted(&name)));
                let context = self.markup.context(within, &kind, &name);
                self.value(value, &format!("{field}.{name}"), &name, context)?;
            }
            self.builder.markup("}");
        } else if json.starts_with('[') {
            self.builder.markup("[");
            for (i, item) in Items::of(json).enumerate() {
                self.builder.markup(if i > 0 { "," } else { "" });
                self.value(item, &format!("{field}[{i}]"), within, OutputContext::Json)?;
            }
            self.builder.markup("]");
        } else if let Some(text) = Quoted::of(json).and_then(|text| text.unescaped()) {
            self.builder.markup("\"");
            match is_address(within) {
                true => self.builder.source_address(&text, context, self.element, field)?,
                false => self.builder.source(&text, context, self.element, field)?,
            }
            self.builder.markup("\"");
        } else {
            self.builder.markup(json);
        }
        Ok(())
    }
}

/// Whether a name is that of an address, which is opened or loaded.
fn is_address(name: &str) -> bool {
    matches!(name, "href" | "src" | "uri") || name == "url" || name.ends_with("_url") || name.ends_with("Url")
}

fn begin(builder: &mut Builder<'_>, node: NodeType) {
    builder.next();
    builder.markup(&format!("{{\"{TYPE}\":\"{}\"", node.name()));
}

/// A member with one of these names as its value.
fn named(builder: &mut Builder<'_>, member: &str, name: &str) {
    builder.markup(&format!(",\"{member}\":\"{name}\""));
}

/// Begins a member. Its text follows, and then a quote.
fn begin_string(builder: &mut Builder<'_>, member: &str) {
    builder.markup(&format!(",\"{member}\":\""));
}

fn text(builder: &mut Builder<'_>, element: &Element, words: Option<&LocalizedText>) -> Result<()> {
    begin_string(builder, CONTENT);
    if let Some(words) = words {
        builder.words(words, element)?;
    }
    builder.markup("\"");
    Ok(())
}

fn address(builder: &mut Builder<'_>, element: &Element, member: &str, words: Option<&LocalizedText>) -> Result<()> {
    let Some(words) = words else { return Ok(()) };
    begin_string(builder, member);
    builder.address_in(words, element, OutputContext::Json)?;
    builder.markup("\"");
    Ok(())
}

fn end(builder: &mut Builder<'_>, text_style: &TextStyle) {
    if let Some(style) = text_style.style.filter(|style| *style != TextRole::Text) {
        named(builder, TEXT_STYLE, style.name());
    }
    for (flag, member) in [
        (text_style.bold, BOLD),
        (text_style.italic, ITALIC),
        (text_style.strikethrough, STRIKETHROUGH),
        (text_style.underline, UNDERLINE),
    ] {
        if flag {
            builder.markup(&format!(",\"{member}\":true"));
        }
    }
    builder.markup("}");
}
