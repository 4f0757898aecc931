//! Toledo's continuous frame, made from what the edge knows of a deck, for remote displays that understand nothing else.

use weighbridge_protocol::link::messages::DeckState;

use crate::scale::Deck;

const STX: u8 = 0x02;
/// The most that six digits show.
const MOST: i64 = 999_999;

/// `STX A B C 018340 000000 CR CHK`, CHK making the low seven bits of the whole sum zero. None where the deck has no
/// weight: a display that hears nothing goes dark by itself.
pub(super) fn frame(deck: &Deck) -> Option<Vec<u8>> {
    let live = &deck.live;
    let hundredths = match (live.weight, live.state) {
        (Some(weight), _) => weight.hundredths(),
        (None, DeckState::Overload) => 0,
        (None, _) => return None,
    };
    let magnitude = hundredths.unsigned_abs();
    let (digits, decimals) = match magnitude {
        whole if whole % 100 == 0 => (whole / 100, 0),
        tenths if tenths % 10 == 0 => (tenths / 10, 1),
        all => (all, 2),
    };
    let is_over = live.state == DeckState::Overload || i64::try_from(digits).is_ok_and(|digits| digits > MOST);
    // Bits 0 to 2: where the point stands (2 is behind the last digit). Bits 3 and 4: steps of 1.
    let point = 0b0010_1010 + decimals;
    let moves = live.stable == Some(false);
    let status = 0b0011_0000 | u8::from(hundredths < 0) << 1 | u8::from(is_over) << 2 | u8::from(moves) << 3;
    let mut bytes = vec![STX, point, status, b' '];
    let digits = if is_over { 0 } else { digits };
    bytes.extend_from_slice(format!("{digits:06}000000\r").as_bytes());
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes.push(sum.wrapping_neg() & 0x7F);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use weighbridge_protocol::{
        indicators::{Decoder, Options, Protocol},
        link::messages::LiveReading,
    };

    use super::*;

    fn deck(weight: Option<&str>, stable: bool, state: DeckState) -> Deck {
        Deck {
            live: LiveReading {
                station_id: 1,
                weight: weight.map(|weight| weight.parse().unwrap()),
                unit: "kg".to_owned(),
                stable: Some(stable),
                state,
                at: DateTime::default(),
            },
            refusing: false,
            net: false,
            unfit: [].into(),
            raw: Vec::new().into(),
        }
    }

    #[track_caller]
    fn check(deck: &Deck, weight: Option<&str>, stable: bool, overload: bool) {
        let bytes = frame(deck).unwrap();
        let mut decoder = Decoder::new(Protocol::named("mt_continuous").unwrap(), &Options::default()).unwrap();
        let mut read = Vec::new();
        decoder.push(&bytes, &mut |decoded| read.push(decoded.unwrap()));
        decoder.finish(&mut |_| ());
        let [reading] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(reading.weight.as_deref(), weight);
        assert_eq!((reading.stable, reading.overload), (Some(stable), overload));
    }

    #[test]
    fn a_toledo_display_reads_the_weight_that_the_indicator_shows() {
        let loaded = deck(Some("18340"), true, DeckState::Captured);
        let published = [
            0x02, 0x2A, 0x30, 0x20, 0x30, 0x31, 0x38, 0x33, 0x34, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x0D, 0x27,
        ];
        assert_eq!(frame(&loaded).unwrap(), published);
        check(&deck(Some("-20"), true, DeckState::Empty), Some("-20"), true, false);
        check(
            &deck(Some("18340.5"), false, DeckState::Settling),
            Some("18340.5"),
            false,
            false,
        );
        check(&deck(None, false, DeckState::Overload), None, false, true);
        assert_eq!(frame(&deck(None, true, DeckState::Error)), None);
    }
}
