-- What running the service needs: who did what, answers that may be asked for again, which database this is, and which
-- of several servers does the scheduled work.

CREATE TABLE audit_log (
    id BIGSERIAL PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT now(),
    actor_user_id BIGINT REFERENCES app_user (id),
    actor VARCHAR(100) NOT NULL,
    action VARCHAR(60) NOT NULL,
    subject VARCHAR(100) NOT NULL,
    before JSONB,
    after JSONB,
    ip VARCHAR(45),
    request_id VARCHAR(100)
);
CREATE INDEX idx_audit_at ON audit_log (at);
CREATE INDEX idx_audit_subject ON audit_log (subject, at);
CREATE INDEX idx_audit_actor ON audit_log (actor_user_id, at);
COMMENT ON TABLE audit_log IS 'Who did what to which row. Rows are only added.';
COMMENT ON COLUMN audit_log.id IS 'Primary key.';
COMMENT ON COLUMN audit_log.at IS 'When.';
COMMENT ON COLUMN audit_log.actor_user_id IS 'The user who did it; NULL for a program.';
COMMENT ON COLUMN audit_log.actor IS 'The user''s login, or the name of the program.';
COMMENT ON COLUMN audit_log.action IS 'What was done.';
COMMENT ON COLUMN audit_log.subject IS 'To what, as table:id.';
COMMENT ON COLUMN audit_log.before IS 'The row before, personal data masked.';
COMMENT ON COLUMN audit_log.after IS 'The row after, personal data masked.';
COMMENT ON COLUMN audit_log.ip IS 'Network address it was asked from.';
COMMENT ON COLUMN audit_log.request_id IS 'The request it was asked by.';
CREATE TRIGGER audit_log_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    EXECUTE FUNCTION refuse('the audit log is only added to');

CREATE TABLE idempotency_key (
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    key VARCHAR(200) NOT NULL,
    route VARCHAR(200) NOT NULL,
    request_hash BYTEA NOT NULL,
    status SMALLINT,
    response TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    answered_at TIMESTAMPTZ,
    PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_key_answer_is_whole CHECK (num_nulls(status, response, answered_at) IN (0, 3))
);
CREATE INDEX idx_idempotency_key_age ON idempotency_key (created_at);
COMMENT ON TABLE idempotency_key IS 'The first answer to a keyed request, given again when it is repeated.';
COMMENT ON COLUMN idempotency_key.user_id IS 'Who asked.';
COMMENT ON COLUMN idempotency_key.key IS 'The key he chose.';
COMMENT ON COLUMN idempotency_key.route IS 'Method and path of the request.';
COMMENT ON COLUMN idempotency_key.request_hash IS 'SHA-256 of the body; another body under the same key is refused.';
COMMENT ON COLUMN idempotency_key.status IS 'HTTP status of the answer; NULL while it is being worked on.';
COMMENT ON COLUMN idempotency_key.response IS 'Body of the answer.';
COMMENT ON COLUMN idempotency_key.created_at IS 'When it was first asked.';
COMMENT ON COLUMN idempotency_key.answered_at IS 'When it was answered.';

CREATE TABLE database_identity (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE,
    system_identifier BIGINT NOT NULL,
    timeline INTEGER NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT database_identity_is_one_row CHECK (only_row)
);
COMMENT ON TABLE database_identity IS 'Which database this was when it last served. If it says otherwise of itself, it was restored or failed over.';
COMMENT ON COLUMN database_identity.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN database_identity.system_identifier IS 'The cluster''s system identifier.';
COMMENT ON COLUMN database_identity.timeline IS 'Its timeline.';
COMMENT ON COLUMN database_identity.seen_at IS 'When these two were first seen.';

CREATE TABLE leader_lease (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE,
    holder VARCHAR(100),
    term BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    CONSTRAINT leader_lease_is_one_row CHECK (only_row)
);
COMMENT ON TABLE leader_lease IS 'Which server does the scheduled work.';
COMMENT ON COLUMN leader_lease.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN leader_lease.holder IS 'The server; NULL before the first.';
COMMENT ON COLUMN leader_lease.term IS 'Rises with each new holder; work of an older term is refused.';
COMMENT ON COLUMN leader_lease.lease_until IS 'When the lease ends by itself.';
INSERT INTO leader_lease DEFAULT VALUES;
