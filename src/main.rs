//! `weighbridge`: the command line.

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use secrecy::SecretString;
use weighbridge::{
    config::{self, Settings},
    domain::role::Role,
    startup::{self, NewAccount, NewEdge, Server, StartupError},
    telemetry,
};

const ABOUT: &str = "Runs truck weighbridges: queue, weighings, slips, live dashboards";
const LONG_ABOUT: &str = "\
Runs truck weighbridges: queue, weighings, slips, live dashboards.

Without a database.url in its settings it runs a private PostgreSQL under its data_dir, so `weighbridge serve` needs no
preparation. Settings come from the defaults (config/default.toml, built in), a file by --config, and environment
variables such as WEIGHBRIDGE__SERVER__LISTEN=127.0.0.1:8080; `weighbridge config` shows them all.

Exit codes: 0 clean, 1 a check found something, 64 wrong usage or configuration, 70 internal, 74 input or output.";

#[derive(Parser)]
#[command(name = "weighbridge", about = ABOUT, long_about = LONG_ABOUT, disable_version_flag = true, arg_required_else_help = true)]
struct Cli {
    /// Print the version.
    #[arg(long)]
    version: bool,
    /// With --version: as JSON, with git hash and build.
    #[arg(long, requires = "version")]
    json: bool,
    /// A TOML file with the settings that differ from the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C. Prints one line `READY pid=… addr=…` when it does.
    Serve,
    /// Bring the database to this version's schema.
    Migrate,
    /// Check the invariants of the whole database, also while a server runs; exit code 1 names what breaks one.
    Verify,
    /// Manage accounts without the server.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Manage the gateways on site without the server.
    #[command(subcommand)]
    Edge(EdgeCommand),
    /// Print the settings in force with their source, secrets masked.
    Config,
    /// Print the API document (OpenAPI, JSON).
    Openapi,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Make an account; its password is read from standard input.
    Create {
        /// 2 to 50 letters, digits or . _ - @
        #[arg(long)]
        login: String,
        /// ADMIN or STAFF
        #[arg(long, default_value = "ADMIN")]
        role: Role,
    },
}

#[derive(Subcommand)]
enum EdgeCommand {
    /// Set up a gateway and print its API key, which is not shown again. A server that runs knows it at once.
    Create {
        #[arg(long)]
        name: String,
        /// The ids of the stations that it reads.
        #[arg(long, value_delimiter = ',', value_name = "ID,…")]
        stations: Vec<i64>,
        /// The site's id, where there are several.
        #[arg(long)]
        site: Option<i64>,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) => {
            let code = if wrong.use_stderr() { 64 } else { 0 };
            return match wrong.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(74),
            };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weighbridge: {}", Chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<(), StartupError> {
    if cli.version {
        return print(&version(cli.json));
    }
    let file = cli.config.as_deref();
    match cli.command {
        Some(Command::Serve) => serve(&settings(file)?),
        Some(Command::Migrate) => migrate(&settings(file)?),
        Some(Command::Verify) => verify(&settings(file)?),
        Some(Command::Admin(AdminCommand::Create { login, role })) => create_account(&settings(file)?, login, role),
        Some(Command::Edge(EdgeCommand::Create { name, stations, site })) => {
            let key = startup::add_edge(&settings(file)?, NewEdge { name, stations, site })?;
            // Unread it is lost, so a reader that has gone away is a failure here.
            Ok(writeln!(io::stdout(), "{key}")?)
        }
        Some(Command::Config) => {
            let settings = config::effective(file, std::env::vars())?;
            settings.iter().try_for_each(print)
        }
        Some(Command::Openapi) => {
            let document = weighbridge::http::document()
                .to_pretty_json()
                .map_err(io::Error::other)?;
            print(&document)
        }
        None => Ok(()),
    }
}

/// Reads the settings, and from then on logs as they say.
fn settings(file: Option<&Path>) -> Result<Settings, StartupError> {
    let settings = config::load(file, std::env::vars())?;
    telemetry::start_logging(&settings.telemetry)?;
    Ok(settings)
}

fn serve(settings: &Settings) -> Result<(), StartupError> {
    raise_open_files();
    actix_rt::System::new().block_on(async {
        let server = Server::build(settings).await?;
        print(&format!("READY pid={} addr={}", process::id(), server.address()))?;
        server.run_until_stopped().await
    })
}

fn migrate(settings: &Settings) -> Result<(), StartupError> {
    let done = startup::migrate_now(settings)?;
    match done.applied[..] {
        [] => print(&"the schema is up to date"),
        _ => print(&format!("applied {}", done.applied.join(", "))),
    }
}

/// Names every promise about the data and what breaks it.
fn verify(settings: &Settings) -> Result<(), StartupError> {
    let checked = startup::verify(settings)?;
    for promise in &checked {
        match promise.broken_by.as_slice() {
            [] => print(&format!("ok      {}", promise.promise))?,
            examples => print(&format!("BROKEN  {}: {}", promise.promise, examples.join(", ")))?,
        }
    }
    let broken = checked.iter().filter(|promise| !promise.broken_by.is_empty()).count();
    if broken > 0 {
        Err(StartupError::Broken(broken))
    } else {
        Ok(())
    }
}

fn create_account(settings: &Settings, login: String, role: Role) -> Result<(), StartupError> {
    let mut password = String::new();
    io::stdin().read_line(&mut password)?;
    let account = NewAccount {
        login,
        password: SecretString::from(password.trim_end_matches(['\n', '\r'])),
        role,
    };
    let cost = settings.auth.bcrypt_cost;
    let id = actix_rt::System::new().block_on(startup::with_database(settings, async |runner| {
        startup::add_account(runner, account, cost).await
    }))?;
    print(&format!("made user {id}"))
}

/// Writes a line to stdout. A reader that has gone away is no failure.
fn print(line: &impl fmt::Display) -> Result<(), StartupError> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Thousands of sockets need as many descriptors; a system that does not grant more is told in the log.
fn raise_open_files() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}

fn version(json: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if !json {
        return format!("weighbridge {version}");
    }
    serde_json::json!({
        "name": "weighbridge",
        "version": version,
        "git": env!("GIT_HASH"),
        "build": env!("BUILD_PROFILE"),
    })
    .to_string()
}

/// An error with all its causes, on one line each; a cause that the lines before have named already is left out.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let why = error.to_string();
            if !said.contains(&why) {
                said = format!("{said}\n  because {why}");
            }
            cause = error.source();
        }
        f.write_str(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Told {
        says: &'static str,
        #[source]
        why: Option<Box<Self>>,
    }

    fn told(says: &'static str, why: Option<Told>) -> Told {
        let why = why.map(Box::new);
        Told { says, why }
    }

    #[test]
    fn each_cause_is_said_once() {
        let short = told("it is shorter than 8 characters", None);
        let password = told(
            "the password cannot be used: it is shorter than 8 characters",
            Some(short),
        );
        let user = told("no user was made", Some(password));
        assert_eq!(
            Chain(&user).to_string(),
            "no user was made\n  because the password cannot be used: it is shorter than 8 characters"
        );
    }
}
