-- Who and what comes to be weighed, and where: sites, companies, vehicles, drivers, products and customers.
-- Rows that a weighing once named are never deleted, only made inactive; every slip must stay explicable for years.

CREATE TABLE site (
    id BIGSERIAL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    time_zone VARCHAR(50) NOT NULL DEFAULT 'Asia/Seoul',
    slip_prefix VARCHAR(8) NOT NULL DEFAULT 'WR',
    issuer_name VARCHAR(100),
    issuer_address VARCHAR(200),
    issuer_phone VARCHAR(50),
    settings JSONB NOT NULL DEFAULT '{}',
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT site_slip_prefix_key UNIQUE (slip_prefix),
    -- A prefix that ended in a digit would run into the date.
    CONSTRAINT site_slip_prefix_ends_in_a_letter CHECK (slip_prefix ~ '^[A-Z0-9]*[A-Z]$')
);
COMMENT ON TABLE site IS 'A place with weighbridges, a queue and a slip numbering of its own (사업장).';
COMMENT ON COLUMN site.id IS 'Primary key.';
COMMENT ON COLUMN site.name IS 'Name, as staff and drivers call the place.';
COMMENT ON COLUMN site.time_zone IS 'IANA time zone; days of slips, queue numbers and statistics are counted in it.';
COMMENT ON COLUMN site.slip_prefix IS 'First letters of its slip numbers (전표번호), unique among sites.';
COMMENT ON COLUMN site.issuer_name IS 'Business that issues the slip, printed on it.';
COMMENT ON COLUMN site.issuer_address IS 'Address of the issuer, printed on the slip.';
COMMENT ON COLUMN site.issuer_phone IS 'Telephone of the issuer, printed on the slip.';
COMMENT ON COLUMN site.settings IS 'Settings of this site that differ from the server''s.';
COMMENT ON COLUMN site.is_active IS 'Whether the site is in use (활성 여부).';
COMMENT ON COLUMN site.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN site.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER site_touch BEFORE UPDATE ON site FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- Nothing works without a site, so a fresh database has one; its name is there to be changed.
INSERT INTO site (name) VALUES ('계량소');

CREATE TABLE company (
    id BIGSERIAL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    business_no VARCHAR(20),
    contact VARCHAR(50),
    address VARCHAR(200),
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON TABLE company IS 'A haulier that vehicles and drivers belong to (소속회사).';
COMMENT ON COLUMN company.id IS 'Primary key.';
COMMENT ON COLUMN company.name IS 'Name of the company (회사명).';
COMMENT ON COLUMN company.business_no IS 'Business registration number (사업자등록번호).';
COMMENT ON COLUMN company.contact IS 'How to reach it (연락처).';
COMMENT ON COLUMN company.address IS 'Postal address (주소).';
COMMENT ON COLUMN company.is_active IS 'Whether it is in use (활성 여부).';
COMMENT ON COLUMN company.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN company.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER company_touch BEFORE UPDATE ON company FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE product (
    id BIGSERIAL PRIMARY KEY,
    code VARCHAR(30),
    name VARCHAR(100) NOT NULL,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT product_code_key UNIQUE (code)
);
COMMENT ON TABLE product IS 'What is weighed (품명); a slip must name it.';
COMMENT ON COLUMN product.id IS 'Primary key.';
COMMENT ON COLUMN product.code IS 'The ERP''s code for it, unique where given.';
COMMENT ON COLUMN product.name IS 'Name on the slip (품명).';
COMMENT ON COLUMN product.is_active IS 'Whether it is in use (활성 여부).';
COMMENT ON COLUMN product.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN product.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER product_touch BEFORE UPDATE ON product FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE customer (
    id BIGSERIAL PRIMARY KEY,
    code VARCHAR(30),
    name VARCHAR(100) NOT NULL,
    business_no VARCHAR(20),
    contact VARCHAR(50),
    address VARCHAR(200),
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT customer_code_key UNIQUE (code)
);
COMMENT ON TABLE customer IS 'For whom something is weighed (거래처): the supplier of what comes in, the buyer of what goes out.';
COMMENT ON COLUMN customer.id IS 'Primary key.';
COMMENT ON COLUMN customer.code IS 'The ERP''s code for it, unique where given.';
COMMENT ON COLUMN customer.name IS 'Name on the slip (거래처명).';
COMMENT ON COLUMN customer.business_no IS 'Business registration number (사업자등록번호).';
COMMENT ON COLUMN customer.contact IS 'How to reach it (연락처).';
COMMENT ON COLUMN customer.address IS 'Postal address (주소).';
COMMENT ON COLUMN customer.is_active IS 'Whether it is in use (활성 여부).';
COMMENT ON COLUMN customer.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN customer.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER customer_touch BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE vehicle (
    id BIGSERIAL PRIMARY KEY,
    plate_number VARCHAR(20) NOT NULL,
    vehicle_type VARCHAR(50),
    tare_weight DECIMAL(10, 2),
    tare_set_at TIMESTAMPTZ,
    tare_valid_until DATE,
    max_load DECIMAL(10, 2),
    company_id BIGINT REFERENCES company (id),
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT vehicle_tare_is_positive CHECK (tare_weight > 0),
    CONSTRAINT vehicle_max_load_is_positive CHECK (max_load > 0)
);
CREATE UNIQUE INDEX idx_vehicle_plate ON vehicle (plate_number);
CREATE INDEX idx_vehicle_plate_tail ON vehicle ("right"(plate_number, 4));
CREATE INDEX idx_vehicle_company ON vehicle (company_id);
COMMENT ON TABLE vehicle IS 'A truck that may be weighed (차량).';
COMMENT ON COLUMN vehicle.id IS 'Primary key.';
COMMENT ON COLUMN vehicle.plate_number IS 'Plate, normalised: NFC, no spaces or hyphens (차량번호). Searched by its last four digits too.';
COMMENT ON COLUMN vehicle.vehicle_type IS 'Kind of vehicle (차종).';
COMMENT ON COLUMN vehicle.tare_weight IS 'Registered empty weight in kg (공차중량).';
COMMENT ON COLUMN vehicle.tare_set_at IS 'When that weight was registered.';
COMMENT ON COLUMN vehicle.tare_valid_until IS 'Last site-local day on which it counts; NULL: it does not expire.';
COMMENT ON COLUMN vehicle.max_load IS 'Greatest permitted load in kg (최대적재량).';
COMMENT ON COLUMN vehicle.company_id IS 'The company it belongs to (소속회사).';
COMMENT ON COLUMN vehicle.is_active IS 'Whether it is in use (활성 여부).';
COMMENT ON COLUMN vehicle.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN vehicle.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER vehicle_touch BEFORE UPDATE ON vehicle FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE driver (
    id BIGSERIAL PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    phone BYTEA NOT NULL,
    phone_index BYTEA NOT NULL,
    company_id BIGINT REFERENCES company (id),
    app_user_id BIGINT,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_driver_name ON driver (name);
CREATE INDEX idx_driver_company ON driver (company_id);
CREATE INDEX idx_driver_phone ON driver (phone_index);
COMMENT ON TABLE driver IS 'Someone who drives trucks onto the scale (운전기사).';
COMMENT ON COLUMN driver.id IS 'Primary key.';
COMMENT ON COLUMN driver.name IS 'Name of the driver (기사명).';
COMMENT ON COLUMN driver.phone IS 'Telephone number under AES-256-GCM, with the name of its key in front (연락처).';
COMMENT ON COLUMN driver.phone_index IS 'Keyed hash of the digits, by which a number is found without decrypting.';
COMMENT ON COLUMN driver.company_id IS 'The company he drives for (소속회사).';
COMMENT ON COLUMN driver.app_user_id IS 'His account of the app (앱 계정).';
COMMENT ON COLUMN driver.is_active IS 'Whether he still drives here (활성 여부).';
COMMENT ON COLUMN driver.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN driver.updated_at IS 'When the row was last changed (수정일시).';
CREATE TRIGGER driver_touch BEFORE UPDATE ON driver FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE vehicle_driver (
    id BIGSERIAL PRIMARY KEY,
    vehicle_id BIGINT NOT NULL REFERENCES vehicle (id),
    driver_id BIGINT NOT NULL REFERENCES driver (id),
    is_primary BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT vehicle_driver_pair_key UNIQUE (vehicle_id, driver_id)
);
CREATE INDEX idx_vehicle_driver_driver ON vehicle_driver (driver_id);
COMMENT ON TABLE vehicle_driver IS 'Which driver may come with which vehicle.';
COMMENT ON COLUMN vehicle_driver.id IS 'Primary key.';
COMMENT ON COLUMN vehicle_driver.vehicle_id IS 'The vehicle (차량).';
COMMENT ON COLUMN vehicle_driver.driver_id IS 'The driver (운전기사).';
COMMENT ON COLUMN vehicle_driver.is_primary IS 'Whether this is the vehicle he usually drives.';
COMMENT ON COLUMN vehicle_driver.created_at IS 'When the row was made (생성일시).';
