//! Tells which messages cannot have a word in their texts. Each message that was looked at has a signature: a bit for
//! each group of three bytes in its folded texts. A message that lacks a bit of a word does not have the word; any
//! other is looked at. The index lives in the process, and is made only where clients search.
//!
//! A signature stays true for ever: numbers are given once, and texts are not rewritten, except for messages that
//! waited. These have no signature, and are always looked at.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::engine::bell::Bell;
use crate::model::environment::EnvironmentRow;
use crate::model::fold::folded;

/// The most bytes of all signatures. Messages beyond that are read through.
const ALL_BYTES: usize = 256 * 1024 * 1024;
/// After so long without a search, none is expected.
const PATIENCE: Duration = Duration::from_secs(600);
/// Numbers in a block, which is replaced as a whole.
const BLOCK: i64 = 1024;
/// Bits for each group of three bytes. With more, fewer messages are looked at in vain.
const BITS_EACH: usize = 4;
/// Bits of the longest signature, as a power of two. A message with more groups than fit it is always looked at.
const MOST_BITS_LOG2: u32 = 16;

/// The signatures of all messages that have one.
#[derive(Clone, Default)]
pub struct TextIndex(Arc<Shared>);

#[derive(Default)]
struct Shared {
    blocks: RwLock<BTreeMap<i64, Arc<Block>>>,
    bytes: AtomicUsize,
    messages: AtomicUsize,
    followed: Mutex<HashMap<EnvironmentRow, Followed>>,
    bell: Bell,
}

/// An environment in which clients search.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Followed {
    /// The last number that was looked at.
    pub looked: i64,
    searched_at: Instant,
}

#[derive(Clone)]
struct Block {
    slots: Vec<Slot>,
    bits: Vec<u64>,
}

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Unknown,
    /// The message has to be looked at.
    Any,
    /// There is no message with this number, and never will be.
    Nothing,
    /// Where its bits begin, and how many they are, as a power of two.
    Signature {
        start: u32,
        log2: u8,
    },
}

/// What is found out about a number.
#[derive(Clone, Debug)]
pub(in crate::store) enum Sign {
    Any,
    Nothing,
    Signature(Vec<u64>),
}

impl Default for Block {
    fn default() -> Self {
        Block { slots: vec![Slot::Unknown; BLOCK as usize], bits: Vec::new() }
    }
}

impl Block {
    fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>() + self.bits.len() * size_of::<u64>()
    }

    fn put(&mut self, place: usize, sign: &Sign) {
        let slot = match sign {
            Sign::Any => Slot::Any,
            Sign::Nothing => Slot::Nothing,
            Sign::Signature(bits) => {
                let start = u32::try_from(self.bits.len()).unwrap_or(u32::MAX);
                self.bits.extend_from_slice(bits);
                Slot::Signature { start, log2: (bits.len() * 64).trailing_zeros() as u8 }
            }
        };
        if let Some(place) = self.slots.get_mut(place) {
            *place = slot;
        }
    }

    fn slot(&self, place: usize) -> Slot {
        self.slots.get(place).copied().unwrap_or(Slot::Unknown)
    }

    fn may_have(&self, place: usize, groups: &[u16]) -> bool {
        match self.slot(place) {
            Slot::Unknown | Slot::Any => true,
            Slot::Nothing => false,
            Slot::Signature { start, log2 } => groups.iter().all(|group| {
                let bit = usize::from(*group) >> (MOST_BITS_LOG2 - u32::from(log2));
                self.bits.get(start as usize + bit / 64).is_none_or(|bits| bits & (1 << (bit % 64)) != 0)
            }),
        }
    }
}

/// The block of a number, and its place there.
fn place(number: i64) -> (i64, usize) {
    (number.div_euclid(BLOCK), number.rem_euclid(BLOCK) as usize)
}

/// The bits that stand for a group of three bytes.
fn groups(text: &str) -> impl Iterator<Item = u16> + '_ {
    text.as_bytes().windows(3).map(|bytes| {
        let group = bytes.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        (group.wrapping_mul(0x9E37_79B1) >> 16) as u16
    })
}

impl TextIndex {
    /// Rings when there is something to do for a search.
    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// How many messages are known.
    pub fn messages(&self) -> usize {
        self.0.messages.load(Ordering::Relaxed)
    }

    /// Whether there is no room for more.
    pub(in crate::store) fn is_full(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) >= ALL_BYTES
    }

    /// Notes that a client searches in an environment.
    pub(in crate::store) fn follow(&self, environment: EnvironmentRow) {
        let searched_at = Instant::now();
        self.followed().entry(environment).or_insert(Followed { looked: 0, searched_at }).searched_at = searched_at;
        self.0.bell.ring();
    }

    /// Lets an environment that is followed be looked over again: older messages may have come back to it.
    pub fn look_over(&self, environment: EnvironmentRow) {
        if let Some(followed) = self.followed().get_mut(&environment) {
            followed.looked = 0;
        }
    }

    /// Whether there are any of those.
    pub fn is_followed(&self) -> bool {
        self.followed().values().any(|it| it.searched_at.elapsed() < PATIENCE)
    }

    /// Those in which clients search, the latest first, without those in which no client has searched for a while.
    pub(in crate::store) fn list_followed(&self) -> Vec<(EnvironmentRow, Followed)> {
        let mut followed = self.followed();
        followed.retain(|_, it| it.searched_at.elapsed() < PATIENCE);
        let mut list: Vec<_> = followed.iter().map(|(row, it)| (*row, *it)).collect();
        list.sort_by_key(|(_, it)| std::cmp::Reverse(it.searched_at));
        list
    }

    /// Notes how far an environment was looked at, unless it has begun anew meanwhile.
    pub(in crate::store) fn set_looked(&self, environment: EnvironmentRow, from: i64, looked: i64) {
        if let Some(followed) = self.followed().get_mut(&environment).filter(|it| it.looked == from) {
            followed.looked = looked;
        }
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<EnvironmentRow, Followed>> {
        self.0.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn block(&self, block: i64) -> Option<Arc<Block>> {
        self.0.blocks.read().unwrap_or_else(PoisonError::into_inner).get(&block).cloned()
    }

    /// The first number from one on, up to another, that nothing is known about.
    pub(in crate::store) fn first_unknown(&self, from: i64, up_to: i64) -> Option<i64> {
        let mut number = from;
        while number <= up_to {
            let (block, at) = place(number);
            let Some(found) = self.block(block) else { return Some(number) };
            let end = (up_to - number).min(BLOCK - 1 - at as i64) as usize;
            if let Some(offset) = (0..=end).find(|offset| found.slot(at + offset) == Slot::Unknown) {
                return Some(number + offset as i64);
            }
            number += end as i64 + 1;
        }
        None
    }

    /// Keeps what was found out about numbers, which are in their order.
    pub(in crate::store) fn put(&self, signs: &[(i64, Sign)]) {
        for signs in signs.chunk_by(|(a, _), (b, _)| place(*a).0 == place(*b).0) {
            let Some((number, _)) = signs.first() else { continue };
            let mut blocks = self.0.blocks.write().unwrap_or_else(PoisonError::into_inner);
            let block = blocks.entry(place(*number).0).or_insert_with(|| {
                let block = Block::default();
                self.0.bytes.fetch_add(block.bytes(), Ordering::Relaxed);
                Arc::new(block)
            });
            // Searches in progress keep what they have.
            let block = Arc::make_mut(block);
            let before = block.bytes();
            for (number, sign) in signs {
                let at = place(*number).1;
                if block.slot(at) == Slot::Unknown {
                    block.put(at, sign);
                    self.0.messages.fetch_add(usize::from(!matches!(sign, Sign::Nothing)), Ordering::Relaxed);
                }
            }
            self.0.bytes.fetch_add(block.bytes() - before, Ordering::Relaxed);
        }
    }

    /// Drops blocks that are no longer needed: `is_needed` is called with the first and the last number of each.
    pub(in crate::store) fn retain<E>(&self, mut is_needed: impl FnMut(i64, i64) -> Result<bool, E>) -> Result<(), E> {
        let known: Vec<i64> = {
            let blocks = self.0.blocks.read().unwrap_or_else(PoisonError::into_inner);
            blocks.keys().copied().collect()
        };
        for block in known {
            if is_needed(block * BLOCK, block * BLOCK + BLOCK - 1)? {
                continue;
            }
            let gone = self.0.blocks.write().unwrap_or_else(PoisonError::into_inner).remove(&block);
            if let Some(gone) = gone {
                let is_message = |slot: &&Slot| !matches!(slot, Slot::Unknown | Slot::Nothing);
                self.0.messages.fetch_sub(gone.slots.iter().filter(is_message).count(), Ordering::Relaxed);
                self.0.bytes.fetch_sub(gone.bytes(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// Makes signatures.
pub(in crate::store) struct Signer {
    /// A bit for each group that was found.
    seen: Vec<u64>,
    found: Vec<u16>,
}

impl Signer {
    pub fn new() -> Self {
        Signer { seen: vec![0; (1 << MOST_BITS_LOG2) / 64], found: Vec::new() }
    }

    /// Adds a text of the message, as it was written.
    pub fn add(&mut self, text: &str) {
        for group in groups(&folded(text)) {
            let (word, bit) = (usize::from(group / 64), 1_u64 << (group % 64));
            if let Some(word) = self.seen.get_mut(word).filter(|word| **word & bit == 0) {
                *word |= bit;
                self.found.push(group);
            }
        }
    }

    /// The signature of the message whose texts were added. Texts that follow belong to another.
    pub fn sign(&mut self) -> Sign {
        let bits = (self.found.len() * BITS_EACH).next_power_of_two().max(64);
        let log2 = bits.trailing_zeros();
        let mut signature = vec![0_u64; if log2 <= MOST_BITS_LOG2 { bits / 64 } else { 0 }];
        for group in self.found.drain(..) {
            if let Some(word) = self.seen.get_mut(usize::from(group / 64)) {
                *word = 0;
            }
            let bit = usize::from(group) >> MOST_BITS_LOG2.saturating_sub(log2);
            if let Some(word) = signature.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        if signature.is_empty() { Sign::Any } else { Sign::Signature(signature) }
    }
}

/// The messages that may have all of some words, which are folded.
pub(in crate::store) struct Candidates<'a> {
    index: &'a TextIndex,
    groups: Vec<u16>,
    /// The last block that was looked at.
    block: Option<(i64, Option<Arc<Block>>)>,
}

impl<'a> Candidates<'a> {
    pub fn new(index: &'a TextIndex, words: &[String]) -> Self {
        let mut groups: Vec<u16> = words.iter().flat_map(|word| groups(word)).collect();
        groups.sort_unstable();
        groups.dedup();
        Candidates { index, groups, block: None }
    }

    /// Whether the index can tell anything about these words: shorter ones it does not know.
    pub fn are_told(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The first number from one on, up to another, of a message that may have the words. Goes backwards if the other
    /// is lower.
    pub fn next(&mut self, from: i64, to: i64, step: i64) -> Option<i64> {
        self.find(from, to, step, true)
    }

    /// The end of the run of numbers, from one on, that may all have them.
    pub fn end_of_run(&mut self, from: i64, to: i64, step: i64) -> i64 {
        self.find(from, to, step, false).map_or(to, |other| other - step)
    }

    fn find(&mut self, from: i64, to: i64, step: i64, wanted: bool) -> Option<i64> {
        if self.groups.is_empty() {
            return wanted.then_some(from).filter(|from| (to - from) * step >= 0);
        }
        let mut number = from;
        while (to - number) * step >= 0 {
            let (block, at) = place(number);
            if self.block.as_ref().is_none_or(|(known, _)| *known != block) {
                self.block = Some((block, self.index.block(block)));
            }
            match self.block.as_ref().and_then(|(_, block)| block.as_ref()) {
                Some(found) if found.may_have(at, &self.groups) == wanted => return Some(number),
                Some(_) => number += step,
                // Nothing is known of the whole block.
                None if wanted => return Some(number),
                None if step > 0 => number = (block + 1) * BLOCK,
                None => number = block * BLOCK - 1,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(seed: u64, count: usize) -> Vec<String> {
        let mut random = seed;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let letters = ['a', 'B', 'c', 'é', 'Σ', '7', ' ', '-'];
        let mut text = || (0..next(200)).map(|_| letters[next(8) as usize]).collect::<String>();
        (0..count).map(|_| text()).collect()
    }

    #[test]
    fn what_has_a_word_is_never_ruled_out_and_most_of_the_others_are() {
        let index = TextIndex::default();
        let texts = texts(7, 3_000);
        let mut signer = Signer::new();
        let signs = texts.iter().map(|text| {
            signer.add(text);
            signer.sign()
        });
        let signs: Vec<(i64, Sign)> = (1..).zip(signs).filter(|(number, _)| number % 10 != 0).collect();
        index.put(&signs);
        assert_eq!(index.messages(), 2_700);
        let (mut looked_at, mut others) = (0, 0);
        for word in ["abc", "é7-", "cabc", "bbbbbbb", "οδος", "σας", "7777"] {
            let words = [folded(word)];
            let forward = |from, to| {
                let mut candidates = Candidates::new(&index, &words);
                let mut found = Vec::new();
                let mut at = from;
                while let Some(first) = candidates.next(at, to, 1) {
                    let last = candidates.end_of_run(first, to, 1);
                    found.extend(first..=last);
                    at = last + 1;
                }
                found
            };
            let found = forward(1, 3_000);
            let mut candidates = Candidates::new(&index, &words);
            let mut backward = Vec::new();
            let mut at = 3_000;
            while let Some(first) = candidates.next(at, 1, -1) {
                let last = candidates.end_of_run(first, 1, -1);
                backward.extend((last..=first).rev());
                at = last - 1;
            }
            backward.reverse();
            assert_eq!(found, backward, "{word}");
            for (number, text) in (1..).zip(&texts) {
                let has = folded(text).contains(&words[0]);
                let is_found = found.contains(&number);
                // Of what is not known nothing is ruled out.
                assert!(is_found || !has && number % 10 != 0, "{word}: {text}");
                looked_at += usize::from(is_found && !has && number % 10 != 0);
                others += usize::from(!has && number % 10 != 0);
            }
        }
        assert!(looked_at * 3 < others, "{looked_at} of {others}");
        assert_eq!(index.first_unknown(1, 3_000), Some(10));
        assert_eq!(index.first_unknown(11, 19), None);
        index.retain(|first, last| Ok::<_, ()>(first <= 2_000 && last >= 2_000)).unwrap();
        assert_eq!(index.first_unknown(11, 19), Some(11));
        assert!(index.messages() < 1_000);
    }
}
