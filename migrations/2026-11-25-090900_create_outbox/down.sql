DROP TABLE notification;
DROP TABLE outbox;
