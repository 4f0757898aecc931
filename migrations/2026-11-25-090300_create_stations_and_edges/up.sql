-- The scales, and the gateways on site that read them.
-- An edge proves itself by a key of which only the hash is kept; the newest connection of an edge fences the older ones.

CREATE TABLE edge_gateway (
    id BIGSERIAL PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    site_id BIGINT NOT NULL REFERENCES site (id),
    session UUID,
    allowed_addresses TEXT[] NOT NULL DEFAULT '{}',
    last_seen_at TIMESTAMPTZ,
    software_version VARCHAR(50),
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT edge_gateway_name_key UNIQUE (name),
    CONSTRAINT edge_gateway_addresses_are_given CHECK (array_position(allowed_addresses, NULL) IS NULL)
);
COMMENT ON TABLE edge_gateway IS 'A gateway on site that reads indicators and keeps what they weigh until the server has it.';
COMMENT ON COLUMN edge_gateway.id IS 'Primary key.';
COMMENT ON COLUMN edge_gateway.name IS 'Name, unique.';
COMMENT ON COLUMN edge_gateway.site_id IS 'The site it stands at.';
COMMENT ON COLUMN edge_gateway.session IS 'Random name of its newest connection; whoever writes under another is fenced.';
COMMENT ON COLUMN edge_gateway.allowed_addresses IS 'Networks (CIDR) it may connect from; empty: any.';
COMMENT ON COLUMN edge_gateway.last_seen_at IS 'When it was last heard.';
COMMENT ON COLUMN edge_gateway.software_version IS 'Version it last said it runs.';
COMMENT ON COLUMN edge_gateway.is_active IS 'Whether it may connect.';
COMMENT ON COLUMN edge_gateway.created_at IS 'When the row was made.';
COMMENT ON COLUMN edge_gateway.updated_at IS 'When the row was last changed.';
CREATE TRIGGER edge_gateway_touch BEFORE UPDATE ON edge_gateway FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE edge_key (
    id BIGSERIAL PRIMARY KEY,
    edge_id BIGINT NOT NULL REFERENCES edge_gateway (id),
    key_hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    revoked_at TIMESTAMPTZ,
    CONSTRAINT edge_key_key_hash_key UNIQUE (key_hash)
);
CREATE INDEX edge_key_live ON edge_key (edge_id) WHERE revoked_at IS NULL;
COMMENT ON TABLE edge_key IS 'API keys of edges; two of one edge are live while it is given a new one.';
COMMENT ON COLUMN edge_key.id IS 'Primary key.';
COMMENT ON COLUMN edge_key.edge_id IS 'The edge that the key proves.';
COMMENT ON COLUMN edge_key.key_hash IS 'SHA-256 of the key; the key itself is shown once and kept nowhere.';
COMMENT ON COLUMN edge_key.created_at IS 'When the key was made.';
COMMENT ON COLUMN edge_key.revoked_at IS 'When it ceased to count; NULL while it does.';

CREATE TABLE weigh_station (
    id BIGSERIAL PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    site_id BIGINT NOT NULL REFERENCES site (id),
    edge_id BIGINT REFERENCES edge_gateway (id),
    indicator_type VARCHAR(20) NOT NULL,
    protocol VARCHAR(100),
    address VARCHAR(200),
    serial_port VARCHAR(20) GENERATED ALWAYS AS ("left"("substring"(address, '^serial://([^?]+)'), 20)) STORED,
    ip_address VARCHAR(100) GENERATED ALWAYS AS ("left"("substring"(address, '^tcp://(.+):[0-9]+$'), 100)) STORED,
    port INTEGER GENERATED ALWAYS AS ("substring"(address, '^tcp://.+:([0-9]{1,5})$')::integer) STORED,
    status VARCHAR(20) NOT NULL DEFAULT 'IDLE',
    last_heartbeat TIMESTAMPTZ,
    capacity DECIMAL(10, 2),
    division DECIMAL(10, 2),
    verified_until DATE,
    capture_settings JSONB NOT NULL DEFAULT '{}',
    calling VARCHAR(10) NOT NULL DEFAULT 'AUTO',
    directions TEXT[] NOT NULL DEFAULT '{IN,OUT}',
    product_ids BIGINT[] NOT NULL DEFAULT '{}',
    is_open BOOLEAN NOT NULL DEFAULT TRUE,
    trusted_since TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT weigh_station_status_is_known CHECK (status IN ('IDLE', 'WEIGHING', 'ERROR')),
    CONSTRAINT weigh_station_calling_is_known CHECK (calling IN ('AUTO', 'MANUAL')),
    CONSTRAINT weigh_station_directions_are_known CHECK (directions <@ ARRAY['IN', 'OUT']),
    CONSTRAINT weigh_station_products_are_given CHECK (array_position(product_ids, NULL) IS NULL),
    CONSTRAINT weigh_station_capacity_is_positive CHECK (capacity > 0),
    CONSTRAINT weigh_station_division_is_positive CHECK (division > 0)
);
CREATE INDEX idx_station_edge ON weigh_station (edge_id);
CREATE INDEX idx_station_site ON weigh_station (site_id);
COMMENT ON TABLE weigh_station IS 'A scale with its indicator (계량대).';
COMMENT ON COLUMN weigh_station.id IS 'Primary key.';
COMMENT ON COLUMN weigh_station.name IS 'Name, as drivers are told it (계량대명).';
COMMENT ON COLUMN weigh_station.site_id IS 'The site it stands at.';
COMMENT ON COLUMN weigh_station.edge_id IS 'The edge that reads it; NULL where it is fed by HTTP alone, or not yet.';
COMMENT ON COLUMN weigh_station.indicator_type IS 'Make of the indicator (제조사).';
COMMENT ON COLUMN weigh_station.protocol IS 'Name of the indicator''s protocol (통신 프로토콜 정보).';
COMMENT ON COLUMN weigh_station.address IS 'How the indicator is reached: serial:///dev/ttyUSB0?9600-8N1 or tcp://host:port.';
COMMENT ON COLUMN weigh_station.serial_port IS 'The serial port of the address, its first 20 characters (시리얼 포트).';
COMMENT ON COLUMN weigh_station.ip_address IS 'The host of the address, where it is a TCP one.';
COMMENT ON COLUMN weigh_station.port IS 'The port of the address, where it is a TCP one.';
COMMENT ON COLUMN weigh_station.status IS 'IDLE, WEIGHING or ERROR (상태).';
COMMENT ON COLUMN weigh_station.last_heartbeat IS 'When its indicator was last heard (마지막 연결 확인 시각).';
COMMENT ON COLUMN weigh_station.capacity IS 'Greatest weight it can take, in kg.';
COMMENT ON COLUMN weigh_station.division IS 'Division d in kg; a reading that is no multiple of it is marked.';
COMMENT ON COLUMN weigh_station.verified_until IS 'Last day of its legal verification (검정).';
COMMENT ON COLUMN weigh_station.capture_settings IS 'Settings of capturing that differ from the defaults, by key.';
COMMENT ON COLUMN weigh_station.calling IS 'AUTO: the next truck is called as soon as it is free; MANUAL: by staff.';
COMMENT ON COLUMN weigh_station.directions IS 'Which of IN and OUT it takes.';
COMMENT ON COLUMN weigh_station.product_ids IS 'Products it takes; empty: all.';
COMMENT ON COLUMN weigh_station.is_open IS 'Whether trucks are called to it.';
COMMENT ON COLUMN weigh_station.trusted_since IS 'A truck that drove on before this moment is assigned to no call by itself.';
COMMENT ON COLUMN weigh_station.is_active IS 'Whether it is in use (활성 여부).';
COMMENT ON COLUMN weigh_station.created_at IS 'When the row was made (생성일시).';
