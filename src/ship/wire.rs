//! What the two sides say to each other.
//!
//! ```text
//! sender                              receiver
//! OFFER  skeleton, hashes of forms,
//!        arguments
//!                                     LACKS  numbers of the forms it has not     or REFUSED why
//! FORMS  those
//!                                     OUT, ERR  bytes written, any number of times
//!                                     DONE   exit status, result, result frozen, program that parked
//! ```
//!
//! A statement is a byte that says which, and a body in the numbers and texts of frozen bytes. It is sent in messages that begin
//! with 1 if more of it follows, else 0.

use super::Res;
use super::link::{LARGEST, Link};
use yin_ast::pack::{In, Out};

/// Hash of a packed form.
pub type Name = [u8; 32];

/// One statement.
#[derive(Debug, PartialEq, Eq)]
pub enum Say {
    Offer { skeleton: Vec<u8>, forms: Vec<Name>, arguments: Vec<String> },
    Lacks(Vec<u64>),
    Refused(String),
    Forms(Vec<Vec<u8>>),
    Out(Vec<u8>),
    Err(Vec<u8>),
    Done(Done),
}

/// How a computation ended there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Exit status, as of `yin run`.
    pub status: u8,
    /// The value, printed; of a program none.
    pub result: Option<String>,
    /// The same as frozen bytes, if it can travel.
    pub frozen: Option<Vec<u8>>,
    /// The program, if it parked there.
    pub parked: Option<Vec<u8>>,
}

fn optional(out: &mut Out, v: Option<&[u8]>) {
    out.0.push(u8::from(v.is_some()));
    if let Some(b) = v {
        out.bytes(b);
    }
}

impl Say {
    fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        match self {
            Say::Offer { skeleton, forms, arguments } => {
                out.0.push(1);
                out.bytes(skeleton);
                out.number(forms.len() as u64);
                forms.iter().for_each(|f| out.0.extend(f));
                out.number(arguments.len() as u64);
                arguments.iter().for_each(|a| out.text(a));
            }
            Say::Lacks(which) => {
                out.0.push(2);
                out.number(which.len() as u64);
                which.iter().for_each(|i| out.number(*i));
            }
            Say::Refused(why) => {
                out.0.push(3);
                out.text(why);
            }
            Say::Forms(forms) => {
                out.0.push(4);
                out.number(forms.len() as u64);
                forms.iter().for_each(|f| out.bytes(f));
            }
            Say::Out(b) => {
                out.0.push(5);
                out.bytes(b);
            }
            Say::Err(b) => {
                out.0.push(6);
                out.bytes(b);
            }
            Say::Done(d) => {
                out.0.extend([7, d.status]);
                optional(&mut out, d.result.as_deref().map(str::as_bytes));
                optional(&mut out, d.frozen.as_deref());
                optional(&mut out, d.parked.as_deref());
            }
        }
        out.0
    }
    fn decode(bytes: &[u8]) -> Res<Say> {
        let mut b = In::new(bytes);
        let optional = |b: &mut In| -> Res<Option<Vec<u8>>> {
            match b.byte()? {
                0 => Ok(None),
                1 => Ok(Some(b.bytes()?.to_vec())),
                _ => Err("a mark is neither 0 nor 1".into()),
            }
        };
        let said = match b.byte()? {
            1 => {
                let skeleton = b.bytes()?.to_vec();
                let n = b.count(32)?;
                let forms = (0..n).map(|_| Ok(b.take(32)?.try_into().expect("32 bytes"))).collect::<Res<_>>()?;
                let n = b.count(1)?;
                let arguments = (0..n).map(|_| b.text().map(String::from)).collect::<Res<_>>()?;
                Say::Offer { skeleton, forms, arguments }
            }
            2 => {
                let n = b.count(1)?;
                Say::Lacks((0..n).map(|_| b.number()).collect::<Res<_>>()?)
            }
            3 => Say::Refused(b.text()?.into()),
            4 => {
                let n = b.count(1)?;
                Say::Forms((0..n).map(|_| b.bytes().map(<[u8]>::to_vec)).collect::<Res<_>>()?)
            }
            5 => Say::Out(b.bytes()?.to_vec()),
            6 => Say::Err(b.bytes()?.to_vec()),
            7 => {
                let status = b.byte()?;
                let result = optional(&mut b)?.map(String::from_utf8).transpose();
                let result = result.map_err(|_| "a result is no text")?;
                Say::Done(Done { status, result, frozen: optional(&mut b)?, parked: optional(&mut b)? })
            }
            _ => return Err("the other side says what this one does not understand".into()),
        };
        b.end()?;
        Ok(said)
    }
}

/// Says something.
pub fn say(link: &mut dyn Link, what: &Say) -> Res<()> {
    let bytes = what.encode();
    let mut rest = bytes.as_slice();
    loop {
        let (now, later) = rest.split_at(rest.len().min(LARGEST - 1));
        let mut message = Vec::with_capacity(1 + now.len());
        message.push(u8::from(!later.is_empty()));
        message.extend(now);
        link.send(&message)?;
        if later.is_empty() {
            return Ok(());
        }
        rest = later;
    }
}

/// Hears something of at most `most` bytes; none if the other side ended the conversation.
pub fn hear(link: &mut dyn Link, most: usize) -> Res<Option<Say>> {
    let mut bytes = Vec::new();
    loop {
        let Some(message) = link.receive()? else {
            return if bytes.is_empty() { Ok(None) } else { Err("the other side is gone".into()) };
        };
        let (more, part) = message.split_first().ok_or("an empty message")?;
        if bytes.len() + part.len() > most {
            return Err(format!("more than {most} bytes"));
        }
        bytes.extend(part);
        match more {
            0 => return Say::decode(&bytes).map(Some),
            1 => {}
            _ => return Err("the other side says what this one does not understand".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::memory;
    use super::*;

    fn examples() -> Vec<Say> {
        let done = |frozen| Done { status: 3, result: Some("{:a 1}".into()), frozen, parked: Some(vec![1; 200_000]) };
        vec![
            Say::Offer {
                skeleton: vec![5; 100],
                forms: vec![[1; 32], [2; 32]],
                arguments: vec!["1".into(), "é".into()],
            },
            Say::Lacks(vec![0, 7, 300]),
            Say::Refused("busy".into()),
            Say::Forms(vec![vec![], vec![9; 70_000]]),
            Say::Out(b"text".to_vec()),
            Say::Err(vec![0xFF]),
            Say::Done(done(None)),
            Say::Done(done(Some(vec![]))),
        ]
    }

    #[test]
    fn what_is_said_is_heard() {
        let (mut a, mut b) = memory::pair();
        for e in examples() {
            say(&mut a, &e).expect("sent");
            assert_eq!(hear(&mut b, 1 << 20), Ok(Some(e)));
        }
        say(&mut a, &Say::Out(vec![0; 5000])).expect("sent");
        assert!(hear(&mut b, 4000).is_err_and(|e| e.contains("4000")));
        drop(a);
        assert_eq!(hear(&mut b, 100), Ok(None));
    }

    #[test]
    fn nonsense_is_an_error() {
        for e in examples() {
            let bytes = e.encode();
            for i in 0..bytes.len().min(400) {
                for v in [0, 1, 0x7F, 0xFF, bytes[i].wrapping_add(1)] {
                    let mut other = bytes.clone();
                    other[i] = v;
                    // It may be something else that can be said, but must not be taken for more than it is.
                    if let Ok(s) = Say::decode(&other) {
                        assert_eq!(Say::decode(&s.encode()).as_ref(), Ok(&s));
                    }
                }
                assert!(Say::decode(&bytes[..i]).is_err(), "cut at {i}");
            }
        }
    }
}
