//! The server's HTTP interface: every route is listed in [`routes`].
//!
//! A request passes [`envelope`] (its id, its time limit, the look of failures), under `/api/v1` then [`gate`] (who asks,
//! and how often), and reaches a handler, which is parse, ask, render. One file per resource:
//!
//! - [`sessions`] is `/auth`; [`vehicles`], [`drivers`], [`stations`], [`edges`], [`queue`], [`weigh_records`] and
//!   [`captures`] are named as their routes
//! - [`edge_link`] is `/edge/link`, [`weigh_data`] is `/internal/weigh-data`, [`rearm`] is `/stations/{id}/rearm`
//! - [`live`] is `/ws` and `/ws/ticket`, with [`tickets`] and [`upgrade`]
//! - [`mobile`] is `/mobile`, [`refusals`] is `/message-refusals`
//! - [`admin`] is `/admin`, [`outbox`] is `/admin/outbox`, [`reconciliation`] is
//!   `/admin/reconciliation`
//! - [`system`] is `/healthz`, `/readyz` and `/metrics`; [`docs`] is `/openapi.json` and `/docs`
//!
//! What handlers share: [`auth`] (roles as extractors), [`read`] (ids, filters, bodies), [`answer`] and [`error`] (how
//! success and failure look), [`edge_keys`] (edges as extractors), [`code`] (all codes), [`rules`], [`fields`] (what is wrong with
//! an input), [`limit`], [`throttle`] and [`guesses`] (how often somebody may ask), [`tokens`], [`refresh`] and [`hashing`]
//! (sign-ins), [`unknown`] (routes that are not there).

use std::sync::Arc;

use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::Data,
};
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::{AppExt, scope, service_config::ServiceConfig};
use weighbridge_supervision::{Handle, Tree};

use crate::{
    actors::{edge_link::LinkServices, repository::Repository, session::Sessions, stations::Stations},
    domain::phone_vault::PhoneVault,
};

pub mod admin;
pub mod answer;
pub mod auth;
pub mod captures;
#[cfg(feature = "chaos")]
pub mod chaos;
pub mod code;
pub mod docs;
pub mod drivers;
pub mod edge_keys;
pub mod edge_link;
pub mod edges;
pub mod envelope;
pub mod error;
pub mod fields;
pub mod gate;
pub mod guesses;
pub mod hashing;
pub mod limit;
pub mod live;
pub mod mobile;
pub mod outbox;
pub mod queue;
pub mod read;
pub mod rearm;
pub mod reconciliation;
pub mod refresh;
pub mod refusals;
pub mod rules;
pub mod sessions;
pub mod stations;
pub mod system;
pub mod throttle;
pub mod tickets;
pub mod tokens;
pub mod unknown;
pub mod upgrade;
pub mod vehicles;
pub mod weigh_data;
pub mod weigh_records;

/// What handlers need, shared by all workers.
#[derive(Clone, Debug)]
pub struct Shared {
    pub rules: Arc<rules::Rules>,
    pub auth: Arc<auth::Auth>,
    pub sign_in: Arc<sessions::SignIn>,
    pub rate_limit: Arc<limit::RateLimit>,
    pub in_flight: Arc<envelope::InFlight>,
    pub phones: Arc<PhoneVault>,
    pub repository: Handle<Repository>,
    pub tree: Tree,
    pub door: Arc<live::Door>,
    pub sessions: Sessions,
    pub links: LinkServices,
    pub stations: Stations,
    pub edge_keys: Arc<edge_keys::EdgeKeys>,
    pub metrics: PrometheusHandle,
}

/// The application, a fresh one for each worker.
pub fn app(
    shared: &Shared,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
    + use<>,
> {
    let (app, document) = App::new()
        .into_utoipa_app()
        .openapi(docs::preamble())
        .configure(routes)
        .split_for_parts();
    app.app_data(Data::from(Arc::clone(&shared.rules)))
        .app_data(Data::from(Arc::clone(&shared.auth)))
        .app_data(Data::from(Arc::clone(&shared.sign_in)))
        .app_data(Data::from(Arc::clone(&shared.rate_limit)))
        .app_data(Data::from(Arc::clone(&shared.in_flight)))
        .app_data(Data::from(Arc::clone(&shared.phones)))
        .app_data(Data::new(shared.repository.clone()))
        .app_data(Data::new(shared.tree.clone()))
        .app_data(Data::from(Arc::clone(&shared.door)))
        .app_data(Data::new(shared.links.directory.clone()))
        .app_data(Data::new(shared.links.clone()))
        .app_data(Data::new(shared.stations.clone()))
        .app_data(Data::from(Arc::clone(&shared.edge_keys)))
        .app_data(Data::new(shared.metrics.clone()))
        .app_data(Data::new(unknown::Known::of(&document)))
        .app_data(Data::new(docs::Pages::of(&document)))
        .wrap(from_fn(envelope::envelope))
}

/// The API document, as `/openapi.json` answers it.
pub fn document() -> OpenApi {
    let (_, document) = App::new()
        .into_utoipa_app()
        .openapi(docs::preamble())
        .configure(routes)
        .split_for_parts();
    document
}

fn routes(config: &mut ServiceConfig) {
    #[cfg(feature = "chaos")]
    config.service(
        scope("/api/v1/admin/_chaos")
            .service(chaos::panic)
            .service(chaos::freeze)
            .wrap(from_fn(gate::gate)),
    );
    config
        .service(
            scope("/api/v1")
                .service(sessions::log_in)
                .service(sessions::refresh)
                .service(sessions::log_out)
                .service(sessions::change_password)
                .service(sessions::list_sessions)
                .service(sessions::end_session)
                .service(queue::show_line)
                .service(queue::check_in)
                .service(queue::call_next)
                .service(queue::call_entry)
                .service(queue::changes::recall)
                .service(queue::changes::acknowledge)
                .service(queue::changes::skip)
                .service(queue::changes::put_back)
                .service(queue::changes::cancel)
                .service(queue::changes::move_entry)
                .service(mobile::queue::my_place)
                .service(mobile::queue::check_myself_in)
                .service(mobile::queue::acknowledge_my_call)
                .service(mobile::queue::cancel_my_place)
                .service(mobile::records::records_today)
                .service(mobile::records::records_history)
                .service(mobile::records::show_slip)
                .service(mobile::share::share_slip)
                .service(mobile::notifications::list_notifications)
                .service(mobile::notifications::read_notification)
                .service(mobile::notifications::tell_fcm_token)
                .service(weigh_records::list_records)
                .service(weigh_records::show_record)
                .service(weigh_records::curve::show_curve)
                .service(weigh_records::void::void_record)
                .service(weigh_records::correct::correct_record)
                .service(captures::list_captures)
                .service(captures::assign_capture)
                .service(captures::dismiss_capture)
                .service(rearm::rearm_station)
                .service(edge_link::open)
                .service(weigh_data::take_reading)
                .service(live::issue_ticket)
                .service(live::open)
                .service(vehicles::list_vehicles)
                .service(vehicles::one_vehicle)
                .service(vehicles::add_vehicle)
                .service(vehicles::change_vehicle)
                .service(vehicles::deactivate_vehicle)
                .service(drivers::list_drivers)
                .service(drivers::one_driver)
                .service(drivers::add_driver)
                .service(drivers::change_driver)
                .service(drivers::deactivate_driver)
                .service(refusals::set_refusal)
                .service(stations::list_stations)
                .service(stations::one_station)
                .service(stations::add_station)
                .service(stations::change_station)
                .service(stations::open_station)
                .service(stations::close_station)
                .service(stations::deactivate_station)
                .service(edges::list_edges)
                .service(edges::one_edge)
                .service(edges::add_edge)
                .service(edges::change_edge)
                .service(edges::deactivate_edge)
                .service(edges::rotate_key)
                .service(edges::end_key)
                .service(admin::list_actors)
                .service(admin::restart_actor)
                .service(outbox::list_outbox)
                .service(outbox::retry_outbox)
                .service(outbox::discard_outbox)
                .service(reconciliation::reconcile)
                .wrap(from_fn(gate::gate)),
        )
        .service(system::healthz)
        .service(system::readyz)
        .service(system::metrics)
        .service(docs::serve_document)
        .service(docs::serve_page)
        .default_service(actix_web::web::to(unknown::answer));
}
