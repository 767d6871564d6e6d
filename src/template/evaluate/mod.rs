//! The machine that runs a program: a stack of values, and frames for blocks and partials, as handlebars.js's runtime has
//! them (`runtime.js`, `helpers/`).

mod blocks;
mod changes;
mod machine;
mod partials;
mod run;

pub use run::{holds, render};
