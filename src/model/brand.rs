//! Brands: the look of messages.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::content::Look;
use crate::error::{Error, Result, shown};
use crate::json::{self, Fields};

/// A brand as it is written, whole.
#[derive(Clone, Debug)]
pub struct BrandPayload {
    pub id: Option<String>,
    pub name: String,
    /// As they were sent.
    pub settings: Option<Value>,
    pub snippets: Option<Value>,
    /// What is stored of it behind the id: the members of a JSON object.
    stored: String,
}

/// The fields of a brand that are used. Other fields are stored and have no effect.
#[derive(Deserialize)]
struct BrandBody {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default, rename = "settings")]
    _settings: Option<Fields<BrandSettings>>,
    #[serde(default, rename = "snippets")]
    _snippets: Option<Fields<Snippets>>,
}

type BrandTexts = BTreeMap<String, Option<String>>;

/// The [shape](crate::json::shape::Shape) of a brand's settings. Those of the inbox are for clients.
macro_rules! brand_settings {
    () => {
        "{colors?: {primary?, secondary?, tertiary?}, email?: {header?: {logo?: {href?, image?}, barColor?, \
         inheritDefault?}, footer?: {markdown?, content?, social?: {*: {url?}}, inheritDefault?}, head?: {content?, \
         inheritDefault?}, templateOverride?: {enabled?, head?, header?, footer?, width?, backgroundColor?, \
         footerBackgroundColor?, footerFullWidth?, mjml?}}, inapp?: {...}}"
    };
}

pub(crate) use brand_settings;

#[derive(Deserialize)]
struct BrandSettings {
    #[serde(default, rename = "colors", deserialize_with = "json::map")]
    _colors: Option<BrandTexts>,
    #[serde(default, rename = "email")]
    _email: Option<Fields<BrandEmail>>,
    #[serde(default, rename = "inapp", deserialize_with = "json::map")]
    _inapp: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct BrandEmail {
    #[serde(default, rename = "header")]
    _header: Option<Fields<Header>>,
    #[serde(default, rename = "footer")]
    _footer: Option<Fields<Footer>>,
    #[serde(default, rename = "head")]
    _head: Option<Fields<BrandHead>>,
    #[serde(default, rename = "templateOverride")]
    _template_override: Option<Fields<TemplateOverride>>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default, rename = "logo", deserialize_with = "json::map")]
    _logo: Option<BrandTexts>,
    #[serde(default, rename = "barColor")]
    _bar_color: Option<String>,
    #[serde(default, rename = "inheritDefault")]
    _inherit_default: Option<bool>,
}

#[derive(Deserialize)]
struct Footer {
    #[serde(default, rename = "markdown")]
    _markdown: Option<String>,
    #[serde(default, rename = "social", deserialize_with = "json::map")]
    _social: Option<BTreeMap<String, Option<Fields<BrandTexts>>>>,
    #[serde(default, rename = "inheritDefault")]
    _inherit_default: Option<bool>,
}

#[derive(Deserialize)]
struct BrandHead {
    #[serde(default, rename = "content")]
    _content: Option<String>,
    #[serde(default, rename = "inheritDefault")]
    _inherit_default: Option<bool>,
}

#[derive(Deserialize)]
struct TemplateOverride {
    #[serde(default, rename = "enabled")]
    _enabled: Option<bool>,
    #[serde(default, rename = "head")]
    _head: Option<String>,
    #[serde(default, rename = "header")]
    _header: Option<String>,
    #[serde(default, rename = "footer")]
    _footer: Option<String>,
    #[serde(default, rename = "width")]
    _width: Option<String>,
    #[serde(default, rename = "backgroundColor")]
    _background_color: Option<String>,
    #[serde(default, rename = "mjml", deserialize_with = "json::map")]
    _mjml: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Snippets {
    #[serde(default, rename = "items")]
    _items: Option<Vec<Fields<Snippet>>>,
}

#[derive(Deserialize)]
struct Snippet {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "value")]
    _value: String,
}

/// The members of a brand's settings that are colours.
const COLOURS: [&str; 6] = [
    "/colors/primary",
    "/colors/secondary",
    "/colors/tertiary",
    "/email/header/barColor",
    "/email/templateOverride/backgroundColor",
    "/email/templateOverride/footerBackgroundColor",
];

/// Colours of a brand's settings that are not valid, in words for the log; `at` is the path of the settings.
pub fn odd_colours(settings: &Value, at: &str) -> Vec<String> {
    let told = |pointer: &&str| {
        let colour = settings.pointer(pointer)?.as_str().filter(|it| !it.is_empty())?;
        let path = format!("{at}{}", pointer.replace('/', "."));
        let found = shown(colour);
        Look::Color
            .value(colour)
            .is_none()
            .then(|| format!("{path} has no effect: expected a colour such as \"#9d3789\", found '{found}'"))
    };
    COLOURS.iter().filter_map(told).collect()
}

impl BrandPayload {
    /// Reads a brand; `at` is its path in the request, or empty for the body itself. An error names the field.
    pub fn read(text: &str, at: &str) -> Result<Self> {
        let known: BrandBody = json::read(text, || at.to_owned())?;
        let field = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        if known.name.trim().is_empty() {
            return Err(Error::invalid(field("name"), "expected a name, found an empty string"));
        }
        if known.id.as_deref().is_some_and(|id| id.trim().is_empty() || id.contains('/')) {
            return Err(Error::invalid(field("id"), "expected a name without slashes, or nothing for a generated one"));
        }
        let mut sent: Map<String, Value> = json::read(text, || at.to_owned())?;
        let mut take = |name: &str| match sent.remove(name)? {
            Value::Null => None,
            // The settings of an empty map.
            Value::Array(_) => Some(Value::Object(Map::new())),
            value => Some(value),
        };
        let (settings, snippets) = (take("settings"), take("snippets"));
        let mut stored = format!("\"name\":{}", json::quoted(&known.name));
        for (name, value) in [("settings", &settings), ("snippets", &snippets)] {
            if let Some(value) = value {
                stored.push_str(&format!(",\"{name}\":{value}"));
            }
        }
        Ok(BrandPayload { id: known.id, name: known.name, settings, snippets, stored })
    }

    /// As a brand is stored: `{id, name, settings?, snippets?}`.
    pub fn to_json(&self, id: &str) -> String {
        format!("{{\"id\":{},{}}}", json::quoted(id), self.stored)
    }
}
