DROP VIEW v_sessions;
DROP VIEW v_audit;
DROP VIEW v_queue;
DROP VIEW v_outbox;
DROP VIEW v_edge_events;
