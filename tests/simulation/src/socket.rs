//! What lies between an edge and a node.

use std::collections::{BTreeMap, VecDeque};

use weighbridge_protocol::{
    Epoch, LinkSession,
    link::{
        Event, FromServer,
        messages::{EdgeClock, Hello},
    },
};

use crate::domain::{edge_time::ClockModel, intake::Awaited};

/// What an edge puts on its socket.
#[derive(Debug)]
pub enum Up {
    Hello(Hello),
    Event(Box<Event>),
}

/// What comes back.
#[derive(Debug)]
pub enum Down {
    Message(Box<FromServer>),
    Close(u16),
}

/// What a node remembers of a connection that has said hello.
#[derive(Clone, Debug)]
pub struct Link {
    pub edge_id: i64,
    pub session: LinkSession,
    pub clock: ClockModel,
    /// What the edge's clocks said; only a broken server asks.
    pub sample: EdgeClock,
    pub awaited: Awaited,
    pub have: BTreeMap<Epoch, i64>,
}

#[derive(Debug)]
pub struct Socket {
    pub edge: usize,
    pub node: usize,
    pub opened_at: i64,
    pub up: VecDeque<Up>,
    pub down: VecDeque<Down>,
    /// The cable is cut; what was on the way up may still arrive.
    pub is_cut: bool,
    pub edge_open: bool,
    pub server_open: bool,
    pub link: Option<Link>,
}

impl Socket {
    pub fn new(edge: usize, node: usize, opened_at: i64, hello: Hello) -> Self {
        Self {
            edge,
            node,
            opened_at,
            up: VecDeque::from([Up::Hello(hello)]),
            down: VecDeque::new(),
            is_cut: false,
            edge_open: true,
            server_open: true,
            link: None,
        }
    }

    /// The edge lets go of it; what it wrote may still arrive.
    pub fn drop_by_edge(&mut self) {
        (self.edge_open, self.is_cut) = (false, true);
        self.down.clear();
    }

    /// The server closes it, with a last word.
    pub fn close(&mut self, code: u16) {
        if !self.is_cut {
            self.down.push_back(Down::Close(code));
        }
        self.up.clear();
        self.server_open = false;
    }

    pub fn say(&mut self, message: FromServer) {
        if !self.is_cut {
            self.down.push_back(Down::Message(Box::new(message)));
        }
    }

    /// The next events that it has brought, at most so many.
    pub fn events(&mut self, most: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < most {
            match self.up.pop_front() {
                Some(Up::Event(event)) => events.push(*event),
                Some(other) => {
                    self.up.push_front(other);
                    break;
                }
                None => break,
            }
        }
        events
    }
}
