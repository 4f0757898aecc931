-- Days of which nothing was numbered since lose their room.
DROP TRIGGER slip_counter_explains_its_room ON slip_counter;
DROP FUNCTION explain_slip_room();
DROP FUNCTION slip_room_of(bigint, date);
DROP TABLE slip_room;
