//! A slip as its driver sees it: the record, and whoever issued it.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::item::{Item, items};
use crate::db::{DbError, Query, schema};

/// A record that has a slip, and its issuer.
#[derive(Clone, Debug)]
pub struct OwnSlip {
    pub item: Item,
    pub issuer: Issuer,
}

/// Who stands for a slip.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::site)]
pub struct Issuer {
    /// The site's.
    pub name: String,
    pub issuer_name: Option<String>,
    pub issuer_address: Option<String>,
    pub issuer_phone: Option<String>,
}

/// A driver's own slip. `NotFound` where the record is another's, or has no slip.
#[derive(Clone, Copy, Debug)]
pub struct SlipOf {
    pub record_id: i64,
    pub driver_id: i64,
}

impl Query for SlipOf {
    type Output = OwnSlip;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<OwnSlip, DbError> {
        let item = items(conn, vec![self.record_id]).await?.pop();
        let own = |item: &Item| item.driver_id == Some(self.driver_id) && item.slip_number.is_some();
        let item = item.filter(own).ok_or(DbError::NotFound)?;
        let issuer = schema::site::table
            .find(item.site_id)
            .select(Issuer::as_select())
            .first(conn)
            .await?;
        Ok(OwnSlip { item, issuer })
    }
}
