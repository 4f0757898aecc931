DROP TRIGGER weigh_record_gives_its_id_back ON weigh_record;
DROP TRIGGER weigh_record_takes_its_id ON weigh_record;
DROP FUNCTION give_record_ids_back();
DROP FUNCTION take_record_ids();
DROP TABLE record_id;
