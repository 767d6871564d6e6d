//! Addresses of e-mail, as RFC 5322 spells them.

use lettre::message::Mailboxes;

/// An address, maybe with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<String>,
    pub email: String,
}

impl Mailbox {
    /// The mailboxes in the value of a header, such as `"Lovelace, Ada" <ada@example.com>, bob@example.com`. A value that
    /// is not spelled as it should be is taken apart at commas and brackets: its address is shown, and refused where it
    /// is to be used.
    pub fn list(text: &str) -> Vec<Mailbox> {
        match text.parse::<Mailboxes>() {
            Ok(mailboxes) => {
                mailboxes.into_iter().map(|it| Mailbox { name: it.name, email: it.email.to_string() }).collect()
            }
            Err(_) => text.split(',').filter_map(Mailbox::guess).collect(),
        }
    }

    fn guess(text: &str) -> Option<Mailbox> {
        let text = text.trim();
        match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, email)) => {
                let name = name.trim().trim_matches('"').to_owned();
                Some(Mailbox { name: Some(name).filter(|name| !name.is_empty()), email: email.trim().to_owned() })
            }
            None => (!text.is_empty()).then(|| Mailbox { name: None, email: text.to_owned() }),
        }
    }
}

/// The parts of an address: the local part, which may hold an `@` in quotes, and the domain.
pub fn parts(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_read_as_a_header_has_them() {
        let named = |name: &str, email: &str| Mailbox { name: Some(name.to_owned()), email: email.to_owned() };
        let alone = |email: &str| Mailbox { name: None, email: email.to_owned() };
        let cases = [
            ("ada@example.com", vec![alone("ada@example.com")]),
            (" ada@example.com , bob@example.com", vec![alone("ada@example.com"), alone("bob@example.com")]),
            ("Ada Lovelace <ada@example.com>", vec![named("Ada Lovelace", "ada@example.com")]),
            (
                "\"Lovelace, Ada\" <ada@example.com>, bob@example.com",
                vec![named("Lovelace, Ada", "ada@example.com"), alone("bob@example.com")],
            ),
            ("Ada <nowhere>, bob", vec![named("Ada", "nowhere"), alone("bob")]),
            ("{{email}}", vec![alone("{{email}}")]),
            ("", vec![]),
            (" , ", vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(Mailbox::list(text), expected, "{text}");
        }
    }

    #[test]
    fn the_domain_stands_behind_the_last_at() {
        assert_eq!(parts("ada@example.com"), Some(("ada", "example.com")));
        assert_eq!(parts("\"a@b\"@example.com"), Some(("\"a@b\"", "example.com")));
        assert_eq!(parts("ada"), None);
    }
}
