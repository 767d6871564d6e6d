//! The HTML that browsers are to show, by the tickets under which it stands.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a frame can be looked at.
const KEPT_TIME: Duration = Duration::from_secs(600);
/// The most frames, and the most bytes of them. The oldest is dropped first.
const KEPT: usize = 200;
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// The HTML that stands here.
#[derive(Clone, Default)]
pub struct Frames(Arc<Mutex<VecDeque<Frame>>>);

struct Frame {
    ticket: String,
    html: Arc<str>,
    made: Instant,
}

impl Frames {
    fn frames(&self) -> MutexGuard<'_, VecDeque<Frame>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns its ticket.
    pub fn put(&self, html: &str) -> String {
        let ticket = format!("{:032x}", rand::random::<u128>());
        let mut frames = self.frames();
        frames.retain(|it| it.made.elapsed() < KEPT_TIME);
        frames.push_back(Frame { ticket: ticket.clone(), html: html.into(), made: Instant::now() });
        let bytes = |frames: &VecDeque<Frame>| frames.iter().map(|it| it.html.len()).sum::<usize>();
        while frames.len() > KEPT || frames.len() > 1 && bytes(&frames) > KEPT_BYTES {
            frames.pop_front();
        }
        ticket
    }

    pub fn find(&self, ticket: &str) -> Option<Arc<str>> {
        let frames = self.frames();
        frames.iter().find(|it| it.ticket == ticket && it.made.elapsed() < KEPT_TIME).map(|it| it.html.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_frames_give_way() {
        let frames = Frames::default();
        let first = frames.put("first");
        assert_eq!(frames.find(&first).as_deref(), Some("first"));
        let others: Vec<String> = (0..KEPT).map(|i| frames.put(&i.to_string())).collect();
        assert_eq!((frames.find(&first), frames.find(&others[0]).as_deref()), (None, Some("0")));
        let large = frames.put(&"x".repeat(KEPT_BYTES + 1));
        assert!(frames.find(&large).is_some() && frames.frames().len() == 1);
    }
}
