//! The properties of style that an element has.

use super::super::element::{ActionStyle, Align, ElementKind, TextRole, TextStyle};
use super::super::looks::{Look, Looks};
use super::fields::ElementMembers;
use super::members::{ObjectMembers, scalar};
use crate::error::shown;

impl ElementMembers<'_> {
    pub fn text_style(&self) -> TextStyle {
        TextStyle {
            align: self.choice("align", Align::from_name),
            style: self.choice("text_style", TextRole::from_name),
            bold: self.flag("bold"),
            italic: self.flag("italic"),
            strikethrough: self.flag("strikethrough"),
            underline: self.flag("underline"),
        }
    }

    /// The properties of style that an element of this kind has.
    pub fn looks(&self, kind: &ElementKind) -> Looks {
        const BORDER: [Look; 3] = [Look::BorderColor, Look::BorderWidth, Look::BorderRadius];
        let own: &[Look] = match kind {
            ElementKind::Text { .. } | ElementKind::Quote { .. } => {
                &[Look::Color, Look::Background, Look::Padding, Look::FontSize, Look::LineHeight, Look::FontFamily]
            }
            ElementKind::Span { .. } | ElementKind::Link { .. } => {
                &[Look::Color, Look::Highlight, Look::Background, Look::FontSize, Look::FontFamily]
            }
            ElementKind::Channel { .. } => {
                &[Look::Background, Look::BodyColor, Look::FontFamily, Look::FontSize, Look::LineHeight, Look::Padding]
            }
            ElementKind::Action { style: ActionStyle::Link, .. } => &[Look::Color, Look::FontSize],
            ElementKind::Action { .. } => &[Look::Color, Look::Background, Look::Padding, Look::FontSize, Look::Width],
            ElementKind::Image { .. } => &[Look::Width, Look::Height, Look::Padding],
            ElementKind::Divider => &[Look::Color, Look::Padding],
            ElementKind::Group { .. } => &[Look::Background, Look::Padding, Look::Align],
            ElementKind::Columns { .. } => &[Look::Background, Look::Padding, Look::Gap, Look::VerticalAlign],
            ElementKind::Column { .. } => &[Look::Background, Look::Padding, Look::Width, Look::VerticalAlign],
            ElementKind::List { .. } => {
                &[Look::Color, Look::Background, Look::Padding, Look::FontSize, Look::LineHeight]
            }
            ElementKind::ListItem { .. } => &[Look::Color, Look::Background, Look::FontSize, Look::LineHeight],
            ElementKind::Meta { .. } | ElementKind::Html { .. } | ElementKind::Other { .. } | ElementKind::Hidden => {
                return Looks::default();
            }
        };
        let has_border = !matches!(
            kind,
            ElementKind::Span { .. }
                | ElementKind::Link { .. }
                | ElementKind::Action { style: ActionStyle::Link, .. }
                | ElementKind::Channel { .. }
                | ElementKind::ListItem { .. }
        );
        let border = if has_border { BORDER.as_slice() } else { &[] };
        let mut looks = Looks::default();
        for look in own.iter().chain(border).copied() {
            self.look(look, &mut looks);
        }
        match kind {
            ElementKind::Divider => {
                if looks.get(Look::BorderWidth).is_none() {
                    self.look_in(Look::BorderWidth, "size", &mut looks);
                }
                // In the designer's earlier form this is the thickness of the line.
                let is_long = self.style_value("width").is_some_and(|it| it.ends_with('%'));
                let of_width = match is_long || looks.get(Look::BorderWidth).is_some() {
                    true => Look::Width,
                    false => Look::BorderWidth,
                };
                self.look_in(of_width, "width", &mut looks);
                match looks.get(Look::Width) {
                    Some(_) => self.look(Look::Align, &mut looks),
                    None if self.style_value("align").is_some() => {
                        self.note("align", "has no effect: the line is as wide as it may be");
                    }
                    None => {}
                }
            }
            ElementKind::Quote { .. } if looks.get(Look::Padding).is_none() => {
                let side = |name: &str| self.style_value(name);
                if let (Some(vertical), Some(horizontal)) = (side("padding_vertical"), side("padding_horizontal")) {
                    let value = Look::Padding.value(&format!("{vertical} {horizontal}"));
                    looks.push(Look::Padding, value.unwrap_or_else(|| "0".to_owned()), "padding_vertical".to_owned());
                }
            }
            _ => {}
        }
        looks
    }

    fn look(&self, look: Look, looks: &mut Looks) {
        for field in look.fields() {
            if looks.get(look).is_none() {
                self.look_in(look, field, looks);
            }
        }
    }

    fn look_in(&self, look: Look, field: &str, looks: &mut Looks) {
        let value = match field.strip_prefix("border.") {
            Some(member) => self.border(member),
            None => self.style_value(field),
        };
        let Some(text) = value else { return };
        match look.value(&text) {
            Some(value) => looks.push(look, value, field.to_owned()),
            None => {
                let found = shown(&text);
                self.note(field, format_args!("has no effect: expected {}, found '{found}'", look.expected()));
            }
        }
    }

    /// A member of `border`, the older form of `border_color` and the like.
    fn border(&self, member: &str) -> Option<String> {
        let border = ObjectMembers::of(self.members.get("border")?)?;
        let is_off = border.find("enabled") == Some("false");
        border.get(member).filter(|_| !is_off).and_then(scalar).filter(|text| !text.is_empty())
    }
}
