//! The wire formats of display boards, as declared in `config/boards/*.toml`.

use serde::Deserialize;

use super::nearest;

/// Every shipped declaration, carried in the binary.
const SHIPPED: [&str; 1] = [include_str!("../../../config/boards/plain.toml")];

/// How a board wants its text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardFormat {
    pub id: String,
    pub name: String,
    charset: Charset,
    line_separator: String,
    end: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Charset {
    #[serde(rename = "UTF-8")]
    Utf8,
}

impl BoardFormat {
    /// The declaration with this id.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn shipped(id: &str) -> Result<Self, String> {
        let formats = SHIPPED.map(toml::from_str::<Self>);
        let mut known = Vec::new();
        for format in formats {
            let format = format.map_err(|error| format!("a shipped declaration is wrong: {error}"))?;
            if format.id == id {
                return Ok(format);
            }
            known.push(format.id);
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Err(format!("expected {}", nearest(id, &known)))
    }

    /// The bytes that show these lines, whatever was shown before.
    pub fn encode(&self, lines: &[String]) -> Vec<u8> {
        let Charset::Utf8 = self.charset;
        format!("{}{}", lines.join(&self.line_separator), self.end).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_lines_joined_by_lf_and_ended_by_crlf() {
        let plain = BoardFormat::shipped("plain").unwrap();
        let lines = ["1 계량중".to_owned(), "2".to_owned()];
        assert_eq!(plain.encode(&lines), "1 계량중\n2\r\n".as_bytes());
    }

    #[test]
    fn an_unknown_format_names_the_known_ones() {
        assert_eq!(BoardFormat::shipped("dabit").unwrap_err(), "expected one of plain");
    }
}
