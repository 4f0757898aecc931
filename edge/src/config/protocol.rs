//! The protocol that a station or a command names: the id of a shipped one, or a site's own file.

use std::{path::Path, sync::Arc};

use weighbridge_protocol::indicators::Protocol;

/// The protocol called `name`. What ends in `.toml` or has a slash in it is the path of a declaration; a relative one
/// counts from the folder `beside`.
///
/// # Errors
/// Which id is unknown, which file cannot be read, or what is wrong in it: file, line, key and what is expected.
pub fn protocol(name: &str, beside: &Path) -> Result<Arc<Protocol>, String> {
    if !is_file(name) {
        return Protocol::named(name)
            .map(|protocol| Arc::new(protocol.clone()))
            .map_err(|error| format!("{error}, and a file of your own is named with its ending .toml"));
    }
    let path = beside.join(name);
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    Protocol::from_toml(&shown, &text)
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

fn is_file(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|ending| ending == "toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_id_or_a_file_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let text = "id = \"acme\"\ntitle = \"Acme\"\nmaker = \"Acme\"\nsource = \"p. 1\"\nchecked = \"inferred\"\n\
                    line = \"9600 8N1\"\nterminator = \"CRLF\"\n[[frame]]\nlayout = \"weight:9 end\"\n";
        std::fs::write(folder.path().join("acme.toml"), text).unwrap();
        let id = |name: &str| protocol(name, folder.path()).map(|protocol| protocol.id().to_owned());
        assert_eq!(id("cas22").as_deref(), Ok("cas22"));
        assert_eq!(id("acme.toml").as_deref(), Ok("acme"));
        assert_eq!(id("./acme.toml").as_deref(), Ok("acme"));
        assert_eq!(
            id(&folder.path().join("acme.toml").display().to_string()).as_deref(),
            Ok("acme")
        );
        assert!(id("acme").unwrap_err().contains("is no known protocol"));
        assert!(id("other.toml").unwrap_err().contains("other.toml cannot be read"));

        std::fs::write(folder.path().join("acme.toml"), text.replace("9 end", "9 ende")).unwrap();
        let refusal = id("acme.toml").unwrap_err();
        assert!(refusal.contains("acme.toml:9: layout: ende is no field"), "{refusal}");
    }
}
