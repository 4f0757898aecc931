-- How long recent weighings took is asked at each look at the line: it may not cost more as the years go by.
CREATE INDEX idx_queue_completed ON wait_queue (site_id, completed_at DESC)
    WHERE status = 'COMPLETED' AND called_at IS NOT NULL;
