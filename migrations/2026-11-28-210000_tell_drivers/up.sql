-- What a driver is told: a notification belongs to one message of the outbox, so that it is listed once however often the
-- message is tried, and knows which devices have it. Slips that drivers share are counted, so that nobody is pestered.

ALTER TABLE notification
    ADD COLUMN message_key UUID,
    ADD COLUMN data JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN reached BIGINT[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT notification_message_key_key UNIQUE (message_key);
COMMENT ON COLUMN notification.message_key IS 'The key of the message that told it; NULL where there was none.';
COMMENT ON COLUMN notification.data IS 'What it is about, for the app: the entry of the line, the record.';
COMMENT ON COLUMN notification.reached IS 'Sessions (login_session.id) whose device has taken it.';

CREATE TABLE slip_share (
    id BIGSERIAL PRIMARY KEY,
    driver_id BIGINT NOT NULL REFERENCES driver (id),
    record_id BIGINT NOT NULL,
    method VARCHAR(10) NOT NULL,
    recipient_index BYTEA NOT NULL,
    message_key UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT slip_share_method_is_known CHECK (method IN ('kakao', 'email', 'sms')),
    CONSTRAINT slip_share_message_key_key UNIQUE (message_key)
);
CREATE INDEX idx_slip_share_driver ON slip_share (driver_id, created_at);
CREATE INDEX idx_slip_share_recipient ON slip_share (recipient_index, created_at);
COMMENT ON TABLE slip_share IS 'A slip that a driver had sent to somebody (전표 공유). Whom, only a keyed hash knows.';
COMMENT ON COLUMN slip_share.id IS 'Primary key.';
COMMENT ON COLUMN slip_share.driver_id IS 'Who shared it (운전기사).';
COMMENT ON COLUMN slip_share.record_id IS 'Whose slip it is (계량 기록).';
COMMENT ON COLUMN slip_share.method IS 'kakao, email or sms.';
COMMENT ON COLUMN slip_share.recipient_index IS 'Keyed hash of the number or address, by which a recipient''s share of messages is counted.';
COMMENT ON COLUMN slip_share.message_key IS 'The key of the message in the outbox.';
COMMENT ON COLUMN slip_share.created_at IS 'When the row was made (생성일시).';

CREATE TABLE message_refusal (
    recipient_index BYTEA PRIMARY KEY,
    refused_by BIGINT REFERENCES app_user (id),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON TABLE message_refusal IS 'Who does not want slips that drivers share (수신거부).';
COMMENT ON COLUMN message_refusal.recipient_index IS 'Keyed hash of the number or address.';
COMMENT ON COLUMN message_refusal.refused_by IS 'Whoever of staff noted it.';
COMMENT ON COLUMN message_refusal.created_at IS 'When the row was made (생성일시).';

CREATE INDEX login_session_device ON login_session (fcm_token) WHERE fcm_token IS NOT NULL;
