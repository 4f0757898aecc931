//! Korean number plates: read however a person or a camera wrote them, kept in one form.

use std::fmt;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

/// A number plate in its one form: composed Hangul, ASCII digits, no spaces (`12가3456`, `경기80바1234`, `006가5006`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Plate(String);

/// A text that is no plate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no plate, expected one such as 12가3456, 경기80바1234 or 006가5006")]
pub struct NotAPlate(String);

const REGIONS: [&str; 17] = [
    "서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "경기", "강원", "충북", "충남", "전북", "전남",
    "경북", "경남", "제주",
];
/// Private, commercial (바사아자), courier (배), rental (허하호), military (국합육해공) and temporary (임).
const LETTERS: &str = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주바사아자배허하호국합육해공임";

impl Plate {
    /// Reads a plate, forgiving spaces, hyphens, full-width digits and decomposed Hangul.
    pub fn parse(text: &str) -> Result<Self, NotAPlate> {
        let refused = || NotAPlate(text.chars().take(20).collect());
        if text.len() > 100 {
            return Err(refused());
        }
        let plain = normalised(text);
        if is_plate(&plain) {
            Ok(Self(plain))
        } else {
            Err(refused())
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The serial number, by which people in a yard call a truck.
    pub fn last_four(&self) -> &str {
        // A plate ends in four ASCII digits.
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Display for Plate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form in which plates are kept and searched, also for a part of a plate.
pub fn normalised(text: &str) -> String {
    text.nfc()
        .filter(|character| !character.is_whitespace() && !matches!(character, '-' | '－'))
        .map(|character| match character {
            '０'..='９' => {
                char::from_u32(u32::from(character) - u32::from('０') + u32::from('0')).unwrap_or(character)
            }
            other => other,
        })
        .collect()
}

fn is_plate(plain: &str) -> bool {
    let region = REGIONS.iter().find_map(|region| plain.strip_prefix(region));
    let body = region.unwrap_or(plain);
    let Some((at, letter)) = body.char_indices().find(|(_, character)| !character.is_ascii_digit()) else {
        return false;
    };
    let (class, serial) = (&body[..at], &body[at + letter.len_utf8()..]);
    let serial_fits = serial.len() == 4 && serial.bytes().all(|byte| byte.is_ascii_digit());
    let known_letter = LETTERS.contains(letter);
    let hangul = ('가'..='힣').contains(&letter);
    let Ok(number) = class.parse::<u16>() else {
        return false;
    };
    // Construction machinery takes any syllable: 001 to 027, or 01 to 27 behind a region.
    let fits = match (region, class.len()) {
        (Some(_), 1) => known_letter,
        (Some(_), 2) => known_letter || (hangul && (1..=27).contains(&number)),
        (None, 2) => known_letter && number >= 1,
        (None, 3) => (known_letter && number >= 100) || (hangul && (1..=27).contains(&number)),
        _ => false,
    };
    serial_fits && fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        let plate = Plate::parse(text).ok();
        assert_eq!(plate.as_ref().map(Plate::as_str), expect, "{text}");
    }

    #[test]
    fn every_kind_of_plate_is_known() {
        for plate in [
            "12가3456",
            "123가4567",
            "서울12가3456",
            "경기80바1234",
            "80배1234",
            "800바1234",
            "006가5006",
            "026거1234",
            "01가1234",
            "서울1가1234",
            "전북06뢰1234",
        ] {
            check(plate, Some(plate));
        }
    }

    #[test]
    fn what_is_no_plate_is_refused() {
        for text in [
            "",
            "12글3456",
            "00가1234",
            "028가1234",
            "1가1234",
            "1234가1234",
            "12가345",
            "12가34567",
            "가12가3456",
            "12A3456",
            "12가3456<img>",
            "12가3456\u{202e}",
            "화성12가3456",
            "12가３４５x",
        ] {
            check(text, None);
        }
        check(&"가\u{301}".repeat(10_000), None);
    }

    #[test]
    fn one_plate_has_one_form_however_it_was_written() {
        let decomposed: String = "12가3456".nfd().collect();
        for text in [" 12 가 3456 ", "12가-3456", "１２가３４５６", &decomposed] {
            check(text, Some("12가3456"));
        }
    }

    #[test]
    fn a_truck_is_called_by_its_last_four_digits() {
        assert_eq!(Plate::parse("경기80바0123").unwrap().last_four(), "0123");
    }
}
