//! What the server asks a display board (전광판) to show on a station's line.

/// The line of a station: who is called there, or that it is closed. Nothing while it is free.
pub fn board_text(open: bool, called_plate: Option<&str>) -> String {
    match called_plate {
        Some(plate) => format!("{plate} 진입"),
        None if !open => "계량 중지".to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_called_truck_is_shown_also_where_the_station_has_closed_since() {
        assert_eq!(board_text(true, Some("12가3456")), "12가3456 진입");
        assert_eq!(board_text(false, Some("12가3456")), "12가3456 진입");
        assert_eq!(board_text(false, None), "계량 중지");
        assert_eq!(board_text(true, None), "");
    }
}
