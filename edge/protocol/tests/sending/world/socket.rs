//! What lies between an edge and the server.

use std::collections::VecDeque;

use weighbridge_protocol::link::{Event, FromServer, messages::EpochState};

use crate::server::{Fenced, Session};

/// What an edge puts on its socket.
pub(super) enum Up {
    Hello(Vec<EpochState>),
    Event(Box<Event>),
}

/// What comes back.
pub(super) enum Down {
    Message(FromServer),
    Fenced,
}

pub(super) struct Socket {
    pub(super) up: VecDeque<Up>,
    pub(super) down: VecDeque<Down>,
    pub(super) session: Option<Session>,
    /// The cable between both is cut; what was on the way up may still arrive.
    pub(super) is_cut: bool,
}

impl Socket {
    /// The first event with those of its epoch that follow it.
    pub(super) fn group(&mut self, first: Event, most: usize) -> Vec<Event> {
        let epoch = first.epoch;
        let mut group = vec![first];
        while group.len() < most {
            match self.up.pop_front() {
                Some(Up::Event(event)) if event.epoch == epoch => group.push(*event),
                Some(other) => {
                    self.up.push_front(other);
                    break;
                }
                None => break,
            }
        }
        group
    }

    pub(super) fn answer(&mut self, answers: Result<Vec<FromServer>, Fenced>) {
        let Ok(messages) = answers else {
            self.down.push_back(Down::Fenced);
            self.up.clear();
            self.session = None;
            return;
        };
        self.down.extend(messages.into_iter().map(Down::Message));
    }
}
