//! The settings of the log.
//!
//! `EnvFilter` takes any word for the name of a module, so a misspelled level or name would silence everything. [`log_filter`]
//! rejects these.

use std::{ffi::OsStr, fs, io, path::PathBuf};

use clap::Args;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::telemetry::{LogFormat, LogSettings, json_message};

/// The variable of the filter.
const VARIABLE: &str = "SNAPNOTE_LOG";

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
const EXPECTED: &str =
    "use error, warn, info, debug, trace or off, or directives such as warn,snapnote=debug";
/// How similar a word must be to a known one to suggest it (0–1).
const SIMILAR: f64 = 0.75;

/// Logging.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// The level (error, warn, info, debug, trace, off), or directives such as warn,snapnote=debug.
    #[arg(long, env = "SNAPNOTE_LOG", default_value = "info", value_parser = log_filter)]
    pub log: String,
    /// The format of log lines, and of everything else that the service prints.
    #[arg(long, env = "SNAPNOTE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// A file with a level or directives, which overrides SNAPNOTE_LOG. It is read again on SIGHUP, so that the level can change
    /// while the service runs. If the file does not exist, SNAPNOTE_LOG applies.
    #[arg(long, env = "SNAPNOTE_LOG_FILTER_FILE")]
    pub log_filter_file: Option<PathBuf>,
    /// Whether SNAPNOTE_LOG is set in `.env` only. SIGHUP cannot change a flag or the environment.
    #[arg(skip)]
    pub(super) is_from_dotenv: bool,
}

impl LogConfig {
    /// The settings in the form that `telemetry` takes.
    ///
    /// # Errors
    /// A message that names the file, if it cannot be read or has no valid filter.
    pub fn settings(&self) -> Result<LogSettings, String> {
        Ok(LogSettings {
            filter: self.filter_of_file()?.unwrap_or_else(|| self.log.clone()),
            format: self.log_format,
        })
    }

    /// Notes whether the filter comes from `.env`. `given`: the variable before `.env` was read.
    pub(super) fn note_origin(&mut self, given: Option<&OsStr>) {
        let value = std::env::var(VARIABLE).ok();
        let value = value.and_then(|value| log_filter(&value).ok());
        self.is_from_dotenv =
            given.is_none_or(OsStr::is_empty) && value.as_ref() == Some(&self.log);
    }

    /// The filter in the file. `None` if there is no file.
    fn filter_of_file(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.log_filter_file else {
            return Ok(None);
        };
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(format!(
                    "The file {shown} in SNAPNOTE_LOG_FILTER_FILE cannot be read: {error}."
                ));
            }
        };
        let filter = log_filter(&text.replace('\n', ","));
        let problem =
            |why| format!("The file {shown} in SNAPNOTE_LOG_FILTER_FILE is not valid: {why}.");
        filter.map(Some).map_err(problem)
    }

    /// Reads the filter again: from the file, or else from `.env` if SNAPNOTE_LOG came from there.
    ///
    /// # Errors
    /// A message that says why there is no other filter.
    pub fn reread_filter(&self) -> Result<String, String> {
        if let Some(filter) = self.filter_of_file()? {
            return Ok(filter);
        }
        if self.log_filter_file.is_some() {
            return Ok(self.log.clone());
        }
        let of_file = dotenvy::dotenv_iter().map(|lines| {
            let of_log = lines.flatten().find(|(name, _)| name == VARIABLE);
            of_log.map(|(_, value)| value)
        });
        match of_file {
            Ok(Some(value)) if self.is_from_dotenv => log_filter(&value)
                .map_err(|why| format!("SNAPNOTE_LOG in .env is not valid: {why}.")),
            _ => Err(
                "Set SNAPNOTE_LOG_FILTER_FILE to a file with the level, or SNAPNOTE_LOG in .env."
                    .to_owned(),
            ),
        }
    }
}

/// The format of messages about invalid settings, as far as the settings can be read.
pub fn format_of_problems() -> LogFormat {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let given = arguments.skip_while(|argument| !argument.starts_with("--log-format"));
    let flag = given.take(2).collect::<Vec<String>>().join("=");
    let flag = flag.strip_prefix("--log-format=").map(str::to_owned);
    let value = flag.or_else(|| std::env::var("SNAPNOTE_LOG_FORMAT").ok());
    match value.as_deref().and_then(|value| value.split('=').next()) {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Text,
    }
}

/// Prints what clap has to say, and ends the process.
pub(super) fn exit(error: &clap::Error) -> ! {
    if error.use_stderr() && format_of_problems() == LogFormat::Json {
        let text = error.render().to_string();
        eprintln!("{}", json_message("ERROR", text.trim(), &[]));
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// A filter that shows warnings and errors of everything that it does not name.
fn log_filter(text: &str) -> Result<String, String> {
    let directives = text.split(',').map(str::trim);
    let directives: Vec<&str> = directives.filter(|part| !part.is_empty()).collect();
    if directives.is_empty() {
        return Err(format!("the filter is empty; {EXPECTED}"));
    }
    for directive in &directives {
        check(directive)?;
    }
    let mut filter = directives.join(",");
    if !directives.iter().any(|directive| is_level(directive)) {
        filter = format!("warn,{filter}");
    }
    match EnvFilter::builder().parse(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(format!("{error}; {EXPECTED}")),
    }
}

fn check(directive: &str) -> Result<(), String> {
    if is_level(directive) {
        return Ok(());
    }
    let Some((target, level)) = directive.rsplit_once('=') else {
        return Err(not_a_level(directive));
    };
    if !is_level(level) {
        return Err(not_a_level(level));
    }
    let name = target.split(['[', ':']).next().unwrap_or_default();
    if name != "snapnote" && strsim::jaro_winkler(name, "snapnote") >= 0.9 {
        return Err(format!(
            "`{name}` is not part of the program; did you mean `snapnote`"
        ));
    }
    Ok(())
}

fn is_level(word: &str) -> bool {
    !word.is_empty() && word.parse::<LevelFilter>().is_ok()
}

fn not_a_level(word: &str) -> String {
    let rated = LEVELS.map(|level| {
        (
            strsim::jaro_winkler(&word.to_ascii_lowercase(), level),
            level,
        )
    });
    let best = rated
        .into_iter()
        .max_by(|(one, _), (two, _)| one.total_cmp(two));
    match best {
        Some((score, level)) if score >= SIMILAR => {
            format!("`{word}` is not a level; did you mean `{level}`? Otherwise, {EXPECTED}")
        }
        _ => format!("`{word}` is not a level; {EXPECTED}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings with a filter file that has this text.
    fn with_file(name: &str, text: Option<&str>) -> Result<LogSettings, String> {
        let path = std::env::temp_dir().join(format!("snapnote-{}-{name}", std::process::id()));
        if let Some(text) = text {
            fs::write(&path, text).map_err(|error| error.to_string())?;
        }
        let config = LogConfig {
            log: "warn".to_owned(),
            log_format: LogFormat::Text,
            log_filter_file: Some(path.clone()),
            is_from_dotenv: false,
        };
        let (settings, again) = (config.settings(), config.reread_filter());
        let filter = settings.as_ref().map(|settings| settings.filter.clone());
        assert_eq!(filter.map_err(Clone::clone), again);
        if text.is_some() {
            fs::remove_file(path).map_err(|error| error.to_string())?;
        }
        settings
    }

    #[test]
    fn a_file_overrides_the_filter_if_it_exists() {
        for (name, text, filter) in [
            ("level", Some("debug\n"), "debug"),
            ("lines", Some("info\nhyper=debug\n"), "info,hyper=debug"),
            ("none", None, "warn"),
        ] {
            let settings = with_file(name, text).expect(name);
            assert_eq!(settings.filter, filter);
        }
        for (name, text) in [("misspelled", "inof"), ("empty", "")] {
            let error = with_file(name, Some(text)).expect_err(name);
            assert!(
                error.contains(name) && error.contains("SNAPNOTE_LOG_FILTER_FILE"),
                "{error}"
            );
        }
    }

    #[test]
    fn levels_and_directives_are_accepted() {
        for (text, filter) in [
            ("info", "info"),
            ("WARN", "WARN"),
            ("off", "off"),
            ("info, hyper=debug,", "info,hyper=debug"),
            ("snapnote=debug", "warn,snapnote=debug"),
            ("snapnote::http=trace,off", "snapnote::http=trace,off"),
            ("info,[request{id=a}]=debug", "info,[request{id=a}]=debug"),
        ] {
            assert_eq!(log_filter(text).as_deref(), Ok(filter));
        }
    }

    #[test]
    fn misspelled_levels_and_names_are_rejected() {
        for (text, said) in [
            ("inof", "did you mean `info`"),
            ("warning", "did you mean `warn`"),
            ("verbose", "`verbose` is not a level; use error"),
            ("info,snapnote", "`snapnote` is not a level"),
            ("snapnote=inof", "did you mean `info`"),
            ("info,snapnote=", "`` is not a level"),
            ("snapntoe=debug", "did you mean `snapnote`"),
            ("info,snapnotes::http=debug", "did you mean `snapnote`"),
            ("a=b=c", "`c` is not a level"),
            (",", "the filter is empty"),
        ] {
            let message = log_filter(text).expect_err(text);
            assert!(message.contains(said), "{text}: {message}");
        }
    }
}
