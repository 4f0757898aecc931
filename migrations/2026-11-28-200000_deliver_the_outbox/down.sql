DROP INDEX idx_outbox_due;
DROP INDEX idx_outbox_unsettled;
DROP INDEX idx_outbox_leased;
ALTER TABLE outbox
    DROP CONSTRAINT outbox_panics_count_from_zero,
    DROP COLUMN panics,
    DROP COLUMN first_attempt_at,
    DROP COLUMN destination;
CREATE INDEX idx_outbox_due ON outbox (kind, next_attempt_at) WHERE state = 'PENDING';
CREATE INDEX idx_outbox_leased ON outbox (lease_until) WHERE state = 'LEASED';
CREATE INDEX idx_outbox_unsettled ON outbox (aggregate_key, id) WHERE state IN ('PENDING', 'LEASED', 'DEAD');
