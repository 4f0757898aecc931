DROP TABLE vehicle_driver;
DROP TABLE driver;
DROP TABLE vehicle;
DROP TABLE customer;
DROP TABLE product;
DROP TABLE company;
DROP TABLE site;
