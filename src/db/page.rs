//! One page of a list, and how many rows there are in all.

/// Which rows of a list.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    pub offset: i64,
    pub limit: i64,
}

/// The rows of a slice.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Rows that match, on all pages.
    pub total: i64,
}
