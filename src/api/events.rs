//! What happens, as it happens.

use super::call::{Action, Call, header};
use crate::error::Result;

/// `GET /_bulkd/events`: a stream of server-sent events, from what `Last-Event-ID` names on, or from now on.
pub fn open(call: Call<'_>) -> Result<Action> {
    let after = header(&call.request, "Last-Event-ID")?.filter(|id| !id.is_empty()).map(str::to_owned);
    let feed = call.settings.feed.clone();
    Action::reply(move |view| feed.open(view.environment(), after.as_deref()))
}
