//! What the server asks a display board (전광판) and a station's lamp to show.

use weighbridge_protocol::link::messages::Lamp;

/// A station's line of its board, and its lamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    pub korean: String,
    pub english: String,
    pub lamp: Lamp,
}

impl Sign {
    /// Who is called to a station, or that it is closed; no text while it is free. The lamp is green for whoever is called:
    /// the edge lets it be red while something stands there.
    pub fn of(open: bool, called_plate: Option<&str>) -> Self {
        match called_plate {
            Some(plate) => Self {
                korean: format!("{plate} 진입"),
                english: format!("{plate} ENTER"),
                lamp: Lamp::Green,
            },
            None if !open => Self {
                korean: "계량 중지".to_owned(),
                english: "CLOSED".to_owned(),
                lamp: Lamp::Red,
            },
            None => Self {
                korean: String::new(),
                english: String::new(),
                lamp: Lamp::Red,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_called_truck_is_shown_also_where_the_station_has_closed_since() {
        #[track_caller]
        fn check(open: bool, plate: Option<&str>, korean: &str, english: &str, lamp: Lamp) {
            let sign = Sign::of(open, plate);
            assert_eq!(
                (sign.korean.as_str(), sign.english.as_str(), sign.lamp),
                (korean, english, lamp)
            );
        }
        check(true, Some("12가3456"), "12가3456 진입", "12가3456 ENTER", Lamp::Green);
        check(false, Some("12가3456"), "12가3456 진입", "12가3456 ENTER", Lamp::Green);
        check(false, None, "계량 중지", "CLOSED", Lamp::Red);
        check(true, None, "", "", Lamp::Red);
    }
}
