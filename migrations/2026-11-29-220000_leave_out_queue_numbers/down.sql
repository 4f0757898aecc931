ALTER TABLE queue_counter DROP COLUMN left_out;
