//! One connection, from hello to its end.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame};
use tracing::{error, info, warn};
use weighbridge_protocol::link::{
    FromEdge, FromServer, Output,
    acks::GatheredAcks,
    limits::{CLOSE_FENCED, CLOSE_FORBIDDEN, CLOSE_MALFORMED, CLOSE_RESTART, CLOSE_VERSION, DEAD_AFTER, PROTOCOL},
    messages::{Ack, Action, Hello, StationUnfit, Welcome},
    reconnect::Ending,
    sender::Notice,
};

use super::{LinkState, Needs, connect::Socket, outbox::Outbox};
use crate::{
    buffer::{
        NoSpace,
        commit::CommandOutcome,
        keeper::{BeginCommand, EndCommand, LinkClosed, LinkHeard, LinkOpened, SendMore},
    },
    lines::ServerText,
    scale::{Deck, Rearm, Unlinked, Welcomed},
};

/// How long the buffer may take; longer, and the connection is given up and made anew from what the file says.
const BUFFER_WITHIN: Duration = Duration::from_secs(10);
/// How long the reason of a connection that takes nothing more is waited for.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);
const REARM_WITHIN: Duration = Duration::from_secs(5);

/// What a socket gives.
type Heard = Result<Message, tungstenite::Error>;

/// A connection and what has been said on it.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    needs: &'a Arc<Needs>,
    outbox: Outbox,
    welcomed: bool,
}

/// How a connection ended, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub ending: Ending,
    pub why: String,
}

impl End {
    fn lost(why: &(impl ToString + ?Sized)) -> Self {
        Self {
            ending: Ending::Lost,
            why: why.to_string(),
        }
    }

    fn closed(frame: Option<CloseFrame>) -> Self {
        let Some(CloseFrame { code, reason }) = frame else {
            return Self::lost("the server closed");
        };
        let code = u16::from(code);
        let meaning = match code {
            CLOSE_FENCED => "another edge with this API key came after this one; give each edge a key of its own",
            CLOSE_FORBIDDEN => {
                "the server no longer allows this edge, or knows its file as another edge's; ask its administrator"
            }
            CLOSE_VERSION => {
                "the server speaks another version of the link; bring edge and server to versions that are one apart at most"
            }
            CLOSE_MALFORMED => "the server could not read what was sent",
            CLOSE_RESTART => "the server wants this edge to come again",
            _ => "the server closed",
        };
        let reason = if reason.is_empty() {
            String::new()
        } else {
            format!(" ({reason})")
        };
        Self {
            ending: Ending::Closed(code),
            why: format!("{meaning}{reason}"),
        }
    }
}

impl<'a> Conversation<'a> {
    pub(super) fn new(needs: &'a Arc<Needs>) -> Self {
        Self {
            needs,
            outbox: Outbox::default(),
            welcomed: false,
        }
    }

    pub(super) const fn was_welcomed(&self) -> bool {
        self.welcomed
    }

    /// Says hello and goes on until the connection ends.
    pub(super) async fn hold(&mut self, socket: Socket) -> End {
        let epochs = match self.needs.buffer.ask(LinkOpened, BUFFER_WITHIN).await {
            Ok(epochs) => epochs,
            Err(error) => return End::lost(&format!("the buffer does not answer: {error}")),
        };
        let hello = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epochs,
            stations: self.needs.stations.clone(),
            clock: self.needs.clock.now(),
        };
        let (sink, stream) = socket.split();
        let outbox = std::mem::take(&mut self.outbox);
        outbox.answer(FromEdge::Hello(hello));
        let decks = self.needs.decks.clone();
        let mut conversing = pin!(self.converse(stream, &outbox));
        tokio::select! {
            // The server may have closed before it stopped to read: why stands in what it wrote last.
            error = outbox.empty_into(sink, decks) => timeout(LAST_WORDS_WITHIN, conversing).await.unwrap_or_else(|_| End::lost(&error)),
            end = &mut conversing => end,
        }
    }

    /// What is sent no longer counts as sent, and cycles that begin now may be another truck's than the server thinks.
    pub(super) async fn close(&self) {
        if let Err(error) = self.needs.buffer.ask(LinkClosed, BUFFER_WITHIN).await {
            warn!("the buffer was not told that the link is gone: {error}");
        }
        for (station_id, scale) in &self.needs.scales {
            if let Err(error) = scale.tell(Unlinked) {
                warn!(
                    station.id = station_id,
                    "station {station_id} was not told that the link is gone: {error}"
                );
            }
        }
    }

    async fn converse(&mut self, mut stream: impl Stream<Item = Heard> + Unpin, outbox: &Outbox) -> End {
        let mut acks = GatheredAcks::default();
        loop {
            if let Err(end) = self.go_on(&mut stream, &mut acks, outbox).await {
                return end;
            }
        }
    }

    /// Takes the next message, or what the buffer has to send. Acknowledgements wait while more messages are there.
    async fn go_on(
        &mut self,
        stream: &mut (impl Stream<Item = Heard> + Unpin),
        acks: &mut GatheredAcks,
        outbox: &Outbox,
    ) -> Result<(), End> {
        let silence = |_| End::lost(&format!("the server has said nothing for {DEAD_AFTER:?}"));
        let heard = if let Some(heard) = stream.next().now_or_never() {
            heard
        } else {
            self.write_down(acks.take(), outbox).await?;
            tokio::select! {
                heard = timeout(DEAD_AFTER, stream.next()) => heard.map_err(silence)?,
                () = self.needs.committed.notified() => {
                    return carry_out(self.needs.buffer.ask(SendMore, BUFFER_WITHIN).await, outbox);
                }
            }
        };
        match heard {
            None => Err(End::lost("the connection ended")),
            Some(Err(error)) => Err(End::lost(&error)),
            Some(Ok(Message::Text(text))) => self.hear(&text, acks, outbox).await,
            Some(Ok(Message::Close(frame))) => Err(End::closed(frame)),
            Some(Ok(_)) => Ok(()),
        }
    }

    async fn hear(&mut self, text: &str, acks: &mut GatheredAcks, outbox: &Outbox) -> Result<(), End> {
        let message = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => {
                // A newer server may say what this edge does not know.
                warn!("a message of the server is passed over: {error}");
                return Ok(());
            }
        };
        let heard = match message {
            FromServer::Ack(ack) => return self.write_down(acks.add(ack), outbox).await,
            FromServer::Welcome(welcome) => {
                self.welcome(&welcome);
                outbox.welcomed();
                LinkHeard::Welcome(Box::new(welcome))
            }
            FromServer::Nack(nack) => LinkHeard::Nack(nack),
            other => {
                self.obey(other, outbox).await;
                return Ok(());
            }
        };
        // What was acknowledged before is written down before.
        self.write_down(acks.take(), outbox).await?;
        carry_out(self.needs.buffer.ask(heard, BUFFER_WITHIN).await, outbox)
    }

    async fn write_down(&self, ack: Option<Ack>, outbox: &Outbox) -> Result<(), End> {
        match ack {
            Some(ack) => carry_out(self.needs.buffer.ask(LinkHeard::Ack(ack), BUFFER_WITHIN).await, outbox),
            None => Ok(()),
        }
    }

    fn welcome(&mut self, welcome: &Welcome) {
        let needs = self.needs;
        let offset_ms = (needs.clock.wall() - welcome.server_time).num_milliseconds();
        info!(
            edge.id = welcome.edge.id,
            edge.name = welcome.edge.name,
            clock.offset_ms = offset_ms,
            "linked as {}",
            welcome.edge.name
        );
        for id in &welcome.unknown {
            error!(
                station.id = id,
                "the server does not know station {id} as this edge's; correct [[station]] or the server's stations"
            );
        }
        for settings in &welcome.stations {
            let text = settings.board.clone().map(|korean| ServerText {
                korean,
                english: settings.board_en.clone(),
            });
            needs.lines.say_for_server(settings.station_id, text);
            needs.lamps.say(settings.station_id, settings.lamp);
            let told = needs.scales.get(&settings.station_id).map(|scale| {
                scale.tell(Welcomed {
                    capture: settings.capture,
                })
            });
            if let Some(Err(error)) = told {
                warn!(
                    station.id = settings.station_id,
                    "station {} was not told of the welcome: {error}", settings.station_id
                );
            }
        }
        needs.shown.send_modify(|status| {
            status.state = LinkState::Linked;
            status.trouble = None;
            status.clock_offset_ms = Some(offset_ms);
            status.unknown_stations.clone_from(&welcome.unknown);
        });
        self.welcomed = true;
    }

    async fn obey(&self, message: FromServer, outbox: &Outbox) {
        match message {
            FromServer::Ping { t } => outbox.answer(FromEdge::Pong {
                t,
                clock: self.needs.clock.now(),
                unfit: self.unfit(),
            }),
            FromServer::Board {
                station_id,
                text,
                text_en,
            } => {
                let text = ServerText {
                    korean: text,
                    english: text_en,
                };
                self.needs.lines.say_for_server(station_id, Some(text));
            }
            FromServer::Signal { station_id, lamp } => self.needs.lamps.say(station_id, Some(lamp)),
            FromServer::Command {
                id,
                station_id,
                action: Action::Rearm,
                reason,
            } => {
                let CommandOutcome { error } = self.rearm(id, station_id, &reason).await;
                outbox.answer(FromEdge::Done {
                    id,
                    ok: error.is_none(),
                    error,
                });
            }
            FromServer::Welcome(_) | FromServer::Ack(_) | FromServer::Nack(_) => (),
        }
    }

    /// What of the server's settings the stations do not follow.
    fn unfit(&self) -> Vec<StationUnfit> {
        let of = |deck: &watch::Receiver<Option<Deck>>| {
            let deck = deck.borrow();
            let deck = deck.as_ref().filter(|deck| !deck.unfit.is_empty())?;
            Some(StationUnfit {
                station_id: deck.live.station_id,
                wishes: deck.unfit.to_vec(),
            })
        };
        self.needs.decks.iter().filter_map(of).collect()
    }

    /// Does what staff wants, once an id.
    async fn rearm(&self, id: i64, station_id: i64, reason: &str) -> CommandOutcome {
        let failed = |error: String| CommandOutcome { error: Some(error) };
        let Some(scale) = self.needs.scales.get(&station_id) else {
            return failed(format!("this edge has no station {station_id}"));
        };
        match self.needs.buffer.ask(BeginCommand(id), BUFFER_WITHIN).await {
            Ok(None) => (),
            Ok(Some(before)) => return before,
            Err(error) => return failed(error.to_string()),
        }
        info!(
            station.id = station_id,
            command.id = id,
            reason,
            "station {station_id} is rearmed by staff"
        );
        let outcome = match scale.ask(Rearm, REARM_WITHIN).await {
            Ok(Ok(())) => CommandOutcome { error: None },
            Ok(Err(error)) => failed(error),
            Err(error) => failed(error.to_string()),
        };
        if let Err(error) = self.needs.buffer.tell(EndCommand(id, outcome.clone())) {
            warn!(
                command.id = id,
                "the outcome of command {id} is not written down: {error}"
            );
        }
        outcome
    }
}

/// Does what the buffer says the link is to do.
fn carry_out(
    outputs: Result<Result<Vec<Output>, NoSpace>, weighbridge_supervision::AskError>,
    outbox: &Outbox,
) -> Result<(), End> {
    let outputs = match outputs {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(full)) => return Err(End::lost(&full)),
        Err(error) => return Err(End::lost(&format!("the buffer does not answer: {error}"))),
    };
    for output in outputs {
        match output {
            Output::Send(event) => outbox.event(*event),
            Output::Notice(notice) => report(&notice),
            Output::Reconnect(reason) => return Err(End::lost(&format!("hello is to be said anew: {reason:?}"))),
        }
    }
    Ok(())
}

/// What a person should hear of.
fn report(notice: &Notice) {
    match notice {
        Notice::Restored { epoch, have, next_seq } => error!(
            edge.epoch = %epoch, have, next_seq,
            "the server has more of epoch {epoch} than this file ever gave out: the file is an older image, and a new epoch is open"
        ),
        Notice::WentBack { epoch, acked, have } => warn!(
            edge.epoch = %epoch, acked, have,
            "the server has less of epoch {epoch} than it acknowledged: events from {have} on are sent again"
        ),
        Notice::Reborn { from, to } => error!(
            edge.event = %from, reborn = %to,
            "the server holds another event as {from}: two files share an epoch; this one goes on as {to}"
        ),
        Notice::Damaged(id) => error!(edge.event = %id, "event {id} does not match its hash, and is set aside"),
    }
}
