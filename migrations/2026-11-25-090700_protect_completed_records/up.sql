-- A completed weighing is evidence. Its weights, parties and number stay as they are; what may still change is that it
-- is voided, its review flag, what the ERP said, and how often its slip was printed.

CREATE TRIGGER weigh_record_completed_is_final BEFORE UPDATE ON weigh_record FOR EACH ROW
    WHEN (OLD.status = 'COMPLETED')
    EXECUTE FUNCTION refuse_change('status', 'voided_at', 'voided_by', 'void_reason', 'needs_review', 'review_reason',
        'erp_sent', 'erp_sent_at', 'erp_response', 'reprint_count', 'updated_at');
CREATE TRIGGER weigh_record_completed_is_only_voided BEFORE UPDATE ON weigh_record FOR EACH ROW
    WHEN (OLD.status = 'COMPLETED' AND NEW.status NOT IN ('COMPLETED', 'VOIDED'))
    EXECUTE FUNCTION refuse('a completed weighing can only be voided');
CREATE TRIGGER weigh_record_voided_is_final BEFORE UPDATE ON weigh_record FOR EACH ROW
    WHEN (OLD.status = 'VOIDED')
    EXECUTE FUNCTION refuse_change('needs_review', 'review_reason', 'erp_sent', 'erp_sent_at', 'erp_response',
        'reprint_count', 'updated_at');
CREATE TRIGGER weigh_record_completed_stays BEFORE DELETE ON weigh_record FOR EACH ROW
    WHEN (OLD.status IN ('COMPLETED', 'VOIDED'))
    EXECUTE FUNCTION refuse('a completed or voided weighing is kept for ever');
CREATE TRIGGER weigh_record_is_not_emptied BEFORE TRUNCATE ON weigh_record
    EXECUTE FUNCTION refuse('weighings are kept for ever');

-- An open record goes only while nothing was weighed. A trigger per row would also see a record that moves to another
-- month as it completes; one per statement does not.
CREATE FUNCTION refuse_to_remove_weighed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM removed WHERE first_weight IS NOT NULL) THEN
        RAISE EXCEPTION 'delete of weigh_record is refused: it has a weight, so it is voided instead'
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_to_remove_weighed() IS 'Trigger of weigh_record: refuses to delete an open record that has a weight.';
CREATE TRIGGER weigh_record_weighed_stays AFTER DELETE ON weigh_record REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_remove_weighed();
