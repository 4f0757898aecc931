-- A called truck is not to blame for a cut cable: while nobody can see it arrive, its deadline does not run.
-- Those who go before the others stand before them by their place alone, so that a place means the same to everyone who
-- reads, moves or calls.

ALTER TABLE wait_queue ADD COLUMN deadline_paused_at TIMESTAMPTZ;
COMMENT ON COLUMN wait_queue.deadline_paused_at IS 'Since when the deadline does not run; NULL while it does.';
COMMENT ON COLUMN wait_queue.deadline_at IS 'When the call ends as a no-show, were it to run from now on; of a no-show, when it did.';
COMMENT ON COLUMN wait_queue.called_at IS 'When the present or last call was made (호출 시각); a recall leaves it.';
COMMENT ON COLUMN wait_queue.calls_made IS 'How often it was called or recalled; with the id the name of its present call.';
COMMENT ON COLUMN wait_queue.priority IS 'Whether it was let in before the others.';

UPDATE wait_queue AS e SET position = e.position - (
    SELECT max(w.position) - min(w.position) + 1 FROM wait_queue AS w WHERE w.site_id = e.site_id AND w.status = 'WAITING')
WHERE e.priority AND e.status = 'WAITING';

-- A driver's own entry is asked for whenever his phone wakes.
CREATE INDEX idx_queue_driver ON wait_queue (driver_id, id);
