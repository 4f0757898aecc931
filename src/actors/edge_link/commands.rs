//! What others want of an edge: texts for its boards, commands that it answers, and that it goes.

use std::{collections::BTreeMap, time::Duration};

use actix::{ActorFutureExt, Handler, Message, ResponseActFuture, WrapFuture};
use actix_web_actors::ws::WebsocketContext;
use tokio::sync::oneshot;
use weighbridge_protocol::link::{
    FromServer,
    limits::{CLOSE_FORBIDDEN, CLOSE_RESTART},
    messages::Action,
};

use super::{EdgeLink, KEY_ENDED};
use crate::{
    actors::indicator::{BacklogChanged, LinkChanged},
    domain::board_text::Sign,
};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a station's line of its board and its lamp are to show. Sent by Queue.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ShowOnBoard {
    pub station_id: i64,
    pub sign: Sign,
}

/// Lets the next truck be captured although something still lies on the deck. Asked by the handlers of HTTP; answers when
/// the edge has done it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), CommandError>")]
pub struct Rearm {
    pub station_id: i64,
    pub reason: String,
}

/// How does the link stand? Announced by an Indicator that does not know it; it is told as at a change.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct TellStation {
    pub station_id: i64,
}

/// The connection is to end: a key was taken away, perhaps this one's, or the edge is out of use. Announced by the handlers
/// of HTTP.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub enum EndLink {
    /// It may come back at once, if it has a key that still holds.
    KeyEnded,
    OutOfUse,
}

/// Why an edge did not carry out a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("the edge refused: {0}")]
    Refused(String),
    #[error("the edge did not answer")]
    NoAnswer,
}

/// Commands that wait for the edge's answer.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: BTreeMap<i64, oneshot::Sender<Result<(), CommandError>>>,
}

impl Pending {
    /// A command's id is drawn at random: the edge remembers those it has done, also from before a restart.
    fn expect(&mut self) -> (i64, oneshot::Receiver<Result<(), CommandError>>) {
        let (sender, receiver) = oneshot::channel();
        let id = i64::from(rand::random::<u32>()) << 16 | i64::from(rand::random::<u16>());
        self.waiting.insert(id, sender);
        (id, receiver)
    }

    pub(super) fn done(&mut self, id: i64, ok: bool, error: Option<String>) {
        let Some(sender) = self.waiting.remove(&id) else { return };
        let answer = if ok {
            Ok(())
        } else {
            Err(CommandError::Refused(error.unwrap_or_default()))
        };
        // Whoever asked may have stopped waiting.
        drop(sender.send(answer));
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn forget(&mut self, id: i64) {
        self.waiting.remove(&id);
    }
}

impl Handler<ShowOnBoard> for EdgeLink {
    type Result = ();

    fn handle(&mut self, ShowOnBoard { station_id, sign }: ShowOnBoard, context: &mut WebsocketContext<Self>) {
        if self.linked.is_none() || self.greeting {
            return;
        }
        let lamp = sign.lamp;
        let board = FromServer::Board {
            station_id,
            text: sign.korean,
            text_en: Some(sign.english),
        };
        self.say(&board, context);
        self.say(&FromServer::Signal { station_id, lamp }, context);
    }
}

impl Handler<TellStation> for EdgeLink {
    type Result = ();

    fn handle(&mut self, TellStation { station_id }: TellStation, _: &mut WebsocketContext<Self>) {
        let own = self
            .linked
            .as_ref()
            .filter(|linked| !self.greeting && linked.told.contains_key(&station_id));
        let (Some(linked), Some(indicator)) = (own, self.services.directory.indicator(station_id)) else {
            return;
        };
        indicator.listener().announce(LinkChanged::Up);
        if linked.drained {
            indicator.listener().announce(BacklogChanged { drained: true });
        }
    }
}

impl Handler<EndLink> for EdgeLink {
    type Result = ();

    fn handle(&mut self, end: EndLink, context: &mut WebsocketContext<Self>) {
        match end {
            EndLink::KeyEnded => self.close(CLOSE_RESTART, KEY_ENDED, context),
            EndLink::OutOfUse => self.close(CLOSE_FORBIDDEN, "this edge is out of use", context),
        }
    }
}

impl Handler<Rearm> for EdgeLink {
    type Result = ResponseActFuture<Self, Result<(), CommandError>>;

    fn handle(&mut self, Rearm { station_id, reason }: Rearm, context: &mut WebsocketContext<Self>) -> Self::Result {
        let (id, answer) = self.commands.expect();
        self.say(
            &FromServer::Command {
                id,
                station_id,
                action: Action::Rearm,
                reason,
            },
            context,
        );
        let waiting = tokio::time::timeout(ANSWER_WITHIN, answer).into_actor(self);
        Box::pin(waiting.map(move |answer, link, context| {
            link.commands.forget(id);
            // It may have been waited for.
            link.look_whether_told(context);
            match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Err(CommandError::NoAnswer),
            }
        }))
    }
}
