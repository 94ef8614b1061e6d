//! The time of log lines in the text format. On a terminal, it is the local time.

use std::fmt;

use chrono::{Local, SecondsFormat, Utc};
use tracing_subscriber::fmt::{format::Writer, time::FormatTime};

/// The time at the start of a line.
pub(super) struct Clock {
    /// On a terminal, the local time without the date is enough. Files and collectors get the date and the time in UTC.
    pub(super) on_terminal: bool,
}

impl FormatTime for Clock {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        if self.on_terminal {
            return write!(line, "{}", Local::now().format("%H:%M:%S%.3f"));
        }
        line.write_str(&Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_the_time_and_a_file_the_date_too() {
        for (on_terminal, length) in [(true, 12), (false, 24)] {
            let mut line = String::new();
            let clock = Clock { on_terminal };
            clock
                .format_time(&mut Writer::new(&mut line))
                .expect("text");
            assert_eq!(line.len(), length, "{line}");
        }
    }
}
