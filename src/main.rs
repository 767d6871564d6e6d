//! Arguments → exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use bulkd::app::App;
use bulkd::cli::{Cli, Command, Serve};
use bulkd::error::{Error, Result};
use bulkd::logging::Logging;
use bulkd::{demo, store};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(flags) => serve(flags),
        Command::Demo(flags) => demo::run(&flags, signals),
        Command::Check { file } => check(&file),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bulkd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: Serve) -> Result<()> {
    let logging = Logging::start(&flags.log)?;
    let served = serve_logged(flags);
    logging.flush();
    served
}

fn serve_logged(flags: Serve) -> Result<()> {
    let mut signals = signals()?;
    let app = App::start(flags.config())?;
    let url = format!("http://{}", app.address());
    // Here as elsewhere: a closed output is no reason to fail.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "bulkd answers on {url}, with its file {}", app.database().display());
    let _ = writeln!(out, "Point Courier's SDKs at it with COURIER_BASE_URL={url}");
    let _ = out.flush();
    drop(out);
    signals.forever().next();
    log::info!("stopping");
    app.stop();
    Ok(())
}

fn check(file: &std::path::Path) -> Result<()> {
    let summary = store::check::check(file)?;
    let _ = writeln!(
        std::io::stdout(),
        "{} is sound: {} jobs, {} users, {} messages, {} failures",
        file.display(),
        summary.jobs,
        summary.users,
        summary.messages,
        summary.failures
    );
    Ok(())
}

/// SIGINT and SIGTERM, from now on.
fn signals() -> Result<Signals> {
    Signals::new([SIGINT, SIGTERM]).map_err(|error| Error::startup(format!("signals cannot be handled: {error}")))
}
