//! Which connections make room for new ones: in the order of [`Silence`], the longest silent first. One whose request
//! is worked on never does, nor one whose body or answer still moves.

use std::cmp::Reverse;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::connection::Silence;
use super::event_loop::Connections;
use super::handle::ConnectionHandle;

/// One in so many connections is kept as a candidate for the next time.
const SHARE: usize = 16;
const CANDIDATES: usize = 256;

/// What an attempt to make room has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Made,
    /// There may be room in a moment: a body or an answer has stalled.
    Soon,
    /// None, or not while all of them go on.
    None,
}

/// Connections that may make room. All are searched only when no candidates are left.
#[derive(Default)]
pub struct Evictions {
    /// The next one is at the end.
    candidates: Vec<Candidate>,
}

struct Candidate {
    silence: Silence,
    handle: Weak<ConnectionHandle>,
    connections: Arc<Connections>,
}

impl Evictions {
    /// Closes a silent connection, if there is one.
    pub fn make_room(&mut self, loops: &[Arc<Connections>]) -> Room {
        if self.close_next() {
            return Room::Made;
        }
        let now = Instant::now();
        self.candidates = look(loops);
        let all = self.candidates.len();
        self.candidates.retain(|candidate| candidate.silence.is_ripe(now));
        let otherwise = if self.candidates.len() < all { Room::Soon } else { Room::None };
        let kept = (self.candidates.len() / SHARE).min(CANDIDATES);
        let made = self.close_next();
        let forgotten = self.candidates.len().saturating_sub(kept);
        self.candidates.drain(..forgotten);
        if made { Room::Made } else { otherwise }
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

/// All silent connections.
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
