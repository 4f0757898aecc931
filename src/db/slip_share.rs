//! Slips that drivers have sent to others: counted, so that nobody is pestered, and never to who has refused them.

use diesel::{dsl::now, prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, outbox, prepared::Prepare, schema, weigh_record::SlipOf};
use crate::domain::outbox::Message;

/// Owes the message of a shared slip. `NotFound` where the slip is not this driver's.
#[derive(Clone, Debug)]
pub struct ShareSlip {
    pub driver_id: i64,
    pub record_id: i64,
    /// `kakao`, `email` or `sms`.
    pub method: &'static str,
    /// Keyed hash of the recipient.
    pub recipient_index: Vec<u8>,
    pub message: Message,
    pub limits: ShareLimits,
}

/// How many slips may be shared within 24 hours.
#[derive(Clone, Copy, Debug)]
pub struct ShareLimits {
    pub by_driver: i64,
    pub to_recipient: i64,
}

/// Why a slip is not shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotShared {
    /// The driver has shared as many as he may within 24 hours.
    DriverLimit,
    /// Nobody gets more in 24 hours, from whomever.
    RecipientLimit,
    /// The recipient does not want any.
    Refused,
    /// The record was voided: its slip counts no more.
    Voided,
}

#[derive(QueryableByName)]
struct Counts {
    #[diesel(sql_type = sql_types::BigInt)]
    by_driver: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    to_recipient: i64,
    #[diesel(sql_type = sql_types::Bool)]
    refused: bool,
}

/// Two who share with one recipient at the same moment must each see the other's row.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 0))";
const COUNT: &str = "\
    SELECT (SELECT count(*) FROM slip_share WHERE driver_id = $1 AND created_at > now() - interval '1 day') AS by_driver, \
      (SELECT count(*) FROM slip_share WHERE recipient_index = $2 AND created_at > now() - interval '1 day') AS to_recipient, \
      EXISTS (SELECT FROM message_refusal WHERE recipient_index = $2) AS refused";

impl Query for ShareSlip {
    type Output = Result<i64, NotShared>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Self::Output, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.share(conn).await)
            .await
    }
}

impl ShareSlip {
    async fn share(&self, conn: &mut AsyncPgConnection) -> Result<Result<i64, NotShared>, DbError> {
        use schema::slip_share::dsl;
        let slip = SlipOf {
            record_id: self.record_id,
            driver_id: self.driver_id,
        };
        if slip.run(conn).await?.item.voided {
            return Ok(Err(NotShared::Voided));
        }
        if let Err(why) = self.may_share(conn).await? {
            return Ok(Err(why));
        }
        let id = diesel::insert_into(dsl::slip_share)
            .values((
                dsl::driver_id.eq(self.driver_id),
                dsl::record_id.eq(self.record_id),
                dsl::method.eq(self.method),
                dsl::recipient_index.eq(&self.recipient_index),
                dsl::message_key.eq(self.message.idempotency_key),
                dsl::created_at.eq(now),
            ))
            .returning(dsl::id)
            .get_result(conn)
            .await?;
        outbox::enqueue(conn, std::slice::from_ref(&self.message)).await?;
        Ok(Ok(id))
    }

    async fn may_share(&self, conn: &mut AsyncPgConnection) -> Result<Result<(), NotShared>, DbError> {
        schema::driver::table
            .find(self.driver_id)
            .select(schema::driver::id)
            .for_no_key_update()
            .first::<i64>(conn)
            .await?;
        diesel::sql_query(LOCK)
            .bind::<sql_types::Binary, _>(&self.recipient_index)
            .prepared()
            .execute(conn)
            .await?;
        let counts: Counts = diesel::sql_query(COUNT)
            .bind::<sql_types::BigInt, _>(self.driver_id)
            .bind::<sql_types::Binary, _>(&self.recipient_index)
            .prepared()
            .get_result(conn)
            .await?;
        Ok(match counts {
            Counts { refused: true, .. } => Err(NotShared::Refused),
            Counts { by_driver, .. } if by_driver >= self.limits.by_driver => Err(NotShared::DriverLimit),
            Counts { to_recipient, .. } if to_recipient >= self.limits.to_recipient => Err(NotShared::RecipientLimit),
            Counts { .. } => Ok(()),
        })
    }
}
