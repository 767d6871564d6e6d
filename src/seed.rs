//! What environments begin with. A seed is put into each environment before its first request since the start is
//! answered, and again after a reset. The environments of the file are not seeded at the start, which would take long
//! if there are many. Ours; Courier has nothing of the kind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::{fs, io};

use crate::clock::Timestamp;
use crate::compose::{self, Renderer};
use crate::error::{Error, Kind, Result};
use crate::model::bulk::JobKind;
use crate::model::definition::{Definition, Reading};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::resolved::ResolvedDefinition;
use crate::model::seed::{self as model, Seed, SeedEntry, SeedJob, SeedList, SeedMessage, SeedTemplate, Submission};
use crate::model::stored_elements;
use crate::model::template::Check;
use crate::render::email::{brand as email_brand, headers};
use crate::send::SendRequest;
use crate::settings::MessageSettings;
use crate::store::environment::View;
use crate::store::ingest::{self, NewUsers};
use crate::store::plan::References;
use crate::store::preference::PreferenceOwner;
use crate::store::{
    Db, Store, Tx, brand, environment, job, list, message, preference, profile, retired, run, subscription, template,
    token,
};

/// Reads the seed in a file, or in the JSON files of a folder in the order of their names, and checks it.
pub fn read(path: &Path, settings: MessageSettings) -> Result<Seed> {
    let unreadable = |path: &Path, error: io::Error| {
        Error::startup(format!("--seed {}: it cannot be read: {error}", path.display()))
    };
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = entries.map_err(|error| unreadable(path, error))?;
        paths = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        if paths.is_empty() {
            return Err(Error::startup(format!("--seed {}: there is no *.json file in this folder", path.display())));
        }
    }
    let read = |path: &PathBuf| match fs::read_to_string(path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(unreadable(path, error)),
    };
    let files: Vec<(String, String)> = paths.iter().map(read).collect::<Result<_>>()?;
    let seed = Seed::read(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))?;
    check(&seed, settings)?;
    Ok(seed)
}

/// Refuses a seed with texts that cannot be rendered for any recipient, or with a job that has a user twice.
fn check(seed: &Seed, settings: MessageSettings) -> Result<()> {
    for template in &seed.templates {
        let at = format!("{}.content", template.at);
        compose::check(&stored_elements::understand(&template.value.payload.content, &at)?, &at)?;
        if let Some(headers) = template.value.payload.email_headers() {
            headers::check(headers, &format!("{}.email", template.at))?;
        }
    }
    for brand in &seed.brands {
        email_brand::check(&brand.value, &brand.at)?;
    }
    for SeedEntry { at, value: job, .. } in &seed.jobs {
        let users = new_users(job)?;
        if let Some(&index) = ingest::duplicates(&users)?.first() {
            let recipient = users.recipient(index).unwrap_or_default();
            let problem = format_args!("'{recipient}' is in this job already").to_string();
            return Err(Error::invalid(format_args!("{at}.users[{index}]"), problem));
        }
    }
    let jobs = seed.jobs.iter().map(|job| (&job.at, &job.value.definition, JobKind::Bulk));
    let messages = seed.messages.iter().map(|message| (&message.at, &message.value.definition, JobKind::Send));
    for (at, definition, kind) in jobs.chain(messages) {
        let resolved = ResolvedDefinition::new(Definition::read(definition, Reading::Lenient)?, kind);
        Renderer::new(resolved, settings, Timestamp::default())
            .map_err(|error| error.with_path(|path| format!("{at}.{path}")))?;
    }
    Ok(())
}

/// The most environments that are remembered as seeded. For others the file tells.
const REMEMBERED_ENVIRONMENTS: usize = 1024;

/// A seed, and the environments that were seeded lately or are being seeded.
#[derive(Clone)]
pub struct Seeder(Arc<Shared>);

struct Shared {
    seed: Seed,
    settings: MessageSettings,
    /// By the hash of the environment's key.
    progress: RwLock<HashMap<[u8; 32], Arc<Progress>>>,
    from_before: Mutex<FromBefore>,
}

/// The environments that the file had at the start: which of them were seeded since.
#[derive(Default)]
struct FromBefore {
    last: EnvironmentRow,
    /// A bit for each row up to the last.
    seeded: Vec<u64>,
}

impl FromBefore {
    fn new(last: EnvironmentRow) -> Self {
        FromBefore { last, seeded: Vec::new() }
    }

    fn bit(row: EnvironmentRow) -> (usize, u64) {
        let row = usize::try_from(row.0).unwrap_or(0);
        (row / 64, 1 << (row % 64))
    }

    /// A newer environment gets its row together with the seed.
    fn is_seeded(&self, row: EnvironmentRow) -> bool {
        let (word, bit) = FromBefore::bit(row);
        row > self.last || self.seeded.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn is_seeded_now(&mut self, row: EnvironmentRow) {
        if row <= self.last {
            let (word, bit) = FromBefore::bit(row);
            self.seeded.resize(self.seeded.len().max(word + 1), 0);
            self.seeded[word] |= bit;
        }
    }
}

/// How far the seeding of an environment has come.
#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unseeded,
    /// A thread seeds or resets it, and other threads wait.
    Busy,
    Seeded,
}

/// Keeps other threads of an environment waiting until it is dropped.
pub struct Hold {
    progress: Arc<Progress>,
    then: State,
}

impl Drop for Hold {
    fn drop(&mut self) {
        *lock(&self.progress.state) = self.then;
        self.progress.changed.notify_all();
    }
}

impl Progress {
    /// Waits until no other thread is at work, and holds the environment. `None` if it is in this state already.
    fn hold_unless(self: &Arc<Self>, enough: State) -> Option<Hold> {
        let is_busy = |state: &mut State| *state == State::Busy;
        let waited = self.changed.wait_while(lock(&self.state), is_busy);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if *state == enough {
            return None;
        }
        *state = State::Busy;
        Some(Hold { progress: self.clone(), then: State::Unseeded })
    }
}

impl Seeder {
    /// `seed` was [read](read) and so checked.
    pub fn new(seed: Seed, settings: MessageSettings) -> Self {
        let shared = Shared { seed, settings, progress: RwLock::default(), from_before: Mutex::default() };
        Seeder(Arc::new(shared))
    }

    /// Notes the environments that are in the file: each is seeded when it is first used.
    pub fn begin(&self, store: &Store) -> Result<()> {
        if !self.is_empty() {
            *lock(&self.0.from_before) = FromBefore::new(store.read(environment::last)?);
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.seed.is_empty()
    }

    fn progress(&self, environment: &Environment) -> Arc<Progress> {
        let known = self.0.progress.read().unwrap_or_else(PoisonError::into_inner).get(&environment.key_hash).cloned();
        known.unwrap_or_else(|| {
            let mut progress = self.0.progress.write().unwrap_or_else(PoisonError::into_inner);
            if progress.len() >= REMEMBERED_ENVIRONMENTS {
                // Those that a thread holds or waits for stay. Nothing else is lost.
                progress.retain(|_, it| Arc::strong_count(it) > 1);
            }
            progress.entry(environment.key_hash).or_default().clone()
        })
    }

    /// Whether there is nothing left to do for an environment. Does not wait.
    pub fn is_seeded(&self, environment: &Environment) -> bool {
        self.is_empty() || self.progress(environment).state.try_lock().is_ok_and(|state| *state == State::Seeded)
    }

    /// Puts the seed into an environment that was not seeded since the start. What is there already and is the same
    /// stays untouched.
    pub fn ensure_seeded(&self, store: &Store, environment: &Environment) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let Some(mut hold) = self.progress(environment).hold_unless(State::Seeded) else { return Ok(()) };
        let (shared, of) = (self.0.clone(), environment.clone());
        let row = store.read_for_request(|db| environment::find(db, environment))?;
        // One that is being seeded lacks only messages.
        if !row.is_some_and(|row| lock(&self.0.from_before).is_seeded(row)) {
            let row = store.write(move |tx| {
                let row = environment::find_or_create(tx, &of)?;
                put(tx, row, &shared.seed)?;
                Ok(row)
            })?;
            lock(&self.0.from_before).is_seeded_now(row);
        }
        self.send(store, environment)?;
        hold.then = State::Seeded;
        Ok(())
    }

    /// Keeps other threads of an environment waiting until its [reset](Seeder::reset) is committed. After that it is
    /// unseeded.
    pub fn hold(&self, environment: &Environment) -> Option<Hold> {
        if self.is_empty() { None } else { self.progress(environment).hold_unless(State::Busy) }
    }

    /// Removes everything from an environment, and puts back the seed except its messages. They follow when the
    /// environment is next [seeded](Seeder::ensure_seeded).
    pub fn reset(&self, tx: &mut Tx<'_>, environment: &Environment, row: EnvironmentRow) -> Result<()> {
        retired::retire(tx, row)?;
        if self.is_empty() {
            return Ok(());
        }
        let row = environment::find_or_create(tx, environment)?;
        put(tx, row, &self.0.seed)
    }

    /// Makes the messages that are not there yet, as if they were sent.
    fn send(&self, store: &Store, environment: &Environment) -> Result<()> {
        let view = View::new(store, environment);
        for message in &self.0.seed.messages {
            let SeedEntry { id, value: SeedMessage { definition, recipient, user }, .. } = message;
            if view.read(|db, row| is_there(db, row, id))? {
                continue;
            }
            let understood = Definition::read(definition, Reading::Lenient)?;
            let send = SendRequest::new(definition.clone(), self.0.settings);
            let send = send.prepare(&view, understood, vec![(recipient.clone(), user.clone())])?;
            send.told().iter().for_each(|(_, what)| log::warn!("{what}"));
            let id = id.clone();
            store.write(move |tx| {
                let row = send.environment();
                environment::refuse_gone(tx, row)?;
                if is_there(tx, row, &id)? {
                    return Ok(());
                }
                let message_id = send.write(tx, row)?;
                message::name(tx, row, &id, &message_id)
            })?;
        }
        Ok(())
    }
}

/// A thread that panicked with the lock has left the state as it was.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_there(db: &Db<'_>, environment: EnvironmentRow, message_id: &str) -> Result<bool> {
    Ok(message::find(db, environment, message_id)?.is_some())
}

/// Puts everything except the messages: these are sent afterwards, with what is there by then.
fn put(tx: &mut Tx<'_>, environment: EnvironmentRow, seed: &Seed) -> Result<()> {
    each(&seed.brands, |it| brand::put(tx, environment, &it.id, &it.value))?;
    // An alias may move from one of them to another.
    each(&seed.templates, |it| template::free_alias(tx, environment, &it.id, it.value.payload.alias()))?;
    each(&seed.templates, |it| put_template(tx, environment, &it.id, &it.value))?;
    each(&seed.checks, |it| put_checks(tx, environment, &it.id, &it.value))?;
    each(&seed.topics, |it| preference::put_topic(tx, environment, &it.id, &it.value))?;
    each(&seed.profiles, |it| profile::replace(tx, environment, &it.id, it.value.as_str()))?;
    each(&seed.lists, |it| put_list(tx, environment, &it.id, &it.value))?;
    each(&seed.preferences, |it| {
        let owner = PreferenceOwner { user_id: it.id.clone(), tenant_id: String::new() };
        preference::put(tx, environment, &owner, &it.value.topic_id, &it.value.preference)
    })?;
    each(&seed.tokens, |it| token::put(tx, environment, &it.id, &it.value))?;
    each(&seed.jobs, |it| put_job(tx, environment, &it.id, &it.value))
}

/// A refusal names the entry that it is about.
fn each<T>(entries: &[SeedEntry<T>], mut put: impl FnMut(&SeedEntry<T>) -> Result<()>) -> Result<()> {
    entries.iter().try_for_each(|it| {
        put(it).map_err(|error| match error.kind() {
            Kind::Invalid | Kind::NotFound | Kind::Conflict => error.with_path(|path| match path {
                "" => it.at.clone(),
                path => format!("{}: {path}", it.at),
            }),
            _ => error,
        })
    })
}

fn put_template(tx: &mut Tx<'_>, environment: EnvironmentRow, template_id: &str, it: &SeedTemplate) -> Result<()> {
    template::put(tx, environment, template_id, &it.payload, &it.draft, it.is_published)
}

fn put_checks(tx: &mut Tx<'_>, environment: EnvironmentRow, template_id: &str, it: &Submission) -> Result<()> {
    let template = template::get(tx, environment, template_id)?;
    let known = template::find_checks(tx, &template, &it.submission_id)?;
    let known: Option<Vec<Check>> = known.and_then(|known| serde_json::from_str(&known).ok());
    if known.as_ref() == Some(&it.checks) {
        return Ok(());
    }
    template::put_checks(tx, &template, &it.submission_id, &Check::to_json(&it.checks, tx.now()))
}

fn put_list(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str, it: &SeedList) -> Result<()> {
    let list = list::put(tx, environment, list_id, &it.name, it.preferences.as_deref())?;
    match &it.subscribers {
        Some(subscribers) => subscription::replace(tx, list, subscribers),
        None => Ok(()),
    }
}

fn new_users(job: &SeedJob) -> Result<NewUsers> {
    NewUsers::read(job.users.clone(), |users, add| model::for_each_user(users, add))
}

/// A job that is there stays as it is, however far it has come.
fn put_job(tx: &mut Tx<'_>, environment: EnvironmentRow, job_id: &str, it: &SeedJob) -> Result<()> {
    if job::find(tx, environment, job_id)?.is_some() {
        return Ok(());
    }
    job::create_as(tx, environment, job_id, &it.definition)?;
    let mut users = new_users(it)?;
    ingest::ingest(tx, &job::get(tx, environment, job_id)?, &mut users)?;
    if it.is_run {
        let job = job::get(tx, environment, job_id)?;
        let missing = run::start(tx, &job, &References::of(&Definition::read(&it.definition, Reading::Lenient)?))?;
        missing.told(&format!("job {}", job.job_id)).iter().for_each(|(_, what)| log::warn!("{what}"));
    }
    Ok(())
}
