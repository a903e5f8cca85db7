//! The source of random numbers. Code that uses them takes them as a parameter, so that tests can choose them.

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomBytes;

/// `N` random bytes.
///
/// # Errors
/// When the system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomBytes> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomBytes)?;
    Ok(bytes)
}

/// 128 random bits in hexadecimal.
///
/// # Errors
/// When the system gives none.
pub fn identifier() -> Result<String, NoRandomBytes> {
    Ok(HEXLOWER.encode(&bytes::<16>()?))
}

/// A number from 0 (inclusive) to 1 (exclusive), for spreading delays. 0.5 when the system gives no random bytes: a
/// delay that is not spread is better than none.
pub fn unit() -> f64 {
    bytes::<4>().map_or(0.5, |bytes| f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_differ_and_units_stay_within_bounds() {
        let (one, other) = (super::identifier().unwrap(), super::identifier().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&super::unit()));
        }
    }
}
