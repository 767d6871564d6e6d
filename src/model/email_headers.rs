//! The headers of e-mails from a template: the sender, and further recipients.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::mailbox::{self, Mailbox};
use crate::error::{Error, Result};

/// Texts that contain mailboxes, and may contain variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailHeaders {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cc: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bcc: Option<Vec<String>>,
}

/// One text of the headers. Shown, it is its place: `cc[0]`.
#[derive(Clone, Copy)]
pub struct HeaderText<'a> {
    pub header: &'static str,
    index: Option<usize>,
    pub text: &'a str,
}

impl EmailHeaders {
    pub fn texts(&self) -> impl Iterator<Item = HeaderText<'_>> {
        let alone = [("from", &self.from), ("reply_to", &self.reply_to)].into_iter();
        let alone = alone.filter_map(|(header, text)| Some(HeaderText { header, index: None, text: text.as_deref()? }));
        let lists = [("cc", &self.cc), ("bcc", &self.bcc)].into_iter().flat_map(|(header, texts)| {
            let texts = texts.iter().flatten().enumerate();
            texts.map(move |(i, text)| HeaderText { header, index: Some(i), text })
        });
        alone.chain(lists)
    }

    /// Refuses an address to which no e-mail can go. One with variables is checked when they are known. `at` is the
    /// path of the headers in the request.
    pub fn check(&self, at: &str) -> Result<()> {
        for it in self.texts() {
            let mailboxes = it.mailboxes();
            let problem = mailboxes.iter().find_map(|mailbox| match mailbox {
                HeaderMailbox::Known(mailbox) => mailbox.problem(),
                HeaderMailbox::Varying { email, .. } => mailbox::problem(email).filter(|_| !has_variables(email)),
            });
            let several = || (it.header == "from" && mailboxes.len() > 1).then(|| "expected one address".to_owned());
            if let Some(problem) = problem.or_else(several) {
                return Err(Error::invalid(format_args!("{at}.{it}"), problem));
            }
        }
        Ok(())
    }
}

impl fmt::Display for HeaderText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.header),
            None => f.write_str(self.header),
        }
    }
}

/// A mailbox of a text.
pub enum HeaderMailbox<'a> {
    Known(Mailbox),
    /// With variables in its name or its address.
    Varying {
        name: Option<String>,
        email: &'a str,
    },
}

impl<'a> HeaderText<'a> {
    pub fn mailboxes(&self) -> Vec<HeaderMailbox<'a>> {
        if !has_variables(self.text) {
            return Mailbox::list(self.text).into_iter().map(HeaderMailbox::Known).collect();
        }
        let varying = |(name, email)| HeaderMailbox::Varying { name, email };
        mailbox::parted(self.text).into_iter().map(varying).collect()
    }
}

fn has_variables(text: &str) -> bool {
    text.contains("{{")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problem(headers: Value) -> Option<String> {
        let headers: EmailHeaders = serde_json::from_value(headers).unwrap();
        headers.check("email").err().map(|error| error.public_message())
    }

    #[test]
    fn what_is_no_address_is_told_by_its_place() {
        let refused = [
            (json!({ "from": "nobody" }), "email.from: 'nobody' is not an e-mail address"),
            (json!({ "cc": ["a@example.com", "Ada <b>"] }), "email.cc[1]: 'b' is not an e-mail address"),
            (json!({ "from": "a@example.com, b@example.com" }), "email.from: expected one address"),
            (json!({ "bcc": ["{{name}} <nobody>"] }), "email.bcc[0]: 'nobody' is not an e-mail address"),
        ];
        for (headers, expected) in refused {
            let problem = problem(headers.clone()).unwrap_or_default();
            assert!(problem.starts_with(expected), "{headers}: {problem}");
        }
        let taken = [
            json!({}),
            json!({ "from": "", "cc": [] }),
            json!({ "from": "\"Acme, {{x}}\" <a@example.com>", "reply_to": "a@example.com, b@example.com" }),
            json!({ "cc": ["{{data.cc}}", "{{#if a}}a@example.com{{else}}b@example.com{{/if}}"] }),
        ];
        for headers in taken {
            assert_eq!(problem(headers.clone()), None, "{headers}");
        }
    }
}
