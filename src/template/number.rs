//! Numbers as ECMAScript reads and prints them.

/// Writes a number as ECMAScript prints it.
pub fn write(number: f64, out: &mut String) {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return out.push_str(itoa::Buffer::new().format(number as i64));
    }
    out.push_str(ryu_js::Buffer::new().format(number));
}

/// The number that JavaScript makes of a text.
pub fn of_text(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    let radix = |digits: &str, radix: u32| {
        let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let digit = |number: f64, c: char| number * f64::from(radix) + f64::from(c.to_digit(radix).unwrap_or(0));
        if is_number { digits.chars().fold(0.0, digit) } else { f64::NAN }
    };
    match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => return radix(&text[2..], 16),
        Some("0o") => return radix(&text[2..], 8),
        Some("0b") => return radix(&text[2..], 2),
        _ => {}
    }
    match text {
        "" => 0.0,
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // Rust has words for numbers that JavaScript does not have.
        text if text.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E')) => f64::NAN,
        text => text.parse().unwrap_or(f64::NAN),
    }
}

/// Whether JavaScript treats a character as whitespace.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() && c != '\u{85}' || c == '\u{feff}'
}

/// The index that JavaScript sees in a name: `0` and `12`, but not `01`.
pub fn index(name: &str) -> Option<u32> {
    let is_number = !name.is_empty() && name.len() <= 10 && name.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || name.starts_with('0') && name != "0" {
        return None;
    }
    name.parse().ok().filter(|index| *index < u32::MAX)
}
