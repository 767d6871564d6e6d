//! Whether an e-mail can be shown on a dark page. Authors choose colours for a light page, and a client's dark mode
//! does not change colours in an element's style. So what they chose is only shown on a dark card if it is readable
//! there.

use super::sanitize::has_prefix;
use crate::render::palette::{BUTTON_CLASS, FAINT, LINK, SHADE, SUBTEXT};

/// The card in a dark mode.
const DARK_CARD: [u8; 3] = [0x1c, 0x21, 0x28];
/// The contrast that large text needs, by WCAG 2.
const CONTRAST: f64 = 3.0;

/// How far before a colour its tag is searched for.
const TAG_BYTES: usize = 400;
/// The longest value that is checked.
const VALUE_CHARACTERS: usize = 40;

/// Whether HTML only has bulkd's own colours, those of buttons, and those of text that is light enough.
pub fn suits_dark(html: &str) -> bool {
    html.match_indices([':', '=']).all(|(end, mark)| {
        let (before, behind) = (html.get(..end).unwrap_or_default(), html.get(end + mark.len()..).unwrap_or_default());
        let before = before.trim_end_matches(' ');
        if ends_with(before, "background") || ends_with(before, "background-color") || ends_with(before, "bgcolor") {
            return [SHADE, "none", "transparent", "inherit"].contains(&value(behind)) || is_of_a_button(before);
        }
        if !ends_with(before, "color") || ends_with(before, "-color") {
            return true;
        }
        let value = value(behind);
        [LINK, SUBTEXT, FAINT, "inherit"].contains(&value) || is_light(value)
    })
}

/// The value that a text, which follows the name of a property or attribute, gives it.
fn value(behind: &str) -> &str {
    let end = behind.char_indices().nth(VALUE_CHARACTERS).map_or(behind.len(), |(at, _)| at);
    let value = behind[..end].trim_start_matches([' ', '"', '\'']);
    value.split([';', '"', '\'', '<', '>', '!']).next().unwrap_or_default().trim()
}

fn ends_with(text: &str, end: &str) -> bool {
    text.len().checked_sub(end.len()).and_then(|at| text.get(at..)).is_some_and(|it| it.eq_ignore_ascii_case(end))
}

/// Whether a button's tag is the last that begins here.
fn is_of_a_button(before: &str) -> bool {
    let start = before.len().saturating_sub(TAG_BYTES);
    let near = before.as_bytes().get(start..).unwrap_or_default();
    let tag = near.iter().rposition(|b| *b == b'<').and_then(|at| near.get(at..)).unwrap_or_default();
    let class = BUTTON_CLASS.as_bytes();
    tag.windows(class.len()).any(|window| window == class)
}

/// Whether a colour is readable on the dark card. That is unknown for colours without numbers.
fn is_light(colour: &str) -> bool {
    let Some(digits) = colour.strip_prefix('#').filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit())) else {
        return has_prefix(colour, "white");
    };
    let part = |i: usize| match digits.len() {
        3 => u8::from_str_radix(&digits[i..=i].repeat(2), 16).ok(),
        6 => u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok(),
        _ => None,
    };
    let (Some(red), Some(green), Some(blue)) = (part(0), part(1), part(2)) else { return false };
    (luminance([red, green, blue]) + 0.05) / (luminance(DARK_CARD) + 0.05) >= CONTRAST
}

/// As WCAG 2 defines it.
fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_for_a_light_page_stays_on_one() {
        for html in [
            "",
            "<p>a colour: red</p>",
            "<p style=\"border-color:#000\">x</p>",
            "<p style=\"color:#fff\">x</p>",
            "<p style=\"COLOR: #ff5555;\">x</p>",
            "<td class=\"bulkd-button\" style=\"background-color:#123456\"><a style=\"color:#ffffff\">x</a></td>",
        ] {
            assert!(suits_dark(html), "{html}");
        }
        for html in [
            "<p style=\"color:#333\">x</p>",
            "<p style='color : #000000'>x</p>",
            "<p style=\"color:navy\">x</p>",
            "<td bgcolor=\"#ffffff\">x</td>",
            "<font color=blue>x</font>",
            "<div style=\"background:#eee\">x</div>",
            "<div style=\"background-color:white\">x</div>",
            "<style>p{color:#111}</style>",
        ] {
            assert!(!suits_dark(html), "{html}");
        }
        // Some seconds' work if every tag was searched for from the beginning.
        assert!(!suits_dark(&"background=red ".repeat(300_000)));
    }
}
