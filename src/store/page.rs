//! Pages of lists.

/// A page of a list, and where the next one begins, if there is one.
#[derive(Debug)]
pub struct Page<T, N> {
    pub items: Vec<T>,
    pub next: Option<N>,
}
