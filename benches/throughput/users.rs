//! The users of the benchmark: random ids, about 210 bytes of JSON each.

/// A small generator of random numbers (xorshift), the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// The id of a user is written over this.
const ID: &str = "xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx";

/// A call's body, made once and given new ids for each call.
pub struct Batch {
    body: Vec<u8>,
    ids: Vec<usize>,
    users: Vec<std::ops::Range<usize>>,
    random: Random,
}

impl Batch {
    pub fn new(users: usize, seed: u64) -> Self {
        let mut body = b"{\"users\":[".to_vec();
        let (mut ids, mut spans) = (Vec::new(), Vec::new());
        for i in 0..users {
            if i > 0 {
                body.push(b',');
            }
            let start = body.len();
            let user = format!(
                "{{\"recipient\":\"{ID}\",\"profile\":{{\"email\":\"reader-{i:06}@example.com\"}},\"data\":{{\"name\":\"Reader {i:06}\",\
                 \"plan\":\"business\",\"amount\":{},\"city\":\"Amsterdam\",\"order\":\"A-{i:08}\"}}}}",
                i % 90 + 10
            );
            ids.push(start + user.find(ID).unwrap());
            body.extend_from_slice(user.as_bytes());
            spans.push(start..body.len());
        }
        body.extend_from_slice(b"]}");
        let mut batch = Batch { body, ids, users: spans, random: Random::new(seed) };
        batch.renew();
        batch
    }

    /// Gives every user a new random id.
    pub fn renew(&mut self) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        for &at in &self.ids {
            let (mut high, mut low) = (self.random.next(), self.random.next());
            for (i, byte) in self.body[at..at + ID.len()].iter_mut().enumerate() {
                if *byte != b'-' && i != 14 {
                    *byte = HEX[(high & 15) as usize];
                    high = high >> 4 | low << 60;
                    low >>= 4;
                }
            }
        }
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Recipient and JSON of each user.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |span: std::ops::Range<usize>| std::str::from_utf8(&self.body[span]).unwrap();
        self.ids.iter().zip(&self.users).map(move |(&id, user)| (text(id..id + ID.len()), text(user.clone())))
    }
}
