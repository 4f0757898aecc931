//! Gateways on site, and the keys by which they prove themselves. Of a key only its hash is kept.

use chrono::{DateTime, Utc};
use diesel::{dsl::now, prelude::*};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    edge_key::key_hash,
    page::{Listed, Slice},
    schema,
};
use crate::domain::edge_key::EdgeSecret;

/// Live keys an edge may have: two while one is rotated.
const MOST_KEYS: i64 = 2;

/// A gateway.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::edge_gateway)]
pub struct Edge {
    pub id: i64,
    pub name: String,
    pub site_id: i64,
    pub allowed_addresses: Vec<String>,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub software_version: Option<String>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
}

/// A live key, without what it unlocks with.
#[derive(Clone, Copy, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::edge_key)]
pub struct Key {
    pub id: i64,
    pub edge_id: i64,
    pub created_at: DateTime<Utc>,
}

/// A gateway with its stations and live keys.
#[derive(Clone, Debug)]
pub struct EdgeWhole {
    pub edge: Edge,
    pub station_ids: Vec<i64>,
    pub keys: Vec<Key>,
}

/// All gateways in the order they were made.
#[derive(Clone, Copy, Debug)]
pub struct Edges(pub Slice);

/// One gateway.
#[derive(Clone, Copy, Debug)]
pub struct EdgeById(pub i64);

/// What of a gateway is to be set; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct EdgeChange {
    pub name: Option<String>,
    pub allowed_addresses: Option<Vec<String>>,
    pub station_ids: Option<Vec<i64>>,
    pub is_active: Option<bool>,
}

/// Sets up a gateway with its first key.
#[derive(Debug)]
pub struct AddEdge {
    pub name: String,
    pub site_id: i64,
    pub station_ids: Vec<i64>,
    pub allowed_addresses: Vec<String>,
    pub secret: EdgeSecret,
    /// None where it is set up from the command line.
    pub author: Option<Author>,
}

/// Changes a gateway.
#[derive(Debug)]
pub struct ChangeEdge {
    pub id: i64,
    pub change: EdgeChange,
    pub author: Author,
}

/// Gives a gateway a second key. `Ok(None)` where it has two already.
#[derive(Debug)]
pub struct AddEdgeKey {
    pub edge_id: i64,
    pub secret: EdgeSecret,
    pub author: Author,
}

/// Ends a key.
#[derive(Debug)]
pub struct EndEdgeKey {
    pub edge_id: i64,
    pub key_id: i64,
    pub author: Author,
}

impl Query for Edges {
    type Output = Listed<EdgeWhole>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<EdgeWhole>, DbError> {
        use schema::edge_gateway::dsl;
        let total = dsl::edge_gateway.count().get_result(conn).await?;
        let edges: Vec<Edge> = dsl::edge_gateway
            .order(dsl::id)
            .offset(self.0.offset)
            .limit(self.0.limit)
            .select(Edge::as_select())
            .load(conn)
            .await?;
        let items = wholes(conn, edges).await?;
        Ok(Listed { items, total })
    }
}

impl Query for EdgeById {
    type Output = EdgeWhole;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<EdgeWhole, DbError> {
        whole(conn, self.0).await
    }
}

impl Query for AddEdge {
    type Output = EdgeWhole;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<EdgeWhole, DbError> {
        use schema::{edge_gateway, edge_key};
        conn.transaction::<_, DbError, _>(async |conn| {
            let id: i64 = diesel::insert_into(edge_gateway::table)
                .values((
                    edge_gateway::name.eq(&self.name),
                    edge_gateway::site_id.eq(self.site_id),
                    edge_gateway::allowed_addresses.eq(&self.allowed_addresses),
                ))
                .returning(edge_gateway::id)
                .get_result(conn)
                .await?;
            diesel::insert_into(edge_key::table)
                .values((edge_key::edge_id.eq(id), edge_key::key_hash.eq(hash(&self.secret, id))))
                .execute(conn)
                .await?;
            take_stations(conn, id, self.site_id, &self.station_ids).await?;
            if let Some(author) = &self.author {
                let after = json!({"name": self.name, "station_ids": self.station_ids});
                audit_log::by_user(conn, author, deed("edge.add", id, None, after)).await?;
            }
            whole(conn, id).await
        })
        .await
    }
}

impl Query for ChangeEdge {
    type Output = EdgeWhole;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<EdgeWhole, DbError> {
        use schema::edge_gateway::dsl;
        conn.transaction::<_, DbError, _>(async |conn| {
            let EdgeChange {
                name,
                allowed_addresses,
                station_ids,
                is_active,
            } = self.change;
            let before = whole(conn, self.id).await?;
            diesel::update(dsl::edge_gateway.find(self.id))
                .set((
                    dsl::name.eq(name.unwrap_or_else(|| before.edge.name.clone())),
                    dsl::allowed_addresses
                        .eq(allowed_addresses.unwrap_or_else(|| before.edge.allowed_addresses.clone())),
                    dsl::is_active.eq(is_active.unwrap_or(before.edge.is_active)),
                ))
                .execute(conn)
                .await?;
            if let Some(stations) = station_ids {
                take_stations(conn, self.id, before.edge.site_id, &stations).await?;
            }
            let after = whole(conn, self.id).await?;
            let told = |edge: &EdgeWhole| {
                json!({
                    "name": edge.edge.name,
                    "station_ids": edge.station_ids,
                    "allowed_addresses": edge.edge.allowed_addresses,
                    "is_active": edge.edge.is_active,
                })
            };
            let deed = deed("edge.change", self.id, Some(told(&before)), told(&after));
            audit_log::by_user(conn, &self.author, deed).await?;
            Ok(after)
        })
        .await
    }
}

impl Query for AddEdgeKey {
    type Output = Option<Key>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<Key>, DbError> {
        use schema::{edge_gateway, edge_key::dsl};
        conn.transaction::<_, DbError, _>(async |conn| {
            // The gateway's row is the lock: of two rotations at once the second sees the first.
            let edge = edge_gateway::table.find(self.edge_id).select(edge_gateway::id);
            edge.for_update().first::<i64>(conn).await?;
            let live = dsl::edge_key.filter(dsl::edge_id.eq(self.edge_id).and(dsl::revoked_at.is_null()));
            if live.count().get_result::<i64>(conn).await? >= MOST_KEYS {
                return Ok(None);
            }
            let key: Key = diesel::insert_into(dsl::edge_key)
                .values((
                    dsl::edge_id.eq(self.edge_id),
                    dsl::key_hash.eq(hash(&self.secret, self.edge_id)),
                ))
                .returning(Key::as_returning())
                .get_result(conn)
                .await?;
            let deed = deed("edge.key_add", self.edge_id, None, json!({"key_id": key.id}));
            audit_log::by_user(conn, &self.author, deed).await?;
            Ok(Some(key))
        })
        .await
    }
}

impl Query for EndEdgeKey {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::edge_key::dsl;
        conn.transaction::<_, DbError, _>(async |conn| {
            let key = dsl::edge_key.filter(dsl::id.eq(self.key_id).and(dsl::edge_id.eq(self.edge_id)));
            let ended = diesel::update(key.filter(dsl::revoked_at.is_null()))
                .set(dsl::revoked_at.eq(now))
                .execute(conn)
                .await?;
            if ended == 0 {
                return Err(DbError::NotFound);
            }
            let deed = deed("edge.key_end", self.edge_id, None, json!({"key_id": self.key_id}));
            audit_log::by_user(conn, &self.author, deed).await
        })
        .await
    }
}

/// Lets exactly these stations be the gateway's. One that is another's, or of another site, is a conflict.
async fn take_stations(conn: &mut AsyncPgConnection, edge: i64, site: i64, stations: &[i64]) -> Result<(), DbError> {
    use schema::weigh_station::dsl;
    let of_edge = dsl::weigh_station.filter(dsl::edge_id.eq(edge).and(dsl::id.ne_all(stations)));
    diesel::update(of_edge)
        .set(dsl::edge_id.eq(None::<i64>))
        .execute(conn)
        .await?;
    let free = dsl::edge_id.is_null().or(dsl::edge_id.eq(edge));
    let wanted = dsl::weigh_station.filter(dsl::id.eq_any(stations).and(dsl::site_id.eq(site)).and(free));
    let taken = diesel::update(wanted).set(dsl::edge_id.eq(edge)).execute(conn).await?;
    if taken == stations.len() {
        return Ok(());
    }
    Err(DbError::Conflict {
        constraint: "edge_takes_free_stations_of_its_site".to_owned(),
        message: format!("{taken} of {} stations are free and of the edge's site", stations.len()),
    })
}

async fn whole(conn: &mut AsyncPgConnection, id: i64) -> Result<EdgeWhole, DbError> {
    let edge: Edge = schema::edge_gateway::table
        .find(id)
        .select(Edge::as_select())
        .first(conn)
        .await?;
    wholes(conn, vec![edge]).await?.pop().ok_or(DbError::NotFound)
}

async fn wholes(conn: &mut AsyncPgConnection, edges: Vec<Edge>) -> Result<Vec<EdgeWhole>, DbError> {
    use schema::{edge_key, weigh_station};
    let wanted: Vec<i64> = edges.iter().map(|edge| edge.id).collect();
    let stations: Vec<(i64, Option<i64>)> = weigh_station::table
        .filter(weigh_station::edge_id.eq_any(&wanted))
        .order(weigh_station::id)
        .select((weigh_station::id, weigh_station::edge_id))
        .load(conn)
        .await?;
    let keys: Vec<Key> = edge_key::table
        .filter(edge_key::edge_id.eq_any(&wanted).and(edge_key::revoked_at.is_null()))
        .order(edge_key::id)
        .select(Key::as_select())
        .load(conn)
        .await?;
    let join = |edge: Edge| EdgeWhole {
        station_ids: stations
            .iter()
            .filter(|(_, of)| *of == Some(edge.id))
            .map(|(station, _)| *station)
            .collect(),
        keys: keys.iter().filter(|key| key.edge_id == edge.id).copied().collect(),
        edge,
    };
    Ok(edges.into_iter().map(join).collect())
}

fn hash(secret: &EdgeSecret, edge: i64) -> Vec<u8> {
    key_hash(&secret.reveal(edge)).to_vec()
}

fn deed(action: &'static str, edge: i64, before: Option<serde_json::Value>, after: serde_json::Value) -> Deed {
    Deed {
        action,
        subject: format!("edge {edge}"),
        before,
        after: Some(after),
    }
}
