//! What is answered where no handler is: 404, or 405 with the methods that there are.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    dev::ResourceDef,
    http::header::{ALLOW, HeaderValue},
    web::Data,
};
use utoipa::openapi::{OpenApi, PathItem};

use super::{code::Code, error::ApiError};

/// The routes there are, from the API document.
#[derive(Debug)]
pub struct Known(Vec<Route>);

#[derive(Debug)]
struct Route {
    path: ResourceDef,
    /// As the header `Allow` has them.
    methods: String,
}

impl Known {
    /// All routes of `document`.
    pub fn of(document: &OpenApi) -> Self {
        let mut methods = BTreeMap::<&str, Vec<&str>>::new();
        for (path, item) in &document.paths.paths {
            methods.entry(path).or_default().extend(methods_of(item));
        }
        Self(
            methods
                .into_iter()
                .map(|(path, methods)| Route {
                    path: ResourceDef::new(path),
                    methods: methods.join(", "),
                })
                .collect(),
        )
    }

    /// The methods that `path` takes, where it is known.
    fn methods(&self, path: &str) -> Option<&str> {
        let known = self.0.iter().find(|route| route.path.is_match(path));
        known.map(|route| route.methods.as_str())
    }
}

/// The handler of everything that no other handles.
pub async fn answer(request: HttpRequest, known: Data<Known>) -> HttpResponse {
    let Some(methods) = known.methods(request.path()) else {
        return HttpResponse::from_error(ApiError::new(Code::NotFound));
    };
    let error = ApiError::new(Code::MethodNotAllowed);
    let mut response = HttpResponse::from_error(error);
    if let Ok(methods) = HeaderValue::from_str(methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

fn methods_of(item: &PathItem) -> impl Iterator<Item = &'static str> {
    [
        ("GET", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("DELETE", item.delete.is_some()),
    ]
    .into_iter()
    .filter_map(|(method, there)| there.then_some(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_path_tells_its_methods() {
        let known = Known::of(&crate::http::document());
        assert_eq!(known.methods("/api/v1/auth/login"), Some("POST"));
        assert_eq!(known.methods("/api/v1/auth/sessions/7"), Some("DELETE"));
        assert_eq!(known.methods("/api/v1/auth/sessions/7/x"), None);
        assert_eq!(known.methods("/.git"), None);
    }
}
