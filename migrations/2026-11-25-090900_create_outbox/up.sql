-- What is owed to others: the ERP, drivers' phones, mailboxes.
-- Written in the same transaction as what it tells of, so a crash loses neither; sent under a lease with a fencing term,
-- so a sender that wakes late settles nothing.

CREATE TABLE outbox (
    id BIGSERIAL PRIMARY KEY,
    kind VARCHAR(30) NOT NULL,
    idempotency_key UUID NOT NULL,
    aggregate_key VARCHAR(100) NOT NULL,
    payload JSONB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_error TEXT,
    state VARCHAR(20) NOT NULL DEFAULT 'PENDING',
    lease_owner VARCHAR(100),
    lease_term BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    settled_at TIMESTAMPTZ,
    CONSTRAINT outbox_idempotency_key_key UNIQUE (idempotency_key),
    CONSTRAINT outbox_state_is_known CHECK (state IN ('PENDING', 'LEASED', 'SENT', 'DEAD', 'DISCARDED')),
    CONSTRAINT outbox_lease_has_owner_and_end CHECK (state <> 'LEASED' OR num_nulls(lease_owner, lease_until) = 0),
    CONSTRAINT outbox_settled_says_when CHECK (state NOT IN ('SENT', 'DISCARDED') OR settled_at IS NOT NULL)
);
CREATE INDEX idx_outbox_due ON outbox (kind, next_attempt_at) WHERE state = 'PENDING';
CREATE INDEX idx_outbox_leased ON outbox (lease_until) WHERE state = 'LEASED';
CREATE INDEX idx_outbox_unsettled ON outbox (aggregate_key, id) WHERE state IN ('PENDING', 'LEASED', 'DEAD');
CREATE INDEX idx_outbox_dead ON outbox (id) WHERE state = 'DEAD';
COMMENT ON TABLE outbox IS 'A message owed to ERP, push, SMS, Kakao or e-mail.';
COMMENT ON COLUMN outbox.id IS 'Primary key; within an aggregate also the order of sending.';
COMMENT ON COLUMN outbox.kind IS 'To whom it goes and what it says.';
COMMENT ON COLUMN outbox.idempotency_key IS 'Name under which the receiver applies it once.';
COMMENT ON COLUMN outbox.aggregate_key IS 'What it is about (for the ERP the first slip number); order is kept within it.';
COMMENT ON COLUMN outbox.payload IS 'What is sent.';
COMMENT ON COLUMN outbox.attempts IS 'How often sending was tried.';
COMMENT ON COLUMN outbox.next_attempt_at IS 'Earliest next attempt; moved back after each failure.';
COMMENT ON COLUMN outbox.last_error IS 'Why the last attempt failed.';
COMMENT ON COLUMN outbox.state IS 'PENDING, LEASED, SENT, DEAD (holds back the later ones of its aggregate) or DISCARDED.';
COMMENT ON COLUMN outbox.lease_owner IS 'Who is sending it.';
COMMENT ON COLUMN outbox.lease_term IS 'Rises with each lease; who settles under an older one is refused.';
COMMENT ON COLUMN outbox.lease_until IS 'When the lease ends by itself.';
COMMENT ON COLUMN outbox.created_at IS 'When it became due.';
COMMENT ON COLUMN outbox.settled_at IS 'When it was sent or discarded.';

CREATE TABLE notification (
    id BIGSERIAL PRIMARY KEY,
    driver_id BIGINT NOT NULL REFERENCES driver (id),
    type VARCHAR(30) NOT NULL,
    title VARCHAR(100) NOT NULL,
    message TEXT NOT NULL,
    is_read BOOLEAN NOT NULL DEFAULT FALSE,
    sent_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_notification_driver ON notification (driver_id, created_at DESC);
COMMENT ON TABLE notification IS 'What a driver was told, as his app lists it (알림).';
COMMENT ON COLUMN notification.id IS 'Primary key.';
COMMENT ON COLUMN notification.driver_id IS 'Whom it is for (운전기사).';
COMMENT ON COLUMN notification.type IS 'What it is about: a call, a slip …';
COMMENT ON COLUMN notification.title IS 'Its title.';
COMMENT ON COLUMN notification.message IS 'Its text.';
COMMENT ON COLUMN notification.is_read IS 'Whether the driver has read it.';
COMMENT ON COLUMN notification.sent_at IS 'When it was pushed to a device; NULL while it was not.';
COMMENT ON COLUMN notification.created_at IS 'When the row was made (생성일시).';
