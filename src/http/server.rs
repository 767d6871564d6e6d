//! The listener and its connections' threads.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tiny_http::HTTPVersion;

use super::body::Budget;
use super::connection::{self, Begun};
use super::event_loop::EventLoops;
use super::{Handler, Limits, response};
use crate::error::{Error, Result};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;
/// How long to wait after an accept that failed, for instance because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections have in common.
pub struct Shared {
    pub limits: Limits,
    pub handler: Arc<dyn Handler>,
    pub budget: Budget,
    stopping: AtomicBool,
    connections: Mutex<Connections>,
    changed: Condvar,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Arc<TcpStream>>,
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

impl Server {
    /// Listens on `address` (port 0 takes a free one) and answers from now on.
    pub fn start(address: SocketAddr, limits: Limits, handler: Arc<dyn Handler>) -> Result<(Server, JoinHandle<()>)> {
        let listener = listen(address).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                Error::startup(format!("{address} is taken by another program; choose another with --listen"))
            }
            _ => Error::startup(format!("{address} cannot be listened on: {error}")),
        })?;
        let failed = |error: io::Error| Error::startup(format!("{address} cannot be listened on: {error}"));
        let address = listener.local_addr().map_err(failed)?;
        let event_loops = EventLoops::start(&limits).map_err(failed)?;
        let budget = Budget::new(limits.bodies_bytes);
        let shared = Arc::new(Shared {
            limits,
            handler,
            budget,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = shared.clone();
        let thread = std::thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || {
                accept(&listener, &accepting, &event_loops);
                event_loops.stop();
            })
            .map_err(failed)?;
        Ok((Server { address, shared }, thread))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and waits until those that have arrived are answered, up to [`Limits::stop`].
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.wake_listener();
        let connections = self.shared.connections();
        for stream in connections.open.values() {
            // Whoever waits for a request sees the end of the stream; an answer can still be written.
            let _ = stream.shutdown(Shutdown::Read);
        }
        let open = |connections: &mut Connections| !connections.open.is_empty();
        let (connections, _) = self
            .shared
            .changed
            .wait_timeout_while(connections, self.shared.limits.stop, open)
            .unwrap_or_else(PoisonError::into_inner);
        for stream in connections.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The listener sits in `accept`; a connection makes it look up.
    fn wake_listener(&self) {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this option means that a port may be stolen.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, event_loops: &EventLoops) {
    loop {
        let accepted = listener.accept();
        if shared.stopping() {
            return;
        }
        match accepted {
            Ok((stream, _)) => {
                if let Err(error) = take(stream, shared, event_loops) {
                    log::warn!("a connection could not be taken: {error}");
                    pause(shared);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                log::warn!("no connection could be accepted: {error}");
                pause(shared);
            }
        }
    }
}

/// Waits for a connection to end, or a moment.
fn pause(shared: &Shared) {
    let _ = shared.changed.wait_timeout(shared.connections(), ACCEPT_PAUSE);
}

fn take(stream: TcpStream, shared: &Arc<Shared>, event_loops: &EventLoops) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = Arc::new(stream);
    let id = {
        let mut connections = shared.connections();
        // Whoever comes in after the others were told to go would not be told.
        if shared.stopping() {
            return Ok(());
        }
        if connections.open.len() >= shared.limits.connections {
            drop(connections);
            return refuse(&stream);
        }
        connections.next += 1;
        let id = connections.next;
        connections.open.insert(id, stream.clone());
        id
    };
    event_loops.park(Open { id, stream, shared: shared.clone() })
}

/// Counts a connection until it is closed, however it ends.
pub struct Open {
    pub id: u64,
    pub stream: Arc<TcpStream>,
    pub shared: Arc<Shared>,
}

impl Open {
    /// Goes on in a thread of its own.
    pub fn serve(self, begun: Begun) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        let thread = std::thread::Builder::new().name(format!("connection {}", self.id));
        let thread = thread.stack_size(self.shared.limits.stack_bytes);
        thread.spawn(move || connection::serve(&self, begun))?;
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.connections().open.remove(&self.id);
        self.shared.changed.notify_all();
    }
}

fn refuse(mut stream: &TcpStream) -> io::Result<()> {
    let error = Error::unavailable("too many connections; try again later");
    let bytes = response::to_bytes(response::of_error(&error), &HTTPVersion(1, 1), false, true);
    stream.set_nonblocking(true)?;
    let _ = stream.write(&bytes);
    let _ = stream.shutdown(Shutdown::Write);
    Ok(())
}
