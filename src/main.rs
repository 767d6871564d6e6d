//! Arguments → exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use bulkd::app::App;
use bulkd::cli::{Cli, Command, Demo, Serve};
use bulkd::error::{Error, Result};
use bulkd::http::reachable;
use bulkd::logging::Logging;
use bulkd::output::Output;
use bulkd::{demo, store};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(flags) => serve(flags),
        Command::Demo(flags) => demo(&flags),
        Command::Check { file } => check(&file).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bulkd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: Serve) -> Result<ExitCode> {
    let logging = Logging::start(&flags.log, flags.log_format)?;
    let output = output()?;
    let served = serve_logged(flags, &output);
    if let Err(error) = &served {
        logging.print(&format!("bulkd: {error}"));
    }
    output.flush();
    logging.flush();
    Ok(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Standard output.
fn output() -> Result<Output> {
    Output::start("output", std::io::stdout())
        .map_err(|error| Error::startup(format!("no thread can be started: {error}")))
}

fn serve_logged(flags: Serve, output: &Output) -> Result<()> {
    let mut signals = signals()?;
    let app = App::start(flags.config())?;
    let address = app.address();
    let url = format!("http://{}", reachable(address));
    let interfaces = match address.ip().is_unspecified() {
        true => format!("It listens on all interfaces ({address}).\n"),
        false => String::new(),
    };
    output.put(
        format!(
            "bulkd answers on {url}, with its file {}\n{interfaces}\
             Point Courier's SDKs at it with COURIER_BASE_URL={url}\n",
            app.database().display()
        )
        .as_bytes(),
    );
    signals.forever().next();
    log::info!("stopping");
    app.stop();
    Ok(())
}

fn demo(flags: &Demo) -> Result<ExitCode> {
    let output = output()?;
    let played = demo::run(flags, &output, signals);
    output.flush();
    played.map(|()| ExitCode::SUCCESS)
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
