DROP TABLE login_session;
ALTER TABLE driver DROP CONSTRAINT driver_app_user_id_fkey;
DROP INDEX driver_app_user_key;
DROP TABLE app_user;
