//! The doctor: what passed here and would hurt at Courier. Ours; Courier has nothing of the kind.

use serde_json::{Value, json};

use super::call::{Action, Answer, Call};
use super::paging::{Cursor, PageText, PagedList};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::findings::{Check, Example, Finding, Level};
use crate::model::environment::EnvironmentRow;
use crate::store::{Db, job};

/// The most jobs without a run that are named.
const NAMED: usize = 5;

/// `GET /_bulkd/doctor?cursor=&limit=`: 200 `{items, paging, worst, summary}`, the worst first. The last two are of all
/// findings, also of those on other pages.
pub fn get(call: Call<'_>) -> Result<Action> {
    let (query, list) = (call.query(), PagedList::Findings);
    let (from, limit) = (Cursor::read(query.cursor().as_deref(), list)?, query.limit());
    let mut found = call.settings.findings.list(call.environment);
    Action::query(move |db, environment| {
        found.extend(never_run(db, environment)?);
        found.sort_by_key(|it| std::cmp::Reverse(it.check.about().level));
        let worst = found.first().map(|it| it.check.about().level);
        let (page, next) = PageText::of_places((list, from, limit), found.iter(), |it| Ok(item(it)))?;
        let (worst, summary) = (json!(worst.map(Level::name)), json!(summary(&found)));
        Ok(Answer::new(200, page.end_items_with(next, &format!("\"worst\":{worst},\"summary\":{summary}"))))
    })
}

fn item(finding: &Finding) -> Value {
    let about = finding.check.about();
    let seen = finding.examples.iter();
    let seen: Vec<Value> =
        seen.map(|it| json!({ "what": it.what, "request": it.request, "at": it.at.iso() })).collect();
    json!({
        "check": finding.check.name(),
        "level": about.level.name(),
        "title": about.title,
        "count": finding.count,
        "first_at": finding.first_at.iso(),
        "last_at": finding.last_at.iso(),
        "seen": seen,
        "why": about.why,
        "advice": about.advice,
        "page": about.page,
    })
}

/// A summary in one line.
fn summary(found: &[Finding]) -> String {
    let count = |level: Level| found.iter().filter(|it| it.check.about().level == level).count();
    let counts = Level::NAMES.iter().rev().map(|(name, level)| (name, count(*level))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") }
}

/// What the file shows: jobs with users that wait for their run.
fn never_run(db: &Db<'_>, environment: EnvironmentRow) -> Result<Option<Finding>> {
    let waiting = job::list_never_run(db, environment)?;
    let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else { return Ok(None) };
    let example = |job: &job::Waiting| Example {
        at: Timestamp(job.created_at),
        what: format!("job {} has {} users and was never run", job.job_id, job.received),
        request: Some(format!("POST /bulk/{}", job.job_id)),
    };
    Ok(Some(Finding {
        check: Check::NeverRun,
        count: waiting.len() as u64,
        first_at: Timestamp(first.created_at),
        last_at: Timestamp(last.created_at),
        examples: waiting.iter().take(NAMED).map(example).collect(),
    }))
}
