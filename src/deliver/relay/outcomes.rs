//! What came of entries, written down in one step of Redis: their statuses, their dead letters, their acknowledgement and
//! their removal happen together or not at all.

use redis::Cmd;

use super::keys::{EVENT, Keys, SENDERS};
use super::report::Report;

/// Dead letters that are kept, about.
const DEAD_LETTERS: usize = 100_000;

/// What is wrong with a stream is seen before anything is changed. A Redis without memory refuses what takes some as the
/// first change of a script, and not behind one that takes none: so it lets a status in, for which the entry then goes.
const SCRIPT: &str = "local outbox, statuses, dead = KEYS[1], KEYS[2], KEYS[3]
    redis.call('XLEN', statuses)
    redis.call('XLEN', dead)
    redis.call('XDEL', outbox, '0-0')
    local at = 3
    while at <= #ARGV do
        local what, last = ARGV[at], at + 1 + tonumber(ARGV[at + 1])
        if what == 'status' then
            redis.call('XADD', statuses, '*', unpack(ARGV, at + 2, last))
        elseif what == 'dead' then
            redis.call('XADD', dead, 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, at + 2, last))
        else
            redis.call('XACK', outbox, ARGV[1], ARGV[last])
            redis.call('XDEL', outbox, ARGV[last])
        end
        at = last + 1
    end
    return 1";

pub struct Outcomes<'a> {
    keys: &'a Keys,
    /// Who says so.
    sender: &'a str,
    words: Vec<String>,
}

impl<'a> Outcomes<'a> {
    pub fn new(keys: &'a Keys, sender: &'a str) -> Self {
        Outcomes { keys, sender, words: Vec::new() }
    }

    /// What came of the entry with this id in the stream, which goes. `None`: nothing that is said of a message.
    pub fn add(&mut self, id: &str, report: Option<&Report>) {
        if let Some(report) = report {
            self.push("status", report.fields(self.sender));
        }
        self.push("gone", vec![id.to_owned()]);
    }

    pub fn add_dead_letter(&mut self, entry: i64, tries: u32, error: &str, event: &str) {
        let fields = [
            ("entry", entry.to_string().as_str()),
            ("tries", tries.to_string().as_str()),
            ("error", error),
            (EVENT, event),
        ]
        .iter()
        .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
        .collect();
        self.push("dead", fields);
    }

    fn push(&mut self, what: &str, fields: Vec<String>) {
        self.words.extend([what.to_owned(), fields.len().to_string()]);
        self.words.extend(fields);
    }

    pub fn command(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(SCRIPT).arg(3).arg(&self.keys.outbox).arg(&self.keys.statuses).arg(&self.keys.dead);
        command.arg(SENDERS).arg(DEAD_LETTERS).arg(&self.words);
        command
    }
}
