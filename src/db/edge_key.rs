//! The keys by which edges prove themselves. Only their hashes are stored.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use super::{DbError, Query, schema};

/// Whose key this is. `NotFound` for one that is unknown or revoked, or whose edge is deactivated.
#[derive(Clone, Debug)]
pub struct EdgeOfKey {
    pub key_hash: [u8; 32],
}

/// An edge that has proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEdge {
    pub edge_id: i64,
    /// Of the key that it showed.
    pub key_hash: [u8; 32],
    /// Networks it may come from; empty: from anywhere.
    pub allowed_addresses: Vec<String>,
}

/// A key is 256 random bits, so a plain hash of it cannot be guessed.
pub fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Query for EdgeOfKey {
    type Output = KnownEdge;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<KnownEdge, DbError> {
        use schema::{edge_gateway, edge_key};
        let (edge_id, allowed_addresses) = edge_key::table
            .inner_join(edge_gateway::table)
            .filter(
                edge_key::key_hash
                    .eq(&self.key_hash[..])
                    .and(edge_key::revoked_at.is_null()),
            )
            .filter(edge_gateway::is_active)
            .select((edge_gateway::id, edge_gateway::allowed_addresses))
            .first(conn)
            .await?;
        Ok(KnownEdge {
            edge_id,
            key_hash: self.key_hash,
            allowed_addresses,
        })
    }
}
