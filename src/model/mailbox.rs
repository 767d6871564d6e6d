//! Addresses of e-mail, as RFC 5322 spells them.

use std::borrow::Cow;
use std::fmt;

use lettre::Address;

use super::encoded_words;

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

    /// The mailboxes in the value of a header, such as `"Lovelace, Ada" <ada@example.com>, bob@example.com`. A
    /// malformed one is split at its brackets: its address is shown, and refused where it is used.
    pub fn list(text: &str) -> Vec<Mailbox> {
        entries(text).into_iter().filter_map(Mailbox::one).collect()
    }

    /// The mailbox of one recipient. `None` if the text has none, or several.
    pub fn alone(text: &str) -> Option<Mailbox> {
        let mut found = Mailbox::list(text).into_iter();
        found.next().filter(|_| found.next().is_none())
    }

    /// `None` for a comment alone.
    fn one(text: &str) -> Option<Mailbox> {
        let (text, comment) = without_comments(text);
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let (name, email) = match text.strip_suffix('>').and_then(split_brackets) {
            Some((name, email)) => (phrase(name), email.trim()),
            None => (String::new(), text),
        };
        // An obsolete source route.
        let email = match email.strip_prefix('@').and_then(|it| it.split_once(':')) {
            Some((_, email)) => email.trim(),
            None => email,
        };
        // Before there were brackets, names were comments.
        let name = if name.is_empty() { comment.map(|it| phrase(&it)).unwrap_or_default() } else { name };
        Some(Mailbox::new(Some(name), email))
    }

    /// Why nothing can be sent there.
    pub fn problem(&self) -> Option<String> {
        problem(&self.email)
    }
}

/// In the form of a header: a name is in quotes if it holds characters that would end it.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = &self.name else { return f.write_str(&self.email) };
        // Characters that RFC 5322 allows without quotes, and what else JSON can hold.
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

/// The mailboxes of a text with variables: the names of those that have one, and the addresses.
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

/// The parts before and after the last opening bracket that is not in quotes.
fn split_brackets(text: &str) -> Option<(&str, &str)> {
    let mut found = None;
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if std::mem::take(&mut is_escaped) => {}
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '<' if !is_quoted => found = Some(at),
            _ => {}
        }
    }
    let (name, email) = text.split_at_checked(found?)?;
    Some((name, email.strip_prefix('<')?))
}

/// The words of a name, without quotes, decoded.
fn phrase(text: &str) -> String {
    encoded_words::decoded(&unquoted(text.trim()))
}

/// A name without the quotes around it or around some of its words. Quotes in an expression belong to the expression.
fn unquoted(name: &str) -> String {
    let (mut plain, mut is_quoted, mut expressions) = (String::with_capacity(name.len()), false, 0_usize);
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        if !is_quoted {
            match c {
                '{' => expressions += 1,
                '}' => expressions = expressions.saturating_sub(1),
                _ => {}
            }
            if expressions > 0 {
                plain.push(c);
                continue;
            }
        }
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    plain
}

/// A text without its comments, and the last comment.
fn without_comments(text: &str) -> (Cow<'_, str>, Option<String>) {
    if !text.contains('(') {
        return (Cow::Borrowed(text), None);
    }
    let (mut plain, mut comment, mut depth) = (String::with_capacity(text.len()), String::new(), 0_usize);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in text.chars() {
        let was_escaped = std::mem::take(&mut is_escaped);
        match c {
            '(' if !is_quoted && !was_escaped => {
                if depth == 0 {
                    comment.clear();
                }
                depth += 1;
                continue;
            }
            ')' if depth > 0 && !was_escaped => {
                depth -= 1;
                continue;
            }
            '\\' if (is_quoted || depth > 0) && !was_escaped => is_escaped = true,
            '"' if depth == 0 && !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        if depth > 0 { comment.push(c) } else { plain.push(c) }
    }
    // A comment without an end is not one.
    if depth > 0 {
        return (Cow::Borrowed(text), None);
    }
    (Cow::Owned(plain), Some(comment).filter(|it| !it.trim().is_empty()))
}

/// Why nothing can be sent to an address.
pub fn problem(address: &str) -> Option<String> {
    if is_plain(address) {
        return None;
    }
    let error = in_ascii(address).parse::<Address>().err()?;
    Some(format!("'{}' is not an e-mail address: {error}", in_line(address)))
}

/// Whether an address is of the simple kind that nearly all are, which cannot be invalid. Every message asks this, and
/// parsing an address takes as long as filling in a short text.
fn is_plain(address: &str) -> bool {
    let is_word = |word: &str, others: &[u8]| {
        let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || others.contains(byte);
        let ends = [word.as_bytes().first(), word.as_bytes().last()];
        word.len() < 64
            && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
            && word.bytes().all(|it| is_inner(&it))
    };
    let Some((local, domain)) = address.split_once('@') else { return false };
    let is_local = local.len() < 64 && local.split('.').all(|word| is_word(word, b"+-_"));
    is_local && domain.len() < 200 && domain.split('.').all(|label| is_word(label, b"-"))
}

/// The address of a recipient, without the name that may be beside it.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_suffix('>').and_then(split_brackets).map_or(text, |(_, email)| email.trim())
}

/// Why nothing can be sent to a recipient. In a profile a name may stand beside the address.
pub fn problem_of_recipient(text: &str) -> Option<String> {
    // Most are an address alone.
    if text.trim() == text && !text.contains(['<', ',', '(', '"', ';']) {
        return problem(text);
    }
    let found = Mailbox::list(text);
    match found.as_slice() {
        [one] => one.problem(),
        [] => problem(text),
        several => Some(format!("'{}' is {} addresses, and a recipient has one", in_line(text), several.len())),
    }
}

fn in_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The entries of a list: the parts between commas that are not in quotes, in brackets or in a comment. The members of
/// a group, `Team: ada@example.com, bob@example.com;`, are entries like others.
fn entries(text: &str) -> Vec<&str> {
    let (mut entries, mut start, mut brackets, mut comments) = (Vec::new(), 0, 0_usize, 0_usize);
    let (mut is_quoted, mut is_escaped) = (false, false);
    let (mut expressions, mut group) = (0_usize, None);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match c {
            '\\' if is_quoted || comments > 0 => is_escaped = true,
            '"' if comments == 0 => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '{' => expressions += 1,
            '}' => expressions = expressions.saturating_sub(1),
            '(' => comments += 1,
            ')' => comments = comments.saturating_sub(1),
            _ if comments > 0 => {}
            '<' => brackets += 1,
            '>' => brackets = brackets.saturating_sub(1),
            ',' if brackets == 0 => {
                entries.push(&text[start..at]);
                start = at + 1;
            }
            ':' if brackets == 0 && expressions == 0 && group.is_none() => group = Some((entries.len(), start, at + 1)),
            ';' if brackets == 0 && expressions == 0 => {
                // The name of a group is not a part of its first member.
                if let Some((first, name, members)) = group.take() {
                    match entries.get_mut(first) {
                        Some(entry) => *entry = entry.get(members - name..).unwrap_or_default(),
                        None => start = members,
                    }
                }
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

/// An address with its domain in ASCII: `ada@bücher.example` is `ada@xn--bcher-kva.example`. A domain that cannot be
/// converted stays as it is, and is refused where it is used.
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
    fn what_is_plain_is_an_address() {
        let words =
            ["a", "9", "a-b", "A_b+c", "-a", "a-", "a..b", ".", "", "é", "a b", &"x".repeat(63), &"x".repeat(64)];
        let mut plain = 0;
        for local in words {
            for [domain, end] in
                [["a", "b"], ["a-b", "io"], ["-a", "io"], ["a", "-"], ["", "io"], ["a", ""], [words[11], "io"]]
            {
                for address in
                    [format!("{local}@{domain}.{end}"), format!("{local}.{local}@{domain}"), format!("{local}{end}")]
                {
                    let parsed = in_ascii(&address).parse::<Address>();
                    assert!(!is_plain(&address) || parsed.is_ok(), "{address}");
                    plain += usize::from(is_plain(&address));
                }
            }
        }
        assert!(plain > 20, "{plain}");
    }

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
            ("ada@example.com (Ada Lovelace)", vec![named("Ada Lovelace", "ada@example.com")]),
            ("Ada (a, b (c)) <ada@example.com>(home), (nobody)", vec![named("Ada", "ada@example.com")]),
            ("A :-) <ada@example.com>", vec![named("A :-)", "ada@example.com")]),
            (
                "Team: ada@example.com, Bob <bob@example.com>;, c@example.com",
                vec![alone("ada@example.com"), named("Bob", "bob@example.com"), alone("c@example.com")],
            ),
            ("x@example.com, \"A: b\": ada@example.com;", vec![alone("x@example.com"), alone("ada@example.com")]),
            ("undisclosed-recipients:;", vec![]),
            ("a@example.com; b@example.com", vec![alone("a@example.com"), alone("b@example.com")]),
            ("=?utf-8?Q?Ad=C3=A9_L.?= <ada@example.com>", vec![named("Adé L.", "ada@example.com")]),
            ("\"Ada\" L. <ada@example.com>", vec![named("Ada L.", "ada@example.com")]),
            ("<@a.example,@b.example:ada@example.com>", vec![alone("ada@example.com")]),
            ("\"a <b@c>\" <ada@example.com>", vec![named("a <b@c>", "ada@example.com")]),
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
    fn a_recipient_may_have_a_name_and_is_one() {
        let alone = |text| Mailbox::alone(text).map(|it| it.to_string());
        assert_eq!(alone(" ada@example.com "), Some("ada@example.com".to_owned()));
        assert_eq!(alone("Ada <ada@example.com>"), Some("Ada <ada@example.com>".to_owned()));
        assert_eq!(alone("ada@example.com, bob@example.com"), None);
        assert_eq!(problem_of_recipient("Ada <ada@example.com> "), None);
        assert!(problem_of_recipient("a@example.com,b@example.com").is_some_and(|it| it.contains("is 2 addresses")));
        for wrong in ["", "nobody", "Ada <nobody>", "(c)"] {
            assert!(problem_of_recipient(wrong).is_some_and(|it| it.contains("is not an e-mail address")), "{wrong}");
        }
    }

    #[test]
    fn the_domain_stands_behind_the_last_at() {
        assert_eq!(parts("ada@example.com"), Some(("ada", "example.com")));
        assert_eq!(parts("\"a@b\"@example.com"), Some(("\"a@b\"", "example.com")));
        assert_eq!(parts("ada"), None);
    }
}
