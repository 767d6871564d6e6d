//! What all providers of push messages get. Of several links or images in a message, they get the first.

use serde_json::{Map, Value};

use super::elements;
use super::message::ProviderMessage;
use crate::render::node::Node;

pub struct Push<'a> {
    pub title: Option<&'a str>,
    pub body: &'a str,
    pub data: Map<String, Value>,
    /// Where a tap leads.
    pub click_action: Option<String>,
    pub image: Option<String>,
    pub icon: Option<&'a str>,
}

pub fn read<'a>(message: &ProviderMessage<'a>) -> Push<'a> {
    let (mut click_action, mut image) = (None, None);
    for element in elements::read(message).into_iter().rev() {
        match element {
            Node::Action { href, .. } if !href.is_empty() => click_action = Some(href),
            Node::Image { src, .. } => image = Some(src),
            _ => {}
        }
    }
    let data = match message.data() {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    Push {
        title: message.title(),
        body: message.text(),
        data,
        click_action: message.overridden_text(&["clickAction"]).map(str::to_owned).or(click_action),
        image,
        icon: message.overridden_text(&["icon"]),
    }
}

impl Push<'_> {
    /// The data, with the target of a tap in it.
    pub fn data_with_action(&self) -> Map<String, Value> {
        let mut data = self.data.clone();
        self.click_action.iter().for_each(|href| drop(data.insert("clickAction".to_owned(), href.as_str().into())));
        data
    }
}
