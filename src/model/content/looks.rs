//! The style of elements in an e-mail: properties, and the values that they can have.

/// A property of style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Color,
    Background,
    /// Of the card in which an e-mail's elements stand.
    BodyColor,
    Highlight,
    BorderColor,
    BorderWidth,
    BorderRadius,
    Padding,
    FontFamily,
    FontSize,
    LineHeight,
    Width,
    Height,
    Gap,
    Align,
    VerticalAlign,
}

/// A value with its field.
#[derive(Debug)]
pub struct LookValue {
    pub text: String,
    pub field: String,
}

/// The properties of one element.
#[derive(Debug, Default)]
pub struct Looks(Vec<(Look, LookValue)>);

impl Looks {
    pub fn get(&self, look: Look) -> Option<&LookValue> {
        self.0.iter().find(|(known, _)| *known == look).map(|(_, value)| value)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, look: Look, text: String, field: String) {
        self.0.push((look, LookValue { text, field }));
    }
}

impl Look {
    /// The fields that set it, the current names first.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Look::BorderColor => &["border_color", "borderColor", "border.color"],
            Look::BorderWidth => &["border_width", "border_size", "border.size", "border_left_width"],
            Look::BorderRadius => &["border_radius", "border.radius"],
            Look::Color => &["color"],
            Look::Background => &["background_color"],
            Look::BodyColor => &["content_body_color"],
            Look::Highlight => &["highlight"],
            Look::Padding => &["padding"],
            Look::FontFamily => &["font_family"],
            Look::FontSize => &["font_size"],
            Look::LineHeight => &["line_height"],
            Look::Width => &["width"],
            Look::Height => &["height"],
            Look::Align => &["align"],
            Look::Gap => &["gap"],
            Look::VerticalAlign => &["vertical_align"],
        }
    }

    /// What its values are, in words.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Look::Color | Look::Background | Look::BodyColor | Look::Highlight | Look::BorderColor => {
                "a colour such as \"#9d3789\""
            }
            Look::Padding => "one to four lengths such as \"8px 30px\"",
            Look::LineHeight => "a length such as \"24px\" or a number such as \"1.5\"",
            Look::FontFamily => "names of fonts such as \"Georgia, serif\"",
            Look::Align => "left, center or right",
            Look::VerticalAlign => "top, middle or bottom",
            _ => "a length such as \"16px\"",
        }
    }

    /// The value as it can stand in a style, if it is valid. The value of a variable is only known when it is rendered.
    pub fn value(self, text: &str) -> Option<String> {
        let text = text.trim();
        if text.contains("{{") {
            return Some(text.to_owned());
        }
        match self {
            Look::Color | Look::Background | Look::BodyColor | Look::Highlight | Look::BorderColor => {
                is_colour(text).then(|| text.to_owned())
            }
            Look::Padding => {
                let lengths: Option<Vec<String>> = text.split_whitespace().map(length).collect();
                lengths.filter(|lengths| (1..=4).contains(&lengths.len())).map(|lengths| lengths.join(" "))
            }
            Look::LineHeight if is_number(text) => Some(text.to_owned()),
            Look::Width | Look::Height if text.eq_ignore_ascii_case("auto") => Some("auto".to_owned()),
            Look::FontFamily => {
                let allowed = |c: char| c.is_alphanumeric() || " ,-_'\".".contains(c);
                (!text.is_empty() && text.chars().count() <= 200 && text.chars().all(allowed))
                    .then(|| text.replace(['\'', '"'], ""))
            }
            Look::Align => {
                ["left", "center", "right"].iter().find(|it| it.eq_ignore_ascii_case(text)).map(|it| (*it).to_owned())
            }
            Look::VerticalAlign => {
                ["top", "middle", "bottom"].iter().find(|it| it.eq_ignore_ascii_case(text)).map(|it| (*it).to_owned())
            }
            _ => length(text),
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, rest)) => (whole.is_empty() || digits(whole)) && digits(rest),
        None => digits(text),
    }
}

/// A length in CSS. A bare number is in pixels.
fn length(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let unit = ["px", "rem", "em", "pt", "%", "vw", "ch"].into_iter().find(|unit| text.ends_with(unit)).unwrap_or("");
    let number = text.strip_suffix(unit)?.trim_end();
    is_number(number).then(|| match unit {
        "" if number == "0" => "0".to_owned(),
        "" => format!("{number}px"),
        unit => format!("{number}{unit}"),
    })
}

fn is_colour(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix('#') {
        return matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let lower = text.to_ascii_lowercase();
    if let Some((function, inside)) = lower.strip_suffix(')').and_then(|it| it.split_once('(')) {
        let allowed = |c: char| c.is_ascii_digit() || " ,.%/-".contains(c);
        let inside = inside.replace("deg", "");
        return matches!(function, "rgb" | "rgba" | "hsl" | "hsla")
            && inside.len() <= 40
            && inside.contains(|c: char| c.is_ascii_digit())
            && inside.chars().all(allowed);
    }
    COLOUR_NAMES.split_whitespace().any(|name| name == lower)
}

const COLOUR_NAMES: &str = "transparent currentcolor inherit \
    aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood \
    cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray \
    darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen \
    darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue \
    firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey honeydew \
    hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan \
    lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon lightseagreen lightskyblue lightslategray \
    lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue \
    mediumorchid mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred \
    midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid \
    palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum powderblue purple \
    rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen seashell sienna silver skyblue \
    slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise violet wheat white \
    whitesmoke yellow yellowgreen";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_style_can_hold_is_a_value() {
        let cases = [
            (Look::Color, "#9d3789", Some("#9d3789")),
            (Look::Color, "RebeccaPurple", Some("RebeccaPurple")),
            (Look::Color, "rgba(1, 2, 3, .5)", Some("rgba(1, 2, 3, .5)")),
            (Look::Color, "hsl(120deg 50% 40% / 30%)", Some("hsl(120deg 50% 40% / 30%)")),
            (Look::Color, "{{brand.colors.primary}}", Some("{{brand.colors.primary}}")),
            (Look::Color, "bluish", None),
            (Look::Color, "#12", None),
            (Look::Color, "red;background:url(x)", None),
            (Look::Color, "url(1)", None),
            (Look::Padding, "8px 30px", Some("8px 30px")),
            (Look::Padding, "0 10", Some("0 10px")),
            (Look::Padding, "1px 2px 3px 4px 5px", None),
            (Look::Padding, "-1px", None),
            (Look::FontSize, "18px", Some("18px")),
            (Look::FontSize, "18", Some("18px")),
            (Look::FontSize, "large", None),
            (Look::FontSize, "1e3px", None),
            (Look::LineHeight, "1.5", Some("1.5")),
            (Look::LineHeight, "24px", Some("24px")),
            (Look::Width, "50%", Some("50%")),
            (Look::Width, "auto", Some("auto")),
            (Look::FontFamily, "'Helvetica Neue', Arial", Some("Helvetica Neue, Arial")),
            (Look::FontFamily, "x;}", None),
            (Look::VerticalAlign, "middle", Some("middle")),
            (Look::VerticalAlign, "up", None),
            (Look::Gap, "", None),
        ];
        for (look, text, expected) in cases {
            assert_eq!(look.value(text).as_deref(), expected, "{look:?} {text}");
        }
    }
}
