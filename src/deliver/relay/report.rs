//! What a sender says of an entry, as it stands in the stream of statuses.

use super::keys::field;
use crate::error::shown_up_to;

/// Characters of what a provider said.
const LONGEST: usize = 1_000;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of the queue.
    pub entry: i64,
    /// The event's: it says of which message this is.
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

    /// As it stands in the stream: names and values by turns.
    pub fn fields(&self, sender: &str) -> Vec<String> {
        let entry = self.entry.to_string();
        let mut fields = vec![("entry", entry.as_str()), ("id", &self.event_id), ("sender", sender)];
        match &self.outcome {
            Told::Accepted { reference } => {
                fields.push(("outcome", "accepted"));
                fields.extend(reference.as_deref().map(|it| ("reference", it)));
            }
            Told::Refused { reason, error } => {
                fields.extend([("outcome", "refused"), ("error", error)]);
                fields.extend(reason.as_deref().map(|it| ("reason", it)));
            }
        }
        fields.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect()
    }

    /// Reads one that a sender wrote, which may be another program. The error says what was expected.
    pub fn read(fields: &[String]) -> Result<Self, &'static str> {
        let entry = field(fields, "entry").and_then(|entry| entry.parse().ok());
        let entry = entry.filter(|entry: &i64| *entry > 0).ok_or("expected the number of an entry in 'entry'")?;
        let event_id = field(fields, "id").filter(|id| !id.is_empty()).ok_or("expected the event's id in 'id'")?;
        let short = |name: &str| field(fields, name).map(|text| shown_up_to(text, LONGEST).to_string());
        let outcome = match field(fields, "outcome") {
            Some("accepted") => Told::Accepted { reference: short("reference") },
            Some("refused") => Told::Refused {
                reason: short("reason"),
                error: short("error").unwrap_or_else(|| "the sender did not say why".to_owned()),
            },
            _ => return Err("expected 'accepted' or 'refused' in 'outcome'"),
        };
        Ok(Report { entry, event_id: event_id.to_owned(), outcome })
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
        let refused = Report::refused(7, "1-a/0", Some("BOUNCED".to_owned()), "gone");
        assert_eq!(read("outcome refused entry 7 id 1-a/0 reason BOUNCED error gone"), Ok(refused.clone()));
        assert_eq!(Report::read(&refused.fields("one")), Ok(refused));
        for (wrong, expected) in [
            ("", "'entry'"),
            ("entry", "'entry'"),
            ("id a entry 0 outcome accepted", "'entry'"),
            ("id a entry x outcome accepted", "'entry'"),
            ("id a entry 7 outcome lost", "'outcome'"),
            ("entry 7 outcome accepted", "'id'"),
        ] {
            assert!(read(wrong).is_err_and(|error| error.ends_with(expected)), "{wrong}");
        }
    }
}
