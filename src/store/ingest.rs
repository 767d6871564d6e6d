//! Users that are added to a job: read from a body, checked for those that are in the job already, and appended.

use std::sync::PoisonError;

use super::engine::recipients::{self, RecipientSet, Wanted};
use super::engine::{Db, Tx};
use super::environment::View;
use super::{job, user};
use crate::error::{Error, Result};
use crate::id;
use crate::model::bulk::{Job, JobStatus};
use crate::model::row::JobRow;

/// From so many users of a call on, their set is made before the change.
const LARGE_CALL_USERS: usize = 5_000;
/// What a user takes besides its text and recipient: in its row, and in a set.
const ROW_BYTES: usize = 40;
/// From so many users of a job on, reading their recipients takes a moment.
const LARGE_JOB_USERS: u64 = 10_000;

/// Users to be ingested, still inside the body in which they came: a call of thousands is not copied user by user on
/// its way to the writer. They are kept as places in the body, since a struct cannot hold both a text and references
/// into it.
pub struct NewUsers {
    body: String,
    users: Vec<NewUser>,
    /// Names that were made for users without one.
    names: String,
    /// The result in a job without users.
    alone: Option<Alone>,
    /// Until they are in their job.
    _wanted: Option<Wanted>,
}

/// The result for users if there are no others.
struct Alone {
    set: RecipientSet,
    duplicates: Vec<usize>,
}

struct NewUser {
    recipient: IngestedRecipient,
    user: (u32, u32),
}

enum IngestedRecipient {
    /// Named, and spelled in the body without an escape.
    Within {
        span: (u32, u32),
        hash: u32,
    },
    Apart {
        name: String,
        hash: u32,
    },
    /// Not named by the client.
    Made {
        span: (u32, u32),
        hash: u32,
    },
    /// Not named yet.
    Unnamed,
}

impl NewUsers {
    /// Parses the body into users. `read` calls its argument with each user's text and recipient, which must both lie
    /// within the body. It may fail.
    pub fn read(
        body: String,
        read: impl FnOnce(&str, &mut dyn FnMut(&str, Option<&str>)) -> Result<()>,
    ) -> Result<Self> {
        let span = |text: &str| -> Option<(u32, u32)> {
            let start = (text.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
            let end = start + text.len();
            (end <= body.len()).then_some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
        };
        let mut users = Vec::new();
        let mut lost = false;
        read(&body, &mut |user, recipient| {
            let recipient = match recipient {
                None => IngestedRecipient::Unnamed,
                Some(name) => {
                    let hash = recipients::hash(name);
                    match span(name) {
                        Some(span) => IngestedRecipient::Within { span, hash },
                        None => IngestedRecipient::Apart { name: name.to_owned(), hash },
                    }
                }
            };
            match span(user) {
                Some(user) => users.push(NewUser { recipient, user }),
                None => lost = true,
            }
        })?;
        if lost {
            return Err(Error::internal("a user outside of its body"));
        }
        Ok(NewUsers { body, users, names: String::new(), alone: None, _wanted: None })
    }

    /// Names those that have no name; `push` appends a name to its argument.
    fn name_all(&mut self, mut push: impl FnMut(&mut String)) -> Result<()> {
        let names = &mut self.names;
        for user in self.users.iter_mut().filter(|user| matches!(user.recipient, IngestedRecipient::Unnamed)) {
            let start = names.len();
            push(names);
            let place = |at| u32::try_from(at).map_err(|_| Error::internal("names that take gigabytes"));
            let span = (place(start)?, place(names.len())?);
            user.recipient = IngestedRecipient::Made { span, hash: recipients::hash(&names[start..]) };
        }
        Ok(())
    }

    /// Bytes that they take when they are stored, which for many small ones is a multiple of the body.
    pub fn stored_bytes(&self) -> usize {
        let name = |user: &NewUser| self.named(user).map_or(id::RECIPIENT_CHARS, |(name, _)| name.len());
        self.users.iter().map(|user| ROW_BYTES + self.text(user.user).len() + name(user)).sum()
    }

    pub fn len(&self) -> usize {
        self.users.len()
    }

    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// A user as it was sent.
    pub fn user(&self, index: usize) -> &str {
        self.text(self.users[index].user)
    }

    /// Who a user is, if it has a name.
    pub fn recipient(&self, index: usize) -> Option<&str> {
        self.named(&self.users[index]).map(|(name, _)| name)
    }

    /// All but those with these indexes, as recipients and texts. The indexes are in order.
    fn without(&self, indexes: &[usize]) -> Vec<(&str, &str)> {
        let mut left = indexes.iter().peekable();
        let mut kept = Vec::with_capacity(self.users.len() - indexes.len());
        for (index, user) in self.users.iter().enumerate() {
            if left.next_if(|next| **next == index).is_none() {
                kept.push((self.named(user).map_or("", |(name, _)| name), self.text(user.user)));
            }
        }
        kept
    }

    fn named<'a>(&'a self, user: &'a NewUser) -> Option<(&'a str, u32)> {
        match &user.recipient {
            IngestedRecipient::Within { span, hash } => Some((self.text(*span), *hash)),
            IngestedRecipient::Apart { name, hash } => Some((name, *hash)),
            IngestedRecipient::Made { span: (start, end), hash } => {
                Some((&self.names[*start as usize..*end as usize], *hash))
            }
            IngestedRecipient::Unnamed => None,
        }
    }

    fn text(&self, (start, end): (u32, u32)) -> &str {
        &self.body[start as usize..end as usize]
    }
}

/// Users that stay in a job, as recipients and texts, and the indexes of those that do not.
type Split<'a> = (Vec<(&'a str, &'a str)>, Vec<usize>);

/// Decides what a duplicate is. Two users with the same name, letter for letter, are the same recipient. A user without
/// a name differs from all others. The first user of a recipient stays. `set` knows the `first_seq` recipients that are
/// in the job, and `is_at` tells whether a recipient stands at a place.
fn split<'a>(
    users: &'a NewUsers,
    set: &mut RecipientSet,
    first_seq: u64,
    is_at: impl Fn(u32, &str) -> Result<bool>,
) -> Result<Split<'a>> {
    let mut accepted: Vec<(&str, &str)> = Vec::with_capacity(users.users.len());
    let mut duplicates = Vec::new();
    for (index, user) in users.users.iter().enumerate() {
        let seq = u32::try_from(first_seq + accepted.len() as u64)
            .map_err(|_| Error::invalid("users", format_args!("a job holds at most {} users", u32::MAX)))?;
        let (recipient, added) = match users.named(user) {
            None => ("", true),
            Some((recipient, hash)) => {
                let is_same = |seq: u32| match u64::from(seq).checked_sub(first_seq) {
                    Some(here) => Ok(accepted.get(here as usize).is_some_and(|(known, _)| *known == recipient)),
                    None => is_at(seq, recipient),
                };
                (recipient, set.add(hash, seq, is_same)?)
            }
        };
        if added {
            accepted.push((recipient, users.text(user.user)));
        } else {
            duplicates.push(index);
        }
    }
    Ok((accepted, duplicates))
}

/// The indexes of the users that would not stay in a new job.
pub fn duplicates(users: &NewUsers) -> Result<Vec<usize>> {
    split(users, &mut RecipientSet::new(""), 0, |_, _| Ok(false)).map(|(_, duplicates)| duplicates)
}

/// Adds users to a job that was not run yet. Returns the indexes of those that are in it already, or twice
/// in this call.
pub fn ingest(tx: &mut Tx<'_>, job: &Job, users: &mut NewUsers) -> Result<Vec<usize>> {
    let first_seq = job.received;
    users.name_all(|names| names.push_str(&tx.ids.recipient()))?;
    let db = Db::new(tx.conn, tx.now);
    let alone = users.alone.take().filter(|_| first_seq == 0 && !tx.recipients.has(job.job));
    let (accepted, duplicates) = match alone {
        Some(Alone { set, duplicates }) => {
            tx.recipients.insert_new(job.job, set);
            (users.without(&duplicates), duplicates)
        }
        None => {
            let load = |set: &mut RecipientSet| load_recipients(&db, job.job, set);
            let set = tx.recipients.of_job(job.job, &job.job_id, first_seq, load)?;
            let is_at = |seq, recipient: &str| user::is_recipient_at(&db, job.job, seq, recipient);
            split(users, set, first_seq, is_at)?
        }
    };
    if accepted.is_empty() {
        return Ok(duplicates);
    }

    user::append(tx, job.job, first_seq, &accepted)?;
    job::add_received(tx, job.job, first_seq, accepted.len())?;
    Ok(duplicates)
}

/// Prepares for [`ingest`] what would hold up the writer: names and hashes, the set of a large call, and the recipients
/// of a large job that has no set.
pub fn prepare(view: &View<'_>, job_id: &str, users: &mut NewUsers) -> Result<()> {
    let store = view.store();
    users._wanted = Some(store.cached_jobs.want(job_id));
    if store.names_are_random {
        users.name_all(id::push_random_recipient)?;
    }
    let is_named = |user: &NewUser| !matches!(user.recipient, IngestedRecipient::Unnamed);
    if users.len() >= LARGE_CALL_USERS && users.users.iter().all(is_named) {
        let mut set = RecipientSet::new(job_id);
        let (_, duplicates) = split(users, &mut set, 0, |_, _| Ok(false))?;
        users.alone = Some(Alone { set, duplicates });
    }
    if store.cached_jobs.has(job_id) {
        return Ok(());
    }
    let job = view.read(|db, environment| job::find(db, environment, job_id))?;
    let Some(job) = job.filter(|job| job.status == JobStatus::Created && job.received >= LARGE_JOB_USERS) else {
        return Ok(());
    };
    let _one = store.loading.lock().unwrap_or_else(PoisonError::into_inner);
    if store.cached_jobs.has(job_id) {
        return Ok(());
    }
    let mut set = RecipientSet::new(job_id);
    store.read_for_request(|db| load_recipients(db, job.job, &mut set))?;
    store.write(move |tx| {
        // If the job was run meanwhile, its set would never be dropped.
        if let Some(job) = job::find(tx, job.environment, &job.job_id)?.filter(|job| job.status == JobStatus::Created) {
            tx.recipients.insert_if_absent(job.job, set);
        }
        Ok(())
    })
}

/// Adds the recipients that are not in the set yet.
fn load_recipients(db: &Db<'_>, job: JobRow, set: &mut RecipientSet) -> Result<()> {
    user::for_each_recipient(db, job, set.len(), |seq, recipient| {
        let seq = u32::try_from(seq).map_err(|_| Error::internal("a job with too many users"))?;
        set.add(recipients::hash(recipient), seq, |_| Ok(false))?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    use crate::model::environment::{Environment, EnvironmentRow};

    use crate::store::{Store, environment};

    /// Ingests so many recipients from `first` on, and returns how many were added.
    fn ingest_named(store: &Store, row: EnvironmentRow, job_id: &str, first: u64, count: u64) -> u64 {
        let mut users = named(first..first + count);
        let job_id = job_id.to_owned();
        let ingested = store.write(move |tx| {
            let job = job::get(tx, row, &job_id)?;
            ingest(tx, &job, &mut users)
        });
        count - ingested.unwrap().len() as u64
    }

    fn named(range: std::ops::Range<u64>) -> NewUsers {
        let body: Vec<String> = range.map(|i| format!("user-{i}")).collect();
        let read = |body: &str, add: &mut dyn FnMut(&str, Option<&str>)| {
            body.split_terminator(' ').for_each(|name| add(name, Some(name)));
            Ok(())
        };
        NewUsers::read(body.join(" "), read).unwrap()
    }

    fn none() -> NewUsers {
        named(0..0)
    }

    #[test]
    fn a_large_call_comes_to_the_same_as_small_ones() {
        const LARGE: u64 = LARGE_CALL_USERS as u64;
        let (store, threads) = Store::open_ephemeral(Clock::Manual(ManualClock::at(0)));
        let of = Environment::of_key("acme");
        let view = View::new(&store, &of);
        let made_of = of.clone();
        let made = store.write(move |tx| {
            let row = environment::find_or_create(tx, &made_of)?;
            Ok((row, job::create(tx, row, "{}")?, job::create(tx, row, "{}")?))
        });
        let (row, fresh, other) = made.unwrap();
        // In the second, some are there already when it is made, and in neither does a duplicate stay.
        assert_eq!(ingest_named(&store, row, &other, 10, 5), 5);
        for (job_id, there) in [(fresh, vec![]), (other, vec![10, 11, 12, 13, 14])] {
            let text = (0..LARGE).chain([7, 3]).map(|i| format!("user-{i}")).collect::<Vec<_>>().join(" ");
            let read = |body: &str, add: &mut dyn FnMut(&str, Option<&str>)| {
                body.split(' ').for_each(|name| add(name, Some(name)));
                Ok(())
            };
            let mut users = NewUsers::read(text, read).unwrap();
            prepare(&view, &job_id, &mut users).unwrap();
            assert!(users.alone.is_some());
            let of = job_id.clone();
            let duplicates = store.write(move |tx| {
                let job = job::get(tx, row, &of)?;
                let duplicates = ingest(tx, &job, &mut users)?;
                Ok((duplicates, job::get(tx, row, &of)?.received))
            });
            let expected: Vec<usize> = there.iter().copied().chain([LARGE as usize, LARGE as usize + 1]).collect();
            assert_eq!(duplicates.unwrap(), (expected, LARGE));
            // The set knows them.
            assert_eq!(ingest_named(&store, row, &job_id, 0, LARGE + 1), 1);
        }
        store.stop();
        threads.join();
    }

    #[test]
    fn a_set_made_beside_the_writer_is_taken_and_completed() {
        let (store, threads) = Store::open_ephemeral(Clock::Manual(ManualClock::at(0)));
        let of = Environment::of_key("acme");
        let view = View::new(&store, &of);
        let forget = |job| {
            move |tx: &mut Tx<'_>| {
                tx.recipients.drop_job(job);
                Ok(())
            }
        };
        let made_of = of.clone();
        let made = store.write(move |tx| {
            let row = environment::find_or_create(tx, &made_of)?;
            Ok((row, job::create(tx, row, "{}")?))
        });
        let (row, job_id) = made.unwrap();
        let job = store.read(|db| job::get(db, row, &job_id)).unwrap().job;
        assert_eq!(ingest_named(&store, row, &job_id, 0, LARGE_JOB_USERS - 1), LARGE_JOB_USERS - 1);
        assert!(store.cached_jobs.has(&job_id));

        // A small one is left to the writer.
        store.write(forget(job)).unwrap();
        prepare(&view, &job_id, &mut none()).unwrap();
        assert!(!store.cached_jobs.has(&job_id));
        assert_eq!(ingest_named(&store, row, &job_id, LARGE_JOB_USERS - 10, 20), 11);

        store.write(forget(job)).unwrap();
        prepare(&view, &job_id, &mut none()).unwrap();
        assert!(store.cached_jobs.has(&job_id));
        assert_eq!(ingest_named(&store, row, &job_id, LARGE_JOB_USERS, 20), 10);

        // Other users may come while it is made.
        store.write(forget(job)).unwrap();
        let mut set = RecipientSet::new(&job_id);
        store.read(|db| load_recipients(db, job, &mut set)).unwrap();
        assert_eq!(ingest_named(&store, row, &job_id, LARGE_JOB_USERS + 20, 10), 10);
        store.write(forget(job)).unwrap();
        let taken = store.write(move |tx| {
            tx.recipients.insert_if_absent(job, set);
            Ok(())
        });
        taken.unwrap();
        assert_eq!(ingest_named(&store, row, &job_id, 0, LARGE_JOB_USERS + 31), 1);
        store.stop();
        threads.join();
    }
}
