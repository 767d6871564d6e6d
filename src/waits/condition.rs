//! What a request waits for.

use serde_json::{Map, Value};

use super::criteria::Criteria;
use crate::error::{Error, Result, shown};
use crate::model::bulk::JobStatus;

pub const DEFAULT_MILLIS: i64 = 10_000;
pub const MAX_MILLIS: i64 = 60_000;
/// Characters of the id of a job or a message, or of a cursor, at most.
pub const ID_CHARACTERS: usize = 1_000;
const MEMBERS: [&str; 7] = ["job_id", "status", "settled", "outbox", "count", "after", "timeout_ms"];

/// A wait as it was asked for.
#[derive(Debug)]
pub struct Asked {
    pub condition: Condition,
    /// The place in the outbox to look behind: a message's id, or a cursor.
    pub after: Option<String>,
    pub timeout_millis: i64,
}

#[derive(Debug)]
pub enum Condition {
    /// A job has this status, or has passed it.
    Job { job_id: String, status: JobStatus },
    /// The environment has settled.
    Settled,
    /// So many messages in the outbox match.
    Outbox { criteria: Criteria, count: Count },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    AtLeast(u64),
    Exactly(u64),
    None,
}

impl Condition {
    /// The job that it is about.
    pub fn job_id(&self) -> Option<&str> {
        match self {
            Condition::Job { job_id, .. } => Some(job_id),
            Condition::Outbox { criteria, .. } => criteria.job_id.as_deref(),
            Condition::Settled => None,
        }
    }

    /// Sets the job by its own id: its client may know it by another.
    pub fn be_of_job(&mut self, of: String) {
        match self {
            Condition::Job { job_id, .. } => *job_id = of,
            Condition::Outbox { criteria, .. } => criteria.be_of_job(of),
            Condition::Settled => {}
        }
    }
}

impl Asked {
    /// From a request's body.
    pub fn read(body: &str) -> Result<Self> {
        let body: Value = crate::json::value(body, String::new)?;
        let Value::Object(body) = body else {
            return Err(Error::invalid("the body", "expected an object"));
        };
        if let Some(unknown) = body.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            let expected = format!("expected members of {}, found '{}'", MEMBERS.join(", "), shown(unknown));
            return Err(Error::invalid("the body", expected));
        }
        let condition = condition(&body)?;
        let after = match body.get("after") {
            None | Some(Value::Null) => None,
            Some(Value::String(after)) => Some(id(after, "after")?),
            Some(_) => return Err(Error::invalid("after", "expected the id of a message, or a cursor")),
        };
        let timeout_millis = match body.get("timeout_ms") {
            None | Some(Value::Null) => DEFAULT_MILLIS,
            Some(value) => value.as_i64().filter(|millis| (0..=MAX_MILLIS).contains(millis)).ok_or_else(|| {
                Error::invalid("timeout_ms", format_args!("expected a whole number from 0 to {MAX_MILLIS}"))
            })?,
        };
        Ok(Asked { condition, after, timeout_millis })
    }
}

fn id(text: &str, member: &str) -> Result<String> {
    match text.chars().count() <= ID_CHARACTERS {
        true => Ok(text.to_owned()),
        false => Err(Error::invalid(member, format_args!("expected at most {ID_CHARACTERS} characters"))),
    }
}

fn condition(body: &Map<String, Value>) -> Result<Condition> {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let kinds = ["job_id", "settled", "outbox"].into_iter().filter(|name| has(name)).collect::<Vec<_>>();
    let [kind] = kinds.as_slice() else {
        return Err(Error::invalid("the body", "expected one of job_id, settled and outbox"));
    };
    let others: &[&str] = match *kind {
        "job_id" => &["count", "after"],
        "settled" => &["status", "count", "after"],
        _ => &["status"],
    };
    if let Some(other) = others.iter().find(|name| has(name)) {
        return Err(Error::invalid(other, format_args!("expected none beside {kind}")));
    }
    match (*kind, body.get(*kind)) {
        ("job_id", Some(Value::String(job_id))) => {
            let status = match body.get("status") {
                None | Some(Value::Null) => Some(JobStatus::Completed),
                Some(value) => value.as_str().and_then(JobStatus::from_name),
            };
            let names: Vec<&str> = JobStatus::NAMES.iter().map(|(name, _)| *name).collect();
            let expected = || Error::invalid("status", format_args!("expected one of {}", names.join(", ")));
            Ok(Condition::Job { job_id: id(job_id, "job_id")?, status: status.ok_or_else(expected)? })
        }
        ("job_id", _) => Err(Error::invalid("job_id", "expected a string")),
        ("settled", Some(Value::Bool(true))) => Ok(Condition::Settled),
        ("settled", _) => Err(Error::invalid("settled", "expected true")),
        (_, Some(Value::Object(criteria))) => {
            Ok(Condition::Outbox { criteria: Criteria::read(criteria)?, count: Count::read(body.get("count"))? })
        }
        _ => Err(Error::invalid("outbox", "expected an object")),
    }
}

impl Count {
    fn read(value: Option<&Value>) -> Result<Self> {
        let expected =
            || Error::invalid("count", "expected one of {\"exactly\": N}, {\"at_least\": N} and {\"none\": true}");
        let members = match value {
            None | Some(Value::Null) => return Ok(Count::AtLeast(1)),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(expected()),
        };
        let mut members = members.iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else { return Err(expected()) };
        match (name.as_str(), value.as_u64()) {
            ("exactly", Some(0)) => Ok(Count::None),
            ("exactly", Some(count)) => Ok(Count::Exactly(count)),
            ("at_least", Some(count)) => Ok(Count::AtLeast(count)),
            ("none", _) if *value == Value::Bool(true) => Ok(Count::None),
            _ => Err(expected()),
        }
    }

    pub fn words(self) -> String {
        let messages = |count: u64| if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
        match self {
            Count::AtLeast(count) => format!("at least {}", messages(count)),
            Count::Exactly(count) => format!("exactly {}", messages(count)),
            Count::None => "no message".to_owned(),
        }
    }
}
