//! By which route each channel goes from a start on, and what the log says of messages that wait elsewhere.

use std::sync::Arc;

use super::relay;
use super::route::Route;
use crate::error::Result;
use crate::model::deliver_target::flag_of;
use crate::store::delivery_queue::{self, Left};
use crate::store::{Store, delivery_route};

/// Has channels go by these routes from now on, and says what is left by others.
pub fn use_routes(store: &Store, routes: &[Arc<Route>]) -> Result<()> {
    let names = |route: &Arc<Route>| route.channels.iter().map(|channel| channel.name()).collect();
    let wanted: delivery_route::Routes = routes.iter().map(|route| (route.name.clone(), names(route))).collect();
    if store.read(delivery_route::with_channels)? != wanted {
        let moved = store.write(move |tx| delivery_route::set_in_use(tx, &wanted))?;
        if !moved.is_empty() {
            log::info!("{} that waited for --deliver: by --relay from now on", words(&moved));
        }
    }
    let left = store.read(delivery_queue::left)?;
    for of_route in left.chunk_by(|one, other| one.route == other.route) {
        say(of_route);
    }
    let is_idle = |route: &&Arc<Route>| route.channels.is_empty() && !left.iter().any(|it| it.route == route.name);
    if routes.iter().any(|route| is_idle(&route)) {
        log::warn!("--relay has no effect: every channel has a --deliver of its own, and nothing is left for it");
    }
    Ok(())
}

/// Says what is left by one route, and what to do.
fn say(left: &[Left]) {
    let Some(Left { route, in_use, .. }) = left.first() else { return };
    let counts: Vec<(String, usize)> = left.iter().map(|it| (it.channel.clone(), it.count)).collect();
    let (left, flag) = (words(&counts), flag_of(route));
    match (*in_use, route == relay::ROUTE) {
        (true, _) => log::info!("{left} still with {flag}, which goes on with them; keep it until they are sent"),
        (false, true) => log::warn!(
            "{left} with {flag}, which this start does not have: what is on the stream may be sent, what became of it is not \
             read, and the rest waits; give {flag} again, also beside --deliver, until GET /_bulkd/deliver shows that none are left"
        ),
        (false, false) => log::warn!(
            "{left} waiting for {flag}, which this start does not have: they are sent when a start has it again, or --relay"
        ),
    }
}

/// How many messages of which channels.
fn words(counts: &[(String, usize)]) -> String {
    let words = |(channel, count): &(String, usize)| {
        let messages = if *count == 1 { "message" } else { "messages" };
        format!("{count} {messages} of {channel}")
    };
    counts.iter().map(words).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_words() {
        let counts = [("email".to_owned(), 2), ("sms".to_owned(), 1)];
        assert_eq!(words(&counts), "2 messages of email and 1 message of sms");
    }
}
