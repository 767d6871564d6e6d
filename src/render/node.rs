//! Rendered elements for channels other than e-mail: JSON objects, in an array that is stored with the delivery.
//! `elements/nodes.rs` writes them, and they are read again for the provider; both use the names defined here.

use serde_json::{Value, json};

use super::{chat, markdown};
use crate::model::content::{ActionStyle, ListType, TextRole};
use crate::model::names;

names! {
    /// The `type` of a node.
    NodeType {
        Text = "text",
        Action = "action",
        Image = "image",
        Divider = "divider",
        Quote = "quote",
        List = "list",
        /// Passed to the provider as it is.
        Raw = "raw",
    }
}

/// The members of nodes.
pub const TYPE: &str = "type";
pub const CONTENT: &str = "content";
pub const FORMAT: &str = "format";
pub const TEXT_STYLE: &str = "text_style";
pub const BOLD: &str = "bold";
pub const ITALIC: &str = "italic";
pub const STRIKETHROUGH: &str = "strikethrough";
pub const UNDERLINE: &str = "underline";
pub const HREF: &str = "href";
pub const STYLE: &str = "style";
pub const ACTION_ID: &str = "action_id";
pub const SRC: &str = "src";
pub const ALT_TEXT: &str = "alt_text";
pub const LIST_TYPE: &str = "list_type";
pub const ITEMS: &str = "items";

/// The `format` of a text that is not plain.
pub const MARKDOWN: &str = "markdown";
/// The `format` of a text in which the author's markup stands as it is, and that of data has backslashes.
pub const CHAT: &str = "chat";
/// The same if the author's words are not Markdown either.
pub const PLAIN: &str = "plain";

/// A node that was read again.
pub enum Node {
    Text { content: NodeText, style: TextRole, bold: bool, italic: bool, strikethrough: bool, underline: bool },
    Action { content: String, href: String, action_id: Option<String>, is_link: bool },
    Image { src: String, alt_text: String, href: Option<String> },
    Divider,
    Quote { content: NodeText },
    List { lines: Vec<NodeText> },
}

/// A text for the markup of any provider.
#[derive(Clone, Debug)]
pub struct NodeText {
    /// Precedes it, such as the number of an item.
    before: String,
    source: String,
    form: TextForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextForm {
    /// Words of an unknown author.
    Unknown,
    Markdown,
    Chat,
    Plain,
}

impl NodeText {
    fn read(text: &str, format: Option<&Value>) -> Self {
        let form = match format.and_then(Value::as_str) {
            Some(MARKDOWN) => TextForm::Markdown,
            Some(CHAT) => TextForm::Chat,
            Some(PLAIN) => TextForm::Plain,
            _ => TextForm::Unknown,
        };
        NodeText { before: String::new(), source: text.to_owned(), form }
    }

    /// Whether it contains Markdown that the author wrote.
    pub fn is_markdown(&self) -> bool {
        self.form == TextForm::Markdown
    }

    /// Without any markup.
    pub fn plain(&self) -> String {
        let text = match self.form {
            TextForm::Unknown => self.source.clone(),
            TextForm::Markdown => chat::recalled(markdown::plain(&markdown::settled(&self.source))),
            TextForm::Chat | TextForm::Plain => chat::plain(&self.source),
        };
        format!("{}{text}", self.before)
    }

    /// In the markup of Slack.
    pub fn slack(&self) -> String {
        let text = match self.form {
            TextForm::Unknown => chat::slack_data(&self.source),
            TextForm::Markdown => markdown::slack(&self.source),
            TextForm::Chat | TextForm::Plain => chat::slack(&self.source),
        };
        format!("{}{text}", self.before)
    }

    /// As the Markdown of Adaptive Cards, which only has emphasis, links and lists.
    pub fn card(&self) -> String {
        match self.form {
            TextForm::Markdown => markdown::for_cards(&self.markdown()),
            _ => self.markdown(),
        }
    }

    /// Which meaning of the author's Markdown is lost in a card, in a text run or elsewhere.
    pub fn lost_in_cards(&self, is_run: bool) -> Vec<&'static str> {
        if self.form != TextForm::Markdown {
            return Vec::new();
        }
        let source = self.markdown();
        let mut lost = markdown::lost_in_cards(&source);
        if is_run && markdown::has_emphasis_or_links(&source) {
            lost.push("emphasis and links in a text that is italic or struck");
        }
        lost
    }

    /// As Markdown, in which data are text.
    pub fn markdown(&self) -> String {
        let text = match self.form {
            TextForm::Unknown => chat::literal(&self.source),
            TextForm::Markdown => markdown::settled(&self.source).into_owned(),
            TextForm::Chat => chat::markdown(&self.source),
            TextForm::Plain => chat::literal(&chat::plain(&self.source)),
        };
        format!("{}{text}", self.before)
    }
}

/// Text of an unknown author, as text in Markdown.
pub fn literal_markdown(text: &str) -> String {
    chat::literal(text)
}

/// Text of an unknown author, as text for Slack.
pub fn literal_slack(text: &str) -> String {
    chat::slack_data(text)
}

/// Whether a text mentions `@everyone` or `@here` on Discord.
pub fn calls_everyone(text: &str) -> bool {
    chat::calls_everyone(text)
}

/// A node that holds a plain text.
pub fn of_text(text: &str) -> Value {
    json!({ TYPE: NodeType::Text.name(), CONTENT: text })
}

/// A node with a text for a chat, by the author.
pub fn of_chat(text: &str) -> Value {
    json!({ TYPE: NodeType::Text.name(), FORMAT: CHAT, CONTENT: text.replace('\\', "\\\\") })
}

/// A node for readers that do not know the formats of chats.
pub fn without_format(node: &mut Value) {
    let is_chat = node.get(FORMAT).is_some_and(|format| format == CHAT || format == PLAIN);
    let is_markdown = node.get(FORMAT).is_some_and(|format| format == MARKDOWN);
    let Some(members) = node.as_object_mut() else { return };
    if is_chat {
        members.remove(FORMAT);
        if let Some(Value::String(content)) = members.get_mut(CONTENT) {
            *content = chat::plain(content);
        }
    }
    if let (true, Some(Value::String(content))) = (is_markdown, members.get_mut(CONTENT)) {
        *content = markdown::settled(content).into_owned();
    }
    for item in members.get_mut(ITEMS).and_then(Value::as_array_mut).into_iter().flatten() {
        match item {
            Value::String(text) if is_chat => *text = chat::plain(text),
            Value::String(text) if is_markdown => *text = markdown::settled(text).into_owned(),
            item => without_format(item),
        }
    }
}

impl NodeType {
    pub fn of(node: &Value) -> Option<Self> {
        NodeType::from_name(node.get(TYPE)?.as_str()?)
    }
}

impl Node {
    /// `None` if it is nothing that can be shown.
    pub fn read(node: &Value) -> Option<Self> {
        let text = |name: &str| node.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let owned = |name: &str| text(name).map(str::to_owned);
        // Courier's documentation has booleans, older skills strings.
        let is = |name: &str| node.get(name).is_some_and(|it| it == &Value::Bool(true) || it == "true");
        Some(match NodeType::of(node)? {
            NodeType::Text => Node::Text {
                content: NodeText::read(text(CONTENT)?, node.get(FORMAT)),
                style: text(TEXT_STYLE).and_then(TextRole::from_name).unwrap_or(TextRole::Text),
                bold: is(BOLD),
                italic: is(ITALIC),
                strikethrough: is(STRIKETHROUGH),
                underline: is(UNDERLINE),
            },
            NodeType::Action => Node::Action {
                content: owned(CONTENT).or_else(|| owned(HREF))?,
                href: owned(HREF).unwrap_or_default(),
                action_id: owned(ACTION_ID),
                is_link: text(STYLE).and_then(ActionStyle::from_name) == Some(ActionStyle::Link),
            },
            NodeType::Image => {
                Node::Image { src: owned(SRC)?, alt_text: owned(ALT_TEXT).unwrap_or_default(), href: owned(HREF) }
            }
            NodeType::Divider => Node::Divider,
            NodeType::Quote => Node::Quote { content: NodeText::read(text(CONTENT)?, node.get(FORMAT)) },
            NodeType::Raw => return None,
            NodeType::List => {
                let mut lines = Vec::new();
                add_lines(node, 0, &mut lines);
                Node::List { lines }
            }
        })
    }
}

/// The lines of a list, with the prefix of each. Nested lists are indented by spaces that are not removed.
fn add_lines(list: &Value, depth: usize, lines: &mut Vec<NodeText>) {
    let indent = "\u{a0}".repeat(4 * depth);
    let is_ordered = list[LIST_TYPE] == ListType::Ordered.name();
    let mut number = 0;
    for item in list[ITEMS].as_array().into_iter().flatten() {
        if NodeType::of(item) == Some(NodeType::List) {
            add_lines(item, depth + 1, lines);
            continue;
        }
        let text = item.as_str().or_else(|| item.get(CONTENT).or_else(|| item.get(ALT_TEXT))?.as_str());
        let Some(text) = text else { continue };
        let format = if item.is_string() { list.get(FORMAT) } else { item.get(FORMAT) };
        number += 1;
        let before = if is_ordered { format!("{indent}{number}. ") } else { format!("{indent}• ") };
        lines.push(NodeText { before, ..NodeText::read(text, format) });
    }
}
