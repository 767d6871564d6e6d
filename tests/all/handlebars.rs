//! That texts come out as handlebars.js prints them, sent and looked at from outside. What it prints is recorded in
//! `tests/handlebars/cases`, a file a construct, by `tests/handlebars/record.mjs`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::Path;

use bulkd::settings::ProviderLimits;

use crate::support::{Customer, Daemon, Reply, json};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Why bulkd does not always do as handlebars.js does.
const REASONS: [&str; 7] = [
    "@partial-block and @_parent are not printed",
    "a call that cannot succeed is refused even where it is not reached",
    "a name with a dash fails, as at Courier",
    "a number in the place of an argument may begin with its point, as at Courier",
    "a snippet that is no template is refused with its brand",
    "items[0] is items.[0], as at Courier",
    "of decorators there is inline with a name in quotes",
];

/// A template with what handlebars.js makes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    template: String,
    /// As it is written: numbers have many spellings, and names may come twice.
    data: Box<RawValue>,
    #[serde(default)]
    partials: BTreeMap<String, String>,
    plain: Option<String>,
    html: Option<String>,
    #[serde(default)]
    throws: bool,
    /// Why bulkd means something else, one of [`REASONS`].
    differs: Option<String>,
}

/// What a text comes to, or why it comes to nothing.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Printed(String),
    Refused(String),
}

/// The two forms in which a template is sent.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Html,
}

impl Form {
    fn content(self, template: &str) -> String {
        match self {
            // Without Markdown and single braces, which handlebars.js knows nothing of.
            Form::Plain => {
                let part = json!({ "type": "string", "content": template });
                json!({ "elements": [{ "type": "text", "elements": [part] }] })
            }
            Form::Html => json!({ "version": "2022-01-01", "elements": [{ "type": "html", "content": template }] }),
        }
        .to_string()
    }

    /// Plain text is sent where there is no HTML.
    fn to(self) -> &'static str {
        match self {
            Form::Plain => r#"{"phone_number":"+12025550123"}"#,
            Form::Html => r#"{"email":"ada@example.com"}"#,
        }
    }

    /// What is of the template in an entry of the outbox.
    fn printed(self, entry: &serde_json::Value) -> String {
        match self {
            Form::Plain => entry["body"].as_str().unwrap().to_owned(),
            // An element without a text is none.
            Form::Html => match entry["content"].as_str().unwrap() {
                "" => String::new(),
                text => text.strip_suffix('\n').unwrap().to_owned(),
            },
        }
    }
}

impl Case {
    /// What handlebars.js makes of it in a form.
    fn recorded(&self, form: Form) -> Option<&str> {
        match form {
            Form::Plain => self.plain.as_deref(),
            Form::Html => self.html.as_deref(),
        }
    }

    fn is_recorded(&self) -> bool {
        let prints = [Form::Plain, Form::Html].map(|form| self.recorded(form).is_some());
        prints == [!self.throws; 2]
    }

    fn is_met_by(&self, form: Form, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Printed(text) => self.recorded(form) == Some(text),
            Outcome::Refused(_) => self.throws,
        }
    }

    /// A send of it; its partials are a brand's.
    fn body(&self, form: Form, brand: Option<&str>) -> String {
        let (to, content, data) = (form.to(), form.content(&self.template), self.data.get());
        let brand = brand.map(|id| format!(r#","brand_id":"{id}""#)).unwrap_or_default();
        format!(r#"{{"message":{{"to":{to},"content":{content},"data":{data}{brand}}}}}"#)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  template {:?}\n  data     {}", self.name, self.template, self.data)?;
        if !self.partials.is_empty() {
            write!(f, "\n  partials {:?}", self.partials)?;
        }
        Ok(())
    }
}

/// Every file of cases, in order.
fn files() -> Vec<(String, Vec<Case>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/handlebars/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        (name.clone(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    files.iter().map(|path| read(path)).collect()
}

/// A send's message, or why it was refused.
fn sent(reply: &Reply) -> Result<String, String> {
    match reply.status {
        202 => Ok(reply.json()["requestId"].as_str().unwrap().to_owned()),
        _ => Err(reply.refused(400)),
    }
}

/// What becomes of the cases of a file in both forms.
fn outcomes(customer: &Customer, cases: &[Case]) -> Vec<[Outcome; 2]> {
    let send = |case: &Case| {
        let brand = (!case.partials.is_empty()).then(|| {
            let items: Vec<_> =
                case.partials.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            let brand = json!({ "name": case.name, "settings": {}, "snippets": { "items": items } });
            let created = customer.post("/brands", &brand);
            match created.status {
                200 => Ok(created.json()["id"].as_str().unwrap().to_owned()),
                _ => Err(created.refused(400)),
            }
        });
        [Form::Plain, Form::Html].map(|form| {
            let brand = brand.clone().transpose()?;
            sent(&customer.post_text("/send", &case.body(form, brand.as_deref())))
        })
    };
    let sends: Vec<_> = cases.iter().map(send).collect();
    let entries = customer.outbox("");
    let by_message: HashMap<_, _> =
        entries.iter().map(|entry| (entry["message_id"].as_str().unwrap(), entry)).collect();
    let outcome = |form: Form, sent: &Result<String, String>| {
        let message_id = match sent {
            Ok(message_id) => message_id,
            Err(refusal) => return Outcome::Refused(refusal.clone()),
        };
        let entry = by_message[message_id.as_str()];
        match entry["error"].as_str() {
            Some(error) => Outcome::Refused(error.to_owned()),
            None => Outcome::Printed(form.printed(entry)),
        }
    };
    sends.iter().map(|[plain, html]| [outcome(Form::Plain, plain), outcome(Form::Html, html)]).collect()
}

#[test]
fn texts_come_out_as_handlebars_js_prints_them() {
    let daemon = Daemon::start_with(|config| config.provider_limits = ProviderLimits::Off);
    let files = files();
    let mut wrong = Vec::new();
    for (file, cases) in &files {
        let customer = daemon.customer(file);
        for (case, found) in cases.iter().zip(outcomes(&customer, cases)) {
            assert!(case.is_recorded(), "{file}: {case}\n  is not recorded");
            let forms = || [Form::Plain, Form::Html].into_iter().zip(&found);
            if let Some(why) = &case.differs {
                assert!(REASONS.contains(&why.as_str()), "{file}: {case}\n  differs: {why}");
                if forms().any(|(form, found)| case.is_met_by(form, found)) {
                    wrong.push(format!("{file}: {case}\n  does not differ any more: {why}"));
                }
                continue;
            }
            for (form, found) in forms().filter(|(form, found)| !case.is_met_by(*form, found)) {
                wrong.push(format!("{file}: {case}\n  expected {:?}\n  found    {found:?}", case.recorded(form)));
            }
        }
    }
    let count: usize = files.iter().map(|(_, cases)| cases.len()).sum();
    assert!(files.len() >= 60 && count >= 600, "{count} cases in {} files", files.len());
    assert!(wrong.is_empty(), "\n{}\n{} wrong", wrong.join("\n"), wrong.len());
}
