//! Rendered elements as channels other than e-mail take them: JSON objects, in an array that is stored with the delivery.
//! They are written by `elements/nodes.rs` and read again for the provider; both go by the names that stand here.

use serde_json::{Value, json};

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

/// A node that was read again.
pub enum Node {
    Text { content: String, markdown: bool, style: TextRole, bold: bool, italic: bool, strikethrough: bool },
    Action { content: String, href: String, action_id: Option<String>, is_link: bool },
    Image { src: String, alt_text: String, href: Option<String> },
    Divider,
    Quote { content: String },
    List { lines: Vec<String> },
}

/// A node that holds a plain text.
pub fn of_text(text: &str) -> Value {
    json!({ TYPE: NodeType::Text.name(), CONTENT: text })
}

/// Whether the content of a node is Markdown.
pub fn is_markdown(node: &Value) -> bool {
    node.get(FORMAT).is_some_and(|format| format == MARKDOWN)
}

impl NodeType {
    pub fn of(node: &Value) -> Option<Self> {
        NodeType::from_name(node.get(TYPE)?.as_str()?)
    }
}

impl Node {
    /// `None` if it is nothing that could be shown.
    pub fn read(node: &Value) -> Option<Self> {
        let text = |name: &str| node.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let owned = |name: &str| text(name).map(str::to_owned);
        // Courier's documentation has booleans, older skills strings.
        let is = |name: &str| node.get(name).is_some_and(|it| it == &Value::Bool(true) || it == "true");
        Some(match NodeType::of(node)? {
            NodeType::Text => Node::Text {
                content: owned(CONTENT)?,
                markdown: is_markdown(node),
                style: text(TEXT_STYLE).and_then(TextRole::from_name).unwrap_or(TextRole::Text),
                bold: is(BOLD),
                italic: is(ITALIC),
                strikethrough: is(STRIKETHROUGH),
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
            NodeType::Quote => Node::Quote { content: owned(CONTENT)? },
            NodeType::List => {
                let mut lines = Vec::new();
                add_lines(node, 0, &mut lines);
                Node::List { lines }
            }
        })
    }
}

/// The lines of a list, with what stands before each; lists in it are indented by spaces that stay.
fn add_lines(list: &Value, depth: usize, lines: &mut Vec<String>) {
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
        number += 1;
        lines.push(if is_ordered { format!("{indent}{number}. {text}") } else { format!("{indent}• {text}") });
    }
}
