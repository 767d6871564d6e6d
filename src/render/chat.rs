//! Texts for chats. They are stored as the author wrote them, with a backslash before each character of the data that
//! could be markup. When they are read they are converted into a provider's own markup: marks and mentions of the
//! author apply, those of data stay text.

use std::borrow::Cow;

/// Follows a mark in data, since Slack has no escape for marks: a zero-width space, at which no bold or italic text
/// begins or ends.
pub const BREAK: char = '\u{200b}';
/// Replaces a backtick of the data in code that it would end.
pub const BACKTICK: char = '\u{2cb}';

/// A character that the author wrote, or one of the data, which is text in any case.
#[derive(Clone, Copy)]
enum ChatChar {
    Author(char),
    Data(char),
}

impl ChatChar {
    fn get(self) -> char {
        match self {
            ChatChar::Author(c) | ChatChar::Data(c) => c,
        }
    }
}

/// Data as they are stored.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '\r' => {}
            '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '(' | ')' | '~' | '#' | '&' | '|' | '\n' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    out
}

fn chars(source: &str) -> Vec<ChatChar> {
    let (mut found, mut rest) = (Vec::with_capacity(source.len()), source.chars());
    while let Some(c) = rest.next() {
        found.push(match c {
            '\\' => match rest.next() {
                // The author's own backslash is stored as two, and so is one of the data: it is no markup.
                Some(c) => ChatChar::Data(c),
                None => ChatChar::Author(c),
            },
            c => ChatChar::Author(c),
        });
    }
    found
}

/// As plain text.
pub fn plain(source: &str) -> String {
    recalled(chars(source).into_iter().map(ChatChar::get).collect())
}

/// As Markdown, for providers that display it, such as Teams and Discord.
pub fn markdown(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for c in chars(source) {
        match c {
            ChatChar::Author(c) | ChatChar::Data(c @ '\n') => out.push(c),
            ChatChar::Data(c) => out.extend(['\\', c]),
        }
    }
    out
}

/// Names that mention many users on Discord, in any text.
const CALLED: [&str; 2] = ["everyone", "here"];

/// Data that mention no users: a zero-width space splits `@everyone` and `@here`, even if the rest follows the data.
pub fn uncalled(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices('@') {
        let rest = text.get(at + 1..).unwrap_or_default();
        if CALLED.iter().any(|name| is_called(rest, name) || name.starts_with(rest)) {
            out.push_str(text.get(copied..=at).unwrap_or_default());
            out.push(BREAK);
            copied = at + 1;
        }
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(out + text.get(copied..).unwrap_or_default()),
    }
}

/// Whether data complete a mention that begins before them, as in `@{{name}}`.
pub fn completes_call(before: &str, data: &str) -> bool {
    let parts = |name: &'static str| (0..name.len()).filter_map(move |at| name.split_at_checked(at));
    let is_begun = |begun: &str| before.strip_suffix(begun).is_some_and(|before| before.ends_with('@'));
    let is_completed =
        |(begun, missing): (&str, &str)| is_begun(begun) && (is_called(data, missing) || missing.starts_with(data));
    !data.is_empty() && CALLED.into_iter().flat_map(parts).any(is_completed)
}

/// An address that mentions no users, and leads to the same place.
pub fn uncalled_address(address: &str) -> Cow<'_, str> {
    match uncalled(address) {
        Cow::Owned(uncalled) => Cow::Owned(uncalled.replace("@\u{200b}", "%40")),
        address => address,
    }
}

/// Stands for the author's own mentions while other mentions are searched for. Unicode keeps it out of texts.
const AUTHORS_CALL: char = '\u{fdd6}';

/// The author's words with their mentions marked, for [`only_marked_call`].
pub fn with_marked_calls(words: &str) -> String {
    CALLED.into_iter().fold(without_marked_calls(words), |words, name| {
        words.replace(&format!("@{name}"), &format!("{AUTHORS_CALL}{name}"))
    })
}

/// Data have no such marks.
pub fn without_marked_calls(data: &str) -> String {
    data.replace(AUTHORS_CALL, "")
}

/// Words in which only the marked mentions apply.
pub fn only_marked_call(words: &str) -> String {
    uncalled(words).replace(AUTHORS_CALL, "@")
}

/// Words for providers without such mentions, as they were before [`uncalled`].
pub fn recalled(words: String) -> String {
    if words.contains(BREAK) { words.replace("@\u{200b}", "@") } else { words }
}

fn is_called(rest: &str, name: &str) -> bool {
    rest.strip_prefix(name).is_some_and(|behind| !behind.starts_with(char::is_alphanumeric))
}

/// Whether a text mentions `@everyone` or `@here`.
pub fn calls_everyone(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        CALLED.iter().any(|name| is_called(rest, name))
    })
}

/// The same if the author's words are not Markdown either.
pub fn literal(text: &str) -> String {
    let text = &*uncalled(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\*_`[]<>()~#&|".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// In the markup of Slack.
pub fn slack(source: &str) -> String {
    let chars = chars(source);
    let (mut out, mut at, mut is_code) = (String::with_capacity(source.len() + 16), 0, false);
    while let Some(c) = chars.get(at).copied() {
        match c {
            // Code has no marks except its end.
            ChatChar::Author('`') => {
                let is_closed =
                    || chars.get(at + 1..).unwrap_or_default().iter().any(|it| matches!(it, ChatChar::Author('`')));
                is_code = !is_code && is_closed();
                out.push('`');
            }
            ChatChar::Data('`') if is_code => out.push(BACKTICK),
            ChatChar::Data(c) if is_code => push_escaped(c, &mut out),
            ChatChar::Author('<') => match reference(chars.get(at..).unwrap_or_default()) {
                Some((reference, length)) => {
                    out.push_str(&reference);
                    at += length;
                    continue;
                }
                None => out.push_str("&lt;"),
            },
            ChatChar::Author('&') if is_entity(chars.get(at..).unwrap_or_default()) => out.push('&'),
            ChatChar::Author(c) => push_escaped(c, &mut out),
            ChatChar::Data(c) => {
                let is_word =
                    |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|it| it.get().is_alphanumeric());
                let is_inside = is_word(at.checked_sub(1)) && is_word(Some(at + 1));
                push_data(c, is_inside, &mut out);
            }
        }
        at += 1;
    }
    out
}

/// Data, or words without marks, as text for Slack.
pub fn slack_data(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_word = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in chars.iter().enumerate() {
        push_data(*c, is_word(at.checked_sub(1)) && is_word(Some(at + 1)), &mut out);
    }
    out
}

/// Between two letters a mark has no effect.
fn push_data(c: char, is_inside: bool, out: &mut String) {
    push_escaped(c, out);
    if matches!(c, '*' | '_' | '~') && !is_inside || c == '`' {
        out.push(BREAK);
    }
}

/// The three characters that Slack requires to be escaped: escaped, they cannot mention a user or fake a link.
pub fn push_escaped(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}

pub fn slack_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(c, &mut out));
    out
}

fn is_entity(rest: &[ChatChar]) -> bool {
    let beginning: String = rest.iter().take(5).map(|c| c.get()).collect();
    ["&amp;", "&lt;", "&gt;"].iter().any(|entity| beginning.starts_with(entity))
}

/// The longest reference of Slack's that is searched for, in characters.
const REFERENCE_CHARS: usize = 3_000;

/// A mention or link that the author wrote, such as `<@U123>`, `<!here>` or `<https://example.com|words>`, at the start
/// of the characters, and its length in characters.
fn reference(chars: &[ChatChar]) -> Option<(String, usize)> {
    let end = chars.iter().take(REFERENCE_CHARS).position(|c| matches!(c, ChatChar::Author('>' | '\n')))?;
    let inside = chars.get(1..end).filter(|_| matches!(chars.get(end), Some(ChatChar::Author('>'))))?;
    let beginning: String = inside.iter().take(8).map(|c| c.get()).collect();
    let is_mention = matches!(inside.first(), Some(ChatChar::Author('@' | '#' | '!'))) && inside.len() > 1;
    let is_link = ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| beginning.starts_with(scheme));
    if !is_mention && !is_link {
        return None;
    }
    let (mut out, mut is_label) = (String::from("<"), false);
    for c in inside.iter().copied() {
        match c {
            ChatChar::Author('|') => {
                is_label = true;
                out.push('|');
            }
            ChatChar::Data('|') if !is_label => out.push_str("%7C"),
            ChatChar::Data(c) if is_label => push_data(c, false, &mut out),
            c => push_escaped(c.get(), &mut out),
        }
    }
    out.push('>');
    Some((out, end + 1))
}

/// Stands for a reference while Markdown is parsed. Unicode keeps both characters out of texts.
const OPEN: char = '\u{fdd2}';
const CLOSE: char = '\u{fdd3}';

/// Markdown with placeholders for the author's references, which are not Markdown, and the references.
pub fn without_references(source: &str) -> (String, Vec<String>) {
    let chars = chars_of_markdown(source);
    let (mut out, mut found, mut at) = (String::with_capacity(source.len()), Vec::new(), 0);
    while let Some(c) = chars.get(at).copied() {
        if matches!(c, ChatChar::Author('<'))
            && let Some((reference, length)) = reference(chars.get(at..).unwrap_or_default())
            && (reference.contains('|') || !reference.contains(':'))
        {
            out.push_str(&format!("{OPEN}{}{CLOSE}", found.len()));
            found.push(reference);
            at += length;
            continue;
        }
        match c {
            ChatChar::Author(OPEN | CLOSE) => {}
            ChatChar::Author(c) => out.push(c),
            ChatChar::Data(c) => out.extend(['\\', c]),
        }
        at += 1;
    }
    (out, found)
}

/// In Markdown a backslash stands for itself if no mark follows.
fn chars_of_markdown(source: &str) -> Vec<ChatChar> {
    let (mut found, mut rest) = (Vec::with_capacity(source.len()), source.chars().peekable());
    while let Some(c) = rest.next() {
        match rest.next_if(|next| c == '\\' && next.is_ascii_punctuation()) {
            Some(next) => found.push(ChatChar::Data(next)),
            None => found.push(ChatChar::Author(c)),
        }
    }
    found
}

/// Words for Slack with the references back in their places.
pub fn with_references(words: &str, references: &[String]) -> String {
    joined(words, references, slack_data)
}

/// The same for code, in which only its end is a mark.
pub fn slack_code(words: &str, references: &[String]) -> String {
    joined(words, references, |words| slack_escaped(words).replace('`', &BACKTICK.to_string()))
}

fn joined(words: &str, references: &[String], escape: fn(&str) -> String) -> String {
    let mut parts = words.split(OPEN);
    let mut out = escape(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_once(CLOSE).unwrap_or(("", part));
        let reference = number.parse::<usize>().ok().and_then(|number| references.get(number));
        out.push_str(reference.map_or("", String::as_str));
        out.push_str(&escape(rest));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_markup_passes_and_that_of_data_does_not() {
        let data = escaped("*x* <@U1> [a](b)\n`c` snake_case |");
        let source = format!("*Hi* <@U2> <!here> <https://x.y/?a=1&b=2|all> a < b & c &amp; {data}");
        assert_eq!(
            slack(&source),
            "*Hi* <@U2> <!here> <https://x.y/?a=1&amp;b=2|all> a &lt; b &amp; c &amp; \
             *\u{200b}x*\u{200b} &lt;@U1&gt; [a](b)\n`\u{200b}c`\u{200b} snake_case |"
        );
        assert!(plain(&source).ends_with("*x* <@U1> [a](b)\n`c` snake_case |"), "{}", plain(&source));
        assert!(markdown(&source).ends_with("\\*x\\* \\<@U1\\> \\[a\\]\\(b\\)\n\\`c\\` snake\\_case \\|"));
        assert_eq!(literal("*a* [b](c)"), "\\*a\\* \\[b\\]\\(c\\)");
    }

    #[test]
    fn data_call_nobody() {
        for (data, expected) in [
            ("@everyone", "@\u{200b}everyone"),
            ("a @here, b", "a @\u{200b}here, b"),
            ("ada@hereford.example", "ada@hereford.example"),
            ("@every", "@\u{200b}every"),
            ("a@", "a@\u{200b}"),
        ] {
            assert_eq!(uncalled(data), expected);
            assert!(!calls_everyone(&uncalled(data)), "{data}");
        }
        assert!(calls_everyone("Hi @everyone!") && !calls_everyone("ada@hereford.example"));
    }

    #[test]
    fn data_complete_no_call_of_the_authors() {
        for (before, data) in [("Hi @", "everyone"), ("@", "here!"), ("@every", "one"), ("@", "he")] {
            assert!(completes_call(before, data), "{before} {data}");
        }
        for (before, data) in [("@everyone", " x"), ("@", "ada"), ("@", "hereford"), ("", "everyone"), ("@", "")] {
            assert!(!completes_call(before, data), "{before} {data}");
        }
        let words = format!("{} {}", with_marked_calls("@here"), without_marked_calls("@here \u{fdd6}everyone"));
        assert_eq!(only_marked_call(&words), "@here @\u{200b}here everyone");
        assert_eq!(uncalled_address("https://x.y?q=@everyone"), "https://x.y?q=%40everyone");
        assert_eq!(recalled(uncalled("a @here").into_owned()), "a @here");
    }

    #[test]
    fn data_in_a_reference_stay_in_it() {
        let source = format!("<https://x.y/{}|{}>", escaped("a|b>c"), escaped("<@U1> *x*"));
        assert_eq!(slack(&source), "<https://x.y/a%7Cb&gt;c|&lt;@U1&gt; *\u{200b}x*\u{200b}>");
        assert_eq!(slack(&format!("<@{}>", escaped("U1"))), "<@U1>");
        for text in ["<b>", "<>", "<@>", "< @U1>", "<javascript:x|y>", "<@U1", "<@U\n1>"] {
            assert!(!slack(text).contains('<'), "{text}");
        }
    }
}
