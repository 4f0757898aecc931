//! Where each setting comes from: the defaults, a file, the environment, in that order; the last one wins.

use std::{fmt, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{ConfigError, Settings, checks};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "WEIGHBRIDGE__";
/// Settings whose value is never shown.
const SECRETS: [&str; 6] = [
    "database.url",
    "bootstrap.admin_password",
    "erp.client_secret",
    "erp.hash_key",
    "sms.secret",
    "mail.password",
];

/// One setting as it is in force.
#[derive(Debug, PartialEq, Eq)]
pub struct Effective {
    /// `section.key`
    pub key: String,
    /// As TOML would write it; secrets masked.
    pub value: String,
    /// `default`, the file's path, or the environment variable's name.
    pub source: String,
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}  # {}", self.key, self.value, self.source)
    }
}

/// Reads the settings from the defaults, `file` and the `environment`, which is usually `std::env::vars()`.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, ConfigError> {
    let settings = layered(file, environment)?
        .extract::<Settings>()
        .map_err(|error| invalid(&error))?;
    checks::check(&settings)?;
    Ok(settings)
}

/// Every setting in force with its source, by name.
pub fn effective(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Effective>, ConfigError> {
    let layered = layered(file, environment)?;
    let mut settings = Vec::new();
    for (key, _) in leaves(&defaults()?) {
        let value = layered.find_value(&key).map_err(|error| invalid(&error))?;
        let source = layered
            .find_metadata(&key)
            .map_or_else(|| "default".to_owned(), |metadata| metadata.name.to_string());
        let value = if SECRETS.contains(&key.as_str()) && value.as_str() != Some("") {
            "\"********\"".to_owned()
        } else {
            written(&value)
        };
        settings.push(Effective { key, value, source });
    }
    Ok(settings)
}

/// Values from one place.
struct Layer {
    name: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn layered(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Figment, ConfigError> {
    let defaults = defaults()?;
    let known = leaves(&defaults);
    let mut layers = Vec::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let name = path.display().to_string();
        let values = parsed(&text, &name)?;
        layers.push(Layer { name, values });
    }
    layers.extend(
        environment
            .into_iter()
            .filter_map(|(name, text)| variable(name, &text, &known)),
    );
    refuse_unknown(&layers, &known)?;
    let base = Figment::from(Layer {
        name: "default".to_owned(),
        values: defaults,
    });
    Ok(layers.into_iter().fold(base, Figment::merge))
}

fn defaults() -> Result<Dict, ConfigError> {
    parsed(DEFAULTS, "default")
}

fn parsed(text: &str, name: &str) -> Result<Dict, ConfigError> {
    let mut profiles = Toml::string(text)
        .data()
        .map_err(|error| ConfigError::Invalid(format!("{name} is no TOML: {error}")))?;
    Ok(profiles.remove(&Profile::Default).unwrap_or_default())
}

/// The layer of one environment variable; `None` where it is not ours.
fn variable(name: String, text: &str, known: &[(String, Value)]) -> Option<Layer> {
    let key = name.strip_prefix(PREFIX)?.to_lowercase().replace("__", ".");
    // A password of digits alone is still a text: the kind of the default decides, not the look of the value.
    let value = match known.iter().find(|(known, _)| *known == key) {
        Some((_, Value::Array(..))) if !text.trim_start().starts_with('[') => {
            let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
            Value::from(items)
        }
        Some((_, Value::String(..))) | None => Value::from(text),
        Some(_) => text.parse().unwrap_or_else(|_| Value::from(text)),
    };
    let values = key
        .rsplit('.')
        .fold(value, |inner, part| Value::from(Dict::from([(part.to_owned(), inner)])));
    let values = values.into_dict()?;
    Some(Layer { name, values })
}

/// Dotted names of all values that are no tables.
fn leaves(values: &Dict) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in values {
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => found.extend(
                leaves(inner)
                    .into_iter()
                    .map(|(rest, value)| (format!("{name}.{rest}"), value)),
            ),
            _ => found.push((name.clone(), value.clone())),
        }
    }
    found
}

fn refuse_unknown(layers: &[Layer], known: &[(String, Value)]) -> Result<(), ConfigError> {
    let mut complaints = Vec::new();
    for layer in layers {
        for (key, _) in leaves(&layer.values) {
            let section = format!("{key}.");
            if known
                .iter()
                .any(|(known, _)| *known == key || known.starts_with(&section))
            {
                continue;
            }
            let nearest = known
                .iter()
                .min_by_key(|(known, _)| strsim::damerau_levenshtein(known, &key));
            let hint = nearest.map_or_else(String::new, |(nearest, _)| format!("; did you mean {nearest}?"));
            complaints.push(format!("unknown setting {key} in {}{hint}", layer.name));
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    Err(ConfigError::UnknownKeys(complaints.join("\n")))
}

fn invalid(errors: &figment::Error) -> ConfigError {
    let complaints: Vec<String> = errors
        .clone()
        .into_iter()
        .map(|error| {
            let key = error.path.join(".");
            let source = error
                .metadata
                .as_ref()
                .map_or("default", |metadata| metadata.name.as_ref());
            if SECRETS.contains(&key.as_str()) {
                return format!("{key} in {source} is no text");
            }
            format!("{key} in {source}: {}", error.kind)
        })
        .collect();
    ConfigError::Invalid(complaints.join("\n"))
}

fn written(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Array(_, items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Bool(_, yes) => yes.to_string(),
        Value::Num(_, number) => number.to_i128().map_or_else(
            || number.to_f64().unwrap_or_default().to_string(),
            |whole| whole.to_string(),
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, time::Duration};

    use secrecy::ExposeSecret;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[track_caller]
    fn refused(text: &str, pairs: &[(&str, &str)]) -> String {
        load(Some(file(text).path()), variables(pairs)).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_complete_and_valid() {
        let settings = load(None, variables(&[("WEIGHBRIDGE__DATA_DIR", "/tmp/w")])).unwrap();
        assert_eq!(settings.auth.access_token, Duration::from_hours(1));
        assert!(settings.database.url.is_none());
        assert!(settings.erp.base_url.is_none());
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let file = file("[database]\npool = 7\nwait = \"5s\"\n");
        let settings = load(Some(file.path()), variables(&[("WEIGHBRIDGE__DATABASE__POOL", "9")])).unwrap();
        assert_eq!(settings.database.pool, 9);
        assert_eq!(settings.database.wait, Duration::from_secs(5));
        assert_eq!(settings.slip.restore_jump, 500);
    }

    #[test]
    fn an_unknown_setting_names_the_nearest_known_one_and_where_it_stands() {
        let message = refused("[database]\npol = 7\n", &[("WEIGHBRIDGE__SERVR__LISTEN", "x")]);
        assert!(message.contains("unknown setting database.pol in /"), "{message}");
        assert!(message.contains("did you mean database.pool?"), "{message}");
        assert!(
            message.contains("servr.listen in WEIGHBRIDGE__SERVR__LISTEN; did you mean server.listen?"),
            "{message}"
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_its_key_and_source() {
        let message = refused("", &[("WEIGHBRIDGE__AUTH__ACCESS_TOKEN", "soon")]);
        assert!(
            message.starts_with("auth.access_token in WEIGHBRIDGE__AUTH__ACCESS_TOKEN: "),
            "{message}"
        );
        let message = refused("server = 5", &[]);
        assert!(message.starts_with("server in /"), "{message}");
    }

    #[test]
    fn a_password_of_digits_stays_a_text() {
        let settings = load(
            None,
            variables(&[
                ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_LOGIN", "007"),
                ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_PASSWORD", "12345678"),
                ("WEIGHBRIDGE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.0/16"),
            ]),
        )
        .unwrap();
        assert_eq!(settings.bootstrap.admin_login.as_deref(), Some("007"));
        assert_eq!(settings.bootstrap.admin_password.unwrap().expose_secret(), "12345678");
        assert!(settings.server.trusts([10, 1, 2, 3].into()));
        assert!(!settings.server.trusts([11, 1, 2, 3].into()));
    }

    #[test]
    fn what_is_in_force_is_told_with_its_source_and_secrets_masked() {
        let url = "postgres://yard:hunter2@db/yard";
        let shown = effective(None, variables(&[("WEIGHBRIDGE__DATABASE__URL", url)])).unwrap();
        let url = shown.iter().find(|setting| setting.key == "database.url").unwrap();
        assert_eq!(
            url.to_string(),
            "database.url = \"********\"  # WEIGHBRIDGE__DATABASE__URL"
        );
        assert!(
            shown
                .iter()
                .any(|setting| setting.to_string() == "database.pool = 20  # default")
        );
        assert!(!format!("{shown:?}").contains("hunter2"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = load(Some(Path::new("/nowhere/w.toml")), []).unwrap_err().to_string();
        assert!(message.contains("/nowhere/w.toml"), "{message}");
    }
}
