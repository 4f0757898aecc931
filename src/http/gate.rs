//! The way in to `/api/v1`: who asks, from where, and whether they ask too often.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::AUTHORIZATION,
    middleware::Next,
    web::Data,
};

use super::{
    auth::{Asking, Auth},
    code::Code,
    envelope::RequestId,
    error::ApiError,
    limit::{Allowance, Client, RateLimit},
    rules::{Rules, client_network},
};

/// Routes with limits of their own, or none because a machine of ours speaks there.
const UNLIMITED: [&str; 4] = [
    "/api/v1/auth/login",
    "/api/v1/internal/weigh-data",
    "/api/v1/edge/link",
    "/api/v1/admin/actors",
];
/// Query parameters that clients mistake for a place for secrets; addresses are logged everywhere.
const SECRETS: [&str; 4] = ["token", "access_token", "refresh_token", "ticket"];

/// The middleware of `/api/v1`.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asking = match ask(&request).await {
        Ok(asking) => asking,
        Err(error) => return Ok(request.error_response(error)),
    };
    let limit = request.app_data::<Data<RateLimit>>().cloned();
    let client = match &asking.identity {
        Ok(identity) => Client::User(identity.user),
        Err(_) => Client::Address(client_network(asking.address)),
    };
    request.extensions_mut().insert(asking);
    let unlimited = UNLIMITED.iter().any(|path| request.path().starts_with(path));
    let taken = limit.filter(|_| !unlimited).and_then(|limit| {
        let allowance = limit.take(client, Instant::now())?;
        Some((limit, allowance))
    });
    let mut response = match taken {
        Some((_, Allowance { left: None, wait })) => {
            let too_many = ApiError::new(Code::RateLimited).retry_after(wait);
            request.error_response(too_many)
        }
        _ => next.call(request).await?.map_into_boxed_body(),
    };
    if let Some((limit, allowance)) = taken {
        limit.tell(allowance, response.headers_mut());
    }
    Ok(response)
}

async fn ask(request: &ServiceRequest) -> Result<Asking, ApiError> {
    let missing = || ApiError::internal("the app lacks what the gate needs");
    let rules = request.app_data::<Data<Rules>>().ok_or_else(missing)?;
    let auth = request.app_data::<Data<Auth>>().cloned().ok_or_else(missing)?;
    if has_secret(request.query_string()) {
        return Err(ApiError::new(Code::TokenInUrl));
    }
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let address = rules.client_address(peer, request.headers());
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or_default());
    let identity = match token {
        None => Err(ApiError::new(Code::Unauthenticated)),
        Some(header) => match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => auth.identify(token.trim()).await,
            _ => Err(ApiError::new(Code::TokenInvalid)),
        },
    };
    Ok(Asking {
        address,
        request_id,
        identity,
    })
}

fn has_secret(query: &str) -> bool {
    !query.is_empty()
        && form_urlencoded::parse(query.as_bytes())
            .any(|(name, _)| SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_address_is_noticed_however_it_is_written() {
        for query in ["token=x", "a=1&Access_Token=x", "tick%65t=x"] {
            assert!(has_secret(query), "{query}");
        }
        assert!(!has_secret("page=1&search=token"));
    }
}
