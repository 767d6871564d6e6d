//! What a sender says of an entry, as it stands in the stream of statuses.

use redis::Pipeline;

use super::keys::{Keys, SENDERS, field};
use crate::error::shown_up_to;

/// Characters of what a provider said.
const LONGEST: usize = 1_000;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of the queue.
    pub entry: i64,
    /// The event's. Empty where the sender could not read the event.
    pub event_id: String,
    pub outcome: Told,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Accepted { reference: Option<String> },
    Refused { reason: Option<String>, error: String },
}

impl Report {
    pub fn accepted(entry: i64, event_id: &str, reference: Option<String>) -> Self {
        Report { entry, event_id: event_id.to_owned(), outcome: Told::Accepted { reference } }
    }

    pub fn refused(entry: i64, event_id: &str, reason: Option<String>, error: &str) -> Self {
        let error = shown_up_to(error, LONGEST).to_string();
        Report { entry, event_id: event_id.to_owned(), outcome: Told::Refused { reason, error } }
    }

    /// Why it was refused, if it was.
    pub fn error(&self) -> Option<&str> {
        match &self.outcome {
            Told::Accepted { .. } => None,
            Told::Refused { error, .. } => Some(error),
        }
    }

    /// Has it written down, and the entry taken away.
    pub fn write(&self, commands: &mut Pipeline, keys: &Keys, id: &str, sender: &str) {
        let command = commands.cmd("XADD").arg(&keys.statuses).arg("*");
        command.arg("entry").arg(self.entry).arg("id").arg(&self.event_id).arg("sender").arg(sender);
        match &self.outcome {
            Told::Accepted { reference } => {
                command.arg("outcome").arg("accepted");
                if let Some(reference) = reference {
                    command.arg("reference").arg(reference);
                }
            }
            Told::Refused { reason, error } => {
                command.arg("outcome").arg("refused").arg("error").arg(error);
                if let Some(reason) = reason {
                    command.arg("reason").arg(reason);
                }
            }
        }
        commands.ignore();
        commands.cmd("XACK").arg(&keys.outbox).arg(SENDERS).arg(id).ignore();
        commands.cmd("XDEL").arg(&keys.outbox).arg(id).ignore();
    }

    /// Reads one that a sender wrote, which may be another program. The error says what was expected.
    pub fn read(fields: &[String]) -> Result<Self, &'static str> {
        let entry = field(fields, "entry").and_then(|entry| entry.parse().ok());
        let entry = entry.filter(|entry: &i64| *entry > 0).ok_or("expected the number of an entry in 'entry'")?;
        let short = |name: &str| field(fields, name).map(|text| shown_up_to(text, LONGEST).to_string());
        let outcome = match field(fields, "outcome") {
            Some("accepted") => Told::Accepted { reference: short("reference") },
            Some("refused") => Told::Refused {
                reason: short("reason"),
                error: short("error").unwrap_or_else(|| "the sender did not say why".to_owned()),
            },
            _ => return Err("expected 'accepted' or 'refused' in 'outcome'"),
        };
        Ok(Report { entry, event_id: field(fields, "id").unwrap_or_default().to_owned(), outcome })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_others_write_is_read_or_refused() {
        let read = |text: &str| Report::read(&fields(text));
        assert_eq!(
            read("outcome accepted entry 7 id 1-a/0 reference R1 more x"),
            Ok(Report::accepted(7, "1-a/0", Some("R1".to_owned())))
        );
        let refused = Report::refused(7, "", Some("BOUNCED".to_owned()), "gone");
        assert_eq!(read("outcome refused entry 7 reason BOUNCED error gone"), Ok(refused));
        for wrong in ["", "entry", "entry 0 outcome accepted", "entry x outcome accepted", "entry 7 outcome lost"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
