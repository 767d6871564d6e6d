//! The colours of an e-mail if neither author nor brand chose any. Each has a contrast of 4.5 with its background. The
//! dark mode of `email/document.rs` finds them by their values, so no two of them may be the same.

/// Of buttons and bars: Courier's own default, which brands start from.
pub const PRIMARY: &str = "#9d3789";
pub const INK: &str = "#24292f";
/// Below the card.
pub const FAINT: &str = "#57606a";
pub const SUBTEXT: &str = "#5f6b7a";
pub const LINK: &str = "#2a6fdb";
pub const BACKGROUND: &str = "#f3f4f6";
pub const CARD: &str = "#ffffff";
/// Dividers, and the rows of tables.
pub const LINE: &str = "#dde3ea";
/// The bar of a quote.
pub const QUOTE: &str = "#cbd5e0";
/// Behind code.
pub const SHADE: &str = "#f1f3f5";

/// For the cells of buttons, which keep their colours.
pub const BUTTON_CLASS: &str = "bulkd-button";
