//! Addresses of e-mail, as RFC 5322 spells them.

use std::fmt;

use lettre::Address;
use lettre::message::Mailbox as ParsedMailbox;

/// An address, maybe with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<String>,
    /// Its domain is in ASCII, as it goes over the wire.
    pub email: String,
}

impl Mailbox {
    pub fn new(name: Option<String>, email: &str) -> Self {
        Mailbox { name: name.filter(|name| !name.is_empty()), email: in_ascii(email) }
    }

    /// The mailboxes in the value of a header, such as `"Lovelace, Ada" <ada@example.com>, bob@example.com`. One that is
    /// not spelled as it should be is taken apart at its brackets: its address is shown, and refused where it is to be
    /// used.
    pub fn list(text: &str) -> Vec<Mailbox> {
        entries(text).into_iter().map(Mailbox::one).collect()
    }

    fn one(text: &str) -> Mailbox {
        if let Ok(ParsedMailbox { name, email }) = text.parse() {
            return Mailbox::new(name, email.as_ref());
        }
        match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, email)) => Mailbox::new(Some(name.trim().trim_matches('"').to_owned()), email.trim()),
            None => Mailbox::new(None, text),
        }
    }

    /// Why nothing can be sent there.
    pub fn problem(&self) -> Option<String> {
        problem(&self.email)
    }
}

/// As a header has it: a name is in quotes if it holds what would end it.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = &self.name else { return f.write_str(&self.email) };
        // Of what RFC 5322 has in words without quotes, and what JSON can hold besides.
        let is_plain = |c: char| c.is_alphanumeric() || !c.is_ascii() || " !#$%&'*+-/=?^_`{|}~".contains(c);
        match name.chars().all(is_plain) {
            true => write!(f, "{name} <{}>", self.email),
            false => {
                let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "\"{quoted}\" <{}>", self.email)
            }
        }
    }
}

/// The mailboxes of a text that is not filled in yet: the names of those that have one, and the addresses.
pub fn parted(text: &str) -> Vec<(Option<String>, &str)> {
    let mut parted = Vec::new();
    for entry in entries(text) {
        match entry.strip_suffix('>').and_then(|it| it.rsplit_once('<')) {
            Some((name, email)) => parted.push((Some(unquoted(name.trim())), email.trim())),
            None => parted.push((None, entry)),
        }
    }
    parted
}

/// A name without its quotes.
fn unquoted(name: &str) -> String {
    let Some(quoted) = name.strip_prefix('"').and_then(|it| it.strip_suffix('"')) else { return name.to_owned() };
    let mut chars = quoted.chars();
    std::iter::from_fn(|| chars.next().and_then(|c| if c == '\\' { chars.next() } else { Some(c) })).collect()
}

/// Why nothing can be sent to an address.
pub fn problem(address: &str) -> Option<String> {
    let error = in_ascii(address).parse::<Address>().err()?;
    let shown: String = address.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(format!("'{shown}' is not an e-mail address: {error}"))
}

/// The entries of a list: what stands between commas that are neither in quotes nor in brackets nor in a comment.
fn entries(text: &str) -> Vec<&str> {
    let (mut entries, mut start, mut brackets, mut comments) = (Vec::new(), 0, 0_usize, 0_usize);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match c {
            '\\' if is_quoted || comments > 0 => is_escaped = true,
            '"' if comments == 0 => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' => comments += 1,
            ')' => comments = comments.saturating_sub(1),
            _ if comments > 0 => {}
            '<' => brackets += 1,
            '>' => brackets = brackets.saturating_sub(1),
            ',' if brackets == 0 => {
                entries.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    entries.push(&text[start..]);
    entries.retain_mut(|entry| {
        *entry = entry.trim();
        !entry.is_empty()
    });
    entries
}

/// An address with its domain in ASCII: `ada@bücher.example` is `ada@xn--bcher-kva.example`. A domain that cannot be is
/// left as it is, and refused where it is to be used.
fn in_ascii(address: &str) -> String {
    match parts(address) {
        Some((name, domain)) if !domain.is_ascii() => match idna::domain_to_ascii(domain) {
            Ok(domain) => format!("{name}@{domain}"),
            Err(_) => address.to_owned(),
        },
        _ => address.to_owned(),
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
            ("\"Acme, Inc.\" <x@example.com>", vec![named("Acme, Inc.", "x@example.com")]),
            (
                "\"Acme, \\\"Inc\\\".\" <x@example.com>, not one, <y@example.com>",
                vec![named("Acme, \"Inc\".", "x@example.com"), alone("not one"), alone("y@example.com")],
            ),
            ("Bücher <ada@bücher.example>", vec![named("Bücher", "ada@xn--bcher-kva.example")]),
            ("", vec![]),
            (" , ", vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(Mailbox::list(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mailbox_is_written_as_it_is_read() {
        for text in ["ada@example.com", "Ada <ada@example.com>", "\"Acme, \\\"Inc\\\".\" <x@example.com>"] {
            let mailboxes = Mailbox::list(text);
            assert_eq!((mailboxes.len(), mailboxes[0].to_string().as_str()), (1, text));
        }
        assert_eq!(problem("ada@bücher.example"), None);
        assert!(problem("not one").is_some_and(|it| it.starts_with("'not one' is not an e-mail address")));
    }

    #[test]
    fn a_text_with_variables_has_names_and_addresses() {
        let named = |name: &str, email| (Some(name.to_owned()), email);
        assert_eq!(
            parted("\"{{company}}, \\\"Inc\\\"\" <{{ from }}>, {{join cc \", \"}}, {{name}} <a@example.com>"),
            [
                named("{{company}}, \"Inc\"", "{{ from }}"),
                (None, "{{join cc \", \"}}"),
                named("{{name}}", "a@example.com")
            ]
        );
    }

    #[test]
    fn the_domain_stands_behind_the_last_at() {
        assert_eq!(parts("ada@example.com"), Some(("ada", "example.com")));
        assert_eq!(parts("\"a@b\"@example.com"), Some(("\"a@b\"", "example.com")));
        assert_eq!(parts("ada"), None);
    }
}
