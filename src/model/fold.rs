//! Which letters a search treats as the same. The index of texts follows the same rule.

/// A text as searches compare it, letter by letter: `Ä` is `ä`, `ß` is `ss`, `ς` is `σ`, and `İ` and `ı` are `i`. The
/// result for a letter does not depend on its neighbours, so that a part of a text folds to a part of the folded text.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            'İ' | 'ı' => folded.push('i'),
            _ if letter.is_ascii() => folded.push(letter.to_ascii_lowercase()),
            // By way of capital letters: more letters share one.
            _ => {
                let small = letter.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
                folded.extend(small);
            }
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_the_same_in_whatever_case_and_wherever_they_stand() {
        for (text, expected) in [
            ("ADA Lovelace", "ada lovelace"),
            ("ÄÖÜ", "äöü"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδος", "οδοσ"),
            ("İstanbul", "istanbul"),
            ("ISPARTA ısparta", "isparta isparta"),
            ("", ""),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn what_was_folded_stays_as_it_is() {
        let all: String = (0..=0x0001_ffff).filter_map(char::from_u32).collect();
        let once = folded(&all);
        assert_eq!(folded(&once), once);
    }
}
