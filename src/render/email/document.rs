//! The document around the words of an e-mail: the look of the brand, made for the clients that there are.
//!
//! Tables carry the layout and every style stands at its element, since many clients look at nothing else; the style
//! sheet only adds what phones and dark modes understand.

use serde_json::Value;

use super::sanitize::{colour, escape, has_prefix, image, link, paragraphs};
use crate::render::elements::html::{PAGE, PAGE_END};
use crate::render::escape::BRACKETS;

/// Courier's own default, which brands start from.
const PRIMARY: &str = "#9D3789";
const INK: &str = "#24292f";
const FAINT: &str = "#6e7781";
const BACKGROUND: &str = "#f3f4f6";
const FONT: &str = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const WIDTH_PIXELS: u64 = 600;

/// The networks of a footer, by their names in a brand's settings.
const SOCIAL: &[(&str, &str)] = &[
    ("facebook", "Facebook"),
    ("instagram", "Instagram"),
    ("linkedin", "LinkedIn"),
    ("medium", "Medium"),
    ("twitter", "Twitter"),
];

const STYLES: &str = "\
body{margin:0;padding:0;width:100%!important;-webkit-text-size-adjust:100%;-ms-text-size-adjust:100%}
table{border-collapse:separate;mso-table-lspace:0;mso-table-rspace:0}
img{border:0;line-height:100%;outline:none;text-decoration:none;-ms-interpolation-mode:bicubic;max-width:100%}
@media only screen and (max-width:620px){
.bulkd-card{width:100%!important;border-radius:0!important}
.bulkd-outer{padding:0!important}
.bulkd-inner{padding-left:20px!important;padding-right:20px!important}
}
@media (prefers-color-scheme:dark){
.bulkd-page{background-color:#111418!important}
.bulkd-card{background-color:#1c2128!important;border-color:#30363d!important}
.bulkd-inner,.bulkd-inner p,.bulkd-inner h1,.bulkd-inner h2,.bulkd-inner li,.bulkd-inner td{color:#e6edf3!important}
.bulkd-foot,.bulkd-foot p,.bulkd-foot a{color:#9198a1!important}
}
[data-ogsc] .bulkd-inner,[data-ogsc] .bulkd-inner p{color:#e6edf3!important}
";

/// The complete document of an e-mail. `content` is HTML and goes in as it is; without it `body`, which is plain text,
/// becomes paragraphs. `brand` is `{settings}` as brands are stored, and `preheader` what mailboxes show beside the
/// subject. A content that is a complete document already is returned unchanged.
pub fn html(
    content: Option<&str>,
    body: &str,
    subject: Option<&str>,
    brand: Option<&Value>,
    preheader: Option<&str>,
) -> String {
    if let Some(content) = content.filter(|content| is_document(content)) {
        return content.to_owned();
    }
    let (page, content) = page(content);
    let mut text_style = Look::of(brand);
    text_style.background = page.background.unwrap_or(text_style.background);
    text_style.card = page.card.unwrap_or(text_style.card);
    let inner = match content {
        Some(content) => content.to_owned(),
        None => paragraphs(body, &format!("margin:0 0 16px;color:{INK}")),
    };
    let title = escape(subject.unwrap_or_default());
    let preheader = preheader.map(hidden).unwrap_or_default();
    let Look { background, card, width, .. } = &text_style;
    format!(
        r#"<!doctype html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="x-apple-disable-message-reformatting">
<title>{title}</title>
<style>
{STYLES}</style>
{head}</head>
<body class="bulkd-page" style="margin:0;padding:0;background-color:{background}">
{preheader}<table role="presentation" class="bulkd-page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:{background}">
<tr><td class="bulkd-outer" align="center" style="padding:32px 12px">
<table role="presentation" class="bulkd-card" width="{width}" cellpadding="0" cellspacing="0" border="0" style="width:100%;max-width:{width}px;background-color:{card};border:1px solid #e1e4e8;border-radius:8px;overflow:hidden">
{bar}{header}<tr><td class="bulkd-inner" align="left" style="padding:32px 40px;font-family:{FONT};font-size:16px;line-height:24px;color:{INK}">
{inner}</td></tr>
</table>
{footer}</td></tr>
</table>
</body>
</html>
"#,
        head = text_style.head(),
        bar = text_style.bar(),
        header = text_style.header(),
        footer = text_style.footer(),
    )
}

/// The colours that a content asks for.
#[derive(Default)]
struct Page<'a> {
    background: Option<&'a str>,
    card: Option<&'a str>,
}

/// Takes them from before the content.
fn page(content: Option<&str>) -> (Page<'_>, Option<&str>) {
    let noted = content.and_then(|content| content.strip_prefix(PAGE)?.split_once(PAGE_END));
    let Some((noted, rest)) = noted else { return (Page::default(), content) };
    let value = |name: &str| noted.split(';').find_map(|it| it.strip_prefix(name)).and_then(colour);
    (Page { background: value("background="), card: value("card=") }, Some(rest.trim_start()))
}

/// Whether an e-mail's content needs no frame.
pub fn is_document(content: &str) -> bool {
    let start = content.trim_start_matches('\u{feff}').trim_start();
    has_prefix(start, "<!doctype") || has_prefix(start, "<html")
}

/// What mailboxes show behind the subject; it is hidden in the message itself. The spaces keep them from going on with its
/// first words.
fn hidden(text: &str) -> String {
    format!(
        "<div style=\"display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;font-size:1px;line-height:1px\">{}{}</div>\n",
        escape(text),
        "&#847;&zwnj;&nbsp;".repeat(40)
    )
}

/// What a brand says about e-mails.
struct Look<'a> {
    email: Option<&'a Value>,
    /// Its own header, footer and colours, if they are switched on.
    template: Option<&'a Value>,
    name: &'a str,
    primary: &'a str,
    background: &'a str,
    card: &'a str,
    width: u64,
}

impl<'a> Look<'a> {
    fn of(brand: Option<&'a Value>) -> Self {
        let settings = brand.map(|brand| brand.get("settings").unwrap_or(brand));
        let email = settings.and_then(|it| it.get("email"));
        let template =
            email.and_then(|it| it.get("templateOverride")).filter(|it| it.get("enabled") == Some(&Value::Bool(true)));
        let own = |name| template.and_then(|it| it.get(name)?.as_str()).and_then(colour);
        let primary = settings.and_then(|it| it.pointer("/colors/primary")?.as_str()).and_then(colour);
        let width = template.and_then(|it| it.get("width")).and_then(|width| match width {
            Value::String(text) => text.trim_end_matches("px").trim().parse().ok(),
            width => width.as_u64(),
        });
        Look {
            email,
            template,
            name: brand.and_then(|brand| brand.get("name")?.as_str()).unwrap_or_default(),
            primary: primary.unwrap_or(PRIMARY),
            background: own("backgroundColor").unwrap_or(BACKGROUND),
            card: own("blocksBackgroundColor").unwrap_or("#ffffff"),
            width: width.filter(|width| (200..=2000).contains(width)).unwrap_or(WIDTH_PIXELS),
        }
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.email?.pointer(pointer)?.as_str().filter(|text| !text.trim().is_empty())
    }

    fn own(&self, name: &str) -> Option<&'a str> {
        self.template?.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// What the brand adds to the head: HTML of the workspace's own.
    fn head(&self) -> String {
        let given = self.own("head").or(self.text("/head/content")).or(self.text("/head"));
        given.map(|head| format!("{head}\n")).unwrap_or_default()
    }

    fn bar(&self) -> String {
        let given = self.text("/header/barColor").and_then(colour);
        if self.own("header").is_some() && given.is_none() {
            return String::new();
        }
        let colour = given.unwrap_or(self.primary);
        format!(
            "<tr><td style=\"height:6px;line-height:6px;font-size:1px;background-color:{colour}\">&nbsp;</td></tr>\n"
        )
    }

    fn header(&self) -> String {
        let inner = match (self.own("header"), self.text("/header/logo/image").and_then(image)) {
            (Some(header), _) => header.to_owned(),
            (None, Some(src)) => {
                let name = escape(self.name);
                let picture = format!(
                    "<img src=\"{src}\" alt=\"{name}\" height=\"40\" style=\"display:block;height:40px;width:auto;max-width:240px;font-size:20px;font-weight:600;color:{}\">",
                    self.primary
                );
                match self.text("/header/logo/href").and_then(link) {
                    Some(href) => format!("<a href=\"{href}\" style=\"text-decoration:none\">{picture}</a>"),
                    None => picture,
                }
            }
            (None, None) => return String::new(),
        };
        format!(
            "<tr><td class=\"bulkd-inner\" align=\"left\" style=\"padding:28px 40px 0;font-family:{FONT}\">{inner}</td></tr>\n"
        )
    }

    fn footer(&self) -> String {
        let mut inner = String::new();
        match self.own("footer") {
            Some(footer) => inner.push_str(footer),
            None => {
                let words = self.text("/footer/content").or(self.text("/footer/markdown")).or(self.text("/footer"));
                let style = format!("margin:0 0 8px;color:{FAINT}");
                let linked = words.map(|words| with_links(&paragraphs(words, &style))).unwrap_or_default();
                inner.push_str(&BRACKETS.iter().fold(linked, |text, (mark, bracket)| text.replace(*mark, bracket)));
            }
        }
        let links: Vec<String> = SOCIAL.iter().filter_map(|(name, label)| self.social(name, label)).collect();
        if !links.is_empty() {
            inner.push_str(&format!(
                "<p style=\"margin:0;color:{FAINT}\">{}</p>\n",
                links.join(" &nbsp;&middot;&nbsp; ")
            ));
        }
        if inner.is_empty() {
            return inner;
        }
        let width = self.width;
        format!(
            "<table role=\"presentation\" width=\"{width}\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"width:100%;max-width:{width}px\">\n\
             <tr><td class=\"bulkd-foot\" align=\"center\" style=\"padding:20px 24px;font-family:{FONT};font-size:13px;line-height:20px;color:{FAINT}\">\n{inner}</td></tr>\n</table>\n"
        )
    }

    fn social(&self, name: &str, label: &str) -> Option<String> {
        let at = |end: &str| self.text(&format!("/footer/social/{name}{end}"));
        let href = at("/url").or(at("")).and_then(link)?;
        Some(format!("<a href=\"{href}\" style=\"color:{FAINT};text-decoration:underline\">{label}</a>"))
    }
}

/// `[words](address)` in text that is escaped already. No part of the text is looked at more than a few times.
fn with_links(escaped: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(escaped.len()), escaped);
    while let Some((before, after)) = rest.split_once("](") {
        // An address ends where the next link could.
        let end = after.find([')', '<', ' ', '[', ']']).filter(|end| after[*end..].starts_with(')'));
        let words = before.rsplit_once('[').filter(|(_, words)| !words.contains('<'));
        let found = words.zip(end).filter(|(_, end)| link(&after[..*end]).is_some());
        match found {
            Some(((before, words), end)) => {
                let href = &after[..end];
                out.push_str(before);
                out.push_str(&format!(
                    "<a href=\"{href}\" style=\"color:{FAINT};text-decoration:underline\">{words}</a>"
                ));
                rest = &after[end + 1..];
            }
            None => {
                out.push_str(before);
                out.push_str("](");
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_complete_document_stays_as_it_is() {
        for content in ["<!DOCTYPE html><p>x", "\n\t <HTML lang=en>x</HTML>", "\u{feff}<html>"] {
            assert_eq!(html(Some(content), "b", Some("s"), None, Some("p")), content);
        }
        for content in ["<p><!doctype html>", "<!-- <html> -->", "é", ""] {
            assert_ne!(html(Some(content), "b", None, None, None), content);
        }
    }

    #[test]
    fn nothing_of_a_users_is_more_than_text() {
        let evil = "<script>\"'&</script>";
        let brand = json!({ "name": evil, "settings": {
            "colors": { "primary": "red;}</style>" },
            "email": {
                "header": { "barColor": "\"><script>", "logo": { "image": "https://x/\"><script>", "href": "javascript:alert(1)" } },
                "footer": { "content": "[a](javascript:x) [<script>](https://x) <script>", "social": { "twitter": { "url": "javascript:x" } } },
            },
        }});
        let document = html(None, evil, Some(evil), Some(&brand), Some(evil));
        assert!(!document.contains("<script"), "a tag came through");
        assert!(!document.contains("href=\"javascript"), "a script came through");
        assert_eq!(document.matches("&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;").count(), 4);
    }

    #[test]
    fn links_are_found_at_one_look() {
        let style = format!("\" style=\"color:{FAINT};text-decoration:underline\">");
        let cases = [
            ("[[a](https://x.y) [b](mailto:b)](c", "[<a href=\"https://x.y{}a</a> <a href=\"mailto:b{}b</a>](c"),
            ("[a] (https://x.y) [b](x.y) [c](https://x.y", "[a] (https://x.y) [b](x.y) [c](https://x.y"),
            ("[a](no [b](https://x.y/(1)", "[a](no <a href=\"https://x.y/(1{}b</a>"),
            ("[a<br>](https://x.y)", "[a<br>](https://x.y)"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_links(text), expected.replace("{}", &style), "{text}");
        }
        for part in ["[", "](", "[a](", "[a](https://", "[a](https://x.y)"] {
            let text = part.repeat(5_000_000 / part.len());
            assert!(with_links(&text).len() >= text.len());
        }
    }

    #[test]
    fn a_brand_shows() {
        let brand = json!({ "name": "Acme", "settings": {
            "colors": { "primary": "#123456" },
            "email": {
                "head": { "content": "<meta name=\"acme\">" },
                "header": { "logo": { "image": "https://acme.test/logo.png", "href": "https://acme.test" }, "barColor": "teal" },
                "footer": { "content": "Acme Corp, [unsubscribe](https://acme.test/u?a=1&b=2)", "social": { "linkedin": { "url": "https://l.test/acme" } } },
            },
        }});
        let document = html(Some("<h1>Hi</h1>"), "Hi", Some("S & T"), Some(&brand), Some("Soon"));
        for part in [
            "<title>S &amp; T</title>",
            "<meta name=\"acme\">\n</head>",
            "background-color:teal",
            "<img src=\"https://acme.test/logo.png\" alt=\"Acme\"",
            "<a href=\"https://acme.test\"",
            "<h1>Hi</h1></td>",
            "Acme Corp, <a href=\"https://acme.test/u?a=1&amp;b=2\"",
            "<a href=\"https://l.test/acme\"",
            ">Soon&#847;",
        ] {
            assert!(document.contains(part), "no {part}");
        }
    }

    #[test]
    fn a_template_of_the_brands_own_takes_the_place_of_header_and_footer() {
        let own = json!({ "enabled": true, "header": "<b>H</b>", "footer": "<i>F</i>", "backgroundColor": "#000", "width": "640" });
        let mut brand = json!({ "settings": { "email": {
            "header": { "logo": { "image": "https://acme.test/logo.png" } }, "footer": { "content": "words" }, "templateOverride": own,
        } } });
        let document = html(None, "x", None, Some(&brand), None);
        for part in ["<b>H</b>", "<i>F</i>", "background-color:#000", "max-width:640px"] {
            assert!(document.contains(part), "no {part}");
        }
        assert!(!document.contains("logo.png") && !document.contains("words"));
        brand["settings"]["email"]["templateOverride"]["enabled"] = json!(false);
        assert!(html(None, "x", None, Some(&brand), None).contains("logo.png"));
    }
}
