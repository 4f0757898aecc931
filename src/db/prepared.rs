//! SQL of our own words that the database prepares once a connection.
//!
//! `diesel::sql_query` has its text parsed and planned each time it runs, since diesel cannot know whether the text ever
//! comes again; over the partitions of the records, planning takes longer than running.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
};

/// See [`Prepare::prepared`].
#[derive(Clone, Copy, Debug)]
pub struct Prepared<Q>(Q);

/// Keeps a statement with its connection.
pub trait Prepare: Query + Sized {
    /// Only for a text that is always the same: each other text would be kept as well, as long as the connection lives.
    fn prepared(self) -> Prepared<Self> {
        Prepared(self)
    }
}

impl<Q: Query> Prepare for Q {}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}
