//! What a failure means for whoever started the measurement.

use std::io;

use weighbridge_sim::SimError;

/// Something that was sent did not arrive: a figure would be a lie.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Incomplete(pub String);

/// 1 where something was lost or came too late, 64 wrong usage, 74 input or output, 70 all else.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Incomplete>() {
            return 1;
        }
        if let Some(error) = cause.downcast_ref::<SimError>() {
            return error.exit_code();
        }
        if cause.is::<io::Error>() || cause.is::<tokio_postgres::Error>() {
            return 74;
        }
    }
    70
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_cause_decides_whatever_was_said_about_it() {
        let lost: anyhow::Result<()> = Err(Incomplete("1 of 2 weighings is missing".to_owned()).into());
        assert_eq!(exit_code(&lost.context("with one edge").unwrap_err()), 1);
        let missing = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context("cannot read x");
        assert_eq!(exit_code(&missing.unwrap_err()), 74);
        let usage = Err::<(), _>(SimError::Usage("no such thing".to_owned())).context("at the start");
        assert_eq!(exit_code(&usage.unwrap_err()), 64);
        assert_eq!(exit_code(&anyhow::anyhow!("a surprise")), 70);
    }
}
