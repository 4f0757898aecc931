//! One connection, encrypted where its URL says `sslmode=require`.
//!
//! The server's certificate is always verified then: against the file that `sslrootcert=` names, else against the
//! authorities that this machine trusts.

use std::{error::Error, io, sync::Arc};

use diesel::{
    ConnectionError, ConnectionResult,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_async::AsyncPgConnection;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::{
    NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connects, and does nothing else.
pub(super) async fn establish(url: &str) -> ConnectionResult<AsyncPgConnection> {
    let (url, authorities) = without_root_certificate(url);
    let config: tokio_postgres::Config = url
        .parse()
        .map_err(|error: tokio_postgres::Error| ConnectionError::InvalidConnectionUrl(error.to_string()))?;
    if config.get_ssl_mode() == SslMode::Require {
        let tls = client(authorities).map_err(|error| ConnectionError::InvalidConnectionUrl(error.to_string()))?;
        let (client, connection) = config
            .connect(MakeRustlsConnect::new(tls))
            .await
            .map_err(|error| refused(&error))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    } else {
        let (client, connection) = config.connect(NoTls).await.map_err(|error| refused(&error))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    }
}

/// Where a URL leads, for people: host, port and database, and no password.
pub(super) fn place(url: &str) -> String {
    let Ok(config) = without_root_certificate(url).0.parse::<tokio_postgres::Config>() else {
        return "a URL that cannot be read".to_owned();
    };
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{}:{port}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

/// The URL as the driver understands it, and the file that it does not.
fn without_root_certificate(url: &str) -> (String, Option<String>) {
    let Some((server, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let (mut kept, mut file) = (Vec::new(), None);
    for parameter in query.split('&') {
        match parameter.strip_prefix("sslrootcert=") {
            Some(path) => file = Some(path.replace("%2F", "/")),
            None => kept.push(parameter),
        }
    }
    let query = if kept.is_empty() {
        String::new()
    } else {
        format!("?{}", kept.join("&"))
    };
    (format!("{server}{query}"), file)
}

fn client(authorities: Option<String>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = authorities {
        let unreadable = |error| io::Error::other(format!("sslrootcert {path}: {error}"));
        for certificate in CertificateDer::pem_file_iter(&path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?).map_err(io::Error::other)?;
        }
    } else {
        // What of the machine's store cannot be read is left out, as others do.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Keeps apart what the server said from its not being reached, and says why it was not.
fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let (kind, message) = match (error.as_db_error(), error.source()) {
        (Some(said), _) => (DatabaseErrorKind::Unknown, said.message().to_owned()),
        (None, Some(cause)) => (DatabaseErrorKind::UnableToSendCommand, format!("{error}: {cause}")),
        (None, None) => (DatabaseErrorKind::UnableToSendCommand, error.to_string()),
    };
    ConnectionError::CouldntSetupConfiguration(DieselError::DatabaseError(kind, Box::new(message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_authorities_is_ours_to_read_and_the_rest_the_drivers() {
        let url = "postgres://db.example/weighbridge";
        assert_eq!(without_root_certificate(url), (url.to_owned(), None));
        assert_eq!(
            without_root_certificate("postgres://h/d?sslmode=require&sslrootcert=%2Fetc%2Frds.pem&connect_timeout=3"),
            (
                "postgres://h/d?sslmode=require&connect_timeout=3".to_owned(),
                Some("/etc/rds.pem".to_owned())
            )
        );
        assert_eq!(
            without_root_certificate("postgres://h/d?sslrootcert=/ca.pem").0,
            "postgres://h/d"
        );
    }
}
