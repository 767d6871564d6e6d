//! HTML as plain text: paragraphs and lines where blocks end, list items with their marks, cells apart, and the
//! addresses of links behind their words.

use crate::model::content::is_script;

/// The deepest list whose items are indented further.
const INDENT_LIMIT: usize = 8;

/// The text content of HTML.
pub fn text(html: &str) -> String {
    let mut writer = Writer { out: String::with_capacity(html.len()), ..Writer::default() };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        writer.words(before);
        rest = match tag.as_bytes().get(1) {
            Some(b) if b.is_ascii_alphabetic() || b"/!?".contains(b) => writer.tag(tag),
            _ => {
                writer.words("<");
                &tag[1..]
            }
        };
    }
    writer.words(rest);
    writer.out.truncate(writer.out.trim_end().len());
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Line breaks before the next words.
    lines: usize,
    /// Whether there is a blank before them.
    blank: bool,
    /// Whether the next words are in another cell of the same row.
    cell: bool,
    /// How many open elements keep blanks and lines as they are.
    preformatted: usize,
    /// The number of the next item, in lists with numbers.
    lists: Vec<Option<usize>>,
    /// Where the words of the link begin, and its address.
    link: Option<(usize, String)>,
}

impl Writer {
    fn block(&mut self, lines: usize) {
        self.blank = false;
        if !self.out.is_empty() {
            self.lines = self.lines.max(lines);
        }
    }

    fn words(&mut self, words: &str) {
        let words = unescaped(words);
        if self.preformatted > 0 {
            if !words.is_empty() {
                self.begin();
                self.out.push_str(&words);
            }
            return;
        }
        for c in words.chars() {
            if c.is_ascii_whitespace() {
                self.blank = true;
                continue;
            }
            self.begin();
            self.out.push(if c == '\u{a0}' { ' ' } else { c });
        }
    }

    /// Writes what precedes the next words.
    fn begin(&mut self) {
        let (lines, blank, cell) =
            (std::mem::take(&mut self.lines), std::mem::take(&mut self.blank), std::mem::take(&mut self.cell));
        if lines > 0 {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            self.out.extend(std::iter::repeat_n('\n', lines));
        } else if cell {
            self.out.push_str(" | ");
        } else if blank && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }

    /// Reads a tag, a comment, or an element without text, and returns what is behind it.
    fn tag<'h>(&mut self, html: &'h str) -> &'h str {
        if html.starts_with("<!--") {
            return html.find("-->").and_then(|end| html.get(end + 3..)).unwrap_or_default();
        }
        let end = end_of_tag(html);
        let (tag, rest) = (html.get(..end).unwrap_or(html), html.get(end..).unwrap_or_default());
        let inside = tag.trim_start_matches(['<', '/']);
        let name = inside.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_ascii_lowercase();
        let opens = !tag.starts_with("</");
        match name.as_str() {
            "style" | "script" | "head" | "title" | "template" if opens => {
                let closing = format!("</{name}");
                let Some(end) = find_ignoring_case(rest, &closing) else { return "" };
                let rest = rest.get(end..).unwrap_or_default();
                return rest.get(end_of_tag(rest)..).unwrap_or_default();
            }
            "br" => {
                self.blank = false;
                self.lines += usize::from(!self.out.is_empty());
            }
            "hr" => {
                self.block(2);
                self.words("---");
                self.block(2);
            }
            "pre" => {
                self.block(2);
                match opens {
                    true => self.preformatted += 1,
                    false => self.preformatted = self.preformatted.saturating_sub(1),
                }
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "table" => self.block(2),
            "ul" | "ol" => {
                self.block(if self.lists.len() > usize::from(!opens) { 1 } else { 2 });
                match opens {
                    true => self.lists.push((name == "ol").then_some(1)),
                    false => drop(self.lists.pop()),
                }
            }
            "li" => {
                self.block(1);
                if opens {
                    self.item();
                }
            }
            "tr" => {
                self.block(1);
                self.cell = false;
            }
            "td" | "th" if !opens => {
                self.cell |= self.lines == 0 && !self.out.is_empty() && !self.out.ends_with('\n');
            }
            "img" if opens => {
                if let Some(alt) = attribute(tag, "alt") {
                    self.words(&alt);
                }
            }
            "a" => {
                self.end_link();
                if opens && let Some(href) = attribute(tag, "href") {
                    self.link = Some((self.out.len(), href.trim().to_owned()));
                }
            }
            "div" | "mj" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside" | "dl" | "dt"
            | "dd" | "center" | "form" | "fieldset" | "figure" | "figcaption" | "address" => self.block(1),
            _ => {}
        }
        rest
    }

    fn item(&mut self) {
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(INDENT_LIMIT));
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
        self.begin();
        self.out.push_str(&indent);
        self.out.push_str(&mark);
    }

    /// A link whose words are its address is written once.
    fn end_link(&mut self) {
        let Some((start, href)) = self.link.take() else { return };
        let words = self.out.get(start..).unwrap_or_default().trim();
        let is_known = words == href || href.split_once(':').is_some_and(|(_, rest)| rest.trim_matches('/') == words);
        if is_known || href.is_empty() || href.starts_with('#') || is_script(&href) {
            return;
        }
        if words.is_empty() {
            self.begin();
            self.out.push_str(&href);
        } else {
            self.out.push_str(&format!(" ({href})"));
        }
    }
}

/// The place behind the `>` of the tag at the start of the HTML. A `>` in an attribute's quotes does not count, if they
/// are closed at all.
fn end_of_tag(html: &str) -> usize {
    let mut quote = None;
    for (at, b) in html.bytes().enumerate() {
        match (quote, b) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if open == b => quote = None,
            _ => {}
        }
    }
    // From here on there is no such quote, so this happens twice at most.
    html.find('>').map_or(html.len(), |end| end + 1)
}

/// The value of an attribute of a tag, with or without quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag.split_once(|c: char| c.is_ascii_whitespace())?.1;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let end = rest.find(|c: char| c == '=' || c == '>' || c.is_ascii_whitespace())?;
        let (found, behind) = rest.split_at(end);
        let behind = behind.trim_start();
        let Some(value) = behind.strip_prefix('=') else {
            if behind.starts_with('>') || behind.is_empty() {
                return None;
            }
            rest = behind;
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split_once(quote)?,
            _ => value.split_at(value.find(|c: char| c == '>' || c.is_ascii_whitespace())?),
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(unescaped(value));
        }
        rest = after;
    }
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Names of characters that people write, and those that bulkd itself writes.
const ENTITIES: [(&str, &str); 24] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("zwnj", ""),
    ("shy", ""),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("bull", "•"),
    ("middot", "·"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
    ("times", "×"),
];

/// The longest name or number of a character.
const ENTITY_BYTES: usize = 10;

/// Replaces entities by their characters.
pub fn unescaped(words: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(words.len()), words);
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(ENTITY_BYTES).position(|b| b == b';');
        let name = end.and_then(|end| rest.get(..end)).unwrap_or_default();
        let number = name.strip_prefix('#').and_then(|it| match it.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => it.parse().ok(),
        });
        let known = ENTITIES.iter().find(|(it, _)| *it == name).map(|(_, text)| (*text).to_owned());
        match known.or_else(|| number.and_then(char::from_u32).map(String::from)) {
            Some(text) => {
                out.push_str(&text);
                rest = rest.get(name.len() + 1..).unwrap_or_default();
            }
            None => out.push('&'),
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blocks_cells_lists_and_links_say_is_told_apart() {
        let cases = [
            ("<p>One\n  two</p>\n<p>three<br>four</p>", "One two\n\nthree\nfour"),
            ("<h1>A</h1><div>b</div><div>c</div>", "A\n\nb\nc"),
            (
                "<table><tr><th>Item</th><th>Price</th></tr>\n<tr> <td>Tea</td> <td>2 &euro;</td></tr></table>end",
                "Item | Price\nTea | 2 €\n\nend",
            ),
            ("<td>a</td><td></td><td>b</td>", "a | b"),
            ("<ul><li>a<ol><li>x</li><li>y</li></ol></li><li>b</li></ul>c", "- a\n  1. x\n  2. y\n- b\n\nc"),
            ("See <a href=\"https://x.y/?a=1&amp;b=2\">the <b>site</b></a>.", "See the site (https://x.y/?a=1&b=2)."),
            ("<a href='https://x.y'>https://x.y</a> <a href=mailto:a@x.y>a@x.y</a>", "https://x.y a@x.y"),
            ("<a href=\"https://x.y\">x.y</a> <a href=\"#top\">up</a> <a href=\"javascript:x\">no</a>", "x.y up no"),
            ("<a class=\"b\" data-x href=\"https://x.y\"><img src=\"a>b\" alt=\"Logo\"></a>", "Logo (https://x.y)"),
            ("<a href=\"https://x.y\"><img src=\"a\"></a>", "https://x.y"),
            ("<style>p{}</style><title>t</title><!-- <p>c</p> -->a<hr>b", "a\n\n---\n\nb"),
            ("<pre>a  b\n c</pre>d", "a  b\n c\n\nd"),
            ("1 < 2 &amp;&amp; 3 > 2 &#x27;&#39; &unknown; &copy; a&nbsp;b", "1 < 2 && 3 > 2 '' &unknown; © a b"),
            ("<p", ""),
            ("", ""),
        ];
        for (html, expected) in cases {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn no_html_takes_long() {
        for part in [
            "<",
            "<a \"",
            "<a '>",
            "<a href=\"x",
            "<style>",
            "<ul><li>",
            "&",
            "<td>x</td>",
            "<!--",
            "<a href=\"https://x.y\">",
        ] {
            let html = part.repeat(2_000_000 / part.len());
            assert!(text(&html).len() <= 30 * html.len(), "{part}");
        }
    }
}
