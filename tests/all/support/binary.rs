//! The real binary, in a process of its own.

use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use signal_hook::consts::SIGKILL;

use super::{Customer, PATIENCE, wait_until};

/// `bulkd` with these arguments and with none of its settings in the environment. `BULKD_TEST_BINARY` names another one, such
/// as an optimised one for a story of very many messages.
pub fn bulkd(args: &[&str]) -> Command {
    let other = std::env::var_os("BULKD_TEST_BINARY").filter(|name| !name.is_empty());
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_bulkd").into()));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BULKD_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether a pipe has no room for a line of a message.
pub fn is_full(reader: &std::io::PipeReader) -> bool {
    let waiting = rustix::io::ioctl_fionread(reader).unwrap();
    waiting > 64 * 1024 - 16 * 1024
}

/// A running process. It is killed when it is dropped.
pub struct Binary {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

/// How a process ended, and all that it wrote.
#[derive(Debug)]
pub struct Ended {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The one line in which a command refuses.
    #[track_caller]
    pub fn refusal(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let line = self.stderr.strip_suffix('\n').unwrap();
        assert!(line.starts_with("bulkd: ") && !line.contains('\n') && !line.contains("panicked"), "{self:?}");
        line
    }
}

/// What `bulkd check` says of a file, which has to be sound.
#[track_caller]
pub fn check(database: &Path) -> String {
    let ended = Binary::spawn(&mut bulkd(&["check", database.to_str().unwrap()])).wait();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains(" is sound: "), "{ended:?}");
    ended.stdout
}

impl Binary {
    /// Starts a daemon and waits until it says that it answers.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        Binary::start_by(&mut bulkd(args))
    }

    /// The same with a command of one's own.
    #[track_caller]
    pub fn start_by(command: &mut Command) -> Self {
        let daemon = Binary::spawn(command);
        daemon.first_line();
        daemon
    }

    /// Starts a process and waits for nothing.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Heard::listen).unwrap_or_default();
        let stderr = child.stderr.take().map(Heard::listen).unwrap_or_default();
        Binary { child, stdout, stderr }
    }

    /// The first line on standard output.
    #[track_caller]
    pub fn first_line(&self) -> String {
        let text = self.stdout.wait_until("the first line", |text, ended| ended || text.contains('\n'));
        match text.split_once('\n') {
            Some((line, _)) => line.to_owned(),
            None => panic!("it has ended, saying {:?}", self.stderr()),
        }
    }

    /// What it has written to standard output so far, as soon as this is in it.
    #[cfg(all(feature = "tls", unix))]
    #[track_caller]
    pub fn says(&self, what: &str) -> String {
        let text = self.stdout.wait_until(what, |text, ended| ended || text.contains(what));
        assert!(text.contains(what), "no {what:?} in {text:?}");
        text
    }

    /// Whether it has said yet that it answers.
    pub fn is_up(&self) -> bool {
        self.stdout.wait_until("anything", |_, _| true).contains('\n')
    }

    /// Waits until it says that it answers. False if it has ended before.
    pub fn comes_up(&self) -> bool {
        self.stdout
            .wait_until("the first line, or the end", |said, is_over| is_over || said.contains('\n'))
            .contains('\n')
    }

    /// Where the first line says that it answers.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        address_of(&self.first_line())
    }

    /// The same where standard output belongs to messages, and it is said on standard error.
    #[track_caller]
    pub fn address_in_log(&self) -> SocketAddr {
        self.logs("Point Courier's SDKs");
        address_of(self.stderr().lines().find(|line| line.contains("bulkd answers on")).unwrap())
    }

    #[track_caller]
    pub fn customer(&self, key: &str) -> Customer {
        Customer::new(self.address(), key)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the kernel says of it, such as `VmRSS` or `Threads`; memory in KiB.
    pub fn kernel_says(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Whether a signal has stopped it, until another has it go on.
    pub fn is_stopped(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        status.lines().any(|line| line.starts_with("State:\tT"))
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.wait_until("anything", |_, _| true)
    }

    /// Waits until it has written this to standard error.
    #[track_caller]
    pub fn logs(&self, what: &str) {
        let text = self.stderr.wait_until(what, |text, ended| ended || text.contains(what));
        assert!(text.contains(what), "no {what:?} in {text:?}");
    }

    /// Sends a signal, such as TERM.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status().unwrap();
        assert!(sent.success(), "kill -s {name} {id}");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let stdout = self.stdout.wait_until("the end of standard output", |_, ended| ended);
        let stderr = self.stderr.wait_until("the end of standard error", |_, ended| ended);
        let mut status = None;
        wait_until("the process has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let (code, signal) = (status.and_then(|it| it.code()), status.and_then(|it: ExitStatus| it.signal()));
        Ended { code, signal, stdout, stderr }
    }

    /// Asks it to stop, which has to succeed.
    #[track_caller]
    pub fn terminate(self) -> Ended {
        self.signal("TERM");
        let ended = self.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// Ends it between any two instructions.
    #[track_caller]
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.wait().signal, Some(SIGKILL), "it has ended by itself");
    }
}

/// Where a line says that a daemon answers.
#[track_caller]
fn address_of(line: &str) -> SocketAddr {
    let word = |word: &'_ str| word.strip_prefix("http://").or(word.strip_prefix("https://")).map(str::to_owned);
    let url = line.split_whitespace().find_map(word).unwrap();
    url.trim_end_matches([',', ';']).parse().unwrap()
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process writes to one of its streams: gathered by a thread, so that it never has to wait for its reader.
#[derive(Clone)]
struct Heard(Arc<(Mutex<(String, bool)>, Condvar)>);

/// A stream that is not read, and that is over.
impl Default for Heard {
    fn default() -> Self {
        Heard(Arc::new((Mutex::new((String::new(), true)), Condvar::new())))
    }
}

impl Heard {
    #[allow(clippy::disallowed_methods, reason = "a test's thread needs no name")]
    fn listen(mut stream: impl Read + Send + 'static) -> Self {
        let heard = Heard::default();
        heard.0.0.lock().unwrap().1 = false;
        let ours = heard.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let read = stream.read(&mut chunk).unwrap_or(0);
                let mut heard = ours.0.0.lock().unwrap();
                heard.0.push_str(&String::from_utf8_lossy(&chunk[..read]));
                heard.1 = read == 0;
                ours.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        heard
    }

    /// Waits until the text so far, and whether it is over, are so; returns the text.
    #[track_caller]
    fn wait_until(&self, what: &str, so: impl Fn(&str, bool) -> bool) -> String {
        let (heard, changed) = &*self.0;
        let (heard, waited) =
            changed.wait_timeout_while(heard.lock().unwrap(), PATIENCE, |heard| !so(&heard.0, heard.1)).unwrap();
        let text = heard.0.clone();
        drop(heard);
        assert!(!waited.timed_out(), "still waiting for {what}, having heard {text:?}");
        text
    }
}
