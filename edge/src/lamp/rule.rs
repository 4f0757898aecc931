//! When a lamp is green. Pure: what is known goes in, a colour and its reason come out.

use weighbridge_protocol::link::messages::DeckState;

/// Never both, never neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    #[default]
    Red,
    Green,
}

/// What the server wants of a station's lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// A truck is called there, and has not been weighed yet.
    Calls,
    CallsNobody,
    /// Away, but not for long enough to decide without it.
    Silent,
    /// Away for long, or it knows no lamps.
    Away,
}

/// Why a lamp shows what it shows, as the catalogue of the status page knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    #[default]
    Starting,
    Called,
    EmptyAndServerAway,
    DeckLoaded,
    NotCalled,
    ServerSilent,
    NoIndicator,
    DiskFull,
    Ending,
}

/// Green for a truck that is called to an empty deck; with the server away, for any truck while the deck is empty; red
/// whenever something is not as it should be.
pub const fn decide(deck: Option<DeckState>, refusing: bool, server: Server) -> (Colour, Why) {
    match (deck, server) {
        _ if refusing => (Colour::Red, Why::DiskFull),
        (None | Some(DeckState::Error), _) => (Colour::Red, Why::NoIndicator),
        (Some(DeckState::Loaded | DeckState::Settling | DeckState::Captured | DeckState::Overload), _) => {
            (Colour::Red, Why::DeckLoaded)
        }
        (Some(DeckState::Empty), Server::Calls) => (Colour::Green, Why::Called),
        (Some(DeckState::Empty), Server::Away) => (Colour::Green, Why::EmptyAndServerAway),
        (Some(DeckState::Empty), Server::CallsNobody) => (Colour::Red, Why::NotCalled),
        (Some(DeckState::Empty), Server::Silent) => (Colour::Red, Why::ServerSilent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_is_for_a_called_truck_or_an_empty_deck_without_a_server_and_red_for_all_else() {
        use DeckState::{Captured, Empty, Error, Loaded, Overload, Settling};
        let servers = [Server::Calls, Server::CallsNobody, Server::Silent, Server::Away];
        let decks = [
            None,
            Some(Empty),
            Some(Loaded),
            Some(Settling),
            Some(Captured),
            Some(Overload),
            Some(Error),
        ];
        let mut green = Vec::new();
        for deck in decks {
            for server in servers {
                assert_eq!(decide(deck, true, server).0, Colour::Red);
                if decide(deck, false, server).0 == Colour::Green {
                    green.push((deck, server));
                }
            }
        }
        assert_eq!(green, [(Some(Empty), Server::Calls), (Some(Empty), Server::Away)]);
    }
}
