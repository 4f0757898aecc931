//! What fits into a text message. Networks count in EUC-KR: a syllable takes two bytes, a letter one.

/// Bytes of a short and of a long message.
pub const SHORT: usize = 90;
pub const LONG: usize = 2000;

/// Why a text of `kind` cannot be sent as one.
pub fn misfit(kind: Option<&str>, text: &str) -> Option<&'static str> {
    let bytes = bytes(text);
    match kind {
        _ if text.trim().is_empty() => Some("the text is empty"),
        Some("SMS") if bytes > SHORT => Some("a short message has at most 90 bytes"),
        Some("SMS" | "LMS") | None if bytes <= LONG => None,
        Some("SMS" | "LMS") | None => Some("a long message has at most 2000 bytes"),
        Some(_) => Some("the kind is not SMS or LMS"),
    }
}

/// The kind that a service chooses where none is asked for.
pub fn kind(text: &str) -> &'static str {
    if bytes(text) > SHORT { "LMS" } else { "SMS" }
}

fn bytes(text: &str) -> usize {
    text.chars()
        .map(|character| if character.is_ascii() { 1 } else { 2 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syllable_counts_twice() {
        assert_eq!(misfit(Some("SMS"), &"가".repeat(45)), None);
        assert!(misfit(Some("SMS"), &"가".repeat(46)).is_some());
        assert_eq!(kind(&"a".repeat(90)), "SMS");
        assert_eq!(kind(&"a".repeat(91)), "LMS");
        assert!(misfit(None, &"가".repeat(1001)).is_some());
        assert!(misfit(None, " ").is_some());
    }
}
