//! How much a message may say, and what it takes to render it.

/// No subject or body grows longer: a template may repeat a user's data as often as it likes.
pub const TEXT_BYTES: usize = crate::template::TEXT_BYTES;

/// What one message says on all its channels together is no longer.
pub const MESSAGE_BYTES: usize = 4 * TEXT_BYTES;

/// Stack that a thread needs to compile and render texts: both recurse with the blocks and brackets in them.
pub const RENDER_STACK_BYTES: usize = 8 * 1024 * 1024;

pub fn too_long() -> String {
    format!("the text would be longer than {TEXT_BYTES} bytes")
}
