//! A server that answers byte by byte, without an end.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(20);

pub struct Drip {
    pub address: SocketAddr,
    dripping: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
}

impl Drip {
    /// One that begins so, whatever it is told.
    pub fn saying(begins: &'static str) -> Self {
        Drip::start(move |mut stream| stream.write_all(begins.as_bytes()))
    }

    /// One that takes an e-mail, and then says so byte by byte.
    pub fn behind_an_email() -> Self {
        Drip::start(|mut stream| {
            stream.write_all(b"220 a test\r\n")?;
            let mut lines = BufReader::new(stream).lines();
            while let Some(line) = lines.next().transpose()? {
                match line.as_str() {
                    "." => return stream.write_all(b"250 "),
                    "DATA" => {
                        stream.write_all(b"354 go on\r\n")?;
                        while lines.next().transpose()?.is_some_and(|line| line != ".") {}
                        return stream.write_all(b"250 ");
                    }
                    _ => stream.write_all(b"250 ok\r\n")?,
                }
            }
            Ok(())
        })
    }

    #[allow(clippy::disallowed_methods, reason = "a test's thread needs no name")]
    fn start(begin: impl Fn(&TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let drip = Drip { address: listener.local_addr().unwrap(), dripping: Arc::default(), stopping: Arc::default() };
        let (dripping, stopping, begin) = (drip.dripping.clone(), drip.stopping.clone(), Arc::new(begin));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (dripping, stopping, begin) = (dripping.clone(), stopping.clone(), begin.clone());
                std::thread::spawn(move || {
                    if begin(&stream).is_err() {
                        return;
                    }
                    dripping.fetch_add(1, Ordering::SeqCst);
                    let (_never, pause) = crossbeam_channel::bounded::<()>(0);
                    while !stopping.load(Ordering::SeqCst) && stream.write_all(b"2").is_ok() {
                        let _ = pause.recv_timeout(INTERVAL);
                    }
                });
            }
        });
        drip
    }

    /// Connections on which it drips, or did.
    pub fn count(&self) -> usize {
        self.dripping.load(Ordering::SeqCst)
    }
}

impl Drop for Drip {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}
