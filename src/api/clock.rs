//! The clock of a daemon that was started with `--test-clock`. Ours; Courier has nothing of the kind.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::span;
use crate::clock::{ManualClock, SETTABLE, Timestamp};
use crate::error::{Error, Kind, Result};
use crate::json;
use crate::steer::Moved;

fn test_clock(call: &Call<'_>) -> Result<ManualClock> {
    call.settings.test_clock.clone().ok_or_else(|| {
        let why = "this daemon goes by the machine's clock; start it with --test-clock for one that can be moved";
        Error::new(Kind::Forbidden, why)
    })
}

/// Moves the clock, does what falls due, and answers with what has happened on the way.
fn move_clock(
    call: &Call<'_>,
    clock: ManualClock,
    to: impl FnOnce(Timestamp) -> Result<Timestamp> + Send + 'static,
    then: impl FnOnce(&ManualClock) + Send + 'static,
) -> Result<Action> {
    let (steering, environment) = (call.settings.steering.clone(), call.environment.clone());
    Action::later(move |go_on| {
        let moved = clock.clone();
        steering.move_clock(&environment, &clock, to, move |done| {
            go_on(done.and_then(|done| {
                then(&moved);
                answer(&moved, &done)
            }));
        });
    })
}

/// `GET /_bulkd/clock`: 200 `{now, frozen}`.
pub fn get(call: Call<'_>) -> Result<Action> {
    let clock = test_clock(&call)?;
    Action::query(move |_, _| Ok(Answer::new(200, shown(&clock).to_string())))
}

fn shown(clock: &ManualClock) -> serde_json::Value {
    json!({ "now": clock.now().iso(), "frozen": clock.is_frozen() })
}

#[derive(Deserialize)]
struct PutBody {
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    frozen: Option<bool>,
}

/// `PUT /_bulkd/clock` with `{at?, frozen?}`: 200 as an advance answers. The clock is stopped before it is moved, and runs
/// on afterwards.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let clock = test_clock(&call)?;
    let body: PutBody = json::read(&call.json()?, String::new)?;
    let at = body.at.as_deref().map(|at| {
        let at = Timestamp::parse(at).filter(|at| at.can_be_set());
        at.ok_or_else(|| Error::invalid("at", format_args!("expected {SETTABLE}")))
    });
    let at = at.transpose()?;
    if at.is_none() && body.frozen.is_none() {
        return Err(Error::invalid("the body", "expected at, frozen or both"));
    }
    let standing = clock.clone();
    let to = move |now: Timestamp| {
        if let Some(at) = at.filter(|at| *at < now) {
            let problem = format!("expected {} or later, not {}: the clock only moves forward", now.iso(), at.iso());
            return Err(Error::invalid("at", problem));
        }
        if body.frozen == Some(true) {
            standing.freeze(true);
        }
        Ok(at.unwrap_or_else(|| standing.now()))
    };
    move_clock(&call, clock, to, move |clock| {
        if body.frozen == Some(false) {
            clock.freeze(false);
        }
    })
}

#[derive(Deserialize)]
struct AdvanceBody<'a> {
    #[serde(borrow)]
    by: &'a RawValue,
}

/// `POST /_bulkd/clock/advance` with `{by}`: 200 `{now, frozen, advanced_ms, delayed_sent, messages_changed,
/// webhooks_posted, keys_expired, settled}` once all that was due on the way has happened.
pub fn advance(mut call: Call<'_>) -> Result<Action> {
    let clock = test_clock(&call)?;
    let body = call.json()?;
    let by = span::read(json::read::<AdvanceBody<'_>>(&body, String::new)?.by, "by")?;
    let to = move |now: Timestamp| match now.after(by) {
        to if to.can_be_set() => Ok(to),
        _ => Err(Error::invalid("by", "expected a span that ends by 2106-02-07T06:28:15Z")),
    };
    move_clock(&call, clock, to, |_| ())
}

fn answer(clock: &ManualClock, moved: &Moved) -> Result<Change> {
    let mut shown = shown(clock);
    shown["now"] = json!(moved.now.iso());
    shown["advanced_ms"] = json!(moved.millis);
    shown["delayed_sent"] = json!(moved.delayed_sent);
    shown["messages_changed"] = json!(moved.messages_changed);
    shown["webhooks_posted"] = json!(moved.webhooks_posted);
    shown["keys_expired"] = json!(moved.keys_expired);
    shown["settled"] = json!(moved.is_settled);
    let answer = Answer::new(200, shown.to_string());
    Ok(Change::new(ChangedEnvironment::Existing, |_, _| Ok(answer)).sure())
}
