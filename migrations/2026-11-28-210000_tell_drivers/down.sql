DROP INDEX login_session_device;
DROP TABLE message_refusal;
DROP TABLE slip_share;
ALTER TABLE notification
    DROP CONSTRAINT notification_message_key_key,
    DROP COLUMN message_key,
    DROP COLUMN data,
    DROP COLUMN reached;
