-- A record's id is unique over all months. weigh_record cannot say so itself: a key of a partitioned table holds the
-- month too. Ids come from a sequence, and from receipts of weighings that a restored database does not know any more;
-- without one key over both, two records could take one id.

CREATE TABLE record_id (
    id BIGINT PRIMARY KEY
);
COMMENT ON TABLE record_id IS 'The id of every row of weigh_record, whatever its month: one record an id.';
COMMENT ON COLUMN record_id.id IS 'weigh_record.id.';

-- Per statement: a trigger per row would also see a record that moves to another month as it completes.
CREATE FUNCTION take_record_ids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO record_id (id) SELECT id FROM added;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION take_record_ids() IS 'Trigger of weigh_record: no record takes the id of another.';
CREATE TRIGGER weigh_record_takes_its_id AFTER INSERT ON weigh_record REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION take_record_ids();

CREATE FUNCTION give_record_ids_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM record_id USING removed WHERE record_id.id = removed.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION give_record_ids_back() IS 'Trigger of weigh_record: the id of a record in which nothing was weighed may be that of a receipt.';
CREATE TRIGGER weigh_record_gives_its_id_back AFTER DELETE ON weigh_record REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION give_record_ids_back();

INSERT INTO record_id (id) SELECT DISTINCT id FROM weigh_record;
-- A receipt may have brought an id that the sequence has not reached.
SELECT setval('weigh_record_id_seq', greatest(last_value, (SELECT coalesce(max(id), 1) FROM record_id)),
    is_called OR EXISTS (SELECT FROM record_id)) FROM weigh_record_id_seq;
