//! What a site chooses for one indicator, as `--set KEY=VALUE` and `[station.options]` write it.

use weighbridge_protocol::{
    indicators::{Decoder, OptionError, Options, Protocol},
    scale::{CaptureOverrides, CaptureSettings},
};

use super::nearest;
use crate::port::PortAddress;

/// The keys about capturing, for whoever mistypes one.
const CAPTURE_KEYS: [&str; 11] = [
    "min_weight_kg",
    "rearm_below_kg",
    "leave_ms",
    "dwell_ms",
    "tolerance_kg",
    "require_stable_flag",
    "gap_same_ms",
    "max_weight_kg",
    "zero_band_kg",
    "zero_drift_after_ms",
    "never_zero_after_ms",
];

/// Choices about decoding and about capturing, which share one namespace.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    pub options: Options,
    capture: CaptureOverrides,
    transport: Option<Transport>,
}

/// What carries Modbus over a TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// Modbus TCP.
    Tcp,
    /// RTU in raw bytes, through a serial server.
    Rtu,
}

/// The port that is Modbus TCP's own; others carry it only where the site says so.
const MODBUS_PORT: u16 = 502;

impl Choices {
    /// Sets one key from its text.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        if self.capture.set(key, value).map_err(|error| error.to_string())? {
            return Ok(());
        }
        if key == "transport" {
            self.transport = Some(match value {
                "tcp" => Transport::Tcp,
                "rtu" => Transport::Rtu,
                _ => return Err(format!("transport is {value:?}, expected tcp (Modbus TCP) or rtu")),
            });
            return Ok(());
        }
        self.options.set(key, value).map_err(|error| match error {
            OptionError::Unknown(key) => {
                let known = [CAPTURE_KEYS.as_slice(), &Options::KEYS, &["transport"]].concat();
                format!("unknown key {key:?}, expected {}", nearest(&key, &known))
            }
            other => other.to_string(),
        })
    }

    /// Reads `KEY=VALUE`, as `--set` writes it.
    ///
    /// # Errors
    /// As [`Choices::set`].
    pub fn parse(settings: &[String]) -> Result<Self, String> {
        let mut choices = Self::default();
        for setting in settings {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("{setting:?} is no setting, expected KEY=VALUE"))?;
            choices.set(key.trim(), value.trim())?;
        }
        Ok(choices)
    }

    /// Settings that one can weigh with.
    ///
    /// # Errors
    /// Which value cannot be.
    pub fn capture_settings(&self) -> Result<CaptureSettings, String> {
        let settings = CaptureSettings::default().overridden_by(&self.capture);
        settings.checked().map_err(|error| error.to_string())
    }

    /// The port with what it carries: Modbus TCP on its own port, or where `transport` says so.
    ///
    /// # Errors
    /// Where `transport` does not fit protocol or port.
    pub fn carried_by(&self, port: PortAddress, protocol: &Protocol) -> Result<PortAddress, String> {
        match (self.transport, port) {
            (Some(_), _) if !protocol.is_modbus() => Err(format!(
                "transport is for Modbus protocols, expected none for {}",
                protocol.id()
            )),
            (Some(Transport::Tcp), PortAddress::Tcp(at) | PortAddress::ModbusTcp(at)) => Ok(PortAddress::ModbusTcp(at)),
            (Some(Transport::Tcp), port) => Err(format!(
                "transport is \"tcp\" at {port}, expected a port tcp://host:502"
            )),
            (None, PortAddress::Tcp(at)) if protocol.is_modbus() && at.port == MODBUS_PORT => {
                Ok(PortAddress::ModbusTcp(at))
            }
            (_, port) => Ok(port),
        }
    }

    /// Whether something is chosen that only a port has.
    pub const fn names_a_transport(&self) -> bool {
        self.transport.is_some()
    }

    /// A decoder of `protocol` with these choices.
    ///
    /// # Errors
    /// Which option the protocol does not have.
    pub fn decoder(&self, protocol: &Protocol) -> Result<Decoder, String> {
        Decoder::new(protocol, &self.options).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_about_capturing_is_known_to_the_capture_logic() {
        for key in CAPTURE_KEYS {
            let value = if key == "require_stable_flag" { "true" } else { "400" };
            assert_eq!(CaptureOverrides::default().set(key, value), Ok(true), "{key}");
        }
    }

    #[test]
    fn modbus_goes_over_tcp_on_its_own_port_or_where_the_site_says_so() {
        let carried = |id: &str, port: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
            let protocol = Protocol::named(id).unwrap();
            Choices::parse(&settings)
                .unwrap()
                .carried_by(port.parse().unwrap(), protocol)
        };
        let is_tcp = |port: Result<PortAddress, String>| matches!(port, Ok(PortAddress::ModbusTcp(_)));
        assert!(is_tcp(carried("modbus_laumas", "tcp://10.0.0.9:502", &[])));
        assert!(is_tcp(carried(
            "modbus_laumas",
            "tcp://10.0.0.9:4001",
            &["transport=tcp"]
        )));
        assert!(!is_tcp(carried("modbus_laumas", "tcp://10.0.0.9:4001", &[])));
        assert!(!is_tcp(carried(
            "modbus_laumas",
            "tcp://10.0.0.9:502",
            &["transport=rtu"]
        )));
        assert!(!is_tcp(carried("cas22", "tcp://10.0.0.9:502", &[])));
        let refusal = carried("cas22", "tcp://10.0.0.9:502", &["transport=tcp"]).unwrap_err();
        assert_eq!(refusal, "transport is for Modbus protocols, expected none for cas22");
        let refusal = carried("modbus_laumas", "serial:///dev/ttyS0", &["transport=tcp"]).unwrap_err();
        assert!(refusal.ends_with("expected a port tcp://host:502"), "{refusal}");
    }

    #[test]
    fn both_kinds_of_keys_are_taken_and_others_are_refused() {
        let given = ["terminator=CR", "dwell_ms = 100"].map(str::to_owned);
        let choices = Choices::parse(&given).unwrap();
        assert_eq!(choices.capture_settings().unwrap().dwell_ms, 100);
        let refused = |setting: &str| Choices::parse(&[setting.to_owned()]).unwrap_err();
        assert_eq!(
            refused("dwel_ms=1"),
            "unknown key \"dwel_ms\", expected \"dwell_ms\", which is nearest"
        );
        assert_eq!(refused("dwell_ms"), "\"dwell_ms\" is no setting, expected KEY=VALUE");
    }
}
