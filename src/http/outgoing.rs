//! An answer on its way to the peer.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use super::body::Reserved;
use super::write::Encoded;

/// Pieces that one write takes, at most.
const AT_ONCE: usize = 8;

/// What is still to be written of an answer.
pub struct Outgoing {
    /// The first piece, of which `begun` bytes are written, and the rest.
    pieces: (Vec<u8>, VecDeque<Vec<u8>>),
    begun: usize,
    /// The memory reserved for pieces that are not yet written.
    reserved: Reserved,
    pub written: usize,
    /// Whether the connection is closed after it.
    pub closes: bool,
}

/// How far a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Whole,
    /// The peer takes no more now.
    Blocked,
    /// The peer has gone.
    Failed,
}

impl Outgoing {
    pub fn new(answer: Encoded) -> Self {
        let Encoded { bytes, more, reserved, closes } = answer;
        Outgoing { pieces: (bytes, more), begun: 0, reserved, written: 0, closes }
    }

    /// Writes as much as the peer takes now.
    pub fn write(&mut self, mut stream: impl Write) -> Progress {
        loop {
            let (first, more) = &self.pieces;
            let rest = &first[self.begun..];
            if rest.is_empty() {
                return flush(&mut stream);
            }
            let written = if more.is_empty() {
                stream.write(rest)
            } else {
                let mut slices = [IoSlice::new(rest); AT_ONCE];
                let count = 1 + more.len().min(AT_ONCE - 1);
                for (slice, piece) in slices[1..].iter_mut().zip(more) {
                    *slice = IoSlice::new(piece);
                }
                stream.write_vectored(&slices[..count])
            };
            match written {
                Ok(0) => return Progress::Failed,
                Ok(count) => self.took(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Blocked,
                Err(_) => return Progress::Failed,
            }
        }
    }

    /// Frees what the peer has taken.
    fn took(&mut self, count: usize) {
        self.written += count;
        self.begun += count;
        let (first, more) = &mut self.pieces;
        while self.begun >= first.len()
            && let Some(next) = more.pop_front()
        {
            self.begun -= first.len();
            self.reserved.give_back(first.capacity());
            *first = next;
        }
    }
}

/// Writes as much as the peer takes now, and tells how much that was.
pub fn write(mut stream: impl Write, bytes: &[u8]) -> (usize, Progress) {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => return (written, Progress::Failed),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (written, Progress::Blocked),
            Err(_) => return (written, Progress::Failed),
        }
    }
    (written, flush(&mut stream))
}

/// Whether the peer has taken all that was written.
fn flush(stream: &mut impl Write) -> Progress {
    loop {
        match stream.flush() {
            Ok(()) => return Progress::Whole,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Blocked,
            Err(_) => return Progress::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::MemoryBudget;
    use super::*;

    /// Takes so many bytes until it is asked again.
    struct Peer {
        taken: Vec<u8>,
        takes: usize,
    }

    impl Write for &mut Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.takes);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.taken.extend_from_slice(&bytes[..count]);
            self.takes -= count;
            Ok(count)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut count = 0;
            for slice in slices {
                match self.write(slice) {
                    Ok(more) => count += more,
                    Err(_) if count > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answer_is_whole_however_little_of_it_is_taken_at_once_and_its_room_is_given_back_on_the_way() {
        for takes in [1, 99, 100, 101, 250, 1_000, 5_000] {
            let budget = MemoryBudget::new(10_000);
            let piece = |i: u8| vec![i; 100];
            let more: VecDeque<Vec<u8>> = (1..20).map(piece).collect();
            let mut reserved = budget.reserve();
            reserved.overdraw(20 * 100);
            let mut outgoing = Outgoing::new(Encoded { bytes: piece(0), more, reserved, closes: false });
            let mut peer = Peer { taken: Vec::new(), takes };
            while outgoing.write(&mut peer) == Progress::Blocked {
                // Of what is left, at most the piece that is being written is held in whole.
                let held = 2_000 - peer.taken.len() / 100 * 100;
                assert!(budget.reserve().grow(10_000 - held), "{held} bytes are held after {}", peer.taken.len());
                peer.takes = takes;
            }
            assert_eq!(peer.taken, (0..20).flat_map(piece).collect::<Vec<_>>());
            drop(outgoing);
            assert!(budget.reserve().grow(10_000));
        }
    }
}
