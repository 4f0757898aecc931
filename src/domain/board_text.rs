//! What the server asks a display board (전광판) and a station's lamp to show.

use weighbridge_protocol::link::messages::Lamp;

/// A station's line of its board, and its lamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    pub korean: String,
    pub english: String,
    pub lamp: Lamp,
}

/// Whether a truck may drive on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Free,
    /// One stands there.
    Taken,
    /// The indicator is not heard: nobody can be weighed, whoever stands there.
    Silent,
}

impl Sign {
    /// Who is called to a station, or that it is closed; no text while it is free. The lamp is green for whoever is called to
    /// a free deck: the edge lets it be red while it sees something stand there.
    pub fn of(open: bool, called_plate: Option<&str>, way: Way) -> Self {
        match (called_plate, way) {
            (Some(plate), Way::Free) => Self {
                korean: format!("{plate} 진입"),
                english: format!("{plate} ENTER"),
                lamp: Lamp::Green,
            },
            (Some(plate), Way::Taken | Way::Silent) => Self::red(&format!("{plate} 대기"), &format!("{plate} WAIT")),
            (None, _) if !open => Self::red("계량 중지", "CLOSED"),
            (None, Way::Silent) => Self::red("기다리세요", "PLEASE WAIT"),
            (None, Way::Free | Way::Taken) => Self::red("", ""),
        }
    }

    fn red(korean: &str, english: &str) -> Self {
        Self {
            korean: korean.to_owned(),
            english: english.to_owned(),
            lamp: Lamp::Red,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(open: bool, plate: Option<&str>, way: Way, korean: &str, english: &str, lamp: Lamp) {
        let sign = Sign::of(open, plate, way);
        assert_eq!(
            (sign.korean.as_str(), sign.english.as_str(), sign.lamp),
            (korean, english, lamp)
        );
    }

    #[test]
    fn a_called_truck_is_shown_also_where_the_station_has_closed_since() {
        let plate = Some("12가3456");
        check(true, plate, Way::Free, "12가3456 진입", "12가3456 ENTER", Lamp::Green);
        check(false, plate, Way::Free, "12가3456 진입", "12가3456 ENTER", Lamp::Green);
        check(false, None, Way::Free, "계량 중지", "CLOSED", Lamp::Red);
        check(true, None, Way::Free, "", "", Lamp::Red);
    }

    #[test]
    fn nobody_is_told_to_drive_on_where_a_truck_stands_or_no_indicator_is_heard() {
        let plate = Some("12가3456");
        check(true, plate, Way::Taken, "12가3456 대기", "12가3456 WAIT", Lamp::Red);
        check(true, plate, Way::Silent, "12가3456 대기", "12가3456 WAIT", Lamp::Red);
        check(true, None, Way::Silent, "기다리세요", "PLEASE WAIT", Lamp::Red);
        check(false, None, Way::Silent, "계량 중지", "CLOSED", Lamp::Red);
        check(true, None, Way::Taken, "", "", Lamp::Red);
    }
}
