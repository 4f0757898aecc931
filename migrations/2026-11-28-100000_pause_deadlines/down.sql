DROP INDEX idx_queue_driver;
ALTER TABLE wait_queue DROP COLUMN deadline_paused_at;
COMMENT ON COLUMN wait_queue.deadline_at IS 'When the call ends as a no-show; NULL while no deadline runs.';
COMMENT ON COLUMN wait_queue.called_at IS 'When the present or last call was made (호출 시각).';
COMMENT ON COLUMN wait_queue.calls_made IS 'How often it was called.';
COMMENT ON COLUMN wait_queue.priority IS 'Whether it goes before the others.';
