//! Reads flags and variables, and collects everything that is wrong with the variables.
//!
//! clap's own support for variables only writes `--help`. It would parse a variable that a flag overrides, take an empty
//! variable for a value, quote secrets in errors, and stop at the first error.

use std::{
    error::Error as _,
    ffi::{OsStr, OsString},
    num::ParseIntError,
};

use clap::{
    ArgMatches,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use super::{ReadError, command, secret_file};

/// The prefix of all settings except the addresses of the database.
const PREFIX: &str = "SNAPNOTE_";
/// Variables of this repository's tests. They are not settings, and a shell that exports them can still start the program.
const TESTS_PREFIX: &str = "SNAPNOTE_TESTS_";
/// The variable that scripts use for the path of the program. It is not a setting either.
const PROGRAM: &str = "SNAPNOTE_BIN";
/// How similar two names must be to suggest one for the other (0–1).
const SIMILAR: f64 = 0.8;
/// Maximum length of a value that an error quotes.
const MAX_QUOTED: usize = 80;

/// The environment of the process. An empty variable counts as not set.
pub(super) struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    /// The variables of this process.
    pub(super) fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The names that are UTF-8. No other name can be that of a setting.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(name, _)| name.to_str())
    }
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(variables: T) -> Self {
        let is_set = |(_, value): &(OsString, OsString)| !value.to_string_lossy().trim().is_empty();
        Variables(variables.into_iter().filter(is_set).collect())
    }
}

/// The settings as clap returns them. A flag takes precedence over its variable, whatever the variable's value.
pub(super) fn read(arguments: &[OsString], variables: &Variables) -> Result<ArgMatches, ReadError> {
    let flags = parse(arguments)?;
    let settings = command();
    let (mut given, mut problems) = (Vec::new(), unknown_names(variables));
    for setting in settings.get_arguments() {
        let id = setting.get_id().as_str();
        let is_flag = flags.value_source(id) == Some(ValueSource::CommandLine);
        let name = setting.get_env().and_then(OsStr::to_str);
        let (false, Some(name), Some(flag)) = (is_flag, name, setting.get_long()) else {
            continue;
        };
        let is_secret = setting.is_hide_env_values_set();
        let value = match secret_file::value_of(name, is_secret, variables) {
            Ok(Some(value)) => value,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let mut argument = OsString::from(format!("--{flag}="));
        argument.push(&value);
        match without_variables().try_get_matches_from([OsStr::new("snapnote"), &argument]) {
            Ok(_) => given.push(argument),
            Err(error) if is_secret => {
                problems.push(format!("{name} is not valid: {}.", reason(&error)));
            }
            Err(error) => problems.push(invalid(name, &value, &error)),
        }
    }
    if !problems.is_empty() {
        return Err(ReadError::Settings(problems));
    }
    let (program, rest) = arguments.split_at(arguments.len().min(1));
    parse(&[program, &given, rest].concat())
}

fn parse(arguments: &[OsString]) -> Result<ArgMatches, ReadError> {
    without_variables()
        .try_get_matches_from(arguments)
        .map_err(|error| match error.kind() {
            // The help with the names of the variables.
            ErrorKind::DisplayHelp => {
                let help = command().try_get_matches_from(arguments).err();
                ReadError::Usage(help.unwrap_or(error))
            }
            _ => ReadError::Usage(error),
        })
}

fn without_variables() -> clap::Command {
    command().mut_args(|setting| setting.env(Resettable::Reset))
}

fn invalid(name: &str, value: &OsStr, error: &clap::Error) -> String {
    let (value, reason) = (value.to_string_lossy(), reason(error));
    // Addresses can contain passwords, even in a variable that is not meant for one.
    if value.contains('@') || value.len() > MAX_QUOTED {
        return format!("{name} is not valid: {reason}.");
    }
    format!("{name} is {value:?}: {reason}.")
}

/// What a value should have been. Does not quote the value.
fn reason(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue)
        && !valid.is_empty()
    {
        return format!("expected {}", valid.join(" or "));
    }
    let Some(source) = error.source() else {
        return "the value is not valid".to_owned();
    };
    if source.is::<ParseIntError>() {
        return "expected a whole number".to_owned();
    }
    let message = source.to_string();
    // clap's message for a number: "0 is not in 1..=36500".
    let range = message.split_once(" is not in ");
    match range.and_then(|(_, range)| range.split_once("..=")) {
        Some((least, most)) => format!("expected a whole number from {least} to {most}"),
        None => message.trim_end_matches('.').to_owned(),
    }
}

/// One message for each variable that looks like a setting but is none.
fn unknown_names(variables: &Variables) -> Vec<String> {
    let settings = command();
    let files: Vec<String> = settings
        .get_arguments()
        .filter(|setting| setting.is_hide_env_values_set())
        .filter_map(|setting| Some(secret_file::name_of(setting.get_env()?.to_str()?)))
        .collect();
    let known: Vec<&str> = settings
        .get_arguments()
        .filter_map(|setting| setting.get_env()?.to_str())
        .chain(files.iter().map(String::as_str))
        .chain([PROGRAM])
        .collect();
    let is_unknown = |name: &&str| {
        let upper = name.to_ascii_uppercase();
        upper.starts_with(PREFIX) && !upper.starts_with(TESTS_PREFIX) && !known.contains(name)
    };
    let unknown = variables.names().filter(is_unknown);
    let unknown = unknown.filter(|name| !is_service_link(name, variables.get(name)));
    let message = |name: &str| match most_similar(name, &known) {
        Some(other) => format!("{name} is not a setting. Did you mean {other}?"),
        None => {
            format!("{name} is not a setting. Remove it; `snapnote --help` lists all settings.")
        }
    };
    unknown.map(message).collect()
}

/// Whether Kubernetes or Docker set this variable, because a service or a linked container is called `snapnote` or
/// `snapnote-…`. For example SNAPNOTE_SERVICE_HOST, and SNAPNOTE_PORT=tcp://10.0.0.11:8080.
fn is_service_link(name: &str, value: Option<&OsStr>) -> bool {
    if name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
    {
        return true;
    }
    let value = value.unwrap_or_default().to_string_lossy();
    let is_address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    if name.ends_with("_PORT") && is_address {
        return true;
    }
    let port = name.rsplit_once("_PORT_").map(|(_, port)| port);
    let (number, protocol) = port
        .and_then(|port| port.split_once('_'))
        .unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let parts = ["", "_PROTO", "_PORT", "_ADDR"];
    is_number
        && ["TCP", "UDP", "SCTP"].iter().any(|known| {
            let part = protocol.strip_prefix(known);
            part.is_some_and(|part| parts.contains(&part))
        })
}

/// The name that was probably meant.
pub(super) fn most_similar<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let name = own(&name.to_ascii_uppercase());
    let rated = known
        .iter()
        .map(|other| (strsim::jaro_winkler(&name, &own(other)), *other));
    let best = rated.max_by(|(one, _), (two, _)| one.total_cmp(two));
    best.filter(|(score, _)| *score >= SIMILAR)
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect()
    }

    /// The messages, in the order of their names.
    fn problems(flags: &[&str], pairs: &[(&str, &str)]) -> Vec<String> {
        let arguments: Vec<OsString> = [&["snapnote"], flags]
            .concat()
            .into_iter()
            .map(OsString::from)
            .collect();
        match read(&arguments, &variables(pairs)) {
            Ok(_) => Vec::new(),
            Err(ReadError::Settings(mut problems)) => {
                problems.sort();
                problems
            }
            Err(ReadError::Usage(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn unknown_variables_are_rejected_with_a_suggestion() {
        for (name, meant) in [
            ("SNAPNOTE_POOL_MXA", "SNAPNOTE_POOL_MAX"),
            ("SNAPNOTE_LISTN", "SNAPNOTE_LISTEN"),
            ("SNAPNOTE_CORS_ORIGIN", "SNAPNOTE_CORS_ORIGINS"),
            ("SNAPNOTE_JWTSECRET", "SNAPNOTE_JWT_SECRET"),
            ("SNAPNOTE_DATABASE_URL", "DATABASE_URL"),
            ("SNAPNOTE_DATABASE_DIRECT_URL", "DATABASE_DIRECT_URL"),
            ("snapnote_listen", "SNAPNOTE_LISTEN"),
        ] {
            let expected = format!("{name} is not a setting. Did you mean {meant}?");
            assert_eq!(problems(&[], &[(name, "hush")]), [expected]);
        }
        let message = &problems(&[], &[("SNAPNOTE_XYZZY", "hush")])[0];
        assert!(message.contains("snapnote --help"), "{message}");
        assert!(problems(&[], &[("SNAPNOTE_XYZZY", ""), ("SNAPNOTES", "1")]).is_empty());
    }

    #[test]
    fn variables_of_orchestrators_and_tests_are_ignored() {
        let links = [
            ("SNAPNOTE_SERVICE_HOST", "10.0.0.11"),
            ("SNAPNOTE_SERVICE_PORT", "8080"),
            ("SNAPNOTE_SERVICE_PORT_HTTP", "8080"),
            ("SNAPNOTE_API_SERVICE_HOST", "10.0.0.11"),
            ("SNAPNOTE_PORT", "tcp://10.0.0.11:8080"),
            ("SNAPNOTE_PORT_8080_TCP", "tcp://10.0.0.11:8080"),
            ("SNAPNOTE_PORT_8080_TCP_PROTO", "tcp"),
            ("SNAPNOTE_PORT_8080_TCP_PORT", "8080"),
            ("SNAPNOTE_API_PORT_53_UDP_ADDR", "10.0.0.11"),
            ("SNAPNOTE_TESTS_PYTHON", "python3"),
        ];
        assert_eq!(problems(&[], &links), [""; 0]);
        for (name, value) in [
            ("SNAPNOTE_PORT", "8080"),
            ("SNAPNOTE_PORT_HTTP", "8080"),
            ("SNAPNOTE_PORT_8080_TCP_NAME", "a"),
        ] {
            assert_eq!(problems(&[], &[(name, value)]).len(), 1, "{name}");
        }
    }

    #[test]
    fn every_invalid_variable_is_reported_at_once() {
        let found = problems(
            &[],
            &[
                ("SNAPNOTE_CHANGES_DAYS", "0"),
                ("SNAPNOTE_GRAPHIQL", "perhaps"),
                ("SNAPNOTE_LISTEN", "postgres://ada:hush@db/notes"),
                ("SNAPNOTE_POOL_MAX", "many"),
                ("SNAPNOTE_POOL_WAIT", "5"),
                ("SNAPNOTE_PUBLIC_URL", "https://ada:hush@api.example.com"),
                ("SNAPNOTE_TRASH_DAYS", "-1"),
                ("SNAPNOTE_UNKNOWN", "hush"),
            ],
        );
        let starts = [
            "SNAPNOTE_CHANGES_DAYS is \"0\": expected a whole number from 1 to 36500.",
            "SNAPNOTE_GRAPHIQL is \"perhaps\": expected true or false.",
            "SNAPNOTE_LISTEN is not valid: ",
            "SNAPNOTE_POOL_MAX is \"many\": expected a whole number",
            "SNAPNOTE_POOL_WAIT is \"5\": expected a duration",
            "SNAPNOTE_PUBLIC_URL is not valid: expected a URL",
            "SNAPNOTE_TRASH_DAYS is \"-1\": expected a whole number",
            "SNAPNOTE_UNKNOWN is not a setting",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (message, start) in found.iter().zip(starts) {
            assert!(message.starts_with(start), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn a_flag_overrides_an_invalid_variable() {
        let bad = [("SNAPNOTE_POOL_MAX", "many"), ("SNAPNOTE_LOG", "inof")];
        for flags in [
            ["--pool-max", "7", "--log", "warn", "serve"],
            ["serve", "--pool-max", "7", "--log", "warn"],
            ["--log=warn", "migrate", "status", "--pool-max", "7"],
        ] {
            assert_eq!(problems(&flags, &bad), [""; 0], "{flags:?}");
        }
        assert_eq!(problems(&["serve"], &bad).len(), 2);
    }
}
