//! What the Noise protocol is made of here: X25519, ChaCha20-Poly1305 and BLAKE2b of `orion`, in the shape that `snow` wants.

use orion::hazardous::aead::chacha20poly1305::{ChaCha20Poly1305, Nonce, SecretKey};
use orion::hazardous::ecc::x25519::{PrivateKey, PublicKey, key_agreement};
use orion::hazardous::hash::blake2::blake2b::Blake2b;
use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};

/// Bytes of a tag behind sealed bytes.
pub const TAG: usize = 16;
const HASH: usize = 64;

/// Finds the primitives of `25519_ChaChaPoly_BLAKE2b`.
pub struct Primitives;

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(System))
    }
    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(Curve::default()) as Box<dyn Dh>)
    }
    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        let hash = Blake2b::new(HASH).ok().filter(|_| matches!(choice, HashChoice::Blake2b))?;
        Some(Box::new(Blake(hash)))
    }
    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::new(ChaCha([0; 32])) as Box<dyn Cipher>)
    }
}

/// Random bytes of the operating system.
struct System;
impl Random for System {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        orion::util::secure_rand_bytes(out).map_err(|_| Error::Rng)
    }
}

#[derive(Default)]
struct Curve {
    private: [u8; 32],
    public: [u8; 32],
}
impl Curve {
    fn take(&mut self, private: [u8; 32]) -> Result<(), Error> {
        self.private = private;
        let public = PublicKey::try_from(&PrivateKey::from(private)).map_err(|_| Error::Dh)?;
        self.public.copy_from_slice(public.as_ref());
        Ok(())
    }
}
impl Dh for Curve {
    fn name(&self) -> &'static str {
        "25519"
    }
    fn pub_len(&self) -> usize {
        32
    }
    fn priv_len(&self) -> usize {
        32
    }
    fn set(&mut self, private: &[u8]) {
        let private = private.try_into().expect("a private key has 32 bytes");
        self.take(private).expect("every 32 bytes are a private key");
    }
    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut private = [0; 32];
        rng.try_fill_bytes(&mut private)?;
        self.take(private)
    }
    fn pubkey(&self) -> &[u8] {
        &self.public
    }
    fn privkey(&self) -> &[u8] {
        &self.private
    }
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let public: [u8; 32] = public.get(..32).and_then(|p| p.try_into().ok()).ok_or(Error::Dh)?;
        let shared = key_agreement(&PrivateKey::from(self.private), &PublicKey::from(public));
        let shared = shared.map_err(|_| Error::Dh)?;
        out.get_mut(..32).ok_or(Error::Dh)?.copy_from_slice(shared.unprotected_as_ref());
        Ok(())
    }
}

struct ChaCha([u8; 32]);
impl ChaCha {
    /// The counter as the protocol writes it.
    fn nonce(counter: u64) -> Nonce {
        let mut n = [0; 12];
        n[4..].copy_from_slice(&counter.to_le_bytes());
        Nonce::from(n)
    }
}
impl Cipher for ChaCha {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }
    fn set(&mut self, key: &[u8; 32]) {
        self.0 = *key;
    }
    fn encrypt(&self, nonce: u64, context: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let n = plain.len() + TAG;
        ChaCha20Poly1305::seal(&SecretKey::from(self.0), &ChaCha::nonce(nonce), plain, Some(context), &mut out[..n])
            .expect("there is room, and messages are short");
        n
    }
    fn decrypt(&self, nonce: u64, context: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let n = sealed.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        let out = out.get_mut(..n).ok_or(Error::Decrypt)?;
        ChaCha20Poly1305::open(&SecretKey::from(self.0), &ChaCha::nonce(nonce), sealed, Some(context), out)
            .map_err(|_| Error::Decrypt)?;
        Ok(n)
    }
}

struct Blake(Blake2b);
impl Hash for Blake {
    fn name(&self) -> &'static str {
        "BLAKE2b"
    }
    fn block_len(&self) -> usize {
        128
    }
    fn hash_len(&self) -> usize {
        HASH
    }
    fn reset(&mut self) {
        self.0.reset().expect("a hash can start again");
    }
    fn input(&mut self, data: &[u8]) {
        self.0.update(data).expect("a hash takes bytes until its result is asked for");
    }
    fn result(&mut self, out: &mut [u8]) {
        let digest = self.0.finalize().expect("the result is asked for once");
        out[..HASH].copy_from_slice(digest.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
    }

    #[test]
    fn the_curve_is_that_of_rfc_7748() {
        let (mut alice, mut bob) = (Curve::default(), Curve::default());
        alice.set(&bytes::<32>("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099872bc0b0f2c5b1a11e"));
        bob.set(&bytes::<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        let (mut one, mut other) = ([0; 32], [0; 32]);
        alice.dh(bob.pubkey(), &mut one).expect("fine");
        bob.dh(alice.pubkey(), &mut other).expect("fine");
        assert_eq!(one, other);
        assert_eq!(bob.pubkey(), bytes::<32>("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        assert!(alice.dh(&[0; 32], &mut one).is_err(), "a point of low order gives no secret");
    }

    #[test]
    fn the_hash_is_that_of_rfc_7693() {
        let mut h = Primitives.resolve_hash(&HashChoice::Blake2b).expect("it is there");
        let mut out = [0; 64];
        for _ in 0..2 {
            h.reset();
            h.input(b"a");
            h.input(b"bc");
            h.result(&mut out);
            let want = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
            assert_eq!(out, bytes::<64>(want));
        }
    }

    #[test]
    fn the_cipher_is_that_of_rfc_8439() {
        let mut c = Primitives.resolve_cipher(&CipherChoice::ChaChaPoly).expect("it is there");
        // Section 2.3.2's layout of key and counter, with a nonce that the protocol can have.
        c.set(&std::array::from_fn(|i| 0x80 + i as u8));
        let (mut sealed, mut open) = ([0; 40], [0; 24]);
        let n = c.encrypt(7, b"context", b"a message of 24 bytes!!!", &mut sealed);
        assert_eq!(n, 40);
        assert_eq!(c.decrypt(7, b"context", &sealed, &mut open), Ok(24));
        assert_eq!(&open, b"a message of 24 bytes!!!");
        assert!(c.decrypt(8, b"context", &sealed, &mut open).is_err(), "another counter");
        assert!(c.decrypt(7, b"contexT", &sealed, &mut open).is_err(), "another context");
        for i in 0..40 {
            let mut other = sealed;
            other[i] ^= 1;
            assert!(c.decrypt(7, b"context", &other, &mut open).is_err(), "byte {i}");
        }
        assert_eq!(c.encrypt(0, b"", b"", &mut sealed), TAG);
        assert_eq!(c.decrypt(0, b"", &sealed[..TAG], &mut []), Ok(0));
    }
}
