//! Inserts foreign text into HTML so that it stays text.

use crate::model::content::Look;

/// Text for use between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\0' => {}
            c => out.push(c),
        }
    }
    out
}

/// A link that cannot run scripts, escaped; `None` for schemes that can, and for unknown ones.
pub fn link(href: &str) -> Option<String> {
    let href = href.trim();
    let schemes = ["http://", "https://", "mailto:", "tel:", "sms:"];
    schemes.iter().any(|scheme| has_prefix(href, scheme)).then(|| escape(href))
}

/// The source of an image: the web, another part of the e-mail, or a data URL.
pub fn image(src: &str) -> Option<String> {
    let src = src.trim();
    let schemes = ["http://", "https://", "cid:", "data:image/"];
    schemes.iter().any(|scheme| has_prefix(src, scheme)).then(|| escape(src))
}

/// A colour for use in a style, if it is valid: `#0a7`, `rebeccapurple`, `rgb(10, 20, 30)`.
pub fn colour(text: &str) -> Option<&str> {
    let text = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "#(),.% ".contains(c);
    let is_known = || Look::Color.value(text).is_some();
    (!text.is_empty() && text.len() <= 40 && text.chars().all(allowed) && is_known()).then_some(text)
}

/// Plain text as paragraphs with this style. A blank line begins a paragraph, any other line break stays one.
pub fn paragraphs(text: &str, style: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let paragraph = |words: &str| {
        let lines: Vec<String> = words.lines().map(|line| escape(line.trim_end())).collect();
        format!("<p style=\"{style}\">{}</p>\n", lines.join("<br>\n"))
    };
    text.split("\n\n").map(|words| words.trim_matches('\n')).filter(|it| !it.trim().is_empty()).map(paragraph).collect()
}

/// Whether `text` begins with `prefix`, in any case.
pub fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_is_no_link() {
        for href in ["javascript:alert(1)", " JavaScript:x", "data:text/html,x", "vbscript:x", "", "//x", "é"] {
            assert_eq!(link(href), None, "{href}");
        }
        assert_eq!(
            link(" HTTPS://example.com/?a=1&b=\"2\" ").as_deref(),
            Some("HTTPS://example.com/?a=1&amp;b=&quot;2&quot;")
        );
        assert_eq!(image("data:image/png;base64,AA==").as_deref(), Some("data:image/png;base64,AA=="));
        assert_eq!(image("data:text/html,x"), None);
    }

    #[test]
    fn a_colour_cannot_leave_its_style() {
        for text in ["#9d3789", "rebeccapurple", "rgb(1, 2, 3)", "hsl(120, 50%, 40%)"] {
            assert_eq!(colour(text), Some(text));
        }
        for text in ["", "red;background:url(x)", "red\"", "url('x')", "expression:x", &"a".repeat(41)] {
            assert_eq!(colour(text), None, "{text}");
        }
    }

    #[test]
    fn a_blank_line_begins_a_paragraph() {
        assert_eq!(
            paragraphs("One <b>\r\ntwo\r\n\r\n\r\n\r\nthree & 'four'\n", "s"),
            "<p style=\"s\">One &lt;b&gt;<br>\ntwo</p>\n<p style=\"s\">three &amp; &#39;four&#39;</p>\n"
        );
        assert_eq!(paragraphs(" \n\n \n", "s"), "");
    }
}
