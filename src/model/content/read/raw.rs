//! What a channel element has instead of elements: a channel's own text, blocks or payload.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::element::*;
use super::fields::ElementMembers;
use super::members::{ObjectMembers, text};
use crate::error::{Result, shown};
use crate::json::scan::Items;
use crate::model::channel::Channel;
use crate::model::provider::Provider;

impl<'a> ElementMembers<'a> {
    pub fn raw(&self, channel: Option<&str>) -> Result<LocalizedRaw> {
        let read =
            |value: &'a str, at: &str| ObjectMembers::of(value).ok_or_else(|| self.refuse(at, "expected an object"));
        let base = self.members.get("raw").map(|raw| read(raw, "raw")).transpose()?;
        let mut locales = Vec::new();
        for (name, fields) in self.locales()? {
            if let Some(raw) = fields.get("raw") {
                let at = format!("locales.{name}.raw");
                let own = read(raw, &at)?;
                let content = self.raw_content(channel, &[(&at, Some(&own)), ("raw", base.as_ref())]);
                self.reader.note_unused(&own, &format!("{}.{at}", self.path));
                locales.push((locale(&name), content));
            }
        }
        let raw = base.as_ref().map(|base| self.raw_content(channel, &[("raw", Some(base))]));
        if let (Some(base), Some(raw)) = (&base, &raw) {
            self.reader.note_unused(base, &format!("{}.raw", self.path));
            let is = |wanted: Channel| channel.and_then(Channel::from_name) == Some(wanted);
            for member in raw.members.iter().filter(|_| is(Channel::Email) || is(Channel::Sms)) {
                self.note(&member.field, "has no effect on this channel");
            }
            let of_provider = channel.and_then(Provider::named).map(Provider::channel);
            let is_body = is(Channel::Webhook) || channel.is_none() || of_provider == Some(Channel::Webhook);
            // A text may hold an object.
            let is_laid = |member: &&RawMember| member.json.starts_with(['{', '"']);
            for member in raw.members.iter().filter(|it| it.name == "payload" && !is_body && !is_laid(it)) {
                self.note(&member.field, "has no effect: expected an object");
            }
            if let Some(html) = raw.html.as_ref().filter(|_| channel.is_some() && !is(Channel::Email))
                && channel.and_then(Provider::named).is_none_or(|it| it.channel() != Channel::Email)
            {
                self.note(&html.field, "has no effect on this channel");
            }
        }
        Ok(LocalizedRaw { raw, locales })
    }

    /// The value of the first of these objects that has it.
    fn raw_content(&self, channel: Option<&str>, sources: &[(&str, Option<&ObjectMembers<'_>>)]) -> RawContent {
        let of_provider = || channel.and_then(Provider::named).map(Provider::channel);
        let channel = channel.and_then(Channel::from_name).or_else(of_provider);
        // Of several names for one thing the channel's own takes precedence.
        let (subjects, texts) = match channel {
            Some(Channel::Push | Channel::Inbox) => (["title", "subject"], ["body", "text", "content", "message"]),
            _ => (["subject", "title"], ["text", "body", "content", "message"]),
        };
        let member =
            |name: &str| sources.iter().find_map(|(at, raw)| Some((format!("{at}.{name}"), raw.as_ref()?.get(name)?)));
        let text_of = |names: &[&str]| {
            names.iter().find_map(|name| {
                let (field, value) = member(name)?;
                let found = text(value);
                if found.is_none() {
                    self.note(&field, "has no effect: expected a string");
                }
                Some(LocalizedText { field: Cow::Owned(field), text: found?, locales: Vec::new() })
            })
        };
        let html = text_of(&["html", "mjml"]);
        let is_mjml = html.as_ref().is_some_and(|html| html.text.contains("<mjml"));
        if let Some((field, names)) = member("transformers") {
            for name in Items::of(names).filter_map(text).filter(|name| name != "handlebars" && name != "mjml") {
                self.note(&field, format_args!("names '{}', which is not known", shown(&name)));
            }
        }
        let members = RAW_MEMBERS.into_iter().filter_map(|name| {
            let (field, json) = member(name)?;
            Some(RawMember { name, json: self.written_out(json, &field), field })
        });
        RawContent { subject: text_of(&subjects), text: text_of(&texts), html, is_mjml, members: members.collect() }
    }

    /// The value of a member. A text that is JSON is parsed, and each text in it is a template of its own, so that data
    /// cannot break it.
    fn written_out(&self, json: &str, field: &str) -> String {
        let Some(text) = text(json).map(|text| text.trim().to_owned()).filter(|it| it.starts_with(['{', '['])) else {
            return json.to_owned();
        };
        if serde_json::from_str::<&RawValue>(&text).is_ok() {
            return text;
        }
        // A single tag writes all of it, as `{{json data}}` does.
        if text.contains("{{") && !text.starts_with("{{") {
            self.note(
                field,
                "is a text that is JSON only when its tags are rendered: data in it are not escaped, and with some of them it \
                 is none; write it as JSON in which the texts have tags",
            );
        }
        json.to_owned()
    }
}
