-- A weighing that comes back after a restore, of a truck that is not known any more: staff must see what was printed, or they
-- would give it to whoever has that truck's id by now.

ALTER TABLE capture ADD COLUMN receipt JSONB;
COMMENT ON COLUMN capture.receipt IS 'What its edge had been told of it (slip, plate, driver), where that could not be brought back; NULL otherwise.';
