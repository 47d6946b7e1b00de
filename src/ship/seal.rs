//! A link that only those read and write who have the key: the Noise protocol, `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b`. Both sides
//! prove that they know the key; each conversation has keys of its own, so that the key alone does not open recorded ones.

use super::Res;
use super::link::Link;
use super::primitives::{Primitives, TAG};
use snow::{Builder, TransportState};
use std::io::Write;
use std::time::Duration;

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b";
/// Both sides must mean the same by what they say.
const PROLOGUE: &[u8] = b"yin ship 1";

fn builder<'a>() -> Res<Builder<'a>> {
    Ok(Builder::with_resolver(PATTERN.parse().map_err(said)?, Box::new(Primitives)))
}

/// What both sides know and nobody else.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Reads a key file: 64 hexadecimal digits.
    pub fn read(path: &str) -> Res<Key> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        let text = text.trim();
        let mut key = [0; 32];
        let digits = |i: usize| text.get(2 * i..2 * i + 2).and_then(|d| u8::from_str_radix(d, 16).ok());
        for (i, b) in key.iter_mut().enumerate() {
            *b = digits(i)
                .ok_or_else(|| format!("{path} is no key: 64 hexadecimal digits; `yin key FILE` makes one"))?;
        }
        if text.len() != 64 {
            return Err(format!("{path} is no key: 64 hexadecimal digits; `yin key FILE` makes one"));
        }
        Ok(Key(key))
    }
    /// Makes a new key and writes it to a file that did not exist and that others may not read.
    pub fn create(path: &str) -> Res<()> {
        let random = builder()?.generate_keypair().map_err(said)?.private;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|e| format!("{path}: {e}"))?;
        let text: String = random.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(file, "{text}").map_err(|e| format!("{path}: {e}"))
    }
}

fn said(e: snow::Error) -> String {
    match e {
        snow::Error::Decrypt => "the other side has another key".into(),
        e => format!("sealing failed: {e}"),
    }
}

/// A link over another one.
pub struct Sealed<L> {
    link: L,
    state: TransportState,
}

impl<L: Link> Sealed<L> {
    /// The side that starts the conversation.
    pub fn offer(mut link: L, key: &Key) -> Res<Sealed<L>> {
        let builder = builder()?.prologue(PROLOGUE).map_err(said)?.psk(0, &key.0).map_err(said)?;
        let mut shake = builder.build_initiator().map_err(said)?;
        let mut buffer = [0; 256];
        let n = shake.write_message(&[], &mut buffer).map_err(said)?;
        link.send(&buffer[..n])?;
        let answer = link.receive()?.ok_or("the other side refused: it has another key, or wants none")?;
        shake.read_message(&answer, &mut buffer).map_err(said)?;
        Ok(Sealed { link, state: shake.into_transport_mode().map_err(said)? })
    }
    /// The side that answers.
    pub fn accept(mut link: L, key: &Key) -> Res<Sealed<L>> {
        let builder = builder()?.prologue(PROLOGUE).map_err(said)?.psk(0, &key.0).map_err(said)?;
        let mut shake = builder.build_responder().map_err(said)?;
        let mut buffer = [0; 256];
        let first = link.receive()?.ok_or("the other side said nothing")?;
        if first.len() > buffer.len() {
            return Err("the other side does not seal what it says".into());
        }
        shake.read_message(&first, &mut buffer).map_err(said)?;
        let n = shake.write_message(&[], &mut buffer).map_err(said)?;
        link.send(&buffer[..n])?;
        Ok(Sealed { link, state: shake.into_transport_mode().map_err(said)? })
    }
}

impl<L: Link> Link for Sealed<L> {
    fn send(&mut self, message: &[u8]) -> Res<()> {
        let mut buffer = vec![0; message.len() + TAG];
        let n = self.state.write_message(message, &mut buffer).map_err(said)?;
        self.link.send(&buffer[..n])
    }
    fn receive(&mut self) -> Res<Option<Vec<u8>>> {
        let Some(message) = self.link.receive()? else { return Ok(None) };
        let mut buffer = vec![0; message.len()];
        let n = self.state.read_message(&message, &mut buffer).map_err(said)?;
        buffer.truncate(n);
        Ok(Some(buffer))
    }
    fn set_patience(&mut self, patience: Option<Duration>) -> Res<()> {
        self.link.set_patience(patience)
    }
    fn watch(&self) -> Res<Box<dyn FnMut() -> bool + Send>> {
        self.link.watch()
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::memory;
    use super::*;

    /// How sending went, what was heard, and the messages as they were on the way.
    type Talk = (Res<()>, Res<Option<Vec<u8>>>, Vec<Vec<u8>>);

    fn talk(a: Key, b: Key) -> Talk {
        let (one, other) = memory::pair();
        let answering = std::thread::spawn(move || {
            let mut link = Sealed::accept(other, &b)?;
            link.send(b"welcome")?;
            link.receive()
        });
        let sent = Sealed::offer(one, &a).and_then(|mut link| {
            let first = link.receive()?;
            assert_eq!(first.as_deref(), Some(&b"welcome"[..]));
            link.send(b"the secret message")?;
            Ok(link.link.sent.clone())
        });
        let got = answering.join().expect("it ends");
        match sent {
            Ok(seen) => (Ok(()), got, seen),
            Err(e) => (Err(e), got, Vec::new()),
        }
    }

    #[test]
    fn who_has_the_key_is_understood_and_nobody_else() {
        let (said, heard, seen) = talk(Key([7; 32]), Key([7; 32]));
        assert_eq!((said, heard), (Ok(()), Ok(Some(b"the secret message".to_vec()))));
        assert!(!seen.iter().any(|m| m.windows(6).any(|w| w == b"secret")), "it can be read on the way");
        let (said, heard, _) = talk(Key([7; 32]), Key([8; 32]));
        assert!(said.is_err() && heard.is_err_and(|e| e.contains("another key")));
    }
}
