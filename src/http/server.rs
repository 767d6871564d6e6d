//! The listener: accepts connections, and lets each wait for its first request.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::connection;
use super::event_loop::EventLoops;
use super::handle::{ConnectionHandle, Parked, Parking};
use super::limits::Limits;
use super::request::Service;
use super::server_state::ServerState;
use crate::error::{Error, Result};
use crate::threads::{self, catch};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;
/// How long to wait after an accept that failed, for instance because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening server.
pub struct Server {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    state: Arc<ServerState>,
}

impl Server {
    /// Listens on `address` (port 0 takes a free one) and answers from now on.
    pub fn start(address: SocketAddr, limits: Limits, service: Arc<dyn Service>) -> Result<(Server, JoinHandle<()>)> {
        let listener = listen(address).map(Arc::new).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                Error::startup(format!("{address} is taken by another program; choose another with --listen"))
            }
            _ => Error::startup(format!("{address} cannot be listened on: {error}")),
        })?;
        let failed = |error: io::Error| Error::startup(format!("{address} cannot be listened on: {error}"));
        let address = listener.local_addr().map_err(failed)?;
        let event_loops = EventLoops::start(&limits).map_err(failed)?;
        let state = Arc::new(ServerState::new(limits, service));
        let (accepting, parking, listening) = (state.clone(), event_loops.parking(), listener.clone());
        let thread = threads::spawn_service(std::thread::Builder::new().name("listener".to_owned()), move || {
            accept(&listening, &accepting, &parking);
            drop(listening);
            event_loops.stop();
        });
        let thread = thread.map_err(failed)?;
        Ok((Server { address, listener, state }, thread))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and waits until those that have arrived are answered, up to [`Limits::stop`].
    pub fn stop(&self) {
        self.state.stop(|| self.wake_listener());
    }

    /// The listener sits in `accept`, and has reserved a descriptor there, maybe the last. On Linux the end of its socket
    /// makes it look up, and needs no descriptor; elsewhere a connection does.
    fn wake_listener(&self) {
        if cfg!(target_os = "linux") && SockRef::from(&*self.listener).shutdown(Shutdown::Both).is_ok() {
            return;
        }
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_secs(1));
    }
}

/// An address of this machine at which one that is listened on can be called.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
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

fn accept(listener: &TcpListener, state: &Arc<ServerState>, parking: &Arc<dyn Parking>) {
    loop {
        let accepted = listener.accept();
        if state.stopping() {
            return;
        }
        match accepted {
            Ok((stream, _)) => {
                if let Some(Err(error)) = catch(|| take(stream, state, parking)) {
                    log::warn!("a connection could not be taken: {error}");
                    state.wait_for_room(ACCEPT_PAUSE);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                log::warn!("no connection could be accepted: {error}");
                state.wait_for_room(ACCEPT_PAUSE);
            }
        }
    }
}

fn take(stream: TcpStream, state: &Arc<ServerState>, parking: &Arc<dyn Parking>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = Arc::new(stream);
    match ConnectionHandle::open(&stream, state, parking) {
        Some(handle) => handle.park(Parked::Request),
        None if state.stopping() => Ok(()),
        None => {
            let error = Error::unavailable("too many connections; try again later");
            connection::refuse(&stream, state, &error);
            Ok(())
        }
    }
}
