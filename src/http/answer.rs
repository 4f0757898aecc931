//! How success looks: `{"success":true,"data":…}`, and lists with their pagination.

use actix_web::{http::StatusCode, web::Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::read::Paging;
use crate::db::page::{Listed, Slice};

/// A success with its data.
#[derive(Debug, Serialize, ToSchema)]
pub struct Success<T> {
    /// Always true.
    success: bool,
    data: T,
}

/// What a handler answers with 200.
pub type Answer<T> = Json<Success<T>>;

/// What a handler answers with 201.
pub type Created<T> = (Answer<T>, StatusCode);

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pagination {
    /// From 1.
    pub page: i64,
    /// Rows on a page, at most 100.
    pub limit: i64,
    /// Rows on all pages.
    pub total: i64,
    pub total_pages: i64,
}

/// A failure, for the API document; [`super::error::ApiError`] writes it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failure {
    /// Always false.
    success: bool,
    error: FailureBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureBody {
    /// For programs.
    #[schema(example = "VALIDATION_FAILED")]
    code: String,
    /// For people, Korean or as `Accept-Language` prefers.
    message: String,
    /// The fields that are wrong.
    #[schema(nullable = false)]
    details: Option<Vec<FailureDetail>>,
}

/// What is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureDetail {
    #[schema(example = "plate_number")]
    field: String,
    #[schema(example = "INVALID_FORMAT")]
    code: String,
    message: String,
}

impl<T: Serialize> Success<T> {
    /// 200 with `data`.
    pub const fn ok(data: T) -> Answer<T> {
        Json(Self { success: true, data })
    }

    /// 201 with `data`.
    pub const fn created(data: T) -> Created<T> {
        (Self::ok(data), StatusCode::CREATED)
    }
}

impl<T> Page<T> {
    /// The page `paging` of a list, each row shown by `show`.
    pub fn of<R>(paging: Paging, listed: Listed<R>, show: impl FnMut(R) -> T) -> Self {
        Self {
            items: listed.items.into_iter().map(show).collect(),
            pagination: Pagination {
                page: paging.page,
                limit: paging.limit,
                total: listed.total,
                total_pages: (listed.total + paging.limit - 1) / paging.limit,
            },
        }
    }
}

impl From<Paging> for Slice {
    fn from(paging: Paging) -> Self {
        Self {
            offset: paging.offset(),
            limit: paging.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_may_be_short() {
        let paging = Paging { page: 8, limit: 20 };
        let listed = Listed {
            items: vec![1; 10],
            total: 150,
        };
        let page = Page::of(paging, listed, |row| row);
        assert_eq!(page.pagination.total_pages, 8);
        let empty = Page::of(
            paging,
            Listed {
                items: vec![],
                total: 0,
            },
            |row: i32| row,
        );
        assert_eq!(empty.pagination.total_pages, 0);
    }
}
