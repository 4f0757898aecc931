//! JSON to messages and back: what an edge says is understood here, or the connection ends.

use std::{io::ErrorKind, time::Instant};

use actix::StreamHandler;
use actix_web_actors::ws::{CloseCode, Message, ProtocolError, WebsocketContext};
use chrono::Utc;
use tracing::{error, warn};
use weighbridge_protocol::link::{
    FromEdge, FromServer,
    limits::{CLOSE_MALFORMED, CLOSE_RESTART, WINDOW_EVENTS},
    messages::LiveReading,
};

use weighbridge_supervision::Enlisted;

use super::EdgeLink;
use crate::actors::indicator::ReadingArrived;

/// More events than an edge that keeps its window could have sent.
const MOST_WAITING: usize = 4 * WINDOW_EVENTS;

impl EdgeLink {
    pub(super) fn say(&self, message: &FromServer, context: &mut WebsocketContext<Self>) {
        match serde_json::to_string(message) {
            Ok(text) => context.text(text),
            Err(error) => error!(
                edge.id = self.edge_id,
                "a message for edge {} cannot be written: {error}", self.edge_id
            ),
        }
    }

    fn heard(&mut self, text: &str, context: &mut WebsocketContext<Self>) {
        match serde_json::from_str(text) {
            Ok(FromEdge::Hello(hello)) => self.hello(hello, context),
            Ok(_) if self.linked.is_none() || self.greeting => {
                self.close(CLOSE_MALFORMED, "hello comes first, then welcome", context);
            }
            Ok(FromEdge::Reading(reading)) => self.reading(reading),
            Ok(FromEdge::Event(event)) => {
                if self.inbox.len() >= MOST_WAITING {
                    return self.close(CLOSE_MALFORMED, "more events than the window allows", context);
                }
                self.inbox.push_back((event, Utc::now()));
                self.store_next(context);
            }
            Ok(FromEdge::Pong { t, clock, unfit }) => {
                self.pong(t, &clock);
                self.note_unfit(unfit, context);
            }
            Ok(FromEdge::Done { id, ok, error }) => self.commands.done(id, ok, error),
            Err(error) => {
                warn!(
                    edge.id = self.edge_id,
                    "edge {} said what is no message: {error}", self.edge_id
                );
                self.close(CLOSE_MALFORMED, &format!("no message of the link: {error}"), context);
            }
        }
    }

    /// Live, and lossy: an Indicator that is busy sees the next one. A station that is not this edge's is not shown.
    fn reading(&self, reading: LiveReading) {
        let own = self
            .linked
            .as_ref()
            .is_some_and(|linked| linked.told.contains_key(&reading.station_id));
        if let Some(indicator) = self.services.directory.indicator(reading.station_id).filter(|_| own) {
            indicator.listener().announce(ReadingArrived(reading));
        }
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for EdgeLink {
    /// A panic over a frame ends this one link by the book.
    fn handle(&mut self, message: Result<Message, ProtocolError>, context: &mut WebsocketContext<Self>) {
        match self.enlisted.as_ref().map(Enlisted::guard) {
            Some(guard) => guard.run(self, context, |link, context| link.frame(message, context)),
            None => self.frame(message, context),
        }
    }
}

impl EdgeLink {
    fn frame(&mut self, message: Result<Message, ProtocolError>, context: &mut WebsocketContext<Self>) {
        self.heard_at = Instant::now();
        match message {
            Ok(Message::Text(text)) => self.heard(&text, context),
            Ok(Message::Ping(payload)) => context.pong(&payload),
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Close(_)) => self.close(1000, "", context),
            Ok(Message::Binary(_) | Message::Continuation(_)) => {
                self.close(CLOSE_MALFORMED, "one text frame a message", context);
            }
            Err(error) => {
                warn!(
                    edge.id = self.edge_id,
                    "the socket of edge {} failed: {error}", self.edge_id
                );
                let (code, why) = ending_of(&error);
                self.close(code, why, context);
            }
        }
    }
}

/// With which code, and in which words, a socket ends over what came on it: whose fault it is decides who looks.
fn ending_of(error: &ProtocolError) -> (u16, &'static str) {
    match error {
        ProtocolError::Overflow => (CloseCode::Size.into(), "a frame is longer than a message of the link"),
        // What actix makes of a text that is none: a socket's own failures have kinds of their own.
        ProtocolError::Io(error) if error.kind() == ErrorKind::Other => {
            (CloseCode::Invalid.into(), "a text is no UTF-8")
        }
        ProtocolError::Io(_) => (CLOSE_RESTART, "the socket failed"),
        _ => (CloseCode::Protocol.into(), "no frame of a websocket"),
    }
}
