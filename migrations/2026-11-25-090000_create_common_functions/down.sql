DROP FUNCTION refuse_change();
DROP FUNCTION refuse();
DROP FUNCTION touch_updated_at();
