-- After a restore drivers still hold numbers of the day of which the database knows nothing. The day's counter passes by
-- them, as that of slips does, and what it leaves out is counted, so that the others still run without a gap.

ALTER TABLE queue_counter
    ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0,
    ADD CONSTRAINT queue_counter_leaves_out_what_it_counts CHECK (left_out BETWEEN 0 AND last_number);
COMMENT ON COLUMN queue_counter.left_out IS 'How many of its numbers a restore has left out: drivers may hold them.';
