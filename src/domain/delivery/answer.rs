//! What an HTTP answer says about the message that was sent.

use std::time::Duration;

use super::Outcome;

/// What a status means, whoever answers. 409 is the receiver's own affair and counts as refused here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// Renew the token once; then it is like `Later`.
    Unauthorized,
    /// The receiver is down, busy, or not the one it should be.
    Later,
    /// The receiver is well and does not want this message.
    Refused,
}

/// Reads a status. A redirect is never followed: whoever answers one is not the receiver that was configured.
pub const fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted,
        401 => Verdict::Unauthorized,
        100..=199 | 300..=399 | 408 | 425 | 429 | 500.. => Verdict::Later,
        _ => Verdict::Refused,
    }
}

/// The outcome of an answer that is no success; `said` is the beginning of its body.
pub fn failure(status: u16, retry_after: Option<Duration>, said: &str) -> Outcome {
    let why = match status {
        300..=399 => format!("{status}: redirects are not followed"),
        _ if said.is_empty() => status.to_string(),
        _ => format!("{status}: {said}"),
    };
    match verdict(status) {
        Verdict::Refused => Outcome::Dead { why },
        Verdict::Accepted | Verdict::Unauthorized | Verdict::Later => Outcome::Retry {
            why,
            after: retry_after,
        },
    }
}

/// `Retry-After` in seconds. The form with a date is for pages, no interface that we speak to sends it.
pub fn retry_after(header: Option<&str>) -> Option<Duration> {
    header?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_sent_later_or_dead() {
        for status in [200, 201, 202, 204] {
            assert_eq!(verdict(status), Verdict::Accepted, "{status}");
        }
        for status in [301, 302, 307, 408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(verdict(status), Verdict::Later, "{status}");
        }
        for status in [400, 403, 404, 405, 409, 410, 413, 415, 422] {
            assert_eq!(verdict(status), Verdict::Refused, "{status}");
        }
        assert_eq!(verdict(401), Verdict::Unauthorized);
    }

    #[test]
    fn a_pause_is_read_in_seconds() {
        assert_eq!(retry_after(Some(" 7 ")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(retry_after(None), None);
    }
}
