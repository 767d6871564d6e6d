//! Lists of users: their ids, and patterns of ids.

use crate::error::{Error, Result};

/// Parts of a list's id, at most.
const PARTS: usize = 4;

/// Refuses what cannot be a list's id; `at` is its path in the request.
pub fn check_id(list_id: &str, at: impl FnOnce() -> String) -> Result<()> {
    let parts = list_id.split('.');
    let sound = parts.clone().count() <= PARTS && parts.clone().all(|part| !part.is_empty() && !part.contains('*'));
    match sound {
        true => Ok(()),
        false => Err(Error::invalid(
            at(),
            format_args!("expected the id of a list: up to {PARTS} parts with dots between them, and no '*'"),
        )),
    }
}

/// Which lists are meant: an id in which `*` stands for any one part, and `**` for one or more parts.
#[derive(Clone, Debug)]
pub struct ListPattern(Vec<String>);

impl ListPattern {
    pub fn new(pattern: &str) -> Self {
        ListPattern(pattern.split('.').map(str::to_owned).collect())
    }

    /// The common beginning of the ids of all lists that match.
    pub fn prefix(&self) -> String {
        let mut prefix = String::new();
        for part in self.0.iter().take_while(|part| !part.contains('*')) {
            prefix.push_str(part);
            prefix.push('.');
        }
        if self.0.iter().all(|part| !part.contains('*')) {
            prefix.pop();
        }
        prefix
    }

    pub fn matches(&self, list_id: &str) -> bool {
        let parts: Vec<&str> = list_id.split('.').collect();
        matches(&self.0, &parts)
    }
}

/// Every step takes a part of the id, of which there are few.
fn matches(pattern: &[String], parts: &[&str]) -> bool {
    match (pattern, parts) {
        ([], []) => true,
        ([wanted, rest @ ..], [_, others @ ..]) if wanted == "**" => matches(rest, others) || matches(pattern, others),
        ([wanted, rest @ ..], [part, others @ ..]) => (wanted == "*" || wanted == part) && matches(rest, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_lists_by_their_parts() {
        let cases = [
            ("example.list", "example.list", true),
            ("example.list", "example.list.more", false),
            ("example.*", "example.list", true),
            ("example.*", "example", false),
            ("example.*", "example.list.more", false),
            ("*.list", "example.list", true),
            ("example.**", "example.list", true),
            ("example.**", "example.a.b.c", true),
            ("example.**", "example", false),
            ("**.c", "a.b.c", true),
            ("**.c", "a.b.d", false),
            ("a.**.c", "a.b.b.c", true),
            ("**", "a", true),
            ("*", "a.b", false),
            ("ex*", "example", false),
            ("", "a", false),
        ];
        for (pattern, list_id, expected) in cases {
            let found = ListPattern::new(pattern);
            assert_eq!(found.matches(list_id), expected, "{pattern} {list_id}");
            assert!(!expected || list_id.starts_with(&found.prefix()), "{pattern} {list_id}");
        }
    }

    #[test]
    fn a_list_id_has_up_to_four_parts() {
        let is_id = |id: &str| check_id(id, String::new).is_ok();
        assert!(["a", "a.b.c.d", "list_id", "Ünï.x"].into_iter().all(is_id));
        assert!(!["", ".", "a.", "a..b", "a.b.c.d.e", "a.*", "a*"].into_iter().any(is_id));
    }
}
