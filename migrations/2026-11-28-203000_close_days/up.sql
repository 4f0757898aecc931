-- The nightly close of a day, as the ERP is told it. What is counted is what the ERP was told one by one, so totals and
-- single messages cannot differ: each completion and each void is counted into exactly one close.

CREATE TABLE day_close (
    id BIGSERIAL PRIMARY KEY,
    site_id BIGINT NOT NULL REFERENCES site (id),
    day DATE NOT NULL,
    term BIGINT NOT NULL,
    closed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    totals JSONB NOT NULL,
    late JSONB NOT NULL,
    CONSTRAINT day_close_site_and_day_key UNIQUE (site_id, day)
);
COMMENT ON TABLE day_close IS 'The totals of a site-local day (일 마감), written once by the leader.';
COMMENT ON COLUMN day_close.id IS 'Primary key.';
COMMENT ON COLUMN day_close.site_id IS 'The site (사업장).';
COMMENT ON COLUMN day_close.day IS 'The site-local day.';
COMMENT ON COLUMN day_close.term IS 'The leader''s term under which it was written.';
COMMENT ON COLUMN day_close.closed_at IS 'When it was closed.';
COMMENT ON COLUMN day_close.totals IS 'The day''s own, a line for each product, customer and direction.';
COMMENT ON COLUMN day_close.late IS 'What belongs to days that were closed before: backlogs, and voids as negative lines.';

ALTER TABLE outbox ADD COLUMN close_id BIGINT REFERENCES day_close (id);
COMMENT ON COLUMN outbox.close_id IS 'Of a completion or a void: the close that counts it; NULL before.';
CREATE INDEX idx_outbox_unclosed ON outbox (id) WHERE close_id IS NULL AND kind IN ('ERP_COMPLETE', 'ERP_VOID');
CREATE INDEX idx_outbox_erp_day ON outbox ((payload->>'day')) WHERE destination = 'ERP';
CREATE INDEX idx_outbox_completion ON outbox ((payload->>'slip_number')) WHERE kind = 'ERP_COMPLETE';
