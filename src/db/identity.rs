//! Which database this is: a restored backup or a promoted standby may lack what was acknowledged, and must not serve
//! before somebody has dealt with that.

use diesel::{
    OptionalExtension, QueryableByName,
    sql_types::{BigInt, Integer, Nullable},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::future::BoxFuture;
use tracing::warn;
use uuid::Uuid;

use crate::db::{DbError, Query, Unavailable};

/// What a cluster says of itself. Another timeline: it was recovered or promoted; another system: it is another cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub system_identifier: i64,
    pub timeline: i32,
}

/// The database is not the one that served last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    pub before: Identity,
    pub now: Identity,
}

type Reaction =
    Box<dyn for<'c> Fn(Restored, &'c mut AsyncPgConnection) -> BoxFuture<'c, Result<(), DbError>> + Send + Sync>;

/// What to do when a restore is noticed; it is done once, in the transaction that notes the new identity.
pub struct OnRestore(Option<Reaction>);

impl OnRestore {
    /// Runs the query that `react` makes of the news, before any connection serves.
    pub fn run<Q: Query<Output = ()>>(react: impl Fn(Restored) -> Q + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(move |restored, conn| {
            Box::pin(react(restored).run(conn))
        })))
    }

    /// Takes no notice: for tools, which must not use up the news before the server has heard it.
    pub const fn ignore() -> Self {
        Self(None)
    }
}

impl std::fmt::Debug for OnRestore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnRestore")
    }
}

#[derive(QueryableByName)]
struct Seen {
    #[diesel(sql_type = BigInt)]
    system_identifier: i64,
    /// Missing on a standby, which writes nothing.
    #[diesel(sql_type = Nullable<Integer>)]
    timeline: Option<i32>,
    #[diesel(sql_type = Nullable<BigInt>)]
    known_system_identifier: Option<i64>,
    #[diesel(sql_type = Nullable<Integer>)]
    known_timeline: Option<i32>,
}

// The timeline is read off the WAL that is being written: the control file tells it only after the next checkpoint.
const ASK: &str = "
    SELECT now.system_identifier,
        CASE WHEN NOT pg_is_in_recovery() THEN
            ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
        END AS timeline,
        known.system_identifier AS known_system_identifier,
        known.timeline AS known_timeline
    FROM pg_control_system() AS now LEFT JOIN database_identity AS known ON TRUE";

/// The name that the database was born with; none before it has served for the first time.
pub(super) async fn birth_name(conn: &mut AsyncPgConnection) -> Result<Option<Uuid>, DbError> {
    use crate::db::schema::database_identity::dsl;
    use diesel::QueryDsl;

    Ok(dsl::database_identity
        .select(dsl::birth_name)
        .first(conn)
        .await
        .optional()?)
}

/// Compares the database behind a new connection with the one that served last.
pub(super) async fn check(conn: &mut AsyncPgConnection, on_restore: &OnRestore) -> Result<(), DbError> {
    let seen: Seen = diesel::sql_query(ASK).get_result(conn).await?;
    let Some(timeline) = seen.timeline else {
        let reason = "the database is a standby, expected a primary";
        return Err(Unavailable::briefly(&reason).into());
    };
    let now = Identity {
        system_identifier: seen.system_identifier,
        timeline,
    };
    let known = seen.known_system_identifier.zip(seen.known_timeline);
    match &on_restore.0 {
        Some(react) if known != Some((now.system_identifier, now.timeline)) => note(conn, now, react).await,
        _ => Ok(()),
    }
}

/// Settles under a lock what the comparison outside of one has shown: many connections may be made at once.
async fn note(conn: &mut AsyncPgConnection, now: Identity, react: &Reaction) -> Result<(), DbError> {
    use crate::db::schema::database_identity::dsl;
    use diesel::{ExpressionMethods, QueryDsl};

    let values = (
        dsl::system_identifier.eq(now.system_identifier),
        dsl::timeline.eq(now.timeline),
    );
    conn.transaction(async |conn| {
        let before: Option<(i64, i32)> = dsl::database_identity
            .select((dsl::system_identifier, dsl::timeline))
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let Some((system_identifier, timeline)) = before else {
            diesel::insert_into(dsl::database_identity)
                .values(values)
                .on_conflict_do_nothing()
                .execute(conn)
                .await?;
            return Ok(());
        };
        let before = Identity {
            system_identifier,
            timeline,
        };
        if before == now {
            return Ok(());
        }
        warn!(database.before = ?before, database.now = ?now, "the database was restored or failed over");
        react(Restored { before, now }, conn).await?;
        diesel::update(dsl::database_identity)
            .set((values, dsl::seen_at.eq(diesel::dsl::now)))
            .execute(conn)
            .await?;
        Ok(())
    })
    .await
}
