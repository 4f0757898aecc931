//! One watching socket: hears its client, grants or refuses what it asks for, and takes messages about itself.
//!
//! What the client is shown goes past the session: Live writes it into the session's seat.

use std::{
    io, net,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as Task, Poll},
    time::Instant,
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, StreamHandler, WrapFuture};
use futures_core::Stream;
use tokio::net::TcpStream;
use tracing::{debug, info};
use weighbridge_supervision::{Handle, Spec, StartError, Tree};

use super::live::{
    Live, Lives, SnapshotsOwed, Stage,
    frame::Frame,
    incoming::Heard,
    seat::Event,
    seats::Place,
    topics::{Scope, Topic, Topics},
};
use allowance::{Allowance, Verdict};
use requests::{Answer, Request};

pub use admitted::{Admitted, Refused, VerifyToken, Watcher};

mod admitted;
mod allowance;
mod requests;

const SUPERVISOR: &str = "sessions";
/// Of messages about the session itself; what its client is shown does not pass through it.
const MAILBOX: usize = 8;

/// A socket as it comes from the upgrade, on its way to the arbiter where it will be served.
#[derive(Debug)]
pub struct Arrival {
    pub socket: net::TcpStream,
    /// What the client said before it was told that it may.
    pub already_read: Vec<u8>,
    pub admitted: Admitted,
}

/// Opens sessions on the live arbiter, each the temporary child `session-<n>` of the tree.
#[derive(Clone, Debug)]
pub struct Sessions {
    tree: Tree,
    lives: Lives,
    verify: Arc<dyn VerifyToken>,
    opened: Arc<AtomicU64>,
}

impl Sessions {
    /// Opens none yet. The tree gets its supervisor `sessions` here.
    pub fn new(tree: &Tree, lives: Lives, verify: Arc<dyn VerifyToken>) -> Result<Self, StartError> {
        tree.supervisor(SUPERVISOR)?;
        Ok(Self {
            tree: tree.clone(),
            lives,
            verify,
            opened: Arc::default(),
        })
    }

    /// Moves the socket to the live arbiter. A session that ends by a panic or a restart closes it with 1012.
    pub fn open(&self, arrival: Arrival) {
        let sessions = self.clone();
        let stage = self.lives.next_stage().clone();
        let taken = stage.arbiter.clone().spawn_fn(move || {
            if let Err(error) = sessions.open_on(stage, arrival) {
                info!("a live session could not be opened: {error}");
            }
        });
        if !taken {
            info!("a live session was not opened, the server stops");
        }
    }

    fn open_on(&self, stage: Stage, arrival: Arrival) -> anyhow::Result<()> {
        let name = format!("session-{}", self.opened.fetch_add(1, Ordering::Relaxed) + 1);
        let session = Session::new(arrival, stage, Arc::clone(&self.verify))?;
        let spec = Spec::new("session", name).under(SUPERVISOR).mailbox(MAILBOX);
        // Its place closes the socket when it is dropped, however the session ended.
        self.tree.start_temporary(spec, session, |_| ())?;
        Ok(())
    }
}

/// See the file's head.
#[derive(Debug)]
pub struct Session {
    live: Handle<Live>,
    verify: Arc<dyn VerifyToken>,
    admitted: Admitted,
    place: Arc<Place>,
    allowance: Allowance,
}

impl Session {
    /// To be called on the live arbiter, which then watches over the socket.
    fn new(arrival: Arrival, stage: Stage, verify: Arc<dyn VerifyToken>) -> io::Result<Self> {
        let Arrival {
            socket,
            already_read,
            admitted,
        } = arrival;
        let Stage { live, seats, .. } = stage;
        let place = Arc::new(seats.take(TcpStream::from_std(socket)?, admitted.holder()));
        place.with(|seat| seat.heard_already(&already_read));
        let allowance = Allowance::new(Instant::now());
        Ok(Self {
            live,
            verify,
            admitted,
            place,
            allowance,
        })
    }

    fn hear(&mut self, heard: Heard, context: &mut Context<Self>) {
        match heard {
            Heard::Close(code) => return self.close(code.unwrap_or(1000), ""),
            Heard::Text(_) | Heard::Ping(_) | Heard::Pong => {}
        }
        match self.allowance.spend(Instant::now()) {
            Verdict::Granted => {}
            Verdict::FirstRefused => return self.answer(&Answer::error("RATE_LIMITED", TOO_MANY)),
            Verdict::Refused => return,
            Verdict::Flood => return self.close(1008, TOO_MANY),
        }
        match heard {
            Heard::Text(text) => match serde_json::from_str(&text) {
                Ok(request) => self.obey(request, context),
                Err(error) => self.close(4400, &format!("malformed message: {error}")),
            },
            Heard::Ping(payload) => self.send(&Frame::pong(&payload)),
            Heard::Pong | Heard::Close(_) => {}
        }
    }

    fn obey(&mut self, request: Request, context: &mut Context<Self>) {
        match request {
            Request::Subscribe { topics, site_id } => self.change(&topics, |session, topics| {
                let scope = session.admitted.watcher.scope(site_id);
                session.subscribe(topics, scope);
            }),
            Request::Unsubscribe { topics } => self.change(&topics, |session, topics| {
                session.place.with(|seat| {
                    for topic in topics {
                        seat.wants.set(*topic, None);
                    }
                    seat.awaiting = seat.awaiting.both(seat.wants.topics());
                });
                session.say_what_is_subscribed();
            }),
            Request::Token { token } => self.renew(&token, context),
            Request::Ping => self.answer(&Answer::Pong),
        }
    }

    /// Reads the names of topics, and does `change` if all are this client's to choose.
    fn change(&mut self, names: &[String], change: impl FnOnce(&mut Self, &[Topic])) {
        let mut topics = Vec::with_capacity(names.len());
        for name in names {
            match Topic::named(name) {
                Some(topic) if self.admitted.watcher.may_watch(topic) => topics.push(topic),
                Some(topic) => return self.close(4403, &format!("topic {} is not for your role", topic.name())),
                None => return self.answer(&Answer::unknown_topic(name)),
            }
        }
        change(self, &topics);
    }

    fn subscribe(&mut self, topics: &[Topic], scope: Scope) {
        self.place
            .with(|seat| topics.iter().for_each(|topic| seat.wants.set(*topic, Some(scope))));
        self.say_what_is_subscribed();
        if self.place.owe(Topics::of(topics.iter().copied())) {
            self.tell_live();
        }
    }

    fn say_what_is_subscribed(&self) {
        let topics = self
            .place
            .with(|seat| seat.wants.channels().map(|(topic, _)| topic).collect());
        self.answer(&Answer::Subscribed { topics });
    }

    /// Takes another access token in place of the one that will expire.
    fn renew(&mut self, token: &str, context: &mut Context<Self>) {
        let verdict = self.verify.verify(token).into_actor(self);
        context.spawn(verdict.map(|verdict, session, _| match verdict {
            Ok(admitted) if admitted.is_same_watcher(&session.admitted) => {
                session.place.with(|seat| seat.holder = admitted.holder());
                session.admitted = admitted;
                session.say_what_is_subscribed();
            }
            Ok(_) => session.answer(&Answer::error("TOKEN_INVALID", "the token is somebody else's")),
            Err(refused) => session.answer(&Answer::error(refused.code(), &refused.to_string())),
        }));
    }

    fn tell_live(&self) {
        // Live finds what is owed in the table at its next sending too, at the latest in a second.
        if let Err(error) = self.live.tell(SnapshotsOwed) {
            debug!("live was not told of an owed snapshot: {error}");
        }
    }

    fn answer(&self, answer: &Answer) {
        self.send(&answer.frame());
    }

    fn send(&self, frame: &Frame) {
        // A client that asks and does not read misses the answer, and will be closed as a slow one.
        if !self.place.with(|seat| seat.send(frame)) {
            debug!("an answer was left out: the client does not read");
        }
    }

    fn close(&self, code: u16, reason: &str) {
        self.place.with(|seat| seat.close(code, reason));
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.add_stream(Inlet(Arc::clone(&self.place)));
    }
}

/// A stream that ends, ends the session.
impl StreamHandler<Event> for Session {
    fn handle(&mut self, event: Event, context: &mut Self::Context) {
        match event {
            Event::Heard(Ok(heard)) => self.hear(heard, context),
            Event::Heard(Err(violation)) => self.close(violation.close_code(), &violation.to_string()),
            Event::CaughtUp => {
                if self.place.owe(Topics::default()) {
                    self.tell_live();
                }
            }
        }
    }
}

/// What wakes a session.
struct Inlet(Arc<Place>);

impl Stream for Inlet {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Event>> {
        self.0.with(|seat| seat.poll(task))
    }
}

const TOO_MANY: &str = "more than 20 messages a second";
