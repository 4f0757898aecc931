//! Whom and what a weighing names, and whether they are there.

use diesel::{QueryableByName, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, prepared::Prepare};
use crate::domain::weighing::correct::Correction;

/// Whose weighing it is, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    pub vehicle_id: i64,
    pub driver_id: Option<i64>,
    pub product_id: Option<i64>,
    pub customer_id: Option<i64>,
}

/// One of them that is not known, or no longer in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Vehicle,
    Driver,
    Product,
    Customer,
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = sql_types::Bool)]
    vehicle: bool,
    #[diesel(sql_type = sql_types::Bool)]
    driver: bool,
    #[diesel(sql_type = sql_types::Bool)]
    product: bool,
    #[diesel(sql_type = sql_types::Bool)]
    customer: bool,
}

const KNOWN: &str = "\
    SELECT $1 IS NULL OR EXISTS (SELECT FROM vehicle WHERE id = $1 AND is_active) AS vehicle, \
      $2 IS NULL OR EXISTS (SELECT FROM driver WHERE id = $2 AND is_active) AS driver, \
      $3 IS NULL OR EXISTS (SELECT FROM product WHERE id = $3 AND is_active) AS product, \
      $4 IS NULL OR EXISTS (SELECT FROM customer WHERE id = $4 AND is_active) AS customer";

impl Parties {
    /// The first that is missing, if any is.
    pub(super) async fn missing(&self, conn: &mut AsyncPgConnection) -> Result<Option<Missing>, DbError> {
        missing(
            conn,
            Some(self.vehicle_id),
            [self.driver_id, self.product_id, self.customer_id],
        )
        .await
    }
}

/// The first of what a correction puts in place that is missing. What it leaves may be out of use by now.
pub(super) async fn missing_of(
    conn: &mut AsyncPgConnection,
    correction: &Correction,
) -> Result<Option<Missing>, DbError> {
    let others = [correction.driver_id, correction.product_id, correction.customer_id];
    missing(conn, correction.vehicle_id, others.map(Option::flatten)).await
}

/// Driver, product and customer in this order.
async fn missing(
    conn: &mut AsyncPgConnection,
    vehicle_id: Option<i64>,
    [driver_id, product_id, customer_id]: [Option<i64>; 3],
) -> Result<Option<Missing>, DbError> {
    let known: Known = diesel::sql_query(KNOWN)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(vehicle_id)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(driver_id)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(product_id)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(customer_id)
        .prepared()
        .get_result(conn)
        .await?;
    let each = [
        (known.vehicle, Missing::Vehicle),
        (known.driver, Missing::Driver),
        (known.product, Missing::Product),
        (known.customer, Missing::Customer),
    ];
    Ok(each.into_iter().find(|(known, _)| !known).map(|(_, missing)| missing))
}
