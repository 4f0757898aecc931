//! One connected edge: its socket, its events in, and what the server wants of it out.
//!
//! - [`intake`]: events into the database, however often that takes
//! - [`pulse`]: pings, and whether this connection is still the edge's newest
//! - [`commands`]: board texts and commands, from others to the edge
//! - [`told`]: what the edge was told of its stations, and that it holds no more
//! - [`socket`]: JSON to messages and back
//!
//! Readings go straight to the Indicators and may be lost; events wait here, in order, until they are committed. An
//! acknowledgement goes out after the commit and never before.

mod commands;
mod intake;
mod pulse;
mod socket;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::{CloseCode, CloseReason, WebsocketContext};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tracing::{error, info, warn};
use uuid::Uuid;
use weighbridge_protocol::{
    Epoch, Kilograms, LinkSession,
    link::{
        Event, FromServer,
        limits::{
            CLOSE_FENCED, CLOSE_FORBIDDEN, CLOSE_MALFORMED, CLOSE_RESTART, CLOSE_VERSION, PROTOCOL, WINDOW_BYTES,
            WINDOW_EVENTS,
        },
        messages::{Hello, StationUnfit, Welcome, Window},
    },
};
use weighbridge_supervision::{Ending, Enlisted, Handle, Spec, Temporary};

pub use commands::{CommandError, EndLink, Rearm, ShowOnBoard, TellStation};
pub use told::StationsChanged;

use super::{
    directory::{Directory, edge_link_name},
    indicator::{BacklogChanged, LinkChanged},
    repository::{Queries, Repository},
};
use crate::{
    db::{
        DbError,
        edge_epoch::{Greet, Greeting, Told, Welcomed},
        edge_key::EdgeOfKey,
    },
    domain::{
        edge_time::{ClockModel, OFFSET_ALARM},
        intake::Awaited,
        shared_key::{Gateway, Holders, Rivals},
    },
};

/// What is said where the key that opened a connection holds no more.
const KEY_ENDED: &str = "an API key of this edge was ended: say hello again";

/// What every link needs of the server.
#[derive(Clone, Debug)]
pub struct LinkServices {
    pub directory: Directory,
    pub repository: Handle<Repository>,
    /// What a weight must exceed a registered tare by.
    pub min_net: Kilograms,
    /// Who has held each edge's link, as far as this server knows: what two with one key do to each other shows here.
    pub holders: Arc<Mutex<BTreeMap<i64, Holders>>>,
    /// How long the database may be busy over one statement of an event.
    pub patience: Duration,
    /// How far numbers jump where an edge shows that the database went back.
    pub jump: i32,
}

/// An edge whose key was right when it connected.
#[derive(Clone, Debug)]
pub struct Caller {
    pub edge_id: i64,
    pub key_hash: [u8; 32],
    pub address: IpAddr,
}

/// See the file's head.
#[derive(Debug)]
pub struct EdgeLink {
    edge_id: i64,
    caller: Caller,
    services: LinkServices,
    enlisted: Option<Enlisted<Self>>,
    opened_at: Instant,
    heard_at: Instant,
    /// Since the edge's hello was answered.
    linked: Option<Linked>,
    greeting: bool,
    inbox: VecDeque<(Event, DateTime<Utc>)>,
    storing: bool,
    stored_at: Option<Instant>,
    /// The pings that are under way.
    pings: pulse::Pings,
    commands: commands::Pending,
    /// The stations of which it is to be told anew: it says hello again in a moment.
    comes_again: BTreeSet<i64>,
}

/// What is known of an edge once it has said hello.
#[derive(Debug)]
struct Linked {
    session: LinkSession,
    told: Told,
    /// What it said last of settings that it does not follow; none where that is not noted.
    unfit: Option<Vec<StationUnfit>>,
    noting: bool,
    clock: ClockModel,
    awaited: Awaited,
    /// How far each epoch of the hello is stored, by the last word of the database.
    have: BTreeMap<Epoch, i64>,
    /// How far each epoch went when the edge said hello: until then it is a backlog.
    backlog: BTreeMap<Epoch, i64>,
    drained: bool,
    bad_seqs: u64,
    /// When the database was last seen to hold all that this connection knows of.
    sound_at: DateTime<Utc>,
    /// The name of the database that was said hello to.
    database: Option<Uuid>,
}

impl EdgeLink {
    /// The link of an edge whose key was right. It says nothing before the edge's hello.
    pub fn new(caller: Caller, services: LinkServices) -> Self {
        Self {
            edge_id: caller.edge_id,
            caller,
            services,
            enlisted: None,
            opened_at: Instant::now(),
            heard_at: Instant::now(),
            linked: None,
            greeting: false,
            inbox: VecDeque::new(),
            storing: false,
            stored_at: None,
            pings: pulse::Pings::default(),
            commands: commands::Pending::default(),
            comes_again: BTreeSet::new(),
        }
    }

    fn hello(&mut self, hello: Hello, context: &mut WebsocketContext<Self>) {
        if self.greeting || self.linked.is_some() {
            return self.close(CLOSE_MALFORMED, "hello is said once", context);
        }
        if hello.protocol != PROTOCOL {
            let why = format!(
                "this server speaks version {PROTOCOL} of the link, the edge {}",
                hello.protocol
            );
            return self.close(CLOSE_VERSION, &why, context);
        }
        self.greeting = true;
        let received = Utc::now();
        // The edge looked at its clock after the connection was open; all the time since may be the way.
        let under_way = TimeDelta::from_std(self.opened_at.elapsed()).unwrap_or(TimeDelta::hours(1));
        let clock = ClockModel::new(&hello.clock, received).delayed(under_way);
        let backlog = hello
            .epochs
            .iter()
            .map(|state| (state.epoch, state.next_seq.saturating_sub(1)))
            .collect();
        let named = hello
            .stations
            .iter()
            .map(|station| station.station_id)
            .collect::<Vec<_>>();
        let gateway = Gateway::new(self.caller.address, &hello);
        let session = LinkSession::from_bits(rand::random());
        let greet = Greet {
            edge_id: self.edge_id,
            hello,
            session,
            now: received,
            jump: self.services.jump,
        };
        let repository = self.services.repository.clone();
        let greeting = async move { repository.run(greet).await };
        context.spawn(
            greeting
                .into_actor(self)
                .map(move |greeted, link, context| match greeted {
                    Ok(Greeting::Welcome(welcomed)) => {
                        let linked = Linked::new(session, clock, backlog, &welcomed);
                        link.note_holder(gateway);
                        link.take_over(*welcomed, linked, named, context);
                    }
                    Ok(Greeting::Forbidden { why }) => {
                        error!(edge.id = link.edge_id, "edge {} is turned away: {why}", link.edge_id);
                        link.close(CLOSE_FORBIDDEN, &why, context);
                    }
                    Err(error) => link.give_up(&error, context),
                }),
        );
    }

    /// From here on this is the edge's link: an older one gives way, which one whose hello is refused must not bring
    /// about. Who ends a key ends the link that it finds; a key that was ended before is asked for once more.
    fn take_over(&mut self, welcomed: Welcomed, linked: Linked, named: Vec<i64>, context: &mut WebsocketContext<Self>) {
        let spec = Spec::new("edge-link", edge_link_name(self.edge_id))
            .under("links")
            .mailbox(64);
        match self.services.directory.tree().enlist(spec, context) {
            Ok(enlisted) => self.enlisted = Some(enlisted),
            Err(error) => {
                warn!(
                    edge.id = self.edge_id,
                    "edge {} cannot be linked: {error}", self.edge_id
                );
                return self.close(CLOSE_RESTART, "the server is stopping", context);
            }
        }
        self.linked = Some(linked);
        let (repository, key_hash) = (self.services.repository.clone(), self.caller.key_hash);
        let asking = async move { repository.run(EdgeOfKey { key_hash }).await };
        context.spawn(asking.into_actor(self).map(move |holds, link, context| match holds {
            Ok(_) => {
                link.greeting = false;
                link.welcome(welcomed, &named, context);
                link.tell_stations(LinkChanged::Up);
                link.note_backlog();
                link.store_next(context);
            }
            Err(DbError::NotFound) => link.close(CLOSE_RESTART, KEY_ENDED, context),
            Err(error) => link.give_up(&error, context),
        }));
    }

    fn note_holder(&self, gateway: Gateway) {
        let edge_id = self.edge_id;
        let rivals = self
            .services
            .holders
            .lock()
            .entry(edge_id)
            .or_default()
            .take(gateway, Utc::now());
        if let Some(Rivals(newer, older)) = rivals {
            metrics::counter!("edge_key_shared_total").increment(1);
            error!(
                edge.id = edge_id,
                "two gateways use the key of edge {edge_id} and take the link from each other: {newer} and {older}; give each a key of its own"
            );
        }
    }

    fn welcome(&mut self, welcomed: Welcomed, named: &[i64], context: &mut WebsocketContext<Self>) {
        let edge_id = self.edge_id;
        let Some(linked) = &self.linked else { return };
        let unknown: Vec<i64> = named
            .iter()
            .copied()
            .filter(|id| !linked.told.contains_key(id))
            .collect();
        for station in &unknown {
            error!(
                edge.id = edge_id,
                station.id = station,
                "edge {edge_id} reads station {station}, which is not its own"
            );
        }
        if welcomed.newly_lost > 0 {
            pulse::tell_what_is_lost(edge_id, &welcomed);
        }
        if welcomed.went_back {
            pulse::tell_that_it_went_back(edge_id, welcomed.room_made);
        }
        if linked.clock.wall_offset().abs() > OFFSET_ALARM {
            let seconds = linked.clock.wall_offset().num_seconds();
            warn!(edge.id = edge_id, "the clock of edge {edge_id} is {seconds} s off");
        }
        let welcome = Welcome {
            edge: welcomed.edge,
            session: linked.session,
            have: welcomed.have,
            lost: welcomed.lost,
            stations: welcomed.stations,
            unknown,
            server_time: Utc::now().fixed_offset(),
            window: Window {
                events: WINDOW_EVENTS,
                bytes: WINDOW_BYTES,
            },
            curve_steps: true,
            database: welcomed.database,
        };
        info!(edge.id = edge_id, "edge {edge_id} is linked");
        if !linked.clock.is_prompt() {
            // Its pong comes before the first event, and says when that was.
            self.ask_for_clock(context);
        }
        self.say(&FromServer::Welcome(welcome), context);
    }

    /// Tells the stations when all that the edge had kept for us is here.
    fn note_backlog(&mut self) {
        let Some(linked) = &mut self.linked else { return };
        if !linked.drained
            && linked
                .backlog
                .iter()
                .all(|(epoch, last)| linked.have.get(epoch).is_some_and(|have| have >= last))
        {
            linked.drained = true;
            self.tell_stations(BacklogChanged { drained: true });
        }
    }

    /// The database cannot be asked now: the edge keeps what it has and comes back.
    fn give_up(&mut self, error: &DbError, context: &mut WebsocketContext<Self>) {
        warn!(
            edge.id = self.edge_id,
            "edge {} is sent away for now: {error}", self.edge_id
        );
        self.close(CLOSE_RESTART, "the database is unavailable", context);
    }

    fn close(&mut self, code: u16, why: &str, context: &mut WebsocketContext<Self>) {
        // A close frame carries at most 123 bytes of reason.
        let mut reason = why.to_owned();
        while reason.len() > 123 {
            reason.pop();
        }
        context.close(Some(CloseReason {
            code: CloseCode::from(code),
            description: Some(reason),
        }));
        context.stop();
    }
}

impl Linked {
    fn new(session: LinkSession, clock: ClockModel, backlog: BTreeMap<Epoch, i64>, welcomed: &Welcomed) -> Self {
        Self {
            session,
            told: told::of(&welcomed.stations),
            unfit: None,
            noting: false,
            clock,
            awaited: None,
            have: welcomed.have.clone(),
            backlog,
            drained: false,
            bad_seqs: 0,
            sound_at: Utc::now(),
            database: welcomed.database,
        }
    }
}

impl Actor for EdgeLink {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut WebsocketContext<Self>) {
        self.start_pulse(context);
    }

    fn stopped(&mut self, _: &mut WebsocketContext<Self>) {
        self.enlisted = None;
        self.leave_stations();
        info!(edge.id = self.edge_id, "edge {} is not linked any more", self.edge_id);
    }
}

impl Temporary for EdgeLink {
    fn end(&mut self, why: Ending, context: &mut WebsocketContext<Self>) {
        match why {
            Ending::Superseded => self.close(CLOSE_FENCED, "a newer connection of this edge has come", context),
            Ending::Stopped => context.stop(),
            Ending::Crashed(_) | Ending::Restarted | Ending::Draining => {
                self.close(CLOSE_RESTART, "come again", context);
            }
        }
    }
}
