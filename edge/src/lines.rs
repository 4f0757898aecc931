//! What the lines of the display boards say: the edge's word while something is on the deck, else the server's.

use std::collections::BTreeMap;

use tokio::sync::watch;
use weighbridge_protocol::{Kilograms, link::messages::DeckState};

use crate::words::Language;

/// The two who may write a station's line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The edge's word; none while the deck is empty.
    pub edge: Option<Word>,
    /// The server's text: who is next.
    pub server: Option<ServerText>,
}

/// What the edge says of a deck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Weighing,
    /// On disk: the truck may leave.
    Saved(Option<Kilograms>),
    /// New weighings are refused, for the disk is full.
    Refused,
    Overload,
    /// The indicator gives no weight.
    Error,
    /// The indicator shows net: its gross key is to be pressed.
    Net,
}

/// The server's text for a line, in the languages that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerText {
    pub korean: String,
    /// A server from before it knew English sends none.
    pub english: Option<String>,
}

/// Every station's line. Whoever watches sees the newest and never holds up who writes.
#[derive(Debug, Default)]
pub struct Lines {
    lines: watch::Sender<BTreeMap<i64, Line>>,
}

impl Line {
    /// The text, and by which name boards know the state: `called`, `weighing`, `saved` …
    pub fn shown(&self, language: Language) -> (&'static str, String) {
        match (&self.edge, &self.server) {
            (Some(word), _) => (word.state(), word.text(language)),
            (None, Some(text)) => ("called", text.text(language).to_owned()),
            (None, None) => ("called", String::new()),
        }
    }
}

impl Word {
    /// What the edge says of a deck; nothing while it is empty.
    pub const fn of(state: DeckState, saved: Option<Kilograms>, refusing: bool) -> Option<Self> {
        match state {
            _ if refusing => Some(Self::Refused),
            DeckState::Empty => None,
            DeckState::Loaded | DeckState::Settling => Some(Self::Weighing),
            DeckState::Captured => Some(Self::Saved(saved)),
            DeckState::Overload => Some(Self::Overload),
            DeckState::Error => Some(Self::Error),
        }
    }

    pub const fn state(self) -> &'static str {
        match self {
            Self::Weighing => "weighing",
            Self::Saved(_) => "saved",
            Self::Refused => "refused",
            Self::Overload => "overload",
            // A declared board knows it as an error.
            Self::Error | Self::Net => "error",
        }
    }

    pub fn text(self, language: Language) -> String {
        match self {
            Self::Saved(Some(weight)) => language
                .text("board", "saved_weight")
                .replace("{weight}", &whole(weight)),
            Self::Net => language.text("board", "net"),
            _ => language.text("board", self.state()),
        }
    }
}

impl ServerText {
    fn text(&self, language: Language) -> &str {
        match (language, &self.english) {
            (Language::En, Some(english)) => english,
            _ => &self.korean,
        }
    }
}

impl Lines {
    pub fn say_for_edge(&self, station_id: i64, word: Option<Word>) {
        self.change(station_id, |line| &mut line.edge, word);
    }

    pub fn say_for_server(&self, station_id: i64, text: Option<ServerText>) {
        self.change(station_id, |line| &mut line.server, text);
    }

    pub fn watch(&self) -> watch::Receiver<BTreeMap<i64, Line>> {
        self.lines.subscribe()
    }

    fn change<T: PartialEq>(&self, station_id: i64, who: impl FnOnce(&mut Line) -> &mut T, said: T) {
        self.lines.send_if_modified(|lines| {
            let line = who(lines.entry(station_id).or_default());
            let changed = *line != said;
            *line = said;
            changed
        });
    }
}

/// `18340`, and `18340.5` only where there are such parts.
fn whole(weight: Kilograms) -> String {
    let text = weight.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &Lines, language: Language) -> String {
        let lines = lines.watch();
        let lines = lines.borrow();
        lines.get(&1).map(|line| line.shown(language).1).unwrap_or_default()
    }

    #[test]
    fn a_line_is_the_edges_while_the_deck_is_loaded_and_the_servers_else() {
        let lines = Lines::default();
        let say = |state, saved, refusing| lines.say_for_edge(1, Word::of(state, saved, refusing));
        lines.say_for_server(
            1,
            Some(ServerText {
                korean: "12가3456 진입".to_owned(),
                english: Some("12가3456 ENTER".to_owned()),
            }),
        );
        say(DeckState::Settling, None, false);
        assert_eq!(shown(&lines, Language::Ko), "계량중");
        say(DeckState::Captured, Some(Kilograms::from_whole(18_340)), false);
        assert_eq!(shown(&lines, Language::Ko), "저장 18340 kg");
        assert_eq!(shown(&lines, Language::En), "SAVED 18340 kg");
        say(DeckState::Empty, None, false);
        assert_eq!(shown(&lines, Language::Ko), "12가3456 진입");
        assert_eq!(shown(&lines, Language::En), "12가3456 ENTER");
        say(DeckState::Empty, None, true);
        assert_eq!(shown(&lines, Language::Ko), "저장불가");
    }

    #[test]
    fn an_older_servers_text_is_shown_as_it_is_on_an_english_board() {
        let text = ServerText {
            korean: "12가3456 진입".to_owned(),
            english: None,
        };
        assert_eq!(text.text(Language::En), "12가3456 진입");
    }
}
