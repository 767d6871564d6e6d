//! What environments begin with. A repository keeps it in JSON files: templates, brands, profiles and so on, each under
//! the id that it is to have.

mod entries;
mod read;

use std::collections::HashMap;

use serde_json::value::RawValue;

pub use entries::{SeedEntry, SeedJob, SeedList, SeedMessage, SeedPreference, SeedTemplate, Submission};
use entries::{array, members};

use super::brand::BrandPayload;
use super::names;
use super::preference::{self, TopicPreference};
use super::profile::Profile;
use super::token::Token;
use super::user;
use crate::error::{Error, Result};

names! {
    /// The members at the top of a file.
    Section {
        Brands = "brands",
        Templates = "templates",
        Checks = "checks",
        Topics = "topics",
        Profiles = "profiles",
        Lists = "lists",
        Preferences = "preferences",
        Tokens = "tokens",
        Jobs = "jobs",
        Messages = "messages",
    }
}

/// All that the files hold.
#[derive(Debug, Default)]
pub struct Seed {
    pub brands: Vec<SeedEntry<BrandPayload>>,
    pub templates: Vec<SeedEntry<SeedTemplate>>,
    pub checks: Vec<SeedEntry<Submission>>,
    pub topics: Vec<SeedEntry<preference::Topic>>,
    pub profiles: Vec<SeedEntry<Profile>>,
    pub lists: Vec<SeedEntry<SeedList>>,
    pub preferences: Vec<SeedEntry<SeedPreference>>,
    pub tokens: Vec<SeedEntry<Token>>,
    pub jobs: Vec<SeedEntry<SeedJob>>,
    pub messages: Vec<SeedEntry<SeedMessage>>,
}

impl Seed {
    /// Reads files, each with its name. An error names the file and the path in it; nothing may be defined twice.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Seed> {
        let mut reader = Reader::default();
        for (file, text) in files {
            reader.read(file, text)?;
        }
        reader.seed.check_together()?;
        Ok(reader.seed)
    }

    pub fn is_empty(&self) -> bool {
        self.brands.is_empty()
            && self.templates.is_empty()
            && self.checks.is_empty()
            && self.topics.is_empty()
            && self.profiles.is_empty()
            && self.lists.is_empty()
            && self.preferences.is_empty()
            && self.tokens.is_empty()
            && self.jobs.is_empty()
            && self.messages.is_empty()
    }

    /// Checks that concern several entries.
    fn check_together(&self) -> Result<()> {
        let mut aliases = HashMap::new();
        for template in &self.templates {
            if let Some(alias) = template.value.payload.alias()
                && let Some(other) = aliases.insert(alias, &template.at)
            {
                return Err(Error::invalid(
                    format_args!("{}.alias", template.at),
                    format_args!("{other} has it as well"),
                ));
            }
        }
        for choice in &self.preferences {
            let topic = self.topics.iter().find(|topic| topic.id == choice.value.topic_id);
            if let Some(reason) = topic.and_then(|topic| choice.value.preference.refused_by(&topic.value)) {
                return Err(Error::invalid(format_args!("{}.status", choice.at), reason));
            }
        }
        for checks in &self.checks {
            if !self.templates.iter().any(|template| template.id == checks.id) {
                return Err(Error::invalid(&checks.at, "expected the id of a template of the seed"));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Reader {
    seed: Seed,
    /// The file in which a path was defined.
    files: HashMap<String, String>,
}

impl Reader {
    fn read(&mut self, file: &str, text: &str) -> Result<()> {
        crate::json::accept(text, file)?;
        let document: &RawValue = serde_json::from_str(text)
            .map_err(|error| Error::invalid(file, format_args!("not valid JSON: {error}")))?;
        for (name, value) in members(document.get(), file)? {
            let section = Section::from_name(&name).ok_or_else(|| {
                let known: Vec<&str> = Section::NAMES.iter().map(|(name, _)| *name).collect();
                Error::invalid(format_args!("{file}: {name}"), format_args!("expected one of {}", known.join(", ")))
            })?;
            for (id, value) in members(value, &format!("{file}: {name}"))? {
                let at = self.define(file, format!("{name}.{id}"), &id)?;
                self.entry(file, section, id, value, &at).map_err(|error| within(&at, file, error))?;
            }
        }
        Ok(())
    }

    /// Notes that something is defined there, and returns its full path.
    fn define(&mut self, file: &str, path: String, id: &str) -> Result<String> {
        let at = format!("{file}: {path}");
        if id.is_empty() {
            return Err(Error::invalid(at, "expected an id, found an empty name"));
        }
        match self.files.insert(path, file.to_owned()) {
            None => Ok(at),
            Some(other) if other == file => Err(Error::invalid(at, "it is defined twice")),
            Some(other) => Err(Error::invalid(at, format_args!("it is defined in {other} as well"))),
        }
    }

    fn entry(&mut self, file: &str, section: Section, id: String, text: &str, at: &str) -> Result<()> {
        let seed = &mut self.seed;
        match section {
            Section::Brands => put(&mut seed.brands, at, id.clone(), read::brand(text, at, &id)?),
            Section::Templates => put(&mut seed.templates, at, id, read::template(text, at)?),
            Section::Topics => put(&mut seed.topics, at, id, read::topic(text, at)?),
            Section::Profiles => put(&mut seed.profiles, at, id, read::profile(text, at)?),
            Section::Lists => put(&mut seed.lists, at, id.clone(), read::list(text, at, id)?),
            Section::Jobs => put(&mut seed.jobs, at, id, read::job(text, at)?),
            Section::Messages => put(&mut seed.messages, at, id, read::message(text, at)?),
            Section::Checks | Section::Preferences | Section::Tokens => {
                for (inner, text) in members(text, at)? {
                    let at = self.define(file, format!("{}.{id}.{inner}", section.name()), &inner)?;
                    self.inner(section, id.clone(), inner, text, &at)?;
                }
            }
        }
        Ok(())
    }

    /// An entry that belongs to a template or a user.
    fn inner(&mut self, section: Section, id: String, inner: String, text: &str, at: &str) -> Result<()> {
        let seed = &mut self.seed;
        match section {
            Section::Checks => put(&mut seed.checks, at, id, read::submission(text, at, inner)?),
            Section::Tokens => put(&mut seed.tokens, at, id, Token::read(text, at, Some(&inner))?),
            _ => {
                let preference = TopicPreference::read(text, || at.to_owned())?;
                put(&mut seed.preferences, at, id, SeedPreference { topic_id: inner, preference });
            }
        }
        Ok(())
    }
}

fn put<T>(entries: &mut Vec<SeedEntry<T>>, at: &str, id: String, value: T) {
    entries.push(SeedEntry { at: at.to_owned(), id, value });
}

/// Readers that know nothing of files return errors whose path begins with a field, or is empty.
fn within(at: &str, file: &str, error: Error) -> Error {
    error.with_path(|path| match path {
        "" | "the body" | "profile" => at.to_owned(),
        path if path.starts_with(file) => path.to_owned(),
        path => format!("{at}.{path}"),
    })
}

/// The users of a job one by one, each with its text, and its recipient if it names one.
pub fn for_each_user(users: &str, each: &mut dyn FnMut(&str, Option<&str>)) -> Result<()> {
    user::read_each(array(users, "users")?, "users", each)
}
