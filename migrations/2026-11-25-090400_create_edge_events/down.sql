DROP TABLE capture;
DROP TABLE station_cycle;
DROP TABLE edge_conflict;
DROP TABLE edge_event;
DROP TABLE edge_epoch;
