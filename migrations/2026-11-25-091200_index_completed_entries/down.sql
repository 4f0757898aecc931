DROP INDEX idx_queue_completed;
