//! TLS over a socket that does not block: rustls turns bytes into bytes, and this moves them.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

/// What is taken of an answer before the peer reads it: one record. It counts against no budget.
const UNSENT_BYTES: usize = 16 * 1024;

pub struct Session {
    tls: ServerConnection,
    /// The last read of the socket has emptied it.
    is_drained: bool,
}

impl Session {
    pub fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(UNSENT_BYTES));
        Ok(Session { tls, is_drained: false })
    }

    pub fn is_opening(&self) -> bool {
        self.tls.is_handshaking()
    }

    pub fn has_unsent(&self) -> bool {
        self.tls.wants_write()
    }

    /// Reads what the peer has sent, and returns whether there may be more. It answers the messages of TLS itself.
    /// Fails with [`io::ErrorKind::InvalidData`] if TLS cannot go on: the peer was told why.
    pub fn read(&mut self, stream: &TcpStream, into: &mut [u8]) -> io::Result<(usize, bool)> {
        loop {
            match self.tls.reader().read(into) {
                Ok(count) => return Ok((count, count == into.len() || !self.is_drained)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Many peers close without a `close_notify`. HTTP knows whether something is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok((0, false)),
                Err(error) => return Err(error),
            }
            let mut socket = Noting { stream, is_drained: false };
            self.tls.read_tls(&mut socket)?;
            self.is_drained = socket.is_drained;
            if let Err(error) = self.tls.process_new_packets() {
                log::info!("a peer and this daemon do not agree on TLS: {error}{}", advice(&error));
                let _ = self.flush(stream);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            match self.flush(stream) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    /// Takes some bytes, once all that was taken before is on its way.
    pub fn write(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        self.flush(stream)?;
        let taken = self.tls.writer().write(bytes)?;
        match self.flush(stream) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends what was taken.
    pub fn flush(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends `close_notify`, as far as the peer takes it now.
    pub fn say_goodbye(&mut self, stream: &TcpStream) {
        self.tls.send_close_notify();
        let _ = self.flush(stream);
    }
}

/// What to do about an error, where that is known.
fn advice(error: &rustls::Error) -> &'static str {
    use rustls::AlertDescription::{BadCertificate, CertificateUnknown, UnknownCA};
    match error {
        rustls::Error::AlertReceived(UnknownCA | CertificateUnknown | BadCertificate) => {
            "; have it trust the authority that `bulkd ca` prints, such as by NODE_EXTRA_CA_CERTS or SSL_CERT_FILE"
        }
        _ => "",
    }
}

/// Notes whether a read has emptied the socket: it returned less than there was room for.
struct Noting<'a> {
    stream: &'a TcpStream,
    is_drained: bool,
}

impl Read for Noting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(into)?;
        self.is_drained = count < into.len();
        Ok(count)
    }
}
