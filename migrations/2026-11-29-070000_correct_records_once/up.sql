-- A record is corrected by one other at most. That one is of the same moment, and so in the same partition: there a unique
-- index can see both.
CREATE UNIQUE INDEX weigh_record_corrects_once ON weigh_record (replaces, weighed_at) WHERE replaces IS NOT NULL;
DROP INDEX idx_record_replaces;
