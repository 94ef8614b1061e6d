//! Shell completions and the manual page, made from the arguments that the program accepts.

use clap_complete::Shell;

use crate::config;

const NAME: &str = "snapnote";

/// The completions for a shell.
pub(super) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut config::command(), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page of the program and its commands, in the format of `man`.
pub(super) fn page() -> Result<String, String> {
    let mut page = Vec::new();
    let written = clap_mangen::Man::new(config::command()).render(&mut page);
    written.map_err(|error| format!("The manual page cannot be written: {error}."))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
