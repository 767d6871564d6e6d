//! MJML as HTML.

use super::escape::blank_scripts;
use crate::threads::catch;

/// The longest MJML, in bytes: parsed, it is many times as large.
pub const BYTES: u32 = 1024 * 1024;
/// The most nested elements: reading them recurses.
const NESTING_LIMIT: usize = 100;
/// Elements of HTML that are never closed.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The result of converting MJML with template tags.
pub enum MjmlTemplate {
    /// The same for all messages: HTML with the same tags in it.
    Html(String),
    /// Tags stand where they cannot be kept, such as among attributes, so the HTML differs for each message.
    PerMessage,
}

/// Converts MJML in which variables and blocks are still to be filled in.
pub fn template(source: &str) -> Result<MjmlTemplate, String> {
    let before = tags(source);
    match html(source) {
        Ok(html) if is_kept(&before, &tags(&html)) => Ok(MjmlTemplate::Html(html)),
        Err(problem) if before.iter().all(|tag| !is_block(tag)) => Err(problem),
        // Errors that depend on the data are known when the data are.
        _ => Ok(MjmlTemplate::PerMessage),
    }
}

/// MJML as HTML.
pub fn html(source: &str) -> Result<String, String> {
    if source.len() > BYTES as usize {
        return Err(format!("expected at most {BYTES} bytes of MJML"));
    }
    if nesting(source) > NESTING_LIMIT {
        return Err(format!("expected elements nested at most {NESTING_LIMIT} deep"));
    }
    if source.contains("<mj-include") {
        return Err("mj-include is not supported: put what it names in its place".to_owned());
    }
    let render = || {
        let parsed =
            mrml::parse(source).map_err(|error| format!("not valid MJML: {}", placed(&error.to_string(), source)))?;
        let options = mrml::prelude::render::RenderOptions::default();
        parsed.element.render(&options).map_err(|error| format!("not valid MJML: {error}"))
    };
    catch(render).unwrap_or_else(|| Err("the MJML cannot be rendered".to_owned()))
}

/// An error with line and column instead of bytes.
fn placed(error: &str, source: &str) -> String {
    let found = error.rsplit_once(" at position ").and_then(|(what, span)| {
        let before = source.get(..span.split(':').next()?.parse().ok()?)?;
        let line = before.rsplit('\n').next().unwrap_or_default();
        Some((what, before.matches('\n').count() + 1, line.chars().count() + 1))
    });
    match found {
        Some((what, line, column)) => format!("{what} (line {line}, column {column})"),
        None => error.to_owned(),
    }
}

/// Whether HTML is MJML.
pub fn is_mjml(source: &str) -> bool {
    source.contains("<mjml")
}

/// The part behind its head.
pub fn body(source: &str) -> &str {
    source.split_once("</mj-head>").map_or(source, |(_, body)| body)
}

/// Replaces the part of a text from a place on by its HTML; by nothing, if it is not MJML after all.
pub fn rewrite(out: &mut String, start: usize) {
    let source = out.split_off(start);
    out.push_str(&html(&source).unwrap_or_default());
    blank_scripts(out, start);
}

/// The same for MJML that is a part of an e-mail.
pub fn rewrite_part(out: &mut String, start: usize) {
    rewrite(out, start);
    let document = out.split_off(start);
    out.push_str(&part(&document));
}

/// The parts of a document that can be inserted into another one: its styles, and its body.
pub fn part(document: &str) -> String {
    let Some((head, rest)) = document.split_once("<body") else { return document.to_owned() };
    let body = rest.split_once('>').map_or("", |(_, body)| body);
    let body = body.rsplit_once("</body>").map_or(body, |(body, _)| body);
    let (mut out, mut head) = (String::new(), head);
    // The content of comments is for Outlook only.
    while let Some(at) = head.find('<') {
        head = &head[at..];
        let (is_kept, end) = match head {
            comment if comment.starts_with("<!--") => (false, "-->"),
            style if style.starts_with("<style") => (true, "</style>"),
            _ => (false, "<"),
        };
        let end = head[1..].find(end).map_or(head.len(), |found| 1 + found + if end == "<" { 0 } else { end.len() });
        if is_kept {
            out.push_str(&head[..end]);
        }
        head = &head[end..];
    }
    out + body
}

/// The tags of templates in a text, in their order.
fn tags(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find("{{") {
        let tag = &rest[at..];
        let end = tag.find("}}").map_or(tag.len(), |end| end + 2);
        found.push(&tag[..end]);
        rest = &tag[end..];
    }
    found
}

fn is_block(tag: &str) -> bool {
    let inside = tag.trim_start_matches('{').trim_start_matches(['~', ' ']);
    inside.starts_with(['#', '/', '^', '>']) || inside.starts_with("else")
}

/// Whether all tags are still there, those of blocks in their order.
fn is_kept(before: &[&str], after: &[&str]) -> bool {
    let blocks =
        |tags: &[&str]| tags.iter().copied().filter(|tag| is_block(tag)).map(str::to_owned).collect::<Vec<_>>();
    blocks(before) == blocks(after) && before.iter().all(|tag| after.contains(tag))
}

/// How deep elements are nested, at most.
fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0, source);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap_or(rest.len());
        let tag = &rest[..end];
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !name.is_empty() && !tag.ends_with('/') && !VOID.contains(&name.to_ascii_lowercase().as_str()) {
            depth += 1;
            deepest = deepest.max(depth);
        }
        rest = &rest[end..];
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(inside: &str) -> String {
        format!("<mjml><mj-body><mj-section><mj-column>{inside}</mj-column></mj-section></mj-body></mjml>")
    }

    #[test]
    fn an_error_says_line_and_column() {
        assert_eq!(placed("it is odd at position 5:9", "ab\ncdefgh"), "it is odd (line 2, column 3)");
        for other in ["it is odd", "it is odd at position 99:100", "it is odd at position x"] {
            assert_eq!(placed(other, "ab"), other);
        }
    }

    #[test]
    fn tags_within_texts_are_rendered_once_for_all() {
        let source = mail(
            "<mj-text>Hi {{name}}{{#if vip}}, <b>{{tier}}</b>{{/if}}</mj-text><mj-button href=\"{{url}}\">Go</mj-button>",
        );
        let Ok(MjmlTemplate::Html(html)) = template(&source) else { panic!("rendered for each message") };
        assert!(html.contains("Hi {{name}}{{#if vip}}, <b>{{tier}}</b>{{/if}}"), "{html}");
        assert!(html.contains("href=\"{{url}}\"") && !html.contains("<mj-"), "{html}");
    }

    #[test]
    fn only_tags_within_its_own_wait_for_the_data() {
        let source = mail("{{#each items}}<mj-text>{{name}}</mj-text>{{/each}}");
        assert!(matches!(template(&source), Ok(MjmlTemplate::Html(_))));
        let source = mail("<mj-text {{#if red}}color=\"red\"{{/if}}>x</mj-text>");
        assert!(matches!(template(&source), Ok(MjmlTemplate::PerMessage)));
    }

    #[test]
    fn what_is_no_mjml_is_told() {
        for source in ["<mjml><mj-body>", "<mjml><mj-include path=\"x\" /></mjml>", &mail(&"<mj-raw><b>".repeat(200))] {
            assert!(html(source).is_err(), "{}", &source[..20]);
        }
    }
}
