//! Mail addresses. Personal data: shown only to those who may see them, and never logged.

use std::fmt;

/// An address in small letters. Its debug form hides whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(String);

/// A text that is no mail address. It does not repeat the text, which may be personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a mail address such as name@example.kr")]
pub struct NotAnAddress;

impl MailAddress {
    /// Reads `name@example.kr`: letters, digits and `.!#$%&'*+/=?^_{|}~-` before the at sign, a host's name after it.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim();
        let (name, host) = text.rsplit_once('@').ok_or(NotAnAddress)?;
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_{|}~-".contains(&byte);
        let well_named = (1..=64).contains(&name.len())
            && name.bytes().all(in_name)
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..");
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_host = text.len() <= 254 && host.contains('.') && host.split('.').all(label);
        if well_named && is_host {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAnAddress)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `k***@example.kr`, for those who must recognise an address but not write to it.
    pub fn hidden(&self) -> String {
        let (name, host) = self.0.rsplit_once('@').unwrap_or(("", &self.0));
        format!("{}***@{host}", name.get(..1).unwrap_or_default())
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailAddress({})", self.hidden())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_small_letters_and_shown_hidden() {
        let address = MailAddress::parse(" Kim.Min+slip@Example.co.KR ").unwrap();
        assert_eq!(address.as_str(), "kim.min+slip@example.co.kr");
        assert_eq!(format!("{address:?}"), "MailAddress(k***@example.co.kr)");
    }

    #[test]
    fn what_would_be_another_header_or_no_address_is_refused() {
        let long = format!("{}@example.kr", "a".repeat(65));
        for wrong in [
            "",
            "a",
            "a@b",
            "@example.kr",
            "a@",
            "a b@example.kr",
            "a@example.kr\r\nBcc: x@y.kr",
            "a@-x.kr",
            ".a@x.kr",
            "a..b@x.kr",
            "a@x..kr",
            "<a@x.kr>",
            "a,b@x.kr",
            "홍@x.kr",
            &long,
        ] {
            assert_eq!(MailAddress::parse(wrong), Err(NotAnAddress), "{wrong:?}");
        }
    }
}
