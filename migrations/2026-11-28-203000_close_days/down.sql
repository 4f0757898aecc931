DROP INDEX idx_outbox_completion;
DROP INDEX idx_outbox_erp_day;
DROP INDEX idx_outbox_unclosed;
ALTER TABLE outbox DROP COLUMN close_id;
DROP TABLE day_close;
