//! Keeps personal data and secrets out of what is logged, whoever wrote the line: phone numbers, tokens and keys are
//! recognised by their look. Control characters are written as escapes, so that no input can forge a second line.

use std::fmt::Write;

/// `text` as it may be logged.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        // Numbers and tokens begin where a word begins: digits inside an identity are no phone number.
        let starts_word = !before.is_some_and(|before: char| before.is_alphanumeric() || before == '_');
        let hidden = if starts_word {
            phone(rest).or_else(|| secret(rest))
        } else {
            None
        };
        if let Some((length, shown)) = hidden {
            out.push_str(shown);
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
            continue;
        }
        push_visible(&mut out, next);
        before = Some(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}

/// The length of a Korean phone number at the start of `text`, and what is written instead.
fn phone(text: &str) -> Option<(usize, &'static str)> {
    let national = text.strip_prefix("+82").or_else(|| text.strip_prefix("82"));
    let international = national.is_some();
    let body = national.unwrap_or(text);
    let body = if international {
        body.trim_start_matches(['-', ' '])
    } else {
        body
    };
    let mut digits = String::new();
    let mut length = text.len() - body.len();
    for (at, character) in body.char_indices() {
        match character {
            '0'..='9' if digits.len() < 12 => {
                digits.push(character);
                length = text.len() - body.len() + at + 1;
            }
            '-' | ' ' | '.' if body[..at].ends_with(|last: char| last.is_ascii_digit()) => {}
            _ => break,
        }
    }
    let ends_word = !text[length..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
    let digits = if international && !digits.starts_with('0') {
        format!("0{digits}")
    } else {
        digits
    };
    (ends_word && is_phone(&digits)).then_some((length, "[phone]"))
}

fn is_phone(digits: &str) -> bool {
    let mobile = digits.len() >= 10
        && digits.len() <= 11
        && digits.starts_with("01")
        && matches!(digits.as_bytes()[2], b'0' | b'1' | b'6'..=b'9');
    let seoul = digits.starts_with("02") && (9..=10).contains(&digits.len());
    let other = (digits.starts_with("070") || matches!(digits.as_bytes(), [b'0', b'3'..=b'6', b'1'..=b'5', ..]))
        && (10..=11).contains(&digits.len());
    mobile || seoul || other
}

/// The length of a token or key at the start of `text`, and what is written instead.
fn secret(text: &str) -> Option<(usize, &'static str)> {
    const LOOKS: [&str; 5] = ["eyJ", "wbk_", "wbr_", "ticket.", "Bearer "];
    let prefix = LOOKS.iter().find(|look| text.starts_with(**look))?;
    let of_token = |character: char| character.is_ascii_alphanumeric() || "-_.~+/=".contains(character);
    let body = &text[prefix.len()..];
    let length = prefix.len() + body.find(|next| !of_token(next)).unwrap_or(body.len());
    (length >= prefix.len() + 8).then_some((length, "[secret]"))
}

fn push_visible(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Bidirectional overrides rearrange what a person reads.
        '\u{202A}'..='\u{202E}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' => escape(out, character),
        _ if character.is_control() => escape(out, character),
        _ => out.push(character),
    }
}

fn escape(out: &mut String, character: char) {
    // Writing to a string does not fail.
    write!(out, "\\u{{{:x}}}", u32::from(character)).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(masked(text), expect);
    }

    #[test]
    fn phone_numbers_are_hidden_however_they_are_written() {
        check("to 010-1234-5678.", "to [phone].");
        check("phone=01012345678 ok", "phone=[phone] ok");
        check("\"+82 10-1234-5678\"", "\"[phone]\"");
        check("+821012345678", "[phone]");
        check("010.1234.5678,011-234-5678", "[phone],[phone]");
        check(
            "02-123-4567 and 031 123 4567 and 070-1234-5678",
            "[phone] and [phone] and [phone]",
        );
    }

    #[test]
    fn numbers_of_the_trade_stay_readable() {
        for kept in [
            "slip WR20260125001 net 18340.50 kg",
            "plate 12가3456 and 006가5006",
            "at 2026-01-25T14:30:00.010123Z",
            "epoch 0000000000010123456780000000ab",
            "id 1012345678",
            "listening on 127.0.0.1:8080",
        ] {
            check(kept, kept);
        }
    }

    #[test]
    fn tokens_and_keys_are_hidden() {
        check(
            "got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln-_ here",
            "got [secret] here",
        );
        check("key wbk_3_c2VjcmV0LXNlY3JldA", "key [secret]");
        check("authorization: Bearer abcdefgh12345", "authorization: [secret]");
    }

    #[test]
    fn no_input_can_forge_a_line() {
        check(
            "a\nINFO forged\u{1b}[31m\u{202e}",
            "a\\nINFO forged\\u{1b}[31m\\u{202e}",
        );
    }
}
