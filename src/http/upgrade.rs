//! From HTTP to a socket that stays open.
//!
//! actix-http hands every request with `Upgrade: websocket` over with its raw socket. The App decides on it, with all its
//! middleware; when it answers 101, the socket either moves to the live arbiter and leaves actix-http's buffers behind, or
//! is carried here for an actor that speaks by a response body, as those of actix-web-actors do.

use std::{future::poll_fn, io, pin::Pin, rc::Rc, time::Duration};

use actix_codec::Framed;
use actix_http::{BoxedPayloadStream, ConnectionType, Payload, Request, error::PayloadError, h1};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::ServiceResponse,
    http::{Method, StatusCode},
};
use bytes::Bytes;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tracing::debug;

use crate::actors::session::{Admitted, Arrival, Sessions};

mod carry;

/// What a client may take to read why it was refused.
const LONGEST_REFUSAL: Duration = Duration::from_secs(10);

/// What `HttpServiceBuilder::upgrade` takes. `app` is the same App that serves everything else.
pub fn service<F, B>(
    app: F,
    sessions: Sessions,
) -> impl ServiceFactory<(Request, Framed<TcpStream, h1::Codec>), Config = (), Response = (), Error = Error, InitError = ()>
where
    F: ServiceFactory<Request, Config = (), Response = ServiceResponse<B>, Error = Error, InitError = ()> + 'static,
    B: MessageBody + 'static,
{
    fn_factory(move || {
        let (app, sessions) = (app.new_service(()), sessions.clone());
        async move {
            let app = Rc::new(app.await?);
            Ok(fn_service(move |(request, framed)| {
                let (app, sessions) = (Rc::clone(&app), sessions.clone());
                async move { hand_over(&*app, request, framed, &sessions).await }
            }))
        }
    })
}

/// Answers one request by the App, and serves the socket that it opened.
async fn hand_over<S, B>(
    app: &S,
    request: Request,
    framed: Framed<TcpStream, h1::Codec>,
    sessions: &Sessions,
) -> Result<(), Error>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let (inbound, payload) = payload_of(&request);
    let (admitted, response) = match app.call(request.replace_payload(payload).0).await {
        Ok(answered) => {
            let (asked, response) = answered.into_parts();
            let admitted = asked.extensions_mut().remove::<Admitted>();
            (admitted, response.map_into_boxed_body())
        }
        Err(error) => (None, error.error_response()),
    };
    let (mut head, body) = actix_http::Response::from(response).into_parts();
    if head.status() != StatusCode::SWITCHING_PROTOCOLS {
        head.head_mut().set_connection_type(ConnectionType::Close);
        if timeout(LONGEST_REFUSAL, refuse(framed, head, body)).await.is_err() {
            debug!("a client did not read why its upgrade was refused");
        }
        return Ok(());
    }
    let framed = h1::SendResponse::new(framed, head.set_body(Bytes::new())).await?;
    let parts = framed.into_parts();
    parts.io.set_nodelay(true)?;
    if let Some(admitted) = admitted {
        // Leaves this worker's epoll; the live arbiter's takes it.
        let socket = parts.io.into_std()?;
        let already_read = parts.read_buf.to_vec();
        sessions.open(Arrival {
            socket,
            already_read,
            admitted,
        });
    } else {
        carry::carry(parts.io, parts.read_buf.freeze(), inbound, body).await?;
    }
    Ok(())
}

type Inbound = mpsc::Sender<Result<Bytes, PayloadError>>;

/// The payload that the App sees: what the client will say once the socket is open. Only a GET can open one, and another
/// request must not wait for a body that nobody reads from the socket.
fn payload_of(request: &Request) -> (Inbound, Payload) {
    let (inbound, payload) = mpsc::channel(1);
    if request.method() != Method::GET {
        return (inbound, Payload::None);
    }
    let stream: BoxedPayloadStream = Box::pin(ReceiverStream::new(payload));
    (inbound, Payload::Stream { payload: stream })
}

/// Sends a response that opens nothing. Its body streams, for it may be as long as any.
async fn refuse(
    mut framed: Framed<TcpStream, h1::Codec>,
    head: actix_http::Response<()>,
    mut body: BoxBody,
) -> Result<(), Error> {
    write(&mut framed, h1::Message::Item((head, body.size()))).await?;
    while let Some(chunk) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
        write(&mut framed, h1::Message::Chunk(Some(chunk?))).await?;
    }
    write(&mut framed, h1::Message::Chunk(None)).await?;
    carry::hang_up(framed.into_parts().io).await?;
    Ok(())
}

type ResponsePart = h1::Message<(actix_http::Response<()>, actix_web::body::BodySize)>;

async fn write(framed: &mut Framed<TcpStream, h1::Codec>, part: ResponsePart) -> io::Result<()> {
    Pin::new(&mut *framed).write(part)?;
    poll_fn(|context| Pin::new(&mut *framed).flush::<ResponsePart>(context)).await
}
