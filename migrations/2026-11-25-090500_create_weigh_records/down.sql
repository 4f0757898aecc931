DROP TABLE weigh_record;
DROP TABLE slip_counter;
DROP TABLE slip;
