//! Numbers the slips of completed records. Taken last in the transaction: a day's counter is what everyone waits for.

use chrono::NaiveDate;
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    db::{DbError, prepared::Prepare},
    domain::{
        slip::SlipNumber,
        weighing::{Ledger, completed},
    },
};

/// Gives each completed record its number, in the order of completion, and writes the slips. Those that receipts brought
/// back keep theirs; the counter becomes the greater, and what it skips is LOST, as is what a record is to have that waits
/// for its other pass.
pub async fn number(conn: &mut AsyncPgConnection, ledger: &mut Ledger) -> Result<(), DbError> {
    for (site_id, slip) in &ledger.reserved {
        let Some(prefix) = ledger.sites.get(site_id).map(|site| site.slip_prefix.as_str()) else {
            continue;
        };
        raise(conn, *site_id, prefix, slip.day(), slip.number()).await?;
    }
    for (record_id, site_id, slip) in completed::brought_back(ledger) {
        let Some(prefix) = ledger.sites.get(&site_id).map(|site| site.slip_prefix.clone()) else {
            continue;
        };
        raise(conn, site_id, &prefix, slip.day(), slip.number()).await?;
        issue(conn, site_id, &slip, record_id).await?;
    }
    for ((site_id, day), records) in completed::wanting(ledger) {
        let last = advance(conn, site_id, day, records.len()).await?;
        for (record_id, slip) in completed::number(ledger, site_id, day, last, &records) {
            issue(conn, site_id, &slip, record_id).await?;
        }
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = sql_types::Integer)]
    last_number: i32,
}

/// How far a day is numbered; a day that begins is numbered as far as it leaves room.
pub async fn last(conn: &mut AsyncPgConnection, site_id: i64, day: NaiveDate) -> Result<i32, DbError> {
    advance(conn, site_id, day, 0).await
}

async fn advance(conn: &mut AsyncPgConnection, site_id: i64, day: NaiveDate, by: usize) -> Result<i32, DbError> {
    let counter: Counter = diesel::sql_query(
        "INSERT INTO slip_counter AS c (site_id, day, last_number) VALUES ($1, $2, slip_room_of($1, $2) + $3) \
         ON CONFLICT (site_id, day) DO UPDATE SET last_number = c.last_number + $3 RETURNING last_number",
    )
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(day)
    .bind::<sql_types::Integer, _>(i32::try_from(by).unwrap_or(i32::MAX))
    .prepared()
    .get_result(conn)
    .await?;
    Ok(counter.last_number)
}

/// Lifts a day's counter to at least `number`; every number that this skips gets a LOST row, so that gaps stay explained.
pub async fn raise(
    conn: &mut AsyncPgConnection,
    site_id: i64,
    prefix: &str,
    day: NaiveDate,
    number: i32,
) -> Result<(), DbError> {
    let before = last(conn, site_id, day).await?;
    if before >= number {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO slip (slip_number, site_id, day, number, state) \
         SELECT $1 || to_char($3, 'YYYYMMDD') || lpad(n::text, greatest(3, length(n::text)), '0'), $2, $3, n, 'LOST' \
         FROM generate_series($4 + 1, $5) AS n ON CONFLICT (slip_number) DO NOTHING",
    )
    .bind::<sql_types::Text, _>(prefix)
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(day)
    .bind::<sql_types::Integer, _>(before)
    .bind::<sql_types::Integer, _>(number)
    .prepared()
    .execute(conn)
    .await?;
    advance(conn, site_id, day, usize::try_from(number - before).unwrap_or(0)).await?;
    Ok(())
}

async fn issue(conn: &mut AsyncPgConnection, site_id: i64, slip: &SlipNumber, record_id: i64) -> Result<(), DbError> {
    diesel::sql_query(
        "INSERT INTO slip AS s (slip_number, site_id, day, number, record_id, state) \
         VALUES ($1, $2, $3, $4, $5, 'ISSUED') \
         ON CONFLICT (slip_number) DO UPDATE SET record_id = $5, state = 'ISSUED' WHERE s.state = 'LOST'",
    )
    .bind::<sql_types::Text, _>(slip.to_string())
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(slip.day())
    .bind::<sql_types::Integer, _>(slip.number())
    .bind::<sql_types::BigInt, _>(record_id)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}
