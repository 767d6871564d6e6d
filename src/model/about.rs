//! The former name of the message's options.

pub use super::options::MessageOptions as About;
