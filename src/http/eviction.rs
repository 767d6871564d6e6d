//! Which connections make room for new ones: those that never asked anything first, then those that have been silent
//! longest. One with a request in flight never does.

use std::cmp::Reverse;
use std::sync::{Arc, Weak};

use super::connection::Silence;
use super::event_loop::Connections;
use super::handle::ConnectionHandle;

/// Of so many connections one is kept in mind for the next time, and no more than that.
const SHARE: usize = 16;
const CANDIDATES: usize = 256;

/// Connections that may make room. All are looked at only when there are no candidates left.
#[derive(Default)]
pub struct Evictions {
    /// The next is the last.
    candidates: Vec<Candidate>,
}

struct Candidate {
    silence: Silence,
    handle: Weak<ConnectionHandle>,
    connections: Arc<Connections>,
}

impl Evictions {
    /// Closes a connection that is silent. False if there is none.
    pub fn make_room(&mut self, loops: &[Arc<Connections>]) -> bool {
        if self.close_next() {
            return true;
        }
        self.candidates = look(loops);
        let kept = (self.candidates.len() / SHARE).min(CANDIDATES);
        let made = self.close_next();
        let forgotten = self.candidates.len().saturating_sub(kept);
        self.candidates.drain(..forgotten);
        made
    }

    fn close_next(&mut self) -> bool {
        while let Some(Candidate { silence, handle, connections }) = self.candidates.pop() {
            if let Some(handle) = handle.upgrade()
                && handle.make_room(silence)
            {
                connections.remove(handle.id);
                return true;
            }
        }
        false
    }
}

/// All that are silent.
fn look(loops: &[Arc<Connections>]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for connections in loops {
        found.extend(connections.list().iter().filter_map(|handle| {
            let silence = handle.silence()?;
            Some(Candidate { silence, handle: Arc::downgrade(handle), connections: connections.clone() })
        }));
    }
    found.sort_by_key(|candidate| Reverse(candidate.silence));
    found
}
