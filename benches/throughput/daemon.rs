//! The real binary on a real file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Connection;

pub const BINARY: &str = env!("CARGO_BIN_EXE_bulkd");

pub struct Daemon {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    /// From the start of the process to its first answer.
    pub first_answer: Duration,
}

impl Daemon {
    pub fn start(file: &Path, durability: &str) -> Self {
        Daemon::start_with(file, durability, &[])
    }

    /// Starts a daemon with further flags.
    pub fn start_with(file: &Path, durability: &str, flags: &[&str]) -> Self {
        let begun = Instant::now();
        let mut child = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--durability", durability, "--db"])
            .arg(file)
            .args(flags)
            .stdout(Stdio::piped())
            // Lines at the default level, a line a request, to a file as an install has it.
            .stderr(File::create(file.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split([',', ' ', '\n']).next().unwrap().parse().unwrap();
        Connection::open(address).send("GET", "/_bulkd/health", b"", 200);
        Daemon { child, _stdout: stdout, address, first_answer: begun.elapsed() }
    }

    /// The largest amount of memory that the process has held, in bytes.
    pub fn peak_memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|peak| peak.trim().trim_end_matches(" kB").trim().parse::<f64>().ok())
            .map_or(f64::NAN, |kb| kb * 1024.0)
    }

    /// The processor's time that the process has taken, in seconds.
    pub fn processor_time(&self) -> f64 {
        // Hundredths of a second in user and kernel mode, the 12th and 13th field behind the name in brackets.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let hundredths: Vec<f64> = fields.take(2).filter_map(|field| field.parse().ok()).collect();
        if hundredths.len() == 2 { hundredths.iter().sum::<f64>() / 100.0 } else { f64::NAN }
    }

    pub fn stop(mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
