//! Shell completions and the manual page, made from the arguments that the program accepts.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

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
    let command = config::command().disable_help_subcommand(true);
    let page = write_page(&command);
    page.map_err(|error| format!("The manual page cannot be written: {error}."))
}

fn write_page(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_version_section(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    add_commands(NAME, command, &mut page)?;
    Ok(page)
}

/// Adds a section for each command, with the arguments of its own.
fn add_commands(parent: &str, command: &Command, page: &mut String) -> io::Result<()> {
    for command in command.get_subcommands() {
        let name = format!("{parent} {}", command.get_name());
        let named = command.clone().bin_name(&name).disable_help_flag(true);
        let man = Man::new(named);
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        let section = String::from_utf8_lossy(&section);
        page.push_str(&format!(".SH \"{}\"\n", name.to_uppercase()));
        page.push_str(&section.replace("\n.SH ", "\n.SS "));
        add_commands(&name, command, page)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_arguments_of_all_commands_and_each_setting_once() {
        let page = page().expect("a page").replace("\\-", "-");
        for part in [
            ".SH \"SNAPNOTE BACKUP\"",
            "--keep-days",
            "--include-keys",
            ".SH \"SNAPNOTE MIGRATE DOWN\"",
            ".SH \"SNAPNOTE ADMIN DELETE-USER\"",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert_eq!(page.matches("Maximum connections in the pool.").count(), 1);
        assert!(
            !page.contains("snapnote-backup(1)"),
            "there is no such page"
        );
    }
}
