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
/// `text` as a pattern that finds it anywhere; its own wildcards are taken literally.
pub(super) fn containing(text: &str) -> String {
    let literal = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{literal}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_wildcards_literally() {
        assert_eq!(containing("100%_\\"), "%100\\%\\_\\\\%");
    }
}
