-- The least that a weighing needs, with ids that tests may count on: site 1, station 1, vehicles 1 and 2, drivers 1 and
-- 2, edge 1, and of the day 2026-11-25: record 1 completed from capture 1, record 2 open with a weight, record 3 without.
INSERT INTO edge_gateway (name, site_id) VALUES ('gate', 1);
INSERT INTO weigh_station (name, site_id, edge_id, indicator_type, address)
VALUES ('1', 1, 1, 'CAS', 'tcp://192.168.0.20:9000'), ('2', 1, 1, 'AND', 'serial:///dev/ttyUSB0?9600-8N1');
INSERT INTO vehicle (plate_number) VALUES ('12가3456'), ('경기80바1234');
INSERT INTO driver (name, phone, phone_index) VALUES ('김', '\x01', '\x01'), ('이', '\x02', '\x02');
INSERT INTO app_user (login_id, password_hash, name, role) VALUES ('admin', 'x', 'admin', 'ADMIN');
SELECT ensure_weigh_record_partition('2026-11-25 09:00+09');

INSERT INTO edge_epoch (epoch, edge_id, have) VALUES ('00000000-0000-0000-0000-0000000000e1', 1, 3);
INSERT INTO edge_event (epoch, seq, edge_id, station_id, kind, cycle, sha256, body, status)
SELECT '00000000-0000-0000-0000-0000000000e1', seq, 1, 1, 'capture', gen_random_uuid(), repeat('a', 64), '{}', 'STORED'
FROM generate_series(1, 2) AS seq;
INSERT INTO edge_event (epoch, seq, edge_id, status) VALUES ('00000000-0000-0000-0000-0000000000e1', 3, 1, 'LOST');
INSERT INTO edge_lost_range (epoch, from_seq, to_seq) VALUES ('00000000-0000-0000-0000-0000000000e1', 3, 3);
INSERT INTO capture (station_id, cycle, epoch, seq, weight, captured_at, state, record_id, curve)
SELECT 1, cycle, epoch, seq, 18340, '2026-11-25 09:00+09', 'ASSIGNED', seq, '[[0, 100]]' FROM edge_event WHERE seq < 3;

INSERT INTO slip_counter (site_id, day, last_number) VALUES (1, '2026-11-25', 2);
INSERT INTO slip (slip_number, site_id, day, number, record_id, state)
VALUES ('WR20261125001', 1, '2026-11-25', 1, 1, 'ISSUED'), ('WR20261125002', 1, '2026-11-25', 2, NULL, 'LOST');
INSERT INTO weigh_record (id, station_id, vehicle_id, site_id, weighed_at, status, slip_number, gross_weight, tare_weight,
    net_weight, first_weight, first_weighed_at, first_station_id, first_capture_id)
VALUES (1, 1, 1, 1, '2026-11-25 09:00+09', 'COMPLETED', 'WR20261125001', 18340, 8340, 10000, 18340,
    '2026-11-25 09:00+09', 1, 1);
INSERT INTO weigh_record (id, station_id, vehicle_id, site_id, weighed_at, status, first_weight, first_weighed_at,
    first_station_id, first_capture_id)
VALUES (2, 1, 2, 1, '2026-11-25 09:10+09', 'WEIGHING', 18340, '2026-11-25 09:10+09', 1, 2);
INSERT INTO weigh_record (id, station_id, vehicle_id, site_id, weighed_at) VALUES (3, 2, 2, 1, '2026-11-25 09:20+09');
SELECT setval('weigh_record_id_seq', 100);

INSERT INTO queue_counter (site_id, day, last_number) VALUES (1, '2026-11-25', 2);
INSERT INTO wait_queue (driver_id, vehicle_id, queue_number, site_id, day, position, status, station_id, called_at, record_id)
VALUES (1, 1, 1, 1, '2026-11-25', 1, 'CALLED', 1, now(), 3), (2, 2, 2, 1, '2026-11-25', 2, 'WAITING', NULL, NULL, NULL);
