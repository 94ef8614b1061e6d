//! The settings of the log.
//!
//! `EnvFilter` takes any word for the name of a module, so a misspelled level or name would silence everything. [`log_filter`]
//! rejects these.

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

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
    /// The format of log lines.
    #[arg(long, env = "SNAPNOTE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
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
