-- What couriers need to take what is owed: to whom it goes, since when it has been tried, and how often sending it broke
-- its sender. Each courier takes the rows of its destinations alone, so its indexes begin with them.

ALTER TABLE outbox
    ADD COLUMN destination VARCHAR(20) NOT NULL GENERATED ALWAYS AS (split_part(kind, '_', 1)) STORED,
    ADD COLUMN first_attempt_at TIMESTAMPTZ,
    ADD COLUMN panics INTEGER NOT NULL DEFAULT 0,
    ADD CONSTRAINT outbox_panics_count_from_zero CHECK (panics >= 0);
COMMENT ON COLUMN outbox.destination IS 'ERP, PUSH, SMS, KAKAO or EMAIL: the kind''s first word.';
COMMENT ON COLUMN outbox.first_attempt_at IS 'When it was first tried; NULL before, and again when staff have it retried.';
COMMENT ON COLUMN outbox.panics IS 'How often sending it broke its sender; at three it is DEAD.';

DROP INDEX idx_outbox_due;
DROP INDEX idx_outbox_unsettled;
DROP INDEX idx_outbox_leased;
CREATE INDEX idx_outbox_due ON outbox (destination, next_attempt_at, id) WHERE state = 'PENDING';
CREATE INDEX idx_outbox_unsettled ON outbox (destination, aggregate_key, id) WHERE state IN ('PENDING', 'LEASED', 'DEAD');
CREATE INDEX idx_outbox_leased ON outbox (destination, lease_until) WHERE state = 'LEASED';
