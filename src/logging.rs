//! The log, on standard error: one line for each event, as text or as JSON.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::error::{Error, Result, shown_up_to};
use crate::output::LineOutput;
use crate::settings::LogFormat;

/// The most characters of a request's path that are logged.
const PATH_CHARACTERS: usize = 512;

/// What is logged of a request.
pub struct RequestLine<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// `None` if it has no answer, or none yet.
    pub status: Option<u16>,
    pub taken: Duration,
    /// `None` if it is in no environment.
    pub environment: Option<&'a str>,
}

/// Where requests are logged, once the log is open.
static LOG: OnceLock<(LineOutput, LogFormat)> = OnceLock::new();

/// Logs a request at `info`. The caller checks `log::log_enabled!` first.
pub fn request(line: &RequestLine<'_>) {
    let Some((output, format)) = LOG.get() else { return };
    thread_local!(static SCRATCH: RefCell<Scratch> = RefCell::default());
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.bytes.clear();
        match format {
            LogFormat::Text => scratch.push_text(line),
            LogFormat::Json => scratch.push_json(line),
        }
        output.put(&scratch.bytes);
    });
}

/// Ends the process, after a last line in the log.
pub fn abort(reason: &str) -> ! {
    log::error!("{reason}");
    if let Some((output, _)) = LOG.get() {
        output.flush();
    }
    std::process::abort()
}

impl LogFormat {
    /// A line without a level.
    fn line(self, message: &str) -> String {
        match self {
            LogFormat::Text => message.to_owned(),
            LogFormat::Json => json_line("error", message).to_string(),
        }
    }
}

fn json_line(level: &str, message: &str) -> Value {
    json!({ "time": Timestamp::of_machine().iso(), "level": level, "message": message })
}

/// The line in place of lines that were dropped.
pub fn dropped_lines(count: u64) -> String {
    format!("[{count} lines were dropped: they were not read as fast as they were written]")
}

/// A line that is being built, with parts that are reused for the next.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    /// The last second, and its text.
    second: (i64, String),
}

impl Scratch {
    /// Piece by piece, in a fraction of the time of a format: there may be a hundred thousand a second.
    fn push_text(&mut self, line: &RequestLine<'_>) {
        let second = Timestamp::of_machine().seconds();
        if self.second.1.is_empty() || self.second.0 != second {
            self.second = (second, Timestamp(second * 1000).second_iso());
        }
        let (out, mut digits) = (&mut self.bytes, itoa::Buffer::new());
        out.push(b'[');
        out.extend_from_slice(self.second.1.as_bytes());
        out.extend_from_slice(b" INFO ] ");
        out.extend_from_slice(line.method.as_bytes());
        out.push(b' ');
        push_path(line.path, out);
        out.push(b' ');
        out.extend_from_slice(line.status.map_or("-", |status| digits.format(status)).as_bytes());
        out.push(b' ');
        let tenths = line.taken.as_micros() / 100;
        out.extend_from_slice(digits.format(tenths / 10).as_bytes());
        out.push(b'.');
        out.extend_from_slice(digits.format(tenths % 10).as_bytes());
        out.extend_from_slice(b" ms ");
        out.extend_from_slice(line.environment.unwrap_or("-").as_bytes());
        out.push(b'\n');
    }

    fn push_json(&mut self, line: &RequestLine<'_>) {
        let mut path = Vec::new();
        push_path(line.path, &mut path);
        let line = json!({
            "time": Timestamp::of_machine().iso(),
            "level": "info",
            "method": line.method,
            "path": String::from_utf8_lossy(&path),
            "status": line.status,
            "ms": line.taken.as_micros() as f64 / 1000.0,
            "environment": line.environment,
        });
        let _ = writeln!(self.bytes, "{line}");
    }
}

/// A path as it is logged: what could look like another line is escaped, and a long one is cut.
fn push_path(path: &str, out: &mut Vec<u8>) {
    if path.len() <= PATH_CHARACTERS && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return out.extend_from_slice(path.as_bytes());
    }
    let _ = write!(out, "{}", shown_up_to(path, PATH_CHARACTERS));
}

/// The log while it is open.
pub struct Logging(LineOutput, LogFormat);

/// env_logger writes every line whole.
struct Lines(LineOutput);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logging {
    /// Writes what `filter` lets through: a level, or levels by module.
    pub fn start(filter: &str, format: LogFormat) -> Result<Logging> {
        // The HTTP client logs each call to a webhook at debug. `trace` and filters by module still show that.
        let filter = if filter == "debug" { "debug,ureq=info,ureq_proto=info" } else { filter };
        let failed = |error: &dyn std::fmt::Display| Error::startup(format!("--log {filter}: {error}"));
        let output = LineOutput::start("log", io::stderr(), move |dropped| format.line(&dropped_lines(dropped)))
            .map_err(|error| failed(&error))?;
        let mut logger = env_logger::Builder::new();
        logger.parse_filters(filter).target(env_logger::Target::Pipe(Box::new(Lines(output.clone()))));
        match format {
            // env_logger's own times panic if the clock is beyond its calendar.
            LogFormat::Text => logger.format(|out, record| {
                let (second, message) = (Timestamp::of_machine().second_iso(), record.args().to_string());
                write!(out, "[{second} {:<5}] ", record.level())?;
                // A panic has several lines. Nothing else may come out as a line of its own, or as commands to a
                // terminal.
                message.lines().enumerate().try_for_each(|(number, line)| {
                    write!(out, "{}{}", if number == 0 { "" } else { "\n    " }, shown_up_to(line, usize::MAX))
                })?;
                writeln!(out)
            }),
            LogFormat::Json => logger.format(|out, record| {
                let level = record.level().as_str().to_ascii_lowercase();
                writeln!(out, "{}", json_line(&level, &record.args().to_string()))
            }),
        };
        logger.try_init().map_err(|error| failed(&error))?;
        let _ = LOG.set((output.clone(), format));
        // The standard hook writes to standard error itself, and would wait for a reader.
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            log::error!("the thread '{}' panicked: {panic}", thread.name().unwrap_or("without a name"));
        }));
        Ok(Logging(output, format))
    }

    /// Writes the error that ends the process, whatever the level.
    pub fn print(&self, error: &Error) {
        let line = self.1.line(&format!("bulkd: {error}"));
        self.0.put(format!("{line}\n").as_bytes());
    }

    /// Waits until the log is written, but not for a reader that does not read.
    pub fn flush(&self) {
        self.0.flush();
    }
}
