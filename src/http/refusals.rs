//! `/message-refusals`: who told the office that they want no slips from drivers.

use actix_web::{put, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Success},
    auth::Staff,
    error::ApiError,
    mobile::share::Recipient,
    read::Body,
};
use crate::{
    actors::repository::{Queries, Repository},
    db::message_refusal::SetRefusal,
    domain::phone_vault::PhoneVault,
};

/// Who refuses, or does not any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalForm {
    /// A telephone number or a mail address.
    #[schema(example = "010-1234-5678")]
    recipient: String,
    refused: bool,
}

/// What was noted.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalView {
    /// As far as it is shown again.
    #[schema(example = "010-****-5678")]
    recipient: String,
    refused: bool,
}

/// `PUT /api/v1/message-refusals` with `{"recipient":"010-1234-5678","refused":true}`: no driver can send a slip there any
/// more. Written to the audit log.
#[utoipa::path(
    tag = "drivers",
    responses((status = 200, body = Success<RefusalView>), (status = 400, body = Failure))
)]
#[put("/message-refusals")]
pub async fn set_refusal(
    Staff(caller): Staff,
    Body(form): Body<RefusalForm>,
    vault: Data<PhoneVault>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<RefusalView>, ApiError> {
    let recipient = Recipient::either(&form.recipient)?;
    let hidden = recipient.hidden();
    repository
        .run(SetRefusal {
            recipient_index: recipient.index(&vault),
            refused: form.refused,
            hidden: hidden.clone(),
            author: caller.author(),
        })
        .await?;
    Ok(Success::ok(RefusalView {
        recipient: hidden,
        refused: form.refused,
    }))
}
