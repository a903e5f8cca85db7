//! People's passwords: hashing (argon2id), checking and drawing first ones. Owns no account and no throttle; those are
//! in `store::person` and `app::throttle`.

use std::sync::{LazyLock, Mutex, PoisonError};

use argon2::password_hash::{Output, ParamsString, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version};
use ring::rand::{SecureRandom, SystemRandom};
use unicode_normalization::UnicodeNormalization;

/// Fewest characters of a password that a person chooses.
pub const MIN_CHARACTERS: usize = 12;

/// Maximum bytes of a password, so that nobody makes the server hash a book.
pub const MAX_BYTES: usize = 512;

/// Letters and digits that are not mistaken for each other on paper.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";

/// Why a password is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Fewer than [`MIN_CHARACTERS`] characters.
    #[error("the password has fewer than {MIN_CHARACTERS} characters")]
    Short,
    /// More than [`MAX_BYTES`] bytes.
    #[error("the password has more than {MAX_BYTES} bytes")]
    Long,
    /// Fewer than five different characters.
    #[error("the password repeats too few characters")]
    Plain,
    /// It contains the login name.
    #[error("the password contains the login name")]
    Name,
}

/// Checks whether `secret` may be the new password of `login`.
///
/// # Errors
/// The first rule it breaks.
pub fn check_new(secret: &str, login: &str) -> Result<(), Weakness> {
    if secret.len() > MAX_BYTES {
        return Err(Weakness::Long);
    }
    let characters: Vec<char> = secret.nfc().collect();
    if characters.len() < MIN_CHARACTERS {
        return Err(Weakness::Short);
    }
    let different: std::collections::BTreeSet<char> = characters.iter().copied().collect();
    if different.len() < 5 {
        return Err(Weakness::Plain);
    }
    if login.chars().count() >= 4 && secret.to_lowercase().contains(&login.to_lowercase()) {
        return Err(Weakness::Name);
    }
    Ok(())
}

/// The memory of checks, kept from one to the next: as many blocks as checks ever ran at once. Allocated each time by whichever thread
/// is free, the allocator would keep a block for every such thread.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Argon2 in memory that is kept.
fn digest(argon2: &Argon2<'_>, secret: &str, salt: &[u8], length: usize) -> argon2::password_hash::Result<Output> {
    let memory = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut blocks = memory().pop().unwrap_or_default();
    blocks.resize(argon2.params().block_count(), Block::default());
    // Vietnamese keyboards type the same letter in two ways (one code point or letter and mark): both must match.
    let normal: String = secret.nfc().collect();
    let output = Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(normal.as_bytes(), salt, out, &mut blocks)?)
    });
    memory().push(blocks);
    output
}

/// Hashes `secret` with a salt of its own. Takes about 50 ms and 19 MiB; call it off the async threads.
///
/// # Errors
/// The system has no random numbers, or the hash function fails, which its constant settings rule out.
pub fn hash(secret: &str) -> anyhow::Result<String> {
    let mut salt = [0_u8; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let refused = |error| anyhow::anyhow!("password hash: {error}");
    let text = SaltString::encode_b64(&salt).map_err(refused)?;
    let argon2 = Argon2::default();
    let output = digest(&argon2, secret, &salt, Params::DEFAULT_OUTPUT_LEN).map_err(refused)?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(refused)?,
        salt: Some(text.as_salt()),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// True when `secret` is the password behind `hash`. Without a hash (no such account) it does the same work and returns
/// false, so that timing does not reveal which names exist. Call it off the async threads.
pub fn verify(secret: &str, hash: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> = LazyLock::new(|| self::hash("nobody has this password").unwrap_or_default());
    if secret.len() > MAX_BYTES {
        return false;
    }
    fits(secret, hash.unwrap_or(&NOBODY)) == Some(true) && hash.is_some()
}

/// Whether `secret` has this hash; `None` when the hash is not in our format.
fn fits(secret: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let mut salt = [0; 64];
    let salt = hash.salt?.decode_b64(&mut salt).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm).ok()?;
    let argon2 = Argon2::new(algorithm, Version::try_from(hash.version?).ok()?, Params::try_from(&hash).ok()?);
    let output = digest(&argon2, secret, salt, hash.hash?.len()).ok()?;
    // Compares in constant time.
    Some(Some(output) == hash.hash)
}

/// Draws a first password: 20 characters in groups of five, 100 random bits, easily copied from paper.
///
/// # Errors
/// When the system has no random numbers.
pub fn draw_first() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 20];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Ok(letters.chunks(5).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_however_its_marks_are_typed() {
        let hash = hash("mật khẩu của tôi").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let decomposed: String = "mật khẩu của tôi".nfd().collect();
        assert!(verify("mật khẩu của tôi", Some(&hash)));
        assert!(verify(&decomposed, Some(&hash)));
        assert!(!verify("mat khau cua toi", Some(&hash)));
        assert!(!verify("nobody has this password", None));
        assert!(!verify("anything", Some("not a hash")));
    }

    #[test]
    fn the_form_of_stored_hashes_stays() {
        let stored =
            "$argon2id$v=19$m=19456,t=2,p=1$AFNWUsaxnBVkFfd0mjFXTA$j1V09WgVOYlJl+qf/nYkjgA6v/x9hxoAWsbJ/KeZOAw";
        assert!(verify("wwjtz-y0s23-unbv4-wwfc6", Some(stored)));
        assert!(!verify("hoa sữa tháng chín", Some(stored)));
        let made = hash("hoa sữa tháng mười").unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && made.len() == stored.len(), "{made}");
    }

    #[test]
    fn weak_passwords_are_named() {
        assert_eq!(check_new("ngắn quá", "lan"), Err(Weakness::Short));
        assert_eq!(check_new("aaaaaaaaaaaabbbb", "lan"), Err(Weakness::Plain));
        assert_eq!(check_new("nguyenvanlan-2026", "NguyenVanLan"), Err(Weakness::Name));
        assert_eq!(check_new(&"0123456789".repeat(60), "lan"), Err(Weakness::Long));
        assert_eq!(check_new("hoa sữa tháng mười", "lan"), Ok(()));
    }

    #[test]
    fn first_passwords_differ_and_pass_the_rules() {
        let (one, two) = (draw_first().unwrap(), draw_first().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 23);
        assert_eq!(check_new(&one, "lan"), Ok(()));
    }
}
