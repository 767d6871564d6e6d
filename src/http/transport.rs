//! A connection's socket, with TLS or without it. It never blocks: where it would, it says so, and the connection waits.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

#[cfg(feature = "tls")]
use super::session::Session;

/// What https is spoken with.
#[cfg(feature = "tls")]
pub type TlsConfig = rustls::ServerConfig;
/// There is none without the feature `tls`.
#[cfg(not(feature = "tls"))]
#[derive(Debug)]
pub enum TlsConfig {}

pub struct Transport {
    stream: TcpStream,
    #[cfg(feature = "tls")]
    layer: Layer,
}

/// What lies between the socket and HTTP.
#[cfg(feature = "tls")]
enum Layer {
    Nothing,
    /// TLS, as soon as the peer says something. One that is silent costs no more than without it.
    Expected(Arc<TlsConfig>),
    Tls(Box<Session>),
    /// The peer speaks plain HTTP where TLS was expected.
    Mistaken,
    /// The peer was told why, as far as TLS has words for it. What it still sends is of no use.
    Failed,
}

impl Transport {
    #[cfg(feature = "tls")]
    pub fn new(stream: TcpStream, tls: Option<Arc<TlsConfig>>) -> Self {
        Transport { stream, layer: tls.map_or(Layer::Nothing, Layer::Expected) }
    }

    #[cfg(not(feature = "tls"))]
    pub fn new(stream: TcpStream, _: Option<Arc<TlsConfig>>) -> Self {
        Transport { stream }
    }

    /// Has the event loop told of what happens to the socket.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether its peer has said something that was not read yet.
    pub fn is_spoken_to(&self) -> bool {
        !self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The peer is told that nothing more comes.
    pub fn finish(&mut self) {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            session.say_goodbye(&self.stream);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends it, whoever else still knows the socket.
    pub fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// It is reset when it is closed: so is one that does not linger at all.
    pub fn reset_when_closed(&self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads what there is, and tells whether there may be more. Nothing is the end of what the peer says.
    #[cfg(not(feature = "tls"))]
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<(usize, bool)> {
        read_plain(&self.stream, into)
    }

    /// Reads what there is, and tells whether there may be more. Nothing is the end of what the peer says.
    #[cfg(feature = "tls")]
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<(usize, bool)> {
        self.recognise()?;
        let Layer::Tls(session) = &mut self.layer else { return read_plain(&self.stream, into) };
        let read = session.read(&self.stream, into);
        if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            self.layer = Layer::Failed;
        }
        read
    }
}

#[cfg(not(feature = "tls"))]
impl Transport {
    pub fn is_opening(&self) -> bool {
        false
    }

    pub fn is_mistaken(&self) -> bool {
        false
    }

    pub fn has_failed(&self) -> bool {
        false
    }

    pub fn has_unsent(&self) -> bool {
        false
    }
}

#[cfg(feature = "tls")]
impl Transport {
    /// Whether a handshake has begun and is not over: nothing can be said before.
    pub fn is_opening(&self) -> bool {
        matches!(&self.layer, Layer::Tls(session) if session.is_opening())
    }

    /// Whether the peer speaks plain HTTP where TLS was expected.
    pub fn is_mistaken(&self) -> bool {
        matches!(self.layer, Layer::Mistaken)
    }

    /// Whether the peer's TLS could not be understood, or it has refused ours.
    pub fn has_failed(&self) -> bool {
        matches!(self.layer, Layer::Failed)
    }

    /// Whether something was taken that the peer has not taken yet.
    pub fn has_unsent(&self) -> bool {
        matches!(&self.layer, Layer::Tls(session) if session.has_unsent())
    }

    /// Finds out by its first byte what the peer speaks.
    fn recognise(&mut self) -> io::Result<()> {
        /// What a record is that begins a handshake. No request of HTTP begins like this.
        const HANDSHAKE: u8 = 22;
        let Layer::Expected(config) = &self.layer else { return Ok(()) };
        let mut first = [0];
        if self.stream.peek(&mut first)? == 0 {
            return Ok(());
        }
        self.layer = match first {
            [HANDSHAKE] => Layer::Tls(Box::new(Session::new(config.clone())?)),
            _ => Layer::Mistaken,
        };
        Ok(())
    }
}

fn read_plain(mut stream: &TcpStream, into: &mut [u8]) -> io::Result<(usize, bool)> {
    let count = stream.read(into)?;
    Ok((count, count == into.len()))
}

/// What is written is taken, and may wait here for the peer to take it. Only a flush tells that it has.
impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            return session.write(&self.stream, bytes);
        }
        (&self.stream).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            let bytes = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return session.write(&self.stream, bytes);
        }
        (&self.stream).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            return session.flush(&self.stream);
        }
        Ok(())
    }
}
