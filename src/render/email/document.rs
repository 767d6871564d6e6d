//! The document around the words of an e-mail: the look of the brand, made to work in existing clients.
//!
//! The layout consists of tables, and every style is inline, since many clients support nothing else. The style sheet
//! only adds what phones and dark modes support. Outlook has no `max-width`, so the card is in a table of a fixed width
//! that no other client sees.

use std::sync::LazyLock;

use serde_json::Value;

use super::dark::suits_dark;
use super::language::Language;
use super::sanitize::{colour, escape, has_prefix, image, link, paragraphs};
use crate::render::elements::html::{PAGE, PAGE_END};
use crate::render::escape::BRACKETS;
use crate::render::palette::{BACKGROUND, CARD, FAINT, INK, LINE, LINK, PRIMARY, QUOTE, SHADE, SUBTEXT};
use crate::render::stripped;

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

/// A long word wraps, and does not widen its cell.
const WRAP: &str = "word-wrap:break-word;overflow-wrap:anywhere;word-break:break-word";

const STYLES: &str = "\
body{margin:0;padding:0;width:100%!important;-webkit-text-size-adjust:100%;-ms-text-size-adjust:100%}
table{border-collapse:separate;mso-table-lspace:0;mso-table-rspace:0}
img{border:0;line-height:100%;outline:none;text-decoration:none;-ms-interpolation-mode:bicubic;max-width:100%}
.bulkd-inner ul,.bulkd-inner ol{padding-inline-start:24px}
@media only screen and (max-width:480px){
.bulkd-card{border-radius:0!important;border-left:0!important;border-right:0!important}
.bulkd-outer{padding:0 0 24px!important}
.bulkd-inner{padding-left:20px!important;padding-right:20px!important}
.bulkd-column{display:block!important;box-sizing:border-box!important;width:100%!important;padding-left:0!important;padding-right:0!important}
.bulkd-gap{display:none!important}
.bulkd-space{display:block!important;width:100%!important;height:16px!important}
}
";

/// For clients that behave like Outlook on Windows.
const OUTLOOK: &str = "<!--[if mso]><xml><o:OfficeDocumentSettings><o:AllowPNG/>\
<o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml>\
<style>td,th,p,li,a,h1,h2,h3{font-family:'Segoe UI',Arial,sans-serif!important}</style><![endif]-->";

/// The colours of a dark mode. Elements are found by their colours, so that what the author chose stays.
static DARK_STYLES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "@media (prefers-color-scheme:dark){{
.bulkd-page{{background-color:#0d1117!important}}
.bulkd-card{{background-color:#1c2128!important;border-color:#30363d!important}}
.bulkd-inner{{color:#e6edf3!important}}
.bulkd-foot{{color:#9198a1!important}}
[style*=\"color:{LINK}\"]{{color:#6cb6ff!important}}
[style*=\"color:{SUBTEXT}\"],[style*=\"color:{FAINT}\"]{{color:#9198a1!important}}
[style*=\"solid {LINE}\"],[style*=\"solid {QUOTE}\"]{{border-color:#444c56!important}}
[style*=\"background-color:{SHADE}\"]{{background-color:#2d333b!important}}
}}
"
    )
});

/// The surroundings of an e-mail's words.
#[derive(Clone, Copy, Default)]
pub struct Frame<'a> {
    pub subject: Option<&'a str>,
    /// `{name, settings}`, as brands are stored.
    pub brand: Option<&'a Value>,
    /// What mailboxes show beside the subject.
    pub preheader: Option<&'a str>,
    /// Of the recipient.
    pub locale: Option<&'a str>,
}

/// The complete document of an e-mail. `content` is HTML and is inserted as it is. Without it `body`, which is plain
/// text, becomes paragraphs. A content that is a complete document already is returned unchanged.
pub fn html(content: Option<&str>, body: &str, frame: &Frame<'_>) -> String {
    if let Some(content) = content.filter(|content| is_document(content)) {
        return in_language(content, frame.locale);
    }
    let (page, content) = page(content);
    let mut look = Look::of(frame.brand);
    look.background = page.background.unwrap_or(look.background);
    look.card = page.card.unwrap_or(look.card);
    let inner = match content {
        Some(content) => content.to_owned(),
        None => paragraphs(body, "margin:0 0 16px"),
    };
    let title = escape(frame.subject.unwrap_or_default());
    let preheader = frame.preheader.map(hidden).unwrap_or_default();
    let language = Language::of(frame.locale);
    let (lang, dir, side) = (&language.tag, language.direction.name(), language.direction.side());
    // Content that the author coloured for a light page is shown on one.
    let is_dark_too = look.suits_dark() && suits_dark(&inner);
    let schemes = if is_dark_too { "light dark" } else { "light" };
    let dark = if is_dark_too { DARK_STYLES.as_str() } else { "" };
    let Look { background, card, width, .. } = &look;
    format!(
        r#"<!doctype html>
<html lang="{lang}" dir="{dir}" xmlns="http://www.w3.org/1999/xhtml" xmlns:o="urn:schemas-microsoft-com:office:office">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="{schemes}">
<meta name="supported-color-schemes" content="{schemes}">
<meta name="x-apple-disable-message-reformatting">
<title>{title}</title>
{OUTLOOK}
<style>
:root{{color-scheme:{schemes};supported-color-schemes:{schemes}}}
{STYLES}{dark}</style>
{head}</head>
<body class="bulkd-page" dir="{dir}" style="margin:0;padding:0;background-color:{background}">
{preheader}<div role="article" aria-roledescription="email" aria-label="{title}" lang="{lang}" dir="{dir}">
<table role="presentation" class="bulkd-page" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="{background}" style="background-color:{background}">
<tr><td class="bulkd-outer" align="center" style="padding:32px 12px">
<!--[if mso]><table role="presentation" width="{width}" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" class="bulkd-card" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="{card}" style="table-layout:fixed;width:100%;max-width:{width}px;background-color:{card};border:1px solid {LINE};border-radius:8px;overflow:hidden">
{bar}{header}<tr><td class="bulkd-inner" align="{side}" style="padding:32px 40px 20px;font-family:{FONT};font-size:16px;line-height:24px;color:{INK};{WRAP}">
{inner}</td></tr>
</table>
{footer}<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</table>
</div>
</body>
</html>
"#,
        head = look.head(),
        bar = look.bar(),
        header = look.header(side),
        footer = look.footer(),
    )
}

/// The language in the HTML of MJML if its author sets none.
const NO_LANGUAGE: &str = " lang=\"und\" dir=\"auto\"";

/// A document that the author wrote, which is left as it is. MJML without a language gets that of its reader.
fn in_language(document: &str, locale: Option<&str>) -> String {
    let end = document.find("<head").unwrap_or(0);
    let Some(at) = document[..end].find(NO_LANGUAGE) else { return document.to_owned() };
    let Language { tag, direction } = Language::of(locale);
    let (before, after) = (&document[..at], &document[at + NO_LANGUAGE.len()..]);
    format!("{before} lang=\"{tag}\" dir=\"{}\"{after}", direction.name())
}

/// The plain text of an e-mail: its words and, if its HTML has a frame, the frame's footer.
pub fn text(content: Option<&str>, body: &str, brand: Option<&Value>) -> String {
    let footer = match content.is_some_and(is_document) {
        true => String::new(),
        false => Look::of(brand).footer_text(),
    };
    match (body.trim_end(), footer) {
        (_, footer) if footer.is_empty() => body.to_owned(),
        ("", footer) => footer,
        (body, footer) => format!("{body}\n\n{footer}"),
    }
}

/// The colours that a content asks for.
#[derive(Default)]
struct Page<'a> {
    background: Option<&'a str>,
    card: Option<&'a str>,
}

/// Takes them off the start of the content.
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

/// The text that mailboxes show after the subject. It is hidden in the message itself. The spaces keep mailboxes from
/// continuing with its first words.
fn hidden(text: &str) -> String {
    format!(
        "<div style=\"display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;font-size:1px;line-height:1px\">{}{}</div>\n",
        escape(text),
        "&#847;&zwnj;&nbsp;".repeat(40)
    )
}

/// A brand's settings for e-mails.
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
            card: own("blocksBackgroundColor").unwrap_or(CARD),
            width: width.filter(|width| (200..=2000).contains(width)).unwrap_or(WIDTH_PIXELS),
        }
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.email?.pointer(pointer)?.as_str().filter(|text| !text.trim().is_empty())
    }

    fn own(&self, name: &str) -> Option<&'a str> {
        self.template?.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// Whether the brand has nothing that is meant for a light page.
    fn suits_dark(&self) -> bool {
        let own = [self.own("header"), self.own("footer"), Some(&self.head())];
        (self.background, self.card) == (BACKGROUND, CARD) && own.into_iter().flatten().all(suits_dark)
    }

    /// What the brand adds to the head: HTML that the workspace wrote.
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
            "<tr><td height=\"6\" bgcolor=\"{colour}\" style=\"height:6px;line-height:6px;font-size:1px;background-color:{colour}\">&nbsp;</td></tr>\n"
        )
    }

    fn header(&self, side: &str) -> String {
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
            "<tr><td class=\"bulkd-inner\" align=\"{side}\" style=\"padding:28px 40px 0;font-family:{FONT};color:{INK};{WRAP}\">{inner}</td></tr>\n"
        )
    }

    /// The words of the footer, in which the author may link others to an address.
    fn footer_words(&self) -> Option<&'a str> {
        self.text("/footer/content").or(self.text("/footer/markdown")).or(self.text("/footer"))
    }

    fn footer(&self) -> String {
        let mut inner = String::new();
        match (self.own("footer"), self.footer_words()) {
            (Some(footer), _) => inner.push_str(footer),
            (None, Some(words)) => {
                let escaped = paragraphs(words, "margin:0 0 8px");
                inner.push_str(&bracketed(with_links(&escaped, footer_link)));
            }
            (None, None) => {}
        }
        let links: Vec<String> = self.socials().map(|(label, href)| footer_link(label, &escape(href))).collect();
        if !links.is_empty() {
            inner.push_str(&format!("<p style=\"margin:0\">{}</p>\n", links.join(" &nbsp;&middot;&nbsp; ")));
        }
        if inner.is_empty() {
            return inner;
        }
        let width = self.width;
        format!(
            "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"table-layout:fixed;width:100%;max-width:{width}px\">\n\
             <tr><td class=\"bulkd-foot\" align=\"center\" style=\"padding:20px 24px;font-family:{FONT};font-size:13px;line-height:20px;color:{FAINT};{WRAP}\">\n{inner}</td></tr>\n</table>\n"
        )
    }

    fn footer_text(&self) -> String {
        let words = match (self.own("footer"), self.footer_words()) {
            (Some(footer), _) => stripped::text(footer),
            (None, Some(words)) => {
                let linked = with_links(words, |words, href| match words == href {
                    true => href.to_owned(),
                    false => format!("{words} ({href})"),
                });
                bracketed(linked.replace("\r\n", "\n")).trim().to_owned()
            }
            (None, None) => String::new(),
        };
        let links = self.socials().map(|(label, href)| format!("{label}: {}", href.trim()));
        let links = links.collect::<Vec<_>>().join("\n");
        [words, links].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    /// The networks that the brand can be found in, with their addresses.
    fn socials(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        // Most messages have no brand, and all of them come here.
        let social = if self.email.is_some() { SOCIAL } else { &[] };
        social.iter().filter_map(|(name, label)| {
            let at = |end: &str| self.text(&format!("/footer/social/{name}{end}"));
            at("/url").or(at("")).filter(|href| link(href).is_some()).map(|href| (*label, href))
        })
    }
}

/// A link of the footer, made from escaped texts.
fn footer_link(words: &str, href: &str) -> String {
    format!("<a href=\"{}\" style=\"color:{FAINT};text-decoration:underline\">{words}</a>", href.trim())
}

/// With the brackets of data back in their places.
fn bracketed(text: String) -> String {
    BRACKETS.iter().fold(text, |text, (mark, bracket)| text.replace(*mark, bracket))
}

/// `[words](address)` as `write` writes it. No part of the text is read more than a few times.
fn with_links(text: &str, write: impl Fn(&str, &str) -> String) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("](") {
        // An address ends where the next link could.
        let end = after.find([')', '<', ' ', '[', ']']).filter(|end| after[*end..].starts_with(')'));
        let words = before.rsplit_once('[').filter(|(_, words)| !words.contains('<'));
        let found = words.zip(end).filter(|(_, end)| link(&after[..*end]).is_some());
        match found {
            Some(((before, words), end)) => {
                out.push_str(before);
                out.push_str(&write(words, &after[..end]));
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
            let frame = Frame { subject: Some("s"), brand: None, preheader: Some("p"), locale: Some("he") };
            assert_eq!(html(Some(content), "b", &frame), content);
            assert_eq!(text(Some(content), "b\n", Some(&json!({ "settings": { "email": { "footer": "f" } } }))), "b\n");
        }
        for content in ["<p><!doctype html>", "<!-- <html> -->", "é", ""] {
            assert_ne!(html(Some(content), "b", &Frame::default()), content);
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
        let frame =
            Frame { subject: Some(evil), brand: Some(&brand), preheader: Some(evil), locale: Some("\"><script>") };
        let document = html(None, evil, &frame);
        assert!(!document.contains("<script"), "a tag came through");
        assert!(!document.contains("href=\"javascript"), "a script came through");
        assert_eq!(document.matches("&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;").count(), 5);
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
            assert_eq!(with_links(text, footer_link), expected.replace("{}", &style), "{text}");
        }
        for part in ["[", "](", "[a](", "[a](https://", "[a](https://x.y)"] {
            let text = part.repeat(5_000_000 / part.len());
            assert!(with_links(&text, footer_link).len() >= text.len());
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
        let frame =
            Frame { subject: Some("S & T"), brand: Some(&brand), preheader: Some("Soon"), locale: Some("en_GB") };
        let document = html(Some("<h1>Hi</h1>"), "Hi", &frame);
        for part in [
            "<html lang=\"en-GB\" dir=\"ltr\"",
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
        assert_eq!(
            text(Some("<h1>Hi</h1>"), "Hi\n", Some(&brand)),
            "Hi\n\nAcme Corp, unsubscribe (https://acme.test/u?a=1&b=2)\n\nLinkedIn: https://l.test/acme"
        );
    }

    #[test]
    fn a_template_of_the_brands_own_takes_the_place_of_header_and_footer() {
        let own = json!({ "enabled": true, "header": "<b>H</b>", "footer": "<i>F</i>", "backgroundColor": "#000", "width": "640" });
        let mut brand = json!({ "settings": { "email": {
            "header": { "logo": { "image": "https://acme.test/logo.png" } }, "footer": { "content": "words" }, "templateOverride": own,
        } } });
        let document = html(None, "x", &Frame { brand: Some(&brand), ..Frame::default() });
        assert_eq!(text(None, "x", Some(&brand)), "x\n\nF");
        for part in ["<b>H</b>", "<i>F</i>", "background-color:#000", "max-width:640px"] {
            assert!(document.contains(part), "no {part}");
        }
        assert!(!document.contains("logo.png") && !document.contains("words"));
        brand["settings"]["email"]["templateOverride"]["enabled"] = json!(false);
        assert!(html(None, "x", &Frame { brand: Some(&brand), ..Frame::default() }).contains("logo.png"));
        assert_eq!(text(None, "x", Some(&brand)), "x\n\nwords");
    }
}
