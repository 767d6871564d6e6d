//! Elements, in one file for each form in which they are written.

mod builder;
mod conditions;
mod edges;
pub mod html;
pub mod nodes;
pub mod plain;
pub mod subject;

pub use builder::{Builder, WriteElement, has_marks, keeps_markdown};
pub use edges::BoxEnd;
