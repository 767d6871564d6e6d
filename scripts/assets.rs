//! Writes the man pages and the completions of shells, as the flags are: `cargo run --example assets -- FOLDER DATE`. The date
//! stands at the foot of the pages.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// A line of a page's source is no longer, where it has a space to be broken at.
const LINE_CHARACTERS: usize = 80;

fn main() -> io::Result<()> {
    let mut given = std::env::args().skip(1);
    let (Some(folder), Some(date)) = (given.next().map(PathBuf::from), given.next()) else {
        return Err(io::Error::other("expected a folder and a date"));
    };
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    let mut command = bulkd::cli::Cli::command().disable_help_subcommand(true);
    command.build();
    let mut names: Vec<String> = all(&command).iter().map(|it| name(it)).collect();
    names.sort();
    for within in all(&command) {
        let page = page(within, &names, &date)?;
        fs::write(man.join(format!("{}.1", name(within))), page)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        clap_complete::generate_to(shell, &mut bulkd::cli::Cli::command(), "bulkd", &completions)?;
    }
    Ok(())
}

/// A command, and those within it.
fn all(command: &Command) -> Vec<&Command> {
    let within = command.get_subcommands().filter(|it| !it.is_hide_set());
    [command].into_iter().chain(within.flat_map(all)).collect()
}

/// What its page is called, such as `bulkd-serve`.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command, names: &[String], date: &str) -> io::Result<String> {
    // As --help has it: of dozens of flags only those that have to be there.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim_start().to_owned();
    let man = Man::new(command.clone().override_usage(usage)).title(name(command).to_uppercase()).date(date);
    let man = man.source(concat!("bulkd ", env!("CARGO_PKG_VERSION"))).manual("bulkd");
    let mut source = Vec::new();
    man.render_title(&mut source)?;
    man.render_name_section(&mut source)?;
    man.render_synopsis_section(&mut source)?;
    man.render_description_section(&mut source)?;
    man.render_options_section(&mut source)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut source)?;
    }
    let mut more = Roff::new();
    add_exit_status(&mut more, command.get_name());
    add_environment(&mut more, command);
    add_files(&mut more, command.get_name());
    add_see_also(&mut more, names.iter().filter(|it| **it != name(command)));
    more.to_writer(&mut source)?;
    // Each part begins with the same lines.
    let (source, preamble) = (String::from_utf8_lossy(&source), Roff::new().render());
    Ok(preamble.clone() + &tidy(&source.replace(&preamble, "")))
}

/// A paragraph with a heading.
fn add_entry(page: &mut Roff, heading: impl Into<Vec<Inline>>, text: impl Into<Vec<Inline>>) {
    page.control("TP", []).text(heading).text(text);
}

fn add_exit_status(page: &mut Roff, command: &str) {
    let (zero, one) = match command {
        "bulkd" | "serve" => ("It was stopped by a signal.", "It could not start, or had to end. The log says why."),
        "deliver" => ("It was stopped by a signal.", "It could not start, or gave up. The log says why."),
        "demo" => ("It ended as it should.", "It could not start, or with --exit something was not as expected."),
        "check" => ("The file is sound.", "The file is not sound, or cannot be read. Standard error says why."),
        "ready" => ("The daemon answers.", "It does not, for as long as --wait says."),
        "doctor" => (
            "Nothing was found that is as bad as --fail-on says.",
            "The daemon could not be asked. Standard error says why.",
        ),
        _ => ("It is done.", "It could not be done. Standard error says why."),
    };
    page.control("SH", ["EXIT STATUS"]);
    add_entry(page, [bold("0")], [roman(zero)]);
    add_entry(page, [bold("1")], [roman(one)]);
    add_entry(page, [bold("2")], [roman("What was typed, or a variable, cannot be understood.")]);
    if command == "doctor" {
        add_entry(page, [bold("3")], [roman("Something was found that is as bad as --fail-on says.")]);
    }
}

/// Each flag's variable, and those that have no flag.
fn add_environment(page: &mut Roff, command: &Command) {
    let flags: Vec<_> = command.get_arguments().filter(|it| !it.is_hide_set() && it.get_env().is_some()).collect();
    if flags.is_empty() {
        return;
    }
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman("A flag goes before its variable.")]);
    for flag in flags {
        let variable = flag.get_env().unwrap_or_default().to_string_lossy();
        let long = bold(format!("--{}", flag.get_long().unwrap_or_default()));
        let text = match flag.get_action().takes_values() {
            true => [roman("The value of "), long, roman(".")],
            false => [roman("1 or true for "), long, roman(".")],
        };
        add_entry(page, [bold(variable)], text);
    }
    if ["bulkd", "serve", "deliver"].contains(&command.get_name()) {
        let provider = "With --deliver CHANNEL=provider, the keys of the providers: docs/delivery.md of the source \
                        names them.";
        let trust = "With --deliver, whom to trust: certificates in PEM, and not those that browsers trust.";
        add_entry(page, [bold("BULKD_SMTP_PASSWORD")], [roman("With --deliver, the password of SMTP's user.")]);
        add_entry(page, [bold("SSL_CERT_FILE")], [roman(trust)]);
        add_entry(page, [bold("SENDGRID_API_KEY"), roman(" and others")], [roman(provider)]);
    }
}

fn add_files(page: &mut Roff, command: &str) {
    let database = match command {
        "bulkd" | "serve" => {
            "The database of --db, for its user alone. That of --ephemeral is in the folder of temporary files, and is \
             removed at the end."
        }
        "check" | "compact" => "The database.",
        "backup" => "The database, and its copy.",
        "restore" => {
            "The backup, and the database in whose place it is put. With --force that one is kept, under a name that \
             is said."
        }
        "ca" => "The database of --db, which may not be there yet.",
        _ => return,
    };
    page.control("SH", ["FILES"]);
    let beside = |suffix: &str| [italic("FILE"), bold(suffix)];
    add_entry(page, [italic("FILE")], [roman(database)]);
    if command != "ca" {
        let open = "Beside a database that is open. They are a part of it: only bulkd backup copies it whole.";
        let names = [beside("-wal"), beside("-shm"), beside("-lock")].join(&roman(", "));
        add_entry(page, names, [roman(open)]);
    }
    if ["bulkd", "serve", "ca"].contains(&command) {
        let key = "With --tls, the key and the certificate of its authority, for its user alone.";
        add_entry(page, beside("-ca-key.pem"), [roman(key)]);
        add_entry(page, beside("-ca.pem"), [roman("The certificate alone, for clients that are to trust it.")]);
    }
}

fn add_see_also<'a>(page: &mut Roff, names: impl Iterator<Item = &'a String>) {
    page.control("SH", ["SEE ALSO"]);
    let pages: Vec<_> = names.map(|name| [bold(name), roman("(1)")]).collect();
    page.text(pages.join(&roman(", ")));
}

/// Lines that are not too long, and one kind of pause: what the generator writes is read the same, and not as tidy.
fn tidy(source: &str) -> String {
    let (mut tidied, mut pause, mut is_heading) = (String::new(), None, false);
    for line in source.lines().map(str::trim_end) {
        if line.is_empty() || line == ".br" {
            pause = if line.is_empty() || pause == Some(".sp\n") { Some(".sp\n") } else { Some(".br\n") };
            continue;
        }
        // A macro makes a pause of its own.
        let is_macro = line.starts_with('.');
        tidied += pause.take().filter(|_| !is_macro).unwrap_or_default();
        match is_macro || is_heading {
            true => tidied += line,
            false => wrap(line, &mut tidied),
        }
        tidied.push('\n');
        is_heading = line == ".TP";
    }
    tidied
}

fn wrap(line: &str, to: &mut String) {
    let mut length = 0;
    for word in line.split(' ') {
        let characters = word.chars().count();
        if length > 0 && length + 1 + characters > LINE_CHARACTERS {
            // A macro is what begins with either of these.
            to.push_str(if word.starts_with(['.', '\'']) { "\n\\&" } else { "\n" });
            length = 0;
        } else if length > 0 {
            to.push(' ');
            length += 1;
        }
        to.push_str(word);
        length += characters;
    }
}
