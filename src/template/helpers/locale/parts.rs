//! Parts of tags, and of lists of words separated by bars.

/// The language of a tag such as `de-AT`.
pub fn language_of(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

/// The item of a list with bars.
pub fn item(list: &'static str, place: usize) -> &'static str {
    list.split('|').nth(place).unwrap_or_default()
}

/// The text behind a name in a list with bars.
pub fn behind(list: &'static str, name: &str) -> Option<&'static str> {
    list.split('|').find_map(|item| item.strip_prefix(name))
}
