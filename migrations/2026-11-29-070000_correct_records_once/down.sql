CREATE INDEX idx_record_replaces ON weigh_record (replaces) WHERE replaces IS NOT NULL;
DROP INDEX weigh_record_corrects_once;
