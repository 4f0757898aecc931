//! The nightly close: each site's days, closed in order, once each, by the leader alone.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::{DbError, Query, leader_lease, outbox, schema};
use crate::domain::{
    day_close::{Item, close, message},
    slip::local_day,
};

/// Closes every day that is over by so much. Sent by Housekeeping under its term; answers what was closed and what could not
/// be, none where the term does not count any more.
#[derive(Clone, Copy, Debug)]
pub struct CloseDays {
    pub term: i64,
    pub now: DateTime<Utc>,
    /// A day is closed this long after its midnight, so that what the last trucks left has come.
    pub after_midnight: TimeDelta,
}

/// What came of it. A site whose day cannot be closed keeps no other waiting.
#[derive(Debug, Default)]
pub struct Closing {
    pub closed: Vec<Closed>,
    /// The site, and why.
    pub failed: Vec<(i64, DbError)>,
    /// Whether days may be left that the next round closes.
    pub goes_on: bool,
}

/// A day that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    pub site_id: i64,
    pub day: NaiveDate,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = sql_types::Text)]
    kind: String,
    #[diesel(sql_type = sql_types::Jsonb)]
    payload: Value,
}

#[derive(QueryableByName)]
struct First {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Date>)]
    day: Option<NaiveDate>,
}

/// A site's first close looks back so far, or to when the site was made; what is older, by a clock that stood years ago, is late in it.
/// And a round closes as many days of a site.
const MOST_DAYS: i32 = 31;

/// The day after the last that was closed; else the first of which something is open.
const FIRST: &str = "\
    SELECT coalesce((SELECT max(day) + 1 FROM day_close WHERE site_id = $1), \
      (SELECT min(greatest((payload->>'day')::date, least($2 - $3, (SELECT created_at::date - 1 FROM site WHERE id = $1)))) FROM outbox \
       WHERE close_id IS NULL AND kind IN ('ERP_COMPLETE', 'ERP_VOID') AND payload->'site_id' = to_jsonb($1))) AS day";

const COUNT: &str = "\
    UPDATE outbox SET close_id = $1 WHERE close_id IS NULL AND kind IN ('ERP_COMPLETE', 'ERP_VOID') \
      AND payload->'site_id' = to_jsonb($2) AND (payload->>'day')::date <= $3 RETURNING kind, payload";

impl Query for CloseDays {
    type Output = Option<Closing>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Self::Output, DbError> {
        use schema::site::dsl;
        let sites: Vec<(i64, String)> = dsl::site
            .filter(dsl::is_active)
            .order(dsl::id)
            .select((dsl::id, dsl::time_zone))
            .load(conn)
            .await?;
        let mut closing = Closing::default();
        for (site_id, zone) in sites {
            let zone: Tz = zone.parse().unwrap_or(chrono_tz::Asia::Seoul);
            let today = local_day(self.now - self.after_midnight, zone);
            for round in 1.. {
                let next = conn
                    .transaction::<_, DbError, _>(async |conn| self.close_next(conn, site_id, today).await)
                    .await;
                match next {
                    Ok(Step::Closed(day)) => closing.closed.push(Closed { site_id, day }),
                    // In a conflict, a round whose answer came too late for whoever asked still works at it.
                    Ok(Step::Done) | Err(DbError::Conflict { .. }) => break,
                    Ok(Step::Deposed) => return Ok(None),
                    // The database is away, for every site.
                    Err(error) if error.is_passing() => return Err(error),
                    Err(error) => {
                        closing.failed.push((site_id, error));
                        break;
                    }
                }
                // All days of a winter take longer than a query may.
                if round == MOST_DAYS {
                    closing.goes_on = true;
                    break;
                }
            }
        }
        Ok(Some(closing))
    }
}

enum Step {
    Closed(NaiveDate),
    /// Every day before today is closed.
    Done,
    /// The term does not count any more.
    Deposed,
}

impl CloseDays {
    /// A transaction for each day, so that many days that were missed hold up nobody.
    async fn close_next(&self, conn: &mut AsyncPgConnection, site_id: i64, today: NaiveDate) -> Result<Step, DbError> {
        if !leader_lease::hold(conn, self.term).await? {
            return Ok(Step::Deposed);
        }
        let first: First = diesel::sql_query(FIRST)
            .bind::<sql_types::BigInt, _>(site_id)
            .bind::<sql_types::Date, _>(today)
            .bind::<sql_types::Integer, _>(MOST_DAYS)
            .get_result(conn)
            .await?;
        // A site that has never weighed has nothing to close.
        let Some(day) = first.day.filter(|day| *day < today) else {
            return Ok(Step::Done);
        };
        self.close(conn, site_id, day).await?;
        Ok(Step::Closed(day))
    }

    async fn close(&self, conn: &mut AsyncPgConnection, site_id: i64, day: NaiveDate) -> Result<(), DbError> {
        use schema::day_close::dsl;
        let id: i64 = diesel::insert_into(dsl::day_close)
            .values((
                dsl::site_id.eq(site_id),
                dsl::day.eq(day),
                dsl::term.eq(self.term),
                dsl::totals.eq(json!([])),
                dsl::late.eq(json!([])),
            ))
            .returning(dsl::id)
            .get_result(conn)
            .await?;
        let counted: Vec<Counted> = diesel::sql_query(COUNT)
            .bind::<sql_types::BigInt, _>(id)
            .bind::<sql_types::BigInt, _>(site_id)
            .bind::<sql_types::Date, _>(day)
            .load(conn)
            .await?;
        let items: Vec<Item> = counted.into_iter().map(Item::from).collect();
        let close = close(day, &items);
        diesel::update(dsl::day_close.filter(dsl::id.eq(id)))
            .set((dsl::totals.eq(json!(close.totals)), dsl::late.eq(json!(close.late))))
            .execute(conn)
            .await?;
        outbox::enqueue(conn, &[message(site_id, day, &close)]).await
    }
}

impl From<Counted> for Item {
    fn from(Counted { kind, payload }: Counted) -> Self {
        Self { kind, payload }
    }
}
