//! A connection's socket, with TLS or without it. It never blocks: where it would, it says so, and the connection
//! waits.

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
    /// TLS, once the peer sends something. A silent peer costs no more than without TLS.
    Expected(Arc<TlsConfig>),
    Tls(Box<Session>),
    /// The peer speaks plain HTTP where TLS was expected.
    Mistaken,
    /// The peer was told why, as far as TLS can say it. What it still sends is ignored.
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

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether the peer has sent something that is not read yet.
    pub fn is_spoken_to(&self) -> bool {
        !self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Tells the peer that nothing more comes.
    pub fn finish(&mut self) {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            session.say_goodbye(&self.stream);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends it, even while other threads hold the socket.
    pub fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Closing it resets the connection from now on: a linger time of zero does that.
    pub fn reset_when_closed(&self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads what there is, and returns whether there may be more. No bytes mean that the peer has ended.
    #[cfg(not(feature = "tls"))]
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<(usize, bool)> {
        read_plain(&self.stream, into)
    }

    /// Reads what there is, and returns whether there may be more. No bytes mean that the peer has ended.
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
    /// Whether a handshake has begun and is not over: nothing can be sent before.
    pub fn is_opening(&self) -> bool {
        matches!(&self.layer, Layer::Tls(session) if session.is_opening())
    }

    /// Whether the peer speaks plain HTTP where TLS was expected.
    pub fn is_mistaken(&self) -> bool {
        matches!(self.layer, Layer::Mistaken)
    }

    /// Whether the peer's TLS could not be understood, or the peer has refused ours.
    pub fn has_failed(&self) -> bool {
        matches!(self.layer, Layer::Failed)
    }

    /// Whether there are bytes that were taken here and not by the peer yet.
    pub fn has_unsent(&self) -> bool {
        matches!(&self.layer, Layer::Tls(session) if session.has_unsent())
    }

    /// Finds out from the first byte what the peer speaks.
    fn recognise(&mut self) -> io::Result<()> {
        /// The type of a TLS record that begins a handshake. No HTTP request begins with this byte.
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

/// Written bytes are taken at once, and may wait here for the peer. Only a flush tells that the peer has taken them.
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
