-- Who may sign in, and on which devices they are signed in.
-- The requirements keep one refresh token in app_user, yet allow three devices; so tokens live in a row per device, and
-- the two columns stay for programs that read that table.

CREATE TABLE app_user (
    id BIGSERIAL PRIMARY KEY,
    login_id VARCHAR(50) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    name VARCHAR(50) NOT NULL,
    role VARCHAR(20) NOT NULL DEFAULT 'DRIVER',
    driver_id BIGINT REFERENCES driver (id),
    must_change_password BOOLEAN NOT NULL DEFAULT FALSE,
    fcm_token VARCHAR(255),
    refresh_token VARCHAR(255),
    last_login_at TIMESTAMPTZ,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT app_user_role_is_known CHECK (role IN ('ADMIN', 'STAFF', 'DRIVER')),
    CONSTRAINT app_user_keeps_no_token CHECK (refresh_token IS NULL)
);
CREATE UNIQUE INDEX idx_user_login ON app_user (login_id);
CREATE UNIQUE INDEX app_user_driver_key ON app_user (driver_id);
COMMENT ON TABLE app_user IS 'An account: staff of the dashboard or a driver with the app (앱 사용자).';
COMMENT ON COLUMN app_user.id IS 'Primary key.';
COMMENT ON COLUMN app_user.login_id IS 'Login name (로그인 ID).';
COMMENT ON COLUMN app_user.password_hash IS 'bcrypt hash of the password (비밀번호 해시).';
COMMENT ON COLUMN app_user.name IS 'Name of the person.';
COMMENT ON COLUMN app_user.role IS 'ADMIN, STAFF or DRIVER (역할).';
COMMENT ON COLUMN app_user.driver_id IS 'The driver whose account this is; NULL for staff (운전기사).';
COMMENT ON COLUMN app_user.must_change_password IS 'Whether the temporary password still stands.';
COMMENT ON COLUMN app_user.fcm_token IS 'Newest push address of any device (FCM 토큰); each device''s own stands in login_session.';
COMMENT ON COLUMN app_user.refresh_token IS 'Always NULL (Refresh Token): tokens live hashed, one a device, in login_session.';
COMMENT ON COLUMN app_user.last_login_at IS 'When the user last signed in (마지막 로그인).';
COMMENT ON COLUMN app_user.is_active IS 'Whether the account may be used (활성 여부).';
COMMENT ON COLUMN app_user.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN app_user.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER app_user_touch BEFORE UPDATE ON app_user FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

ALTER TABLE driver ADD CONSTRAINT driver_app_user_id_fkey FOREIGN KEY (app_user_id) REFERENCES app_user (id);
CREATE UNIQUE INDEX driver_app_user_key ON driver (app_user_id);

CREATE TABLE login_session (
    id BIGSERIAL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    family UUID NOT NULL,
    refresh_hash BYTEA NOT NULL,
    previous_hash BYTEA,
    successor BYTEA,
    rotated_at TIMESTAMPTZ,
    fcm_token VARCHAR(255),
    fcm_token_at TIMESTAMPTZ,
    user_agent VARCHAR(300),
    address VARCHAR(45),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_used_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    revoked_why VARCHAR(50),
    CONSTRAINT login_session_family_key UNIQUE (family),
    CONSTRAINT login_session_refresh_hash_key UNIQUE (refresh_hash)
);
CREATE INDEX login_session_live ON login_session (user_id, last_used_at) WHERE revoked_at IS NULL;
CREATE INDEX login_session_previous ON login_session (previous_hash) WHERE previous_hash IS NOT NULL;
COMMENT ON TABLE login_session IS 'A device on which a user is signed in; at most three live ones a user.';
COMMENT ON COLUMN login_session.id IS 'Primary key, and the session that access tokens name.';
COMMENT ON COLUMN login_session.user_id IS 'Whose session it is.';
COMMENT ON COLUMN login_session.family IS 'Names all refresh tokens that this sign-in leads to; a spent one still finds its family.';
COMMENT ON COLUMN login_session.refresh_hash IS 'SHA-256 of the live refresh token.';
COMMENT ON COLUMN login_session.previous_hash IS 'SHA-256 of the one it replaced: an honest retry presents it once more.';
COMMENT ON COLUMN login_session.successor IS 'The live token, encrypted, for such a retry; erased when its time is over.';
COMMENT ON COLUMN login_session.rotated_at IS 'When the live token replaced the previous one.';
COMMENT ON COLUMN login_session.fcm_token IS 'Push address of this device.';
COMMENT ON COLUMN login_session.fcm_token_at IS 'When the device last told it.';
COMMENT ON COLUMN login_session.user_agent IS 'What the device calls itself.';
COMMENT ON COLUMN login_session.address IS 'Network address of the last use.';
COMMENT ON COLUMN login_session.created_at IS 'When the user signed in.';
COMMENT ON COLUMN login_session.last_used_at IS 'When the session was last used; the least recently used one gives way to a fourth.';
COMMENT ON COLUMN login_session.expires_at IS 'When it ends by itself.';
COMMENT ON COLUMN login_session.revoked_at IS 'When it was ended; NULL while it lives.';
COMMENT ON COLUMN login_session.revoked_why IS 'Why it was ended: LOGOUT, EVICTED, REUSE, ADMIN …';
