//! The tables as Diesel knows them. Written from the migrated database by a test, which fails where the two differ:
//! `UPDATE_EXPECT=1 cargo test schema_rs_equals_the_migrated_database` writes it anew.

diesel::table! {
    app_user (id) {
        id -> Int8,
        login_id -> Varchar,
        password_hash -> Varchar,
        name -> Varchar,
        role -> Varchar,
        driver_id -> Nullable<Int8>,
        must_change_password -> Bool,
        fcm_token -> Nullable<Varchar>,
        refresh_token -> Nullable<Varchar>,
        last_login_at -> Nullable<Timestamptz>,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Int8,
        at -> Timestamptz,
        actor_user_id -> Nullable<Int8>,
        actor -> Varchar,
        action -> Varchar,
        subject -> Varchar,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
        ip -> Nullable<Varchar>,
        request_id -> Nullable<Varchar>,
    }
}

diesel::table! {
    capture (id) {
        id -> Int8,
        station_id -> Int8,
        cycle -> Uuid,
        epoch -> Uuid,
        seq -> Int8,
        weight -> Numeric,
        gap -> Bool,
        doubtful -> Bool,
        raw -> Nullable<Text>,
        curve -> Nullable<Jsonb>,
        on_at -> Nullable<Timestamptz>,
        captured_at -> Timestamptz,
        edge_at -> Nullable<Timestamptz>,
        received_at -> Timestamptz,
        state -> Varchar,
        record_id -> Nullable<Int8>,
        decided_by -> Nullable<Int8>,
        decided_at -> Nullable<Timestamptz>,
        decided_why -> Nullable<Text>,
        receipt -> Nullable<Jsonb>,
    }
}

diesel::table! {
    company (id) {
        id -> Int8,
        name -> Varchar,
        business_no -> Nullable<Varchar>,
        contact -> Nullable<Varchar>,
        address -> Nullable<Varchar>,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    customer (id) {
        id -> Int8,
        code -> Nullable<Varchar>,
        name -> Varchar,
        business_no -> Nullable<Varchar>,
        contact -> Nullable<Varchar>,
        address -> Nullable<Varchar>,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    database_identity (only_row) {
        only_row -> Bool,
        system_identifier -> Int8,
        timeline -> Int4,
        seen_at -> Timestamptz,
        room_made_at -> Nullable<Timestamptz>,
        birth_name -> Uuid,
    }
}

diesel::table! {
    day_close (id) {
        id -> Int8,
        site_id -> Int8,
        day -> Date,
        term -> Int8,
        closed_at -> Timestamptz,
        totals -> Jsonb,
        late -> Jsonb,
    }
}

diesel::table! {
    driver (id) {
        id -> Int8,
        name -> Varchar,
        phone -> Bytea,
        phone_index -> Bytea,
        company_id -> Nullable<Int8>,
        app_user_id -> Nullable<Int8>,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    edge_conflict (id) {
        id -> Int8,
        epoch -> Uuid,
        seq -> Int8,
        edge_id -> Int8,
        sha256 -> Varchar,
        body -> Text,
        received_at -> Timestamptz,
    }
}

diesel::table! {
    edge_epoch (epoch) {
        epoch -> Uuid,
        edge_id -> Int8,
        have -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        gone_back_from -> Nullable<Int8>,
    }
}

diesel::table! {
    edge_event (epoch, seq) {
        epoch -> Uuid,
        seq -> Int8,
        edge_id -> Int8,
        station_id -> Nullable<Int8>,
        kind -> Nullable<Varchar>,
        cycle -> Nullable<Uuid>,
        sha256 -> Nullable<Varchar>,
        body -> Nullable<Text>,
        status -> Varchar,
        reason -> Nullable<Text>,
        event_id -> Nullable<Uuid>,
        weight -> Nullable<Numeric>,
        at -> Nullable<Timestamptz>,
        received_at -> Timestamptz,
        decided_by -> Nullable<Int8>,
        decided_at -> Nullable<Timestamptz>,
        decided_why -> Nullable<Text>,
    }
}

diesel::table! {
    edge_gateway (id) {
        id -> Int8,
        name -> Varchar,
        site_id -> Int8,
        session -> Nullable<Uuid>,
        allowed_addresses -> Array<Text>,
        last_seen_at -> Nullable<Timestamptz>,
        software_version -> Nullable<Varchar>,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    edge_key (id) {
        id -> Int8,
        edge_id -> Int8,
        key_hash -> Bytea,
        created_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    edge_lost_range (epoch, from_seq) {
        epoch -> Uuid,
        from_seq -> Int8,
        to_seq -> Int8,
        noticed_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_key (user_id, key) {
        user_id -> Int8,
        key -> Varchar,
        route -> Varchar,
        request_hash -> Bytea,
        status -> Nullable<Int2>,
        response -> Nullable<Text>,
        created_at -> Timestamptz,
        answered_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    leader_lease (only_row) {
        only_row -> Bool,
        holder -> Nullable<Varchar>,
        term -> Int8,
        lease_until -> Timestamptz,
    }
}

diesel::table! {
    login_session (id) {
        id -> Int8,
        user_id -> Int8,
        family -> Uuid,
        refresh_hash -> Bytea,
        previous_hash -> Nullable<Bytea>,
        successor -> Nullable<Bytea>,
        rotated_at -> Nullable<Timestamptz>,
        fcm_token -> Nullable<Varchar>,
        fcm_token_at -> Nullable<Timestamptz>,
        user_agent -> Nullable<Varchar>,
        address -> Nullable<Varchar>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        revoked_why -> Nullable<Varchar>,
    }
}

diesel::table! {
    message_refusal (recipient_index) {
        recipient_index -> Bytea,
        refused_by -> Nullable<Int8>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    notification (id) {
        id -> Int8,
        driver_id -> Int8,
        #[sql_name = "type"]
        type_ -> Varchar,
        title -> Varchar,
        message -> Text,
        is_read -> Bool,
        sent_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        message_key -> Nullable<Uuid>,
        data -> Jsonb,
        reached -> Array<Int8>,
    }
}

diesel::table! {
    outbox (id) {
        id -> Int8,
        kind -> Varchar,
        idempotency_key -> Uuid,
        aggregate_key -> Varchar,
        payload -> Jsonb,
        attempts -> Int4,
        next_attempt_at -> Timestamptz,
        last_error -> Nullable<Text>,
        state -> Varchar,
        lease_owner -> Nullable<Varchar>,
        lease_term -> Int8,
        lease_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        settled_at -> Nullable<Timestamptz>,
        destination -> Varchar,
        first_attempt_at -> Nullable<Timestamptz>,
        panics -> Int4,
        close_id -> Nullable<Int8>,
    }
}

diesel::table! {
    product (id) {
        id -> Int8,
        code -> Nullable<Varchar>,
        name -> Varchar,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    queue_counter (site_id, day) {
        site_id -> Int8,
        day -> Date,
        last_number -> Int4,
        left_out -> Int4,
    }
}

diesel::table! {
    record_id (id) {
        id -> Int8,
    }
}

diesel::table! {
    site (id) {
        id -> Int8,
        name -> Varchar,
        time_zone -> Varchar,
        slip_prefix -> Varchar,
        issuer_name -> Nullable<Varchar>,
        issuer_address -> Nullable<Varchar>,
        issuer_phone -> Nullable<Varchar>,
        settings -> Jsonb,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    slip (slip_number) {
        slip_number -> Varchar,
        site_id -> Int8,
        day -> Date,
        number -> Int4,
        record_id -> Nullable<Int8>,
        state -> Varchar,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    slip_counter (site_id, day) {
        site_id -> Int8,
        day -> Date,
        last_number -> Int4,
    }
}

diesel::table! {
    slip_room (id) {
        id -> Int8,
        site_id -> Int8,
        first_day -> Date,
        last_day -> Date,
        jump -> Int4,
        made_at -> Timestamptz,
    }
}

diesel::table! {
    slip_share (id) {
        id -> Int8,
        driver_id -> Int8,
        record_id -> Int8,
        method -> Varchar,
        recipient_index -> Bytea,
        message_key -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    station_cycle (station_id) {
        station_id -> Int8,
        epoch -> Uuid,
        last_seq -> Int8,
        state -> Jsonb,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    vehicle (id) {
        id -> Int8,
        plate_number -> Varchar,
        vehicle_type -> Nullable<Varchar>,
        tare_weight -> Nullable<Numeric>,
        tare_set_at -> Nullable<Timestamptz>,
        tare_valid_until -> Nullable<Date>,
        max_load -> Nullable<Numeric>,
        company_id -> Nullable<Int8>,
        is_active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    vehicle_driver (id) {
        id -> Int8,
        vehicle_id -> Int8,
        driver_id -> Int8,
        is_primary -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    wait_queue (id) {
        id -> Int8,
        driver_id -> Int8,
        vehicle_id -> Int8,
        station_id -> Nullable<Int8>,
        queue_number -> Int4,
        status -> Varchar,
        estimated_time -> Nullable<Int4>,
        called_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        site_id -> Int8,
        day -> Date,
        position -> Float8,
        priority -> Bool,
        priority_reason -> Nullable<Text>,
        product_id -> Nullable<Int8>,
        customer_id -> Nullable<Int8>,
        direction -> Nullable<Varchar>,
        record_id -> Nullable<Int8>,
        capture_id -> Nullable<Int8>,
        deadline_at -> Nullable<Timestamptz>,
        calls_made -> Int4,
        acknowledged_at -> Nullable<Timestamptz>,
        deadline_paused_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    weigh_record (id, weighed_at) {
        id -> Int8,
        station_id -> Int8,
        vehicle_id -> Int8,
        driver_id -> Nullable<Int8>,
        gross_weight -> Nullable<Numeric>,
        tare_weight -> Nullable<Numeric>,
        net_weight -> Nullable<Numeric>,
        slip_number -> Nullable<Varchar>,
        weighed_at -> Timestamptz,
        status -> Varchar,
        erp_sent -> Bool,
        erp_sent_at -> Nullable<Timestamptz>,
        erp_response -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        site_id -> Int8,
        product_id -> Nullable<Int8>,
        customer_id -> Nullable<Int8>,
        direction -> Nullable<Varchar>,
        first_weight -> Nullable<Numeric>,
        first_weighed_at -> Nullable<Timestamptz>,
        first_station_id -> Nullable<Int8>,
        first_capture_id -> Nullable<Int8>,
        second_weight -> Nullable<Numeric>,
        second_weighed_at -> Nullable<Timestamptz>,
        second_station_id -> Nullable<Int8>,
        second_capture_id -> Nullable<Int8>,
        manual -> Bool,
        manual_reason -> Nullable<Text>,
        manual_key -> Nullable<Uuid>,
        voided_at -> Nullable<Timestamptz>,
        voided_by -> Nullable<Int8>,
        void_reason -> Nullable<Text>,
        replaces -> Nullable<Int8>,
        revision -> Int4,
        overload -> Nullable<Varchar>,
        needs_review -> Bool,
        review_reason -> Nullable<Text>,
        reprint_count -> Int4,
    }
}

diesel::table! {
    weigh_station (id) {
        id -> Int8,
        name -> Varchar,
        site_id -> Int8,
        edge_id -> Nullable<Int8>,
        indicator_type -> Varchar,
        protocol -> Nullable<Varchar>,
        address -> Nullable<Varchar>,
        serial_port -> Nullable<Varchar>,
        ip_address -> Nullable<Varchar>,
        port -> Nullable<Int4>,
        status -> Varchar,
        last_heartbeat -> Nullable<Timestamptz>,
        capacity -> Nullable<Numeric>,
        division -> Nullable<Numeric>,
        verified_until -> Nullable<Date>,
        capture_settings -> Jsonb,
        calling -> Varchar,
        directions -> Array<Text>,
        product_ids -> Array<Int8>,
        is_open -> Bool,
        trusted_since -> Timestamptz,
        is_active -> Bool,
        created_at -> Timestamptz,
        least_approach_ms -> Int4,
        deck_cycle -> Nullable<Uuid>,
        capture_unfit -> Jsonb,
    }
}

diesel::joinable!(audit_log -> app_user (actor_user_id));
diesel::joinable!(capture -> app_user (decided_by));
diesel::joinable!(capture -> weigh_station (station_id));
diesel::joinable!(day_close -> site (site_id));
diesel::joinable!(driver -> company (company_id));
diesel::joinable!(edge_conflict -> edge_gateway (edge_id));
diesel::joinable!(edge_epoch -> edge_gateway (edge_id));
diesel::joinable!(edge_event -> app_user (decided_by));
diesel::joinable!(edge_event -> edge_gateway (edge_id));
diesel::joinable!(edge_gateway -> site (site_id));
diesel::joinable!(edge_key -> edge_gateway (edge_id));
diesel::joinable!(edge_lost_range -> edge_epoch (epoch));
diesel::joinable!(idempotency_key -> app_user (user_id));
diesel::joinable!(login_session -> app_user (user_id));
diesel::joinable!(message_refusal -> app_user (refused_by));
diesel::joinable!(notification -> driver (driver_id));
diesel::joinable!(outbox -> day_close (close_id));
diesel::joinable!(queue_counter -> site (site_id));
diesel::joinable!(slip -> site (site_id));
diesel::joinable!(slip_counter -> site (site_id));
diesel::joinable!(slip_room -> site (site_id));
diesel::joinable!(slip_share -> driver (driver_id));
diesel::joinable!(station_cycle -> weigh_station (station_id));
diesel::joinable!(vehicle -> company (company_id));
diesel::joinable!(vehicle_driver -> driver (driver_id));
diesel::joinable!(vehicle_driver -> vehicle (vehicle_id));
diesel::joinable!(wait_queue -> capture (capture_id));
diesel::joinable!(wait_queue -> customer (customer_id));
diesel::joinable!(wait_queue -> driver (driver_id));
diesel::joinable!(wait_queue -> product (product_id));
diesel::joinable!(wait_queue -> site (site_id));
diesel::joinable!(wait_queue -> vehicle (vehicle_id));
diesel::joinable!(wait_queue -> weigh_station (station_id));
diesel::joinable!(weigh_record -> app_user (voided_by));
diesel::joinable!(weigh_record -> customer (customer_id));
diesel::joinable!(weigh_record -> driver (driver_id));
diesel::joinable!(weigh_record -> product (product_id));
diesel::joinable!(weigh_record -> site (site_id));
diesel::joinable!(weigh_record -> vehicle (vehicle_id));
diesel::joinable!(weigh_station -> edge_gateway (edge_id));
diesel::joinable!(weigh_station -> site (site_id));

diesel::allow_tables_to_appear_in_same_query!(
    app_user,
    audit_log,
    capture,
    company,
    customer,
    database_identity,
    day_close,
    driver,
    edge_conflict,
    edge_epoch,
    edge_event,
    edge_gateway,
    edge_key,
    edge_lost_range,
    idempotency_key,
    leader_lease,
    login_session,
    message_refusal,
    notification,
    outbox,
    product,
    queue_counter,
    record_id,
    site,
    slip,
    slip_counter,
    slip_room,
    slip_share,
    station_cycle,
    vehicle,
    vehicle_driver,
    wait_queue,
    weigh_record,
    weigh_station,
);
