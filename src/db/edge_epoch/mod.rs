//! How far each epoch of an edge is stored, and who may write to it: what a connection begins with and lives by.
//!
//! - [`Greet`]: an edge's `hello`, answered
//! - [`Pulse`]: whether a connection is still its edge's newest, and whether the database went back
//! - [`holes`]: seqs that an edge declares lost
//! - [`told`]: what it is told of its stations
//! - [`LossesOf`]: what staff are told of what it has lost

pub(super) mod holes;
mod losses;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::{
    Epoch, LinkSession,
    link::messages::{EdgeName, EpochState, Hello, SeqRange, StationSettings},
};

pub use losses::{Conflict, Losses, LossesOf, Lost};
pub use told::{NoteUnfit, Told, ToldNow};

pub(super) use told::capture_wishes;

use super::{
    DbError, Query,
    identity::birth_name,
    restored::{MakeRoom, WentBack},
    schema,
    station_view::{StationView, StationViews},
};
use crate::domain::{
    board_text::Sign,
    intake::hello::{Claim, claim},
};

/// An edge has said hello on a new connection, which from now on is its only one. Sent by EdgeLink.
#[derive(Clone, Debug)]
pub struct Greet {
    pub edge_id: i64,
    pub hello: Hello,
    /// Drawn at random for this connection.
    pub session: LinkSession,
    pub now: DateTime<Utc>,
    /// How far numbers jump where the hello shows that the database went back.
    pub jump: i32,
}

#[derive(Clone, Debug)]
pub enum Greeting {
    /// The edge is deactivated, or names an epoch of another edge that is not.
    Forbidden {
        why: String,
    },
    Welcome(Box<Welcomed>),
}

#[derive(Clone, Debug)]
pub struct Welcomed {
    pub edge: EdgeName,
    pub have: BTreeMap<Epoch, i64>,
    pub lost: BTreeMap<Epoch, Vec<SeqRange>>,
    /// This edge's stations.
    pub stations: Vec<StationSettings>,
    /// How many events were declared lost just now.
    pub newly_lost: u64,
    /// Which they are.
    pub lost_now: BTreeMap<Epoch, Vec<SeqRange>>,
    /// The edge was told of more than is here: the database went back.
    pub went_back: bool,
    /// And room was made for that, just now.
    pub room_made: bool,
    /// The name that the database was born with.
    pub database: Option<Uuid>,
}

impl Query for Greet {
    type Output = Greeting;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Greeting, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.greet(conn).await)
            .await
    }
}

impl Greet {
    async fn greet(&self, conn: &mut AsyncPgConnection) -> Result<Greeting, DbError> {
        use schema::edge_gateway::dsl;
        let gateway: Option<(String, Option<DateTime<Utc>>)> = dsl::edge_gateway
            .filter(dsl::id.eq(self.edge_id).and(dsl::is_active))
            .select((dsl::name, dsl::last_seen_at))
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let Some((name, sound_at)) = gateway else {
            return Ok(Greeting::Forbidden {
                why: format!("edge {} is not active", self.edge_id),
            });
        };
        if let Some(why) = self.claim_epochs(conn).await? {
            return Ok(Greeting::Forbidden { why });
        }
        diesel::update(dsl::edge_gateway.filter(dsl::id.eq(self.edge_id)))
            .set((
                dsl::session.eq(Uuid::from_u128(self.session.bits())),
                dsl::last_seen_at.eq(self.now),
                dsl::software_version.eq(self.hello.version.chars().take(50).collect::<String>()),
            ))
            .execute(conn)
            .await?;
        let mut welcomed = Welcomed {
            edge: EdgeName { id: self.edge_id, name },
            have: BTreeMap::new(),
            lost: BTreeMap::new(),
            stations: stations(conn, self.edge_id).await?,
            newly_lost: 0,
            lost_now: BTreeMap::new(),
            went_back: false,
            room_made: false,
            database: birth_name(conn).await?,
        };
        for state in &self.hello.epochs {
            self.settle_epoch(conn, state, &mut welcomed).await?;
        }
        if welcomed.went_back {
            let room = MakeRoom {
                jump: self.jump,
                now: self.now,
            };
            welcomed.room_made = WentBack { sound_at, room }.make_room(conn).await?;
        }
        if welcomed.newly_lost > 0 || welcomed.went_back {
            distrust_edge(conn, self.edge_id, self.now).await?;
        }
        Ok(Greeting::Welcome(Box::new(welcomed)))
    }

    /// Each epoch belongs to one edge. One known under another is taken over only when that edge is deactivated.
    async fn claim_epochs(&self, conn: &mut AsyncPgConnection) -> Result<Option<String>, DbError> {
        use schema::{edge_epoch, edge_gateway};
        let named: BTreeSet<Uuid> = self
            .hello
            .epochs
            .iter()
            .map(|state| Uuid::from_u128(state.epoch.bits()))
            .collect();
        let known: Vec<(Uuid, i64, bool)> = edge_epoch::table
            .inner_join(edge_gateway::table)
            .filter(edge_epoch::epoch.eq_any(named.iter().copied().collect::<Vec<_>>()))
            .order(edge_epoch::epoch)
            .select((edge_epoch::epoch, edge_epoch::edge_id, edge_gateway::is_active))
            .load(conn)
            .await?;
        let mut new = Vec::new();
        for epoch in named {
            let owner = known.iter().find(|(known, ..)| *known == epoch);
            match claim(self.edge_id, owner.map(|(_, owner, active)| (*owner, *active))) {
                Claim::Own => {}
                Claim::New => new.push((edge_epoch::epoch.eq(epoch), edge_epoch::edge_id.eq(self.edge_id))),
                Claim::Foreign(owner) => {
                    let epoch = epoch.simple();
                    return Ok(Some(format!("epoch {epoch} belongs to edge {owner}, which is active")));
                }
                Claim::TakenOver => {
                    diesel::update(edge_epoch::table.filter(edge_epoch::epoch.eq(epoch)))
                        .set(edge_epoch::edge_id.eq(self.edge_id))
                        .execute(conn)
                        .await?;
                }
            }
        }
        if !new.is_empty() {
            diesel::insert_into(edge_epoch::table)
                .values(new)
                .on_conflict_do_nothing()
                .execute(conn)
                .await?;
        }
        Ok(None)
    }

    /// Keeps what the edge has lost, and tells how far the epoch is stored now.
    async fn settle_epoch(
        &self,
        conn: &mut AsyncPgConnection,
        state: &EpochState,
        welcomed: &mut Welcomed,
    ) -> Result<(), DbError> {
        let settled = holes::settle(conn, state, self.now).await?;
        if !settled.newly_lost.is_empty() {
            welcomed.newly_lost = welcomed.newly_lost.saturating_add(settled.newly_lost.count());
            welcomed
                .lost_now
                .insert(state.epoch, settled.newly_lost.ranges().to_vec());
        }
        welcomed.went_back |= settled.went_back;
        welcomed.have.insert(state.epoch, settled.have);
        if !settled.lost.is_empty() {
            welcomed.lost.insert(state.epoch, settled.lost.ranges().to_vec());
        }
        Ok(())
    }
}

/// What drove on an edge's stations before `now` belongs to no call.
pub(super) async fn distrust_edge(conn: &mut AsyncPgConnection, edge: i64, now: DateTime<Utc>) -> Result<(), DbError> {
    use schema::weigh_station::dsl;
    diesel::update(dsl::weigh_station.filter(dsl::edge_id.eq(edge)))
        .set(dsl::trusted_since.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

async fn stations(conn: &mut AsyncPgConnection, edge_id: i64) -> Result<Vec<StationSettings>, DbError> {
    let told = ToldNow { edge_id }.run(conn).await?;
    let views = StationViews.run(conn).await?;
    let station = |(station_id, capture)| {
        let view = views.iter().find(|view| view.id == station_id);
        let sign = view.map(StationView::sign);
        let text = |text: fn(&Sign) -> &String| sign.as_ref().map(text).filter(|text| !text.is_empty()).cloned();
        StationSettings {
            station_id,
            capture,
            board: text(|sign| &sign.korean),
            board_en: text(|sign| &sign.english),
            lamp: sign.as_ref().map(|sign| sign.lamp),
        }
    };
    Ok(told.into_iter().map(station).collect())
}

/// Asked with each ping: who is the newest connection, and how far are these epochs stored?
#[derive(Clone, Debug)]
pub struct Pulse {
    pub edge_id: i64,
    pub epochs: Vec<Epoch>,
    pub now: DateTime<Utc>,
}

#[derive(Clone, Debug, Default)]
pub struct Heartbeat {
    /// None where the edge is no longer active.
    pub session: Option<LinkSession>,
    /// Epochs that are not known any more are missing: the database was restored.
    pub have: BTreeMap<Epoch, i64>,
    /// What the edge would be told if it said hello now.
    pub told: Told,
}

impl Query for Pulse {
    type Output = Heartbeat;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Heartbeat, DbError> {
        use schema::{edge_epoch, edge_gateway, weigh_station};
        let session: Option<Option<Uuid>> =
            diesel::update(edge_gateway::table.filter(edge_gateway::id.eq(self.edge_id).and(edge_gateway::is_active)))
                .set(edge_gateway::last_seen_at.eq(self.now))
                .returning(edge_gateway::session)
                .get_result(conn)
                .await
                .optional()?;
        let own = weigh_station::table.filter(weigh_station::edge_id.eq(self.edge_id));
        let stations: Vec<(bool, told::Row)> = diesel::update(own)
            .set(weigh_station::last_heartbeat.eq(self.now))
            .returning((
                weigh_station::is_active,
                (
                    weigh_station::id,
                    weigh_station::capture_settings,
                    weigh_station::division,
                ),
            ))
            .get_results(conn)
            .await?;
        let in_use = stations.into_iter().filter(|(is_active, _)| *is_active);
        let named: Vec<Uuid> = self.epochs.iter().map(|epoch| Uuid::from_u128(epoch.bits())).collect();
        let have: Vec<(Uuid, i64)> = edge_epoch::table
            .filter(
                edge_epoch::epoch
                    .eq_any(named)
                    .and(edge_epoch::edge_id.eq(self.edge_id)),
            )
            .select((edge_epoch::epoch, edge_epoch::have))
            .load(conn)
            .await?;
        Ok(Heartbeat {
            session: session
                .flatten()
                .map(|session| LinkSession::from_bits(session.as_u128())),
            have: have
                .into_iter()
                .map(|(epoch, have)| (Epoch::from_bits(epoch.as_u128()), have))
                .collect(),
            told: told::told(in_use.map(|(_, station)| station).collect()),
        })
    }
}
