//! The subject: the title of the last `meta` that is for the channel.

use super::Builder;
use crate::error::Result;
use crate::model::content::{Element, ElementKind};

pub fn write(builder: &mut Builder<'_>, element: &Element) -> Result<()> {
    match &element.kind {
        ElementKind::Meta { title: Some(title) } => {
            builder.begin_subject();
            builder.words(title, element)
        }
        _ => {
            let children = builder.children(element);
            builder.elements(children, write)
        }
    }
}
