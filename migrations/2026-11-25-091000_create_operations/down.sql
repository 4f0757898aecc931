DROP TABLE leader_lease;
DROP TABLE database_identity;
DROP TABLE idempotency_key;
DROP TABLE audit_log;
