//! Transports. A link carries messages whole and in order; a message broker would be another implementation of [`Link`].

use super::Res;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Largest message: what is longer is sent in several (`wire`).
pub const LARGEST: usize = 60_000;

/// Messages in order between two sides.
pub trait Link: Send {
    /// Sends one message of at most [`LARGEST`] bytes.
    fn send(&mut self, message: &[u8]) -> Res<()>;
    /// The next message; none if the other side ended the conversation.
    fn receive(&mut self) -> Res<Option<Vec<u8>>>;
    /// How long the other side may be silent before that is an error; none = for ever.
    fn set_patience(&mut self, patience: Option<Duration>) -> Res<()>;
    /// Tells whether the other side is gone, from another thread, while nothing is expected from it.
    fn watch(&self) -> Res<Box<dyn FnMut() -> bool + Send>>;
}

/// A message on TCP is its length as four bytes, big-endian, and its bytes.
pub struct Tcp(TcpStream);

impl Tcp {
    pub fn new(stream: TcpStream) -> Res<Tcp> {
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Tcp(stream))
    }
}

fn broken(e: &std::io::Error) -> String {
    match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the other side is silent for too long".into(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "the other side is gone".into()
        }
        _ => e.to_string(),
    }
}

impl Link for Tcp {
    fn send(&mut self, message: &[u8]) -> Res<()> {
        let mut out = Vec::with_capacity(4 + message.len());
        out.extend((message.len() as u32).to_be_bytes());
        out.extend(message);
        self.0.write_all(&out).map_err(|e| broken(&e))
    }
    fn receive(&mut self) -> Res<Option<Vec<u8>>> {
        let mut length = [0; 4];
        let mut have = 0;
        while have < 4 {
            match self.0.read(&mut length[have..]) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err("the other side is gone".into()),
                Ok(n) => have += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(broken(&e)),
            }
        }
        let n = u32::from_be_bytes(length) as usize;
        // A sealed message is a little longer.
        if n > LARGEST + 1024 {
            return Err(format!("a message of {n} bytes: this is no conversation of Yin's"));
        }
        let mut message = vec![0; n];
        self.0.read_exact(&mut message).map_err(|e| broken(&e))?;
        Ok(Some(message))
    }
    fn set_patience(&mut self, patience: Option<Duration>) -> Res<()> {
        let set = self.0.set_read_timeout(patience).and_then(|()| self.0.set_write_timeout(patience));
        set.map_err(|e| e.to_string())
    }
    fn watch(&self) -> Res<Box<dyn FnMut() -> bool + Send>> {
        let stream = self.0.try_clone().map_err(|e| e.to_string())?;
        Ok(Box::new(move || {
            let mut byte = [0];
            match stream.peek(&mut byte) {
                Ok(n) => n == 0,
                Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
            }
        }))
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
pub mod memory {
    //! Two ends in one process, for tests of what is said.

    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    pub struct End {
        to: Sender<Vec<u8>>,
        from: Receiver<Vec<u8>>,
        /// Everything this end sent.
        pub sent: Vec<Vec<u8>>,
    }
    pub fn pair() -> (End, End) {
        let ((a, from_a), (b, from_b)) = (channel(), channel());
        (End { to: a, from: from_b, sent: Vec::new() }, End { to: b, from: from_a, sent: Vec::new() })
    }
    impl Link for End {
        fn send(&mut self, message: &[u8]) -> Res<()> {
            assert!(message.len() <= LARGEST + 1024, "a message of {} bytes", message.len());
            self.sent.push(message.to_vec());
            self.to.send(message.to_vec()).map_err(|_| "the other side is gone".into())
        }
        fn receive(&mut self) -> Res<Option<Vec<u8>>> {
            Ok(self.from.recv().ok())
        }
        fn set_patience(&mut self, _: Option<Duration>) -> Res<()> {
            Ok(())
        }
        fn watch(&self) -> Res<Box<dyn FnMut() -> bool + Send>> {
            Ok(Box::new(|| false))
        }
    }
}
