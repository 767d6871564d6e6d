//! Writes the man pages and the completions of shells, as the flags are: `cargo run --example assets -- FOLDER DATE`. The date
//! stands at the foot of the pages.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

fn main() -> std::io::Result<()> {
    let mut given = std::env::args().skip(1);
    let (Some(folder), Some(date)) = (given.next().map(PathBuf::from), given.next()) else {
        return Err(std::io::Error::other("expected a folder and a date"));
    };
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    let mut command = bulkd::cli::Cli::command().disable_help_subcommand(true);
    command.build();
    write_pages(&command, &man, &date)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        clap_complete::generate_to(shell, &mut bulkd::cli::Cli::command(), "bulkd", &completions)?;
    }
    Ok(())
}

/// The page of a command, and those of the commands within it.
fn write_pages(command: &Command, folder: &Path, date: &str) -> std::io::Result<()> {
    for within in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_pages(within, folder, date)?;
    }
    let source = concat!("bulkd ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).date(date).source(source).manual("bulkd").generate_to(folder).map(drop)
}
