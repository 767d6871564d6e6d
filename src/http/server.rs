//! A listening server: how it starts, and how it stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use mio::Waker;
use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use super::event_loop::{Connections, EventLoops};
use super::limits::Limits;
use super::listener::Listener;
use super::request::Service;
use super::server_state::ServerState;
use super::transport::TlsConfig;
use crate::error::{Error, Result};
use crate::threads;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// A listening server.
pub struct Server {
    address: SocketAddr,
    other_address: Option<SocketAddr>,
    state: Arc<ServerState>,
    listener: Waker,
    loops: Vec<Arc<Connections>>,
}

impl Server {
    /// Listens and answers from now on: HTTP, or https with `tls`. Port 0 takes a free one. It also listens on `other`,
    /// at the same port, if the machine has that address.
    pub fn start(
        address: SocketAddr,
        other: Option<IpAddr>,
        limits: Limits,
        service: Arc<dyn Service>,
        tls: Option<Arc<TlsConfig>>,
    ) -> Result<(Server, JoinHandle<()>)> {
        let sockets = listen_on_all(address, other).map_err(|(address, error)| match error.kind() {
            io::ErrorKind::AddrInUse => {
                Error::startup(format!("{address} is taken by another program; choose another with --listen"))
            }
            _ => Error::startup(format!("{address} cannot be listened on: {error}")),
        })?;
        let state = Arc::new(ServerState::new(limits, service, tls));
        Server::run(sockets, state).map_err(|error| Error::startup(format!("{address} cannot be listened on: {error}")))
    }

    fn run(sockets: Vec<TcpListener>, state: Arc<ServerState>) -> io::Result<(Server, JoinHandle<()>)> {
        let addresses: Vec<SocketAddr> = sockets.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let address = addresses.first().copied().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let other_address = addresses.get(1).copied();
        let event_loops = EventLoops::start(&state)?;
        let loops = event_loops.loops.clone();
        let listener = Listener::new(sockets, event_loops, state.clone())?;
        let server = Server { address, other_address, state, listener: listener.waker()?, loops };
        let thread = std::thread::Builder::new().name("listener".to_owned());
        let thread = threads::spawn_service(thread, move || listener.run())?;
        Ok((server, thread))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn other_address(&self) -> Option<SocketAddr> {
        self.other_address
    }

    /// Takes no more requests, and waits up to [`Limits::stop`] until those that have arrived are answered.
    pub fn stop(&self) {
        self.state.stop(|| {
            if let Err(error) = self.listener.wake() {
                log::error!("the listener cannot be woken: {error}");
            }
            self.loops.iter().for_each(|connections| connections.wake_loop());
        });
    }
}

/// The address by which a client on this machine can call one that is listened on.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// How many free ports of one address are tried on the other.
const FREE_PORTS: usize = 16;

/// An error names the address that failed.
fn listen_on_all(
    address: SocketAddr,
    other: Option<IpAddr>,
) -> std::result::Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let at = |error| (address, error);
        let socket = listen(address).map_err(at)?;
        let Some(other) = other else { return Ok(vec![socket]) };
        let other = SocketAddr::new(other, socket.local_addr().map_err(at)?.port());
        match listen(other) {
            Ok(second) => return Ok(vec![socket, second]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if address.port() != 0 || tries == FREE_PORTS {
                    return Err((other, error));
                }
            }
            // A machine without IPv6 reports it in many ways.
            Err(error) => {
                log::debug!("{other} is not listened on: {error}");
                return Ok(vec![socket]);
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this option lets another process take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}
