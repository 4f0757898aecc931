DROP TRIGGER weigh_record_weighed_stays ON weigh_record;
DROP FUNCTION refuse_to_remove_weighed();
DROP TRIGGER weigh_record_is_not_emptied ON weigh_record;
DROP TRIGGER weigh_record_completed_stays ON weigh_record;
DROP TRIGGER weigh_record_voided_is_final ON weigh_record;
DROP TRIGGER weigh_record_completed_is_only_voided ON weigh_record;
DROP TRIGGER weigh_record_completed_is_final ON weigh_record;
