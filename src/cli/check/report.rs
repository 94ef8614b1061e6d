//! The report of `snapnote check`. On a terminal it is colored, and each line appears as soon as its check has ended. docs/operations.md
//! describes the JSON.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use serde::Serialize;

use super::super::{Outcome, print};

/// Width of the names of checks.
const NAME_WIDTH: usize = 20;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// Nothing is wrong.
    Ok,
    /// The service works, but something should be improved.
    Warning,
    /// The service does not work.
    Failed,
    /// Not checked, because it is not configured, or because another check failed.
    Skipped,
}

impl Status {
    /// The symbol, and its color as an ANSI code.
    fn symbol(self) -> (&'static str, &'static str) {
        match self {
            Status::Ok => ("✓", "32"),
            Status::Warning => ("!", "33"),
            Status::Failed => ("✗", "31"),
            Status::Skipped => ("-", "2"),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    status: Status,
    detail: String,
    remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(detail: impl Into<String>) -> Finding {
        Finding::of(Status::Ok, detail, None)
    }

    pub(super) fn skipped(detail: impl Into<String>) -> Finding {
        Finding::of(Status::Skipped, detail, None)
    }

    pub(super) fn warning(detail: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding::of(Status::Warning, detail, Some(remedy.into()))
    }

    pub(super) fn failed(detail: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding::of(Status::Failed, detail, Some(remedy.into()))
    }

    fn of(status: Status, detail: impl Into<String>, remedy: Option<String>) -> Finding {
        Finding {
            status,
            detail: detail.into(),
            remedy,
        }
    }
}

/// A named finding.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    status: Status,
    detail: String,
    remedy: Option<String>,
}

/// All findings, in the order of the checks.
pub(super) struct Report {
    checks: Vec<Check>,
    json: bool,
    colored: bool,
}

impl Report {
    /// Colors are for terminals only. `NO_COLOR` turns them off (https://no-color.org).
    pub(super) fn new(json: bool) -> Report {
        Report {
            checks: Vec::new(),
            json,
            colored: io::stdout().is_terminal() && !crate::config::is_color_unwanted(),
        }
    }

    /// Adds a finding, and prints it unless the report is JSON.
    pub(super) fn add(&mut self, name: &str, finding: Finding) -> Outcome {
        let Finding {
            status,
            detail,
            remedy,
        } = finding;
        let check = Check {
            name: name.to_owned(),
            status,
            detail,
            remedy,
        };
        if !self.json {
            print(Line {
                check: &check,
                colored: self.colored,
            })?;
        }
        self.checks.push(check);
        Ok(())
    }

    /// The number of checks that failed.
    pub(super) fn failed(&self) -> usize {
        let failed = |check: &&Check| check.status == Status::Failed;
        self.checks.iter().filter(failed).count()
    }

    /// The number of all checks.
    pub(super) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Prints the JSON, if that is the report.
    pub(super) fn finish(&self) -> Outcome {
        if !self.json {
            return Ok(());
        }
        let report = serde_json::json!({ "ok": self.failed() == 0, "checks": self.checks });
        print(format_args!("{report:#}\n"))
    }
}

/// A check as lines of text.
struct Line<'a> {
    check: &'a Check,
    colored: bool,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (symbol, color) = self.check.status.symbol();
        let symbol = match self.colored {
            true => format!("\x1b[{color}m{symbol}\x1b[0m"),
            false => symbol.to_owned(),
        };
        let mut lines = self.check.detail.lines();
        let (name, first) = (&self.check.name, lines.next().unwrap_or_default());
        writeln!(formatter, "{symbol} {name:<NAME_WIDTH$} {first}")?;
        let indented = " ".repeat(NAME_WIDTH + 3);
        for line in lines {
            writeln!(formatter, "{indented}{line}")?;
        }
        for line in self.check.remedy.iter().flat_map(|remedy| remedy.lines()) {
            writeln!(formatter, "{indented}→ {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(finding: Finding, colored: bool) -> String {
        let check = Check {
            name: "mail".to_owned(),
            status: finding.status,
            detail: finding.detail,
            remedy: finding.remedy,
        };
        let check = &check;
        Line { check, colored }.to_string()
    }

    #[test]
    fn a_finding_is_a_line_and_its_remedy_another() {
        let failed = Finding::failed("one\ntwo", "do this");
        let space = " ".repeat(23);
        let expected = format!("✗ mail                 one\n{space}two\n{space}→ do this\n");
        assert_eq!(line(failed.clone(), false), expected);
        assert!(line(failed, true).starts_with("\x1b[31m✗\x1b[0m mail"));
        let ok = line(Finding::ok("fine"), false);
        assert_eq!(ok, "✓ mail                 fine\n");
    }
}
