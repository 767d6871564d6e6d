//! The listener: accepts connections, and lets each wait for its first request.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::event_loop::EventLoops;
use super::handle::{Parked, Shared};
use super::limits::Limits;
use super::request::Handler;
use super::response;
use super::write::Meta;
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
        let shared = Arc::new(Shared::new(limits, handler));
        shared.park_at(event_loops.parking());
        let accepting = shared.clone();
        let thread = std::thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || {
                accept(&listener, &accepting);
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
        self.shared.stop(|| self.wake_listener());
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

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stopping() {
            return;
        }
        match accepted {
            Ok((stream, _)) => {
                if let Err(error) = take(stream, shared) {
                    log::warn!("a connection could not be taken: {error}");
                    shared.wait_for_room(ACCEPT_PAUSE);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                log::warn!("no connection could be accepted: {error}");
                shared.wait_for_room(ACCEPT_PAUSE);
            }
        }
    }
}

fn take(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = Arc::new(stream);
    match shared.add(&stream) {
        Some(handle) => handle.park(Parked::Request),
        None if shared.stopping() => Ok(()),
        None => refuse(&stream, shared),
    }
}

fn refuse(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let error = Error::unavailable("too many connections; try again later");
    let answer = shared.encode(&Meta::of_refused(), response::of_error(&error));
    stream.set_nonblocking(true)?;
    let _ = stream.write(&answer.bytes);
    let _ = stream.shutdown(Shutdown::Write);
    Ok(())
}
