DROP TABLE queue_counter;
DROP TABLE wait_queue;
