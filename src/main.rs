//! Arguments → exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use bulkd::app::App;
use bulkd::cli::{Backup, Ca, Cli, Command, Deliver, Restore, Serve};
use bulkd::deliver::command;
use bulkd::error::{Error, Result};
use bulkd::logging::{self, Logging};
use bulkd::model::deliver_target::{DeliverTo, Target};
use bulkd::output::{LineOutput, megabytes};
use bulkd::{demo, doctor, promote, ready, store, tls};

/// jemalloc returns memory to the system from a thread of its own, even while the process is idle. After a burst of one
/// gigabyte glibc still held half of it, and mimalloc returned it only while later work ran.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Files hold profiles, tokens and secrets: what is made here is for this user alone.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = Cli::parse();
    // With this signal handled, a write beyond the limit of a file's size fails like one on a full disk.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    raise_descriptor_limit();
    let outcome = match cli.command.unwrap_or(Command::Serve(Box::new(cli.serve))) {
        Command::Serve(flags) => serve(*flags),
        Command::Demo(flags) => printing(|out| demo::run(&flags, out, signals)).map(|()| ExitCode::SUCCESS),
        Command::Check { file } => check(&file).map(|()| ExitCode::SUCCESS),
        Command::Compact { file } => compact(&file).map(|()| ExitCode::SUCCESS),
        Command::Backup(flags) => backup(&flags).map(|()| ExitCode::SUCCESS),
        Command::Ready(flags) => ready::run(&flags).map(|()| ExitCode::SUCCESS),
        Command::Restore(flags) => restore(&flags).map(|()| ExitCode::SUCCESS),
        Command::Doctor(flags) => printing(|out| doctor::run(&flags, out)),
        Command::Promote(flags) => printing(|out| promote::run(&flags, out)).map(|()| ExitCode::SUCCESS),
        Command::Deliver(flags) => deliver(*flags),
        Command::Ca(flags) => ca(&flags).map(|()| ExitCode::SUCCESS),
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
    let output = said_beside(&flags.deliver)?;
    let served = serve_logged(flags, &output);
    if let Err(error) = &served {
        logging.print(error);
    }
    output.flush();
    logging.flush();
    Ok(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Delivers for a daemon that relays, until it is told to stop.
fn deliver(flags: Deliver) -> Result<ExitCode> {
    let logging = Logging::start(&flags.log, flags.log_format)?;
    let output = said_beside(&flags.to)?;
    let Deliver { from, tag, to, rates, errors, name, tries, claim_after, .. } = flags;
    let delivered = until_stopped(|stopped| {
        command::run(command::Flags { from, tag, to, rates, errors, name, tries, claim_after }, &output, stopped)
    });
    if let Err(error) = &delivered {
        logging.print(error);
    }
    output.flush();
    logging.flush();
    Ok(if delivered.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Calls `run`, which goes on until a signal closes its channel.
fn until_stopped(run: impl FnOnce(&Receiver<()>) -> Result<()>) -> Result<()> {
    let mut signals = signals()?;
    let (stops, stopped) = bounded(0);
    let handle = signals.handle();
    let waits = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        signals.forever().next();
        drop(stops);
    });
    let waits = waits.map_err(|error| Error::startup(format!("no thread can be started: {error}")))?;
    let outcome = run(&stopped);
    handle.close();
    let _ = waits.join();
    outcome
}

/// Closes the signals, which is a stop, when standard input ends. What comes in is read and dropped. The thread ends with the
/// process: nothing interrupts its read.
fn stop_with_stdin(signals: signal_hook::iterator::Handle) -> Result<()> {
    let watch = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        match std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()) {
            Ok(_) => log::info!("standard input has ended"),
            Err(error) => log::warn!("standard input cannot be read: {error}"),
        }
        signals.close();
    });
    watch.map(drop).map_err(|error| Error::startup(format!("no thread can be started: {error}")))
}

fn output() -> Result<LineOutput> {
    lines(std::io::stdout())
}

fn lines(out: impl Write + Send + 'static) -> Result<LineOutput> {
    LineOutput::start("output", out, logging::dropped_lines)
        .map_err(|error| Error::startup(format!("no thread can be started: {error}")))
}

/// Where a process says what it does: on standard output, unless messages are delivered there.
fn said_beside(deliver: &[DeliverTo]) -> Result<LineOutput> {
    match deliver.iter().any(|it| it.target == Target::Output) {
        true => lines(std::io::stderr()),
        false => output(),
    }
}

fn serve_logged(flags: Serve, output: &LineOutput) -> Result<()> {
    let mut signals = signals()?;
    if flags.stop_with_stdin {
        stop_with_stdin(signals.handle())?;
    }
    let app = App::start(flags.config())?;
    let (address, url) = (app.address(), app.url());
    let interfaces = match address.ip().is_unspecified() {
        true => format!("It listens on all interfaces ({address}).\n"),
        false => {
            let scheme = app.scheme();
            app.other_address().map(|other| format!("It answers on {scheme}://{other} as well.\n")).unwrap_or_default()
        }
    };
    // Clients that do not know the authority need its certificate.
    let (authority, trust) = match app.authority() {
        None => Default::default(),
        Some(file) => {
            let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
            let file = file.display();
            (
                format!("The certificate of its authority is {file}\n"),
                format!(" NODE_EXTRA_CA_CERTS={file} SSL_CERT_FILE={file}"),
            )
        }
    };
    output.put(
        format!(
            "bulkd answers on {url}, with its file {}\n{authority}{interfaces}\
             Point Courier's SDKs at it with COURIER_BASE_URL={url}{trust}\n",
            app.database().display()
        )
        .as_bytes(),
    );
    signals.forever().next();
    log::info!("stopping");
    let found = app.findings();
    if !found.is_empty() {
        log::warn!("the doctor has found what would hurt at Courier: {found}; bulkd doctor says more while it runs");
    }
    let placed = app.check_place();
    app.stop();
    placed
}

/// Runs a command that prints lines, and waits until they are printed.
fn printing<T>(run: impl FnOnce(&LineOutput) -> Result<T>) -> Result<T> {
    let output = output()?;
    let outcome = run(&output);
    output.flush();
    outcome.and_then(|outcome| output.failure().map_or(Ok(outcome), |error| Err(unwritten(&error))))
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::startup(format!("standard output cannot be written: {error}"))
}

fn check(file: &std::path::Path) -> Result<()> {
    let summary = store::check::check(file)?;
    let _ = writeln!(std::io::stdout(), "{} is sound: {summary}", file.display());
    Ok(())
}

fn backup(flags: &Backup) -> Result<()> {
    let made = store::backup::backup(&flags.db, &flags.file, flags.force)?;
    let (db, file) = (flags.db.display(), flags.file.display());
    let _ = writeln!(std::io::stdout(), "{db} was copied to {file}: {}", made.words());
    Ok(())
}

fn restore(flags: &Restore) -> Result<()> {
    let restored = store::restore::restore(&flags.file, &flags.db, flags.force)?;
    let (file, db) = (flags.file.display(), flags.db.display());
    let _ = writeln!(std::io::stdout(), "{db} was restored from {file}: {}", restored.words());
    Ok(())
}

fn ca(flags: &Ca) -> Result<()> {
    let certificate = tls::authority_certificate(&flags.db)?;
    // It is often written to a file, which has to have all of it.
    let mut out = std::io::stdout();
    out.write_all(certificate.as_bytes()).and_then(|()| out.flush()).map_err(|error| unwritten(&error))
}

fn compact(file: &std::path::Path) -> Result<()> {
    let compacted = store::compact::compact(file)?;
    let (before, after) = (megabytes(compacted.before), megabytes(compacted.after));
    let _ = writeln!(std::io::stdout(), "{} had {before}, and has {after}", file.display());
    Ok(())
}

/// The signals that stop bulkd. If SIGHUP was ignored at the start, as under `nohup`, it stays ignored.
fn signals() -> Result<Signals> {
    let stops = [SIGINT, SIGTERM, SIGQUIT, SIGHUP].into_iter().filter(|signal| *signal != SIGHUP || !ignores(SIGHUP));
    Signals::new(stops).map_err(|error| Error::startup(format!("signals cannot be handled: {error}")))
}

/// Whether the process was started with this signal ignored. Assumed where that cannot be known.
fn ignores(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 << (signal - 1) != 0)
}

/// Raises the limit of descriptors as far as allowed: shells and supervisors often set it lower than the number of
/// connections that are possible.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        // macOS reports no hard limit, and then accepts no more than this.
        let least = Some(10_240);
        if raised.is_err() && current.is_some() && current < least {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: least, maximum });
        }
    }
}
