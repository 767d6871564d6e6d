//! A connection to Redis that is made anew after it broke.

use std::time::Duration;

use redis::{
    Client, Cmd, Connection, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    ServerErrorKind,
};

use crate::error::{Error, Result, shown_up_to};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Before Redis is tried again.
pub const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// For an answer, and for Redis to take what is sent. Longer than any wait that is asked of Redis itself.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of what Redis says of a failure.
const SHOWN_CHARACTERS: usize = 200;

/// What Redis answers, or why it does not.
pub type Answer<T> = std::result::Result<T, RedisError>;

pub struct Link {
    client: Client,
    connection: Option<Connection>,
    place: String,
}

impl Link {
    /// `flag` is what has given the URL.
    pub fn new(flag: &str, url: &str) -> Result<Self> {
        const EXPECTED: &str = "expected a Redis, such as redis://127.0.0.1:6379 or redis://user:password@host:6379/0";
        // What is wrong with it is said without it: it may hold a password.
        let wrong = |_| Error::startup(format!("{flag}: {EXPECTED}"));
        let info = url.into_connection_info().map_err(wrong)?;
        if !info.addr().is_supported() {
            return Err(Error::startup(format!(
                "{flag}: this bulkd was built without https, and so without rediss://; --features tls,relay has both"
            )));
        }
        let scheme = match info.addr() {
            ConnectionAddr::TcpTls { .. } => "rediss",
            ConnectionAddr::Unix(_) => "unix",
            _ => "redis",
        };
        let place = format!("{scheme}://{}/{}", info.addr(), info.redis_settings().db());
        Ok(Link { client: Client::open(info).map_err(wrong)?, connection: None, place })
    }

    /// Where it leads, without what is secret of it.
    pub fn place(&self) -> &str {
        &self.place
    }

    pub fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Gives one command, and connects before if need be.
    pub fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Answer<T> {
        self.with(|connection| command.query(connection))
    }

    /// Gives several commands at once.
    pub fn ask_all<T: FromRedisValue>(&mut self, commands: &Pipeline) -> Answer<T> {
        self.with(|connection| commands.query(connection))
    }

    /// Gives several commands of which no answer is awaited, if there are any.
    pub fn tell(&mut self, commands: &Pipeline) -> Answer<()> {
        if commands.is_empty() { Ok(()) } else { self.ask_all(commands) }
    }

    fn with<T>(&mut self, ask: impl FnOnce(&mut Connection) -> Answer<T>) -> Answer<T> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.client)?),
        };
        let answer = ask(connection);
        // What came before the failure may still be on its way: nothing more is asked on a connection that has failed.
        if answer.as_ref().is_err_and(|error| !is_refusal(error)) {
            self.connection = None;
        }
        answer
    }

    /// What went wrong, for people.
    pub fn failed(&self, error: &RedisError) -> Error {
        let why = match (error.code(), error.detail()) {
            (Some(code), Some(detail)) => format!("{code} {detail}"),
            // Of several commands that were refused the first says why.
            _ => match error.clone().into_server_errors().as_deref().and_then(<[_]>::first) {
                Some((_, first)) => format!("{} {}", first.code(), first.details().unwrap_or_default()),
                None => error.to_string(),
            },
        };
        Error::unavailable(format!("{}: {}", self.place, shown_up_to(&why, SHOWN_CHARACTERS)))
    }
}

/// Whether a transaction was refused before anything of it was done.
pub fn is_aborted(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ExecAbort))
}

fn connect(client: &Client) -> Answer<Connection> {
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    Ok(connection)
}

/// Whether Redis has understood, and refused: the connection is as it was.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}
