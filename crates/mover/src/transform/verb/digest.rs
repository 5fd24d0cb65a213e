//! Hashes in place of values.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::super::refusal::Refusal;
use super::super::value::Value;

/// The key of a mask. It never shows itself.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Of any length.
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("keys of any length are taken"))
    }

    pub(super) fn mask(&self, value: &Value<'_>) -> Result<Value<'static>, Refusal> {
        let mut mac = self.0.clone();
        mac.update(value.text().ok_or(Refusal::OtherType)?.as_bytes());
        Ok(Value::Text(hex(&mac.finalize().into_bytes()).into()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

pub(super) fn hash(value: &Value<'_>) -> Result<Value<'static>, Refusal> {
    let text = value.text().ok_or(Refusal::OtherType)?;
    Ok(Value::Text(hex(&Sha256::digest(text.as_bytes())).into()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u8| char::from(DIGITS[usize::from(at)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        let text = |text: &'static str| Value::Text(text.into());
        // RFC 4231, case 2, and FIPS 180-4.
        assert_eq!(
            Key::new(b"Jefe").mask(&text("what do ya want for nothing?")),
            Ok(text("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
        );
        assert_eq!(hash(&text("abc")), Ok(text("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
        assert_eq!(hash(&text("")), Ok(text("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
        assert_eq!(hash(&Value::Whole(123)), hash(&text("123")));
        assert_eq!(hash(&Value::Double(1.0)), Err(Refusal::OtherType));
        let long = Key::new(&[7; 200]);
        assert!(format!("{long:?}") == "Key(***)" && long.mask(&Value::Bool(true)) != long.mask(&Value::Bool(false)));
    }
}
