//! How long a message may be, and what it takes to render it.

/// The longest subject or body: a template may repeat a user's data as often as it likes.
pub const TEXT_BYTES: usize = crate::template::TEXT_BYTES;

/// The most text of one message on all its channels together.
pub const MESSAGE_BYTES: usize = 4 * TEXT_BYTES;

/// The stack that a thread needs to compile and render texts: both recurse with their blocks and brackets.
pub const RENDER_STACK_BYTES: usize = 8 * 1024 * 1024;

pub fn too_long() -> String {
    format!("the text would be longer than {TEXT_BYTES} bytes")
}
