//! Numbers as indicators write them: text in fixed columns, BCD, binary.

/// The digits of a field and what it says of its own decimal point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// All digits as one integer, with the field's own sign.
    pub digits: i64,
    /// Digits after the point; None where the field has no point.
    pub decimals: Option<u8>,
}

/// How the bytes of a field make a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberForm {
    Text(TextForm),
    /// Two decimal digits a byte, the low byte first.
    Bcd,
    /// An unsigned integer, the high byte first.
    Binary,
}

/// What a number in text may look like beyond blanks and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextForm {
    pub point: Point,
    pub signed: bool,
    /// The last character is the first of the number.
    pub reversed: bool,
    pub trailing_blanks: bool,
}

/// Whether a number has a decimal point, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Never,
    Maybe(u8),
    Always(u8),
}

/// No field of an indicator is wider; wider ones could not be exact in 64 bits.
pub const WIDEST: usize = 18;

impl NumberForm {
    /// Whether `byte` can stand in such a field at all. Letters can: indicators write `OVER` there.
    pub fn admits(self, byte: u8) -> bool {
        match self {
            Self::Text(_) => byte.is_ascii_alphanumeric() || b" +-.,^_".contains(&byte),
            Self::Bcd => byte >> 4 < 10 && byte & 0x0F < 10,
            Self::Binary => true,
        }
    }

    /// The number in `field`, of at most [`WIDEST`] bytes. None where it holds something else.
    pub fn read(self, field: &[u8]) -> Option<Number> {
        match self {
            Self::Text(form) if form.reversed => {
                let mut turned = [0; WIDEST];
                let turned = turned.get_mut(..field.len())?;
                turned.copy_from_slice(field);
                turned.reverse();
                form.read(turned)
            }
            Self::Text(form) => form.read(field),
            Self::Bcd => whole(field.iter().rev().fold(0, |all, byte| {
                all * 100 + i64::from(byte >> 4) * 10 + i64::from(byte & 0x0F)
            })),
            Self::Binary => whole(field.iter().fold(0, |all, byte| all << 8 | i64::from(*byte))),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "its callers are arms of a match over Option")]
fn whole(digits: i64) -> Option<Number> {
    Some(Number { digits, decimals: None })
}

impl TextForm {
    /// Blanks, a sign, blanks, digits with at most one point, and trailing blanks where declared; nothing else.
    fn read(self, field: &[u8]) -> Option<Number> {
        let mut rest = skip_blanks(field);
        let negative = rest.first() == Some(&b'-');
        if self.signed && matches!(rest.first(), Some(b'+' | b'-')) {
            rest = skip_blanks(&rest[1..]);
        }
        let (mut digits, mut count, mut decimals) = (0_i64, 0, None);
        while let [byte, after @ ..] = rest {
            match byte {
                b'0'..=b'9' if count < WIDEST => {
                    digits = digits * 10 + i64::from(byte - b'0');
                    count += 1;
                    decimals = decimals.map(|places| places + 1);
                }
                _ if self.point.is(*byte) && decimals.is_none() => decimals = Some(0),
                b' ' if self.trailing_blanks => {
                    rest = skip_blanks(after);
                    break;
                }
                _ => return None,
            }
            rest = after;
        }
        let digits = if negative { -digits } else { digits };
        let is_whole = count > 0 && rest.is_empty() && (decimals.is_some() || !matches!(self.point, Point::Always(_)));
        is_whole.then_some(Number { digits, decimals })
    }
}

impl Point {
    const fn is(self, byte: u8) -> bool {
        matches!(self, Self::Maybe(point) | Self::Always(point) if point == byte)
    }
}

fn skip_blanks(field: &[u8]) -> &[u8] {
    let blanks = field.iter().take_while(|byte| **byte == b' ').count();
    &field[blanks..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TextForm = TextForm {
        point: Point::Maybe(b'.'),
        signed: true,
        reversed: false,
        trailing_blanks: false,
    };

    #[track_caller]
    fn check(form: TextForm, field: &str, expected: Option<(i64, Option<u8>)>) {
        let read = NumberForm::Text(form).read(field.as_bytes());
        assert_eq!(
            read.map(|number| (number.digits, number.decimals)),
            expected,
            "{field:?}"
        );
    }

    #[test]
    fn signs_blanks_and_points_are_read_where_indicators_put_them() {
        check(PLAIN, "00018340", Some((18340, None)));
        check(PLAIN, "+  18340", Some((18340, None)));
        check(PLAIN, "  -12.35", Some((-1235, Some(2))));
        check(PLAIN, "+000000.", Some((0, Some(0))));
        check(PLAIN, "    .50", Some((50, Some(2))));
    }

    #[test]
    fn anything_else_is_no_number() {
        for field in [
            "", "        ", "+", "-", ".", "18 40", "18a40", "1.2.3", "--5", "1-", "123 ", "12,5", "^^^^",
        ] {
            check(PLAIN, field, None);
        }
        check(TextForm { signed: false, ..PLAIN }, "-5", None);
        check(
            TextForm {
                point: Point::Never,
                ..PLAIN
            },
            "1.5",
            None,
        );
    }

    #[test]
    fn a_point_may_be_needed() {
        let needed = TextForm {
            point: Point::Always(b'.'),
            ..PLAIN
        };
        check(needed, "018340.", Some((18340, Some(0))));
        check(needed, "0183405", None);
    }

    #[test]
    fn a_declaration_may_turn_the_number_around_or_pad_it_behind() {
        let reversed = TextForm {
            reversed: true,
            ..PLAIN
        };
        check(reversed, "000.3000", Some((3000, Some(3))));
        check(reversed, "00.1000-", Some((-100, Some(2))));
        let padded = TextForm {
            trailing_blanks: true,
            ..PLAIN
        };
        check(padded, "018340 ", Some((18340, None)));
        check(padded, "0183 40", None);
        check(
            TextForm {
                point: Point::Maybe(b','),
                ..PLAIN
            },
            "12,5",
            Some((125, Some(1))),
        );
    }

    #[test]
    fn bcd_comes_low_byte_first_and_binary_high_byte_first() {
        let read = |form: NumberForm, field: &[u8]| form.read(field).map(|number| number.digits);
        assert_eq!(read(NumberForm::Bcd, &[0x40, 0x83, 0x01]), Some(18340));
        assert_eq!(read(NumberForm::Binary, &[0, 0, 0x47, 0xA4]), Some(18340));
        assert!(!NumberForm::Bcd.admits(0x1A));
    }
}
