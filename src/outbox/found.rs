//! What tests look for in a message: its links, and codes that a person has to type.

/// The most links, and the most codes, that are shown of one message.
const MOST: usize = 100;
/// Words that announce a code.
const ANNOUNCING: [&str; 9] =
    ["code", "pin", "otp", "passcode", "password", "token", "one-time", "verification", "verify"];
/// At this distance, in characters, a word still announces a code.
const NEAR: usize = 80;

/// The links of an HTML document and of texts, each once, in the order in which they occur: those of the HTML first.
pub fn links(html: Option<&str>, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |url: &str| {
        if found.len() < MOST && !found.iter().any(|known| known == url) {
            found.push(url.to_owned());
        }
    };
    if let Some(html) = html {
        for (at, _) in html.match_indices("href=") {
            let rest = &html[at + "href=".len()..];
            let Some(quote) = rest.chars().next().filter(|it| matches!(it, '"' | '\'')) else { continue };
            let Some((url, _)) = rest[1..].split_once(quote) else { continue };
            let url = url.replace("&amp;", "&").replace("&#61;", "=").replace("&#x3D;", "=").replace("&quot;", "\"");
            if is_link(&url) {
                add(&url);
            }
        }
    }
    for text in texts {
        for (start, end) in link_spans(text) {
            add(&text[start..end]);
        }
    }
    found
}

fn is_link(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The places of the links in a text.
fn link_spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (start, _) in text.match_indices("http") {
        if !is_link(&text[start..]) || spans.last().is_some_and(|(_, end)| start < *end) {
            continue;
        }
        let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '{' | '}');
        let url = text[start..].split(is_end).next().unwrap_or_default();
        let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
        let url = without_closing(without_closing(url, '(', ')'), '[', ']');
        spans.push((start, start + url.len()));
    }
    spans
}

/// Without closing brackets at its end that were opened before it.
fn without_closing(mut url: &str, open: char, close: char) -> &str {
    while url.matches(close).count() > url.matches(open).count()
        && let Some(shorter) = url.strip_suffix(close)
    {
        url = shorter;
    }
    url
}

/// One-time codes in texts, each once. First those that a word such as "code" announces, the nearest first. Without
/// such a word, only digits that can hardly be anything else.
pub fn codes(texts: &[&str]) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let is_announced = texts.iter().any(|text| !announcements(text).is_empty());
    for text in texts {
        let announced = announcements(text);
        for (start, end) in candidates(text) {
            let code = &text[start..end];
            let distance = announced.iter().map(|at| start.abs_diff(*at)).min().unwrap_or(usize::MAX);
            let behind = announced.iter().filter_map(|at| start.checked_sub(*at)).min().unwrap_or(usize::MAX);
            if is_code(code, is_announced, distance, behind) {
                found.push((distance, plain(code)));
            }
        }
    }
    found.sort_by_key(|(distance, _)| *distance);
    let mut codes: Vec<String> = Vec::new();
    for (_, code) in found {
        if codes.len() < MOST && !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// The places of words that announce a code.
fn announcements(text: &str) -> Vec<usize> {
    // In ASCII, so that places stay the same.
    let lower = text.to_ascii_lowercase();
    let links = link_spans(text);
    let mut found = Vec::new();
    for word in ANNOUNCING {
        for (at, _) in lower.match_indices(word) {
            let end = at + word.len();
            let is_whole = !lower[..at].ends_with(char::is_alphanumeric)
                && !lower[end..].trim_start_matches('s').starts_with(char::is_alphanumeric);
            if is_whole && !links.iter().any(|(start, end)| (*start..*end).contains(&at)) {
                found.push(at);
            }
        }
    }
    found
}

/// Runs of letters and digits, with a dash or a space between two groups of digits. Not within links, nor within
/// numbers that are amounts, times or telephone numbers.
fn candidates(text: &str) -> Vec<(usize, usize)> {
    let links = link_spans(text);
    let is_part = |c: char| c.is_ascii_alphanumeric();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find(is_part) {
        let start = at + offset;
        let run = |from: usize| text[from..].find(|c| !is_part(c)).map_or(text.len(), |length| from + length);
        let mut end = run(start);
        at = end;
        let is_group = |text: &str| (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        // 123 456, 1234-5678.
        if text[end..].starts_with([' ', '-']) && is_group(&text[start..end]) {
            let next = run(end + 1);
            let is_last = !text[next..]
                .strip_prefix([' ', '-'])
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if is_group(&text[end + 1..next]) && text[end + 1..next].len() == end - start && is_last {
                end = next;
                at = end;
            }
        }
        let joined =
            |c: char| matches!(c, '.' | ',' | ':' | '/' | '-' | '+' | '@' | '#' | '_' | '$' | '€' | '£' | '%' | '=');
        let before = text[..start].chars().next_back().filter(|c| joined(*c) || c.is_alphanumeric());
        let mut after = text[end..].chars();
        let is_open = match (after.next(), after.next()) {
            (Some(first), _) if first.is_alphanumeric() || matches!(first, '@' | '%' | '_' | '/') => false,
            (Some(first), Some(second)) => !(joined(first) && second.is_alphanumeric()),
            _ => true,
        };
        // A label may precede it directly, as in "code:123456".
        let begins = before.is_none_or(|c| matches!(c, ':' | '='));
        if begins && is_open && !links.iter().any(|(first, last)| (*first..*last).contains(&start)) {
            found.push((start, end));
        }
    }
    found
}

/// `distance` is the one to the nearest word that announces a code, `behind` the one to the nearest word before it.
fn is_code(code: &str, is_announced: bool, distance: usize, behind: usize) -> bool {
    let plain = plain(code);
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    if digits == plain.len() {
        let is_year = plain.len() == 4 && (plain.starts_with("19") || plain.starts_with("20"));
        return match plain.len() {
            6 => true,
            4 if is_year => behind <= NEAR / 4,
            4..=8 => is_announced,
            _ => false,
        };
    }
    let is_upper = !plain.bytes().any(|byte| byte.is_ascii_lowercase());
    digits > 0 && is_upper && (5..=10).contains(&plain.len()) && distance <= NEAR
}

fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_once_and_as_they_were_meant() {
        let html = "<a href=\"https://a.example/?a=1&amp;b=2\">x</a><a href='mailto:a@b.c'>m</a>";
        let texts = ["See https://a.example/?a=1&b=2.", "(http://b.example/c_(d)), <https://e.example>; httpx://no"];
        let expected = ["https://a.example/?a=1&b=2", "http://b.example/c_(d)", "https://e.example"];
        assert_eq!(links(Some(html), &texts), expected);
    }

    #[test]
    fn codes_are_found_beside_other_numbers() {
        let cases: [(&str, &[&str]); 12] = [
            ("Your code is 123456.", &["123456"]),
            ("Use 123 456 to sign in", &["123456"]),
            ("Your PIN: 4711", &["4711"]),
            ("code:991122", &["991122"]),
            ("Your verification code is A1B2C3, valid until 2026-09-21 14:13", &["A1B2C3"]),
            ("In 2026 you paid 1,234.56 euro, invoice #123456", &[]),
            ("Call +1 555 0100 or 555-010-4242", &[]),
            ("https://a.example/reset?code=123456", &[]),
            ("Order 20419 has left", &[]),
            ("Copyright 2026. Your code: 8080", &["8080"]),
            ("Codes: 11112222 and 3333", &["11112222", "3333"]),
            ("\u{dc}berpr\u{fc}fung: 654321", &["654321"]),
        ];
        for (text, expected) in cases {
            assert_eq!(codes(&[text]), expected, "{text}");
        }
    }
}
