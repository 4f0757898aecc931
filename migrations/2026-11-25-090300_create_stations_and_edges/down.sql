DROP TABLE weigh_station;
DROP TABLE edge_key;
DROP TABLE edge_gateway;
