//! Korean business registration numbers (사업자등록번호).

use std::fmt;

/// Ten digits whose last one checks the others, shown as `124-81-00998`. Well formed does not mean registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessNumber(String);

/// A text that is no business number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a business registration number such as 124-81-00998")]
pub struct NotABusinessNumber;

const WEIGHTS: [u32; 9] = [1, 3, 7, 1, 3, 7, 1, 3, 5];

impl BusinessNumber {
    /// Reads ten digits with or without hyphens.
    pub fn parse(text: &str) -> Result<Self, NotABusinessNumber> {
        let digits: Option<Vec<u32>> = text
            .trim()
            .chars()
            .filter(|character| *character != '-')
            .map(|character| character.to_digit(10))
            .collect();
        let digits = digits.filter(|digits| digits.len() == 10).ok_or(NotABusinessNumber)?;
        let sum: u32 = WEIGHTS.iter().zip(&digits).map(|(weight, digit)| weight * digit).sum();
        let check = (10 - (sum + digits[8] * 5 / 10) % 10) % 10;
        if check != digits[9] {
            return Err(NotABusinessNumber);
        }
        let text: String = digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
        Ok(Self(format!("{}-{}-{}", &text[..3], &text[3..5], &text[5..])))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BusinessNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_checks_the_others() {
        for good in ["124-81-00998", "2208162517", "120-81-47521", "123-45-67891"] {
            assert!(BusinessNumber::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "123-45-67890", "124-81-0099", "124-81-00998x", "١٢٣4567891"] {
            assert_eq!(BusinessNumber::parse(bad), Err(NotABusinessNumber), "{bad}");
        }
        assert_eq!(BusinessNumber::parse("1248100998").unwrap().as_str(), "124-81-00998");
    }
}
