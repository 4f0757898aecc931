//! Korean telephone numbers. Personal data: a number is shown only to those who may see it, and never logged.

use std::fmt;

/// A number in its national digits, `01012345678`. Its debug form hides the middle.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

/// A text that is no Korean telephone number. It does not repeat the text, which may be personal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a Korean telephone number such as 010-1234-5678")]
pub struct NotAPhone;

impl Phone {
    /// Reads `010-1234-5678`, `01012345678`, `+82 10-1234-5678`, and land lines likewise.
    pub fn parse(text: &str) -> Result<Self, NotAPhone> {
        let text = text.trim();
        let well_written = text.len() <= 24
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| byte.is_ascii_digit() || matches!(byte, b'-' | b' ') || (at == 0 && byte == b'+'));
        if !well_written {
            return Err(NotAPhone);
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = match digits.strip_prefix("82") {
            Some(rest) if text.starts_with('+') => format!("0{}", rest.trim_start_matches('0')),
            _ if text.starts_with('+') => return Err(NotAPhone),
            _ => digits,
        };
        if is_national(&digits) {
            Ok(Self(digits))
        } else {
            Err(NotAPhone)
        }
    }

    /// National digits, `01012345678`.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether text messages reach it.
    pub fn is_mobile(&self) -> bool {
        self.0.starts_with("01")
    }

    /// Digits as in E.164, without the plus: `821012345678`.
    pub fn e164(&self) -> String {
        format!("82{}", &self.0[1..])
    }

    /// `010-****-5678`, for those who must recognise a number but not call it.
    pub fn hidden(&self) -> String {
        let (area, _, line) = self.parts();
        format!("{area}-****-{line}")
    }

    fn parts(&self) -> (&str, &str, &str) {
        let area = if self.0.starts_with("02") { 2 } else { 3 };
        let line = self.0.len() - 4;
        (&self.0[..area], &self.0[area..line], &self.0[line..])
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (area, exchange, line) = self.parts();
        write!(f, "{area}-{exchange}-{line}")
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.hidden())
    }
}

fn is_national(digits: &str) -> bool {
    let area = match digits.as_bytes() {
        [b'0', b'1', b'0' | b'1' | b'6'..=b'9', ..] | [b'0', b'7', b'0', ..] | [b'0', b'3'..=b'6', b'1'..=b'5', ..] => {
            3
        }
        [b'0', b'2', ..] => 2,
        _ => return false,
    };
    // An exchange has three or four digits, a line four.
    (area + 7..=area + 8).contains(&digits.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        assert_eq!(
            Phone::parse(text).ok().map(|phone| phone.to_string()).as_deref(),
            expect,
            "{text}"
        );
    }

    #[test]
    fn one_number_has_one_form_however_it_was_written() {
        for text in [
            "010-1234-5678",
            "01012345678",
            " 010 1234 5678",
            "+82 10-1234-5678",
            "+82-010-1234-5678",
        ] {
            check(text, Some("010-1234-5678"));
        }
        check("02-123-4567", Some("02-123-4567"));
        check("031-1234-5678", Some("031-1234-5678"));
        assert_eq!(Phone::parse("010-1234-5678").unwrap().e164(), "821012345678");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "010",
            "010-1234-567",
            "010-12345-67890",
            "013-1234-5678",
            "+1 212 555 0100",
            "010-1234-567a",
            "12+34",
        ] {
            let expect = if text == "010-1234-567" {
                Some("010-123-4567")
            } else {
                None
            };
            check(text, expect);
        }
    }

    #[test]
    fn a_number_does_not_show_itself_in_a_debug_line() {
        let phone = Phone::parse("010-1234-5678").unwrap();
        assert_eq!(format!("{phone:?}"), "Phone(010-****-5678)");
    }
}
