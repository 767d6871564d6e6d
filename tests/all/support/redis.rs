//! A Redis of a test's own: Debian's redis-server, on a socket in a folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::wait_until;

/// What makes Redis sync before it answers.
pub const ALWAYS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];
/// What has it sync once a second.
pub const EVERY_SECOND: &[&str] = &["--appendonly", "yes", "--appendfsync", "everysec"];

/// Whether there is one. A run of CI has to have it; elsewhere a story that needs it says that it was left out.
pub fn is_there() -> bool {
    let there = Command::new("redis-server").arg("--version").output().is_ok_and(|it| it.status.success());
    if !there {
        assert!(std::env::var_os("CI").is_none(), "there is no redis-server: apt-get install redis-server");
        eprintln!("LEFT OUT: there is no redis-server; apt-get install redis-server");
    }
    there
}

pub struct Redis {
    folder: tempfile::TempDir,
    args: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    pub fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mut redis = Redis { folder, args: args.iter().map(|it| (*it).to_owned()).collect(), child: None };
        redis.resume();
        redis
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One that speaks TLS at this port of `localhost`, with a certificate that is made here and lies in the file that is
    /// returned.
    #[cfg(feature = "tls")]
    pub fn start_tls(port: u16) -> (Self, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let files = [("--tls-cert-file", &certificate), ("--tls-key-file", &key), ("--tls-ca-cert-file", &certificate)];
        let mut args: Vec<String> =
            files.iter().flat_map(|(flag, file)| [(*flag).to_owned(), file.display().to_string()]).collect();
        args.extend(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"].map(str::to_owned));
        let mut redis = Redis { folder, args, child: None };
        redis.resume();
        (redis, certificate)
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Starts it after a kill, on the files that it had.
    pub fn resume(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(self.socket()).arg("--dir").arg(self.data());
        command.args(&self.args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        wait_until("Redis answers", || {
            assert!(self.child.as_mut().unwrap().try_wait().unwrap().is_none(), "redis-server has ended");
            self.connection().is_some_and(|mut it| redis::cmd("PING").query::<String>(&mut it).is_ok())
        });
    }

    fn connection(&self) -> Option<redis::Connection> {
        redis::Client::open(self.url()).unwrap().get_connection().ok()
    }

    pub fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split_whitespace();
        let mut asked = redis::cmd(words.next().unwrap());
        for word in words {
            asked.arg(word);
        }
        asked.query(&mut self.connection().unwrap()).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Ends it between any two instructions.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Copies what it has on the disk.
    pub fn copy_data(&self, to: &Path) {
        copy(&self.data(), to);
    }

    /// Puts a copy in the place of what it has. It must not run.
    pub fn put_data_back(&self, from: &Path) {
        assert!(self.child.is_none());
        std::fs::remove_dir_all(self.data()).unwrap();
        copy(from, &self.data());
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
