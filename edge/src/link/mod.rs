//! The link to the server: connects, says what the file holds, sends events until they are acknowledged, and does what
//! the server says. What to send from where is decided beside the file, by the protocol's
//! [`Sender`](weighbridge_protocol::link::Sender).
//!
//! - `connect`: the way to the server
//! - `conversation`: one connection, from hello to its end
//! - `outbox`: what waits for the socket, the most urgent first

mod connect;
mod conversation;
mod outbox;

use std::{collections::BTreeMap, sync::Arc};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tracing::{error, info, warn};
use weighbridge_protocol::link::{
    limits::{CLOSE_FENCED, CLOSE_FORBIDDEN, CLOSE_RESTART, CLOSE_VERSION},
    messages::StationState,
    reconnect::{Ending, wait_before_reconnect},
};
use weighbridge_supervision::Handle;

use crate::{
    buffer::Buffer,
    clock::Clock,
    config::Server,
    lamp::server::ServerWords,
    lines::Lines,
    scale::{Deck, Scale},
};
pub use connect::ConnectError;
use conversation::{Conversation, End};

/// The link. It takes no messages: it watches the buffer and the decks.
#[derive(Debug)]
pub struct Link {
    needs: Arc<Needs>,
}

/// What the link needs of the others.
#[derive(Debug)]
pub struct Needs {
    pub server: Server,
    pub stations: Vec<StationState>,
    pub clock: Clock,
    pub buffer: Handle<Buffer>,
    /// Rings when there is something new to send.
    pub committed: Arc<Notify>,
    pub scales: BTreeMap<i64, Handle<Scale>>,
    pub decks: Vec<watch::Receiver<Option<Deck>>>,
    pub lines: Arc<Lines>,
    pub lamps: Arc<ServerWords>,
    pub shown: watch::Sender<LinkStatus>,
}

/// The link at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStatus {
    pub state: LinkState,
    /// Why it is not linked, where it is not.
    pub trouble: Option<String>,
    /// Our wall clock minus the server's, when `welcome` came.
    pub clock_offset_ms: Option<i64>,
    /// Stations that the server does not know as this edge's.
    pub unknown_stations: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// For the first time, or again because a server that is there said so.
    #[default]
    Connecting,
    Linked,
    /// The network or the server is away; tried again soon.
    Lost,
    /// The key is refused.
    Refused,
    /// Another edge with the same key came after this one.
    Fenced,
    /// The server no longer allows this edge.
    Forbidden,
    /// The server speaks another version.
    Version,
}

impl Link {
    pub fn new(needs: Arc<Needs>) -> Self {
        Self { needs }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(keep_linked(Arc::clone(&self.needs)).into_actor(self));
    }
}

/// Connects, converses, and connects again, for ever.
async fn keep_linked(needs: Arc<Needs>) {
    let mut attempts = 0;
    let mut said = None;
    loop {
        let mut was_linked = false;
        let end = match connect::connect(&needs.server).await {
            Ok(socket) => {
                let mut conversation = Conversation::new(&needs);
                let end = conversation.hold(socket).await;
                conversation.close().await;
                was_linked = conversation.was_welcomed();
                if was_linked {
                    (attempts, said) = (0, None);
                }
                end
            }
            Err(ConnectError::Refused) => End {
                ending: Ending::Refused,
                why: ConnectError::Refused.to_string(),
            },
            Err(error) => End {
                ending: Ending::Lost,
                why: error.to_string(),
            },
        };
        if said.as_ref() != Some(&end.why) {
            report(&needs, &end, was_linked);
            said = Some(end.why.clone());
        }
        show(&needs, &end, was_linked);
        sleep(wait_before_reconnect(end.ending, attempts, rand::random())).await;
        attempts = attempts.saturating_add(1);
    }
}

/// What only a person can mend is an error; the rest mends itself.
fn report(needs: &Needs, End { ending, why }: &End, was_linked: bool) {
    let url = needs.server.url.as_str();
    match state_after(*ending, was_linked) {
        LinkState::Lost => warn!(link.url = url, "no link to {url}: {why}; weighing goes on"),
        LinkState::Connecting | LinkState::Linked => info!(link.url = url, "the link to {url} is made anew: {why}"),
        _ => error!(
            link.url = url,
            "no link to {url}: {why}; weighing goes on, and events wait"
        ),
    }
}

fn show(needs: &Needs, End { ending, why }: &End, was_linked: bool) {
    let state = state_after(*ending, was_linked);
    needs.shown.send_modify(|status| {
        status.state = state;
        status.trouble = (state != LinkState::Connecting).then(|| why.clone());
    });
}

/// A server that sends a linked edge away to come again is there: only if it then is not, that is a trouble.
const fn state_after(ending: Ending, was_linked: bool) -> LinkState {
    match ending {
        Ending::Closed(CLOSE_RESTART) if was_linked => LinkState::Connecting,
        Ending::Refused => LinkState::Refused,
        Ending::Closed(CLOSE_FENCED) => LinkState::Fenced,
        Ending::Closed(CLOSE_FORBIDDEN) => LinkState::Forbidden,
        Ending::Closed(CLOSE_VERSION) => LinkState::Version,
        Ending::Lost | Ending::Closed(_) => LinkState::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::alarms::alarm_of_link;

    #[test]
    fn an_edge_that_is_sent_away_to_come_again_has_no_trouble_before_it_fails_to() {
        let restart = Ending::Closed(CLOSE_RESTART);
        assert_eq!(alarm_of_link(state_after(restart, true)), None);
        assert_eq!(alarm_of_link(state_after(restart, false)), Some("link_lost"));
        assert_eq!(alarm_of_link(state_after(Ending::Lost, true)), Some("link_lost"));
    }
}
