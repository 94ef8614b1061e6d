//! Asks the operator before a command deletes data.

use std::io::{self, IsTerminal, Write};

/// Fails unless the operator types `expected`. `what`: what that is, e.g. `the name of the database`.
pub(super) fn confirm(warning: &str, what: &str, expected: &str) -> Result<(), String> {
    if !io::stdin().is_terminal() {
        return Err(
            "Nothing was changed, because --yes is missing and standard input is not a terminal to ask on."
                .to_owned(),
        );
    }
    let unreadable = |error: io::Error| format!("Reading the confirmation failed: {error}.");
    let mut stderr = io::stderr();
    write!(stderr, "{warning}\nType {what} to continue: ")
        .and_then(|()| stderr.flush())
        .map_err(unreadable)?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).map_err(unreadable)?;
    match typed.trim() == expected {
        true => Ok(()),
        false => Err("Nothing was changed.".to_owned()),
    }
}
