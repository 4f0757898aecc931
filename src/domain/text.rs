//! Names and notes that people type, and logins.

use std::fmt;

use serde::Serialize;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// One line of at most `MOST` characters: composed, trimmed, not empty, without characters that hide or rearrange text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line<const MOST: usize>(String);

/// Why a text is no such line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("the text is empty")]
    Empty,
    #[error("the text is longer than {0} characters")]
    TooLong(usize),
    #[error("the text contains a control character, a direction override or a heap of accents")]
    Unreadable,
}

/// The name by which a user signs in: 2 to 50 of `a-z 0-9 . _ - @`; capitals are made small.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Login(String);

/// A text that is no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a login of 2 to 50 letters, digits or . _ - @")]
pub struct NotALogin;

impl<const MOST: usize> Line<MOST> {
    pub fn parse(text: &str) -> Result<Self, LineError> {
        // A character takes at most 4 bytes, and a composed one rarely comes from more than 3.
        if text.len() > MOST * 12 {
            return Err(LineError::TooLong(MOST));
        }
        let line: String = text.trim().nfc().collect();
        let hidden = |character: char| {
            character.is_control()
                || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
        };
        let heaped = line.chars().filter(|character| is_combining_mark(*character)).count() > 4;
        match line.chars().count() {
            0 => Err(LineError::Empty),
            length if length > MOST => Err(LineError::TooLong(MOST)),
            _ if heaped || line.chars().any(hidden) => Err(LineError::Unreadable),
            _ => Ok(Self(line)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MOST: usize> fmt::Display for Line<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Login {
    pub fn parse(text: &str) -> Result<Self, NotALogin> {
        let fits = (2..=50).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte));
        if fits {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotALogin)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<&str, LineError>) {
        assert_eq!(
            Line::<10>::parse(text),
            expect.map(|line| Line(line.to_owned())),
            "{text:?}"
        );
    }

    #[test]
    fn a_line_is_kept_as_it_reads() {
        check(" 1번 계량대 ", Ok("1번 계량대"));
        check("<img src>", Ok("<img src>"));
        check("=1+1", Ok("=1+1"));
    }

    #[test]
    fn a_line_that_hides_or_rearranges_text_is_refused() {
        check("", Err(LineError::Empty));
        check(" \u{3000} ", Err(LineError::Empty));
        check("12345678901", Err(LineError::TooLong(10)));
        check("a\u{202e}b", Err(LineError::Unreadable));
        check("a\0b", Err(LineError::Unreadable));
        check("a\nb", Err(LineError::Unreadable));
        check("가\u{301}\u{301}\u{301}\u{301}\u{301}", Err(LineError::Unreadable));
        check(&"a\u{301}".repeat(10_000), Err(LineError::TooLong(10)));
    }

    #[test]
    fn a_login_is_small_letters_and_digits() {
        assert_eq!(Login::parse("Driver_Hong.1").unwrap().as_str(), "driver_hong.1");
        for bad in ["", "a", "홍길동", "a b", "a'--", &"a".repeat(51)] {
            assert_eq!(Login::parse(bad), Err(NotALogin), "{bad}");
        }
    }
}
