//! Exact sums of fractions. A mean over machines with different applicable weights has a common denominator that no fixed
//! integer holds, and a letter must not depend on a rounding error; so fractions are kept apart by denominator and only
//! the whole part of a multiple is computed.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A sum of non-negative fractions, exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exact {
    /// Numerators by denominator.
    terms: BTreeMap<u64, u128>,
}

impl Exact {
    /// Adds `numerator / denominator`. A denominator of 0 has no meaning and adds nothing.
    pub(crate) fn add(&mut self, numerator: u64, denominator: u64) {
        if numerator > 0 && denominator > 0 {
            *self.terms.entry(denominator).or_default() += u128::from(numerator);
        }
    }

    /// The whole part of `scale` times the sum.
    pub(crate) fn whole(&self, scale: u64) -> u128 {
        let mut whole = 0;
        let mut rests: Vec<(u64, u64)> = Vec::new();
        for (&denominator, &numerator) in &self.terms {
            let (units, rest) = multiply_divide(numerator, scale, denominator);
            whole += units;
            if rest > 0 {
                rests.push((rest, denominator));
            }
        }
        whole + whole_of_rests(&rests)
    }
}

/// `numerator * scale / denominator` with its remainder, without leaving 128 bits.
fn multiply_divide(numerator: u128, scale: u64, denominator: u64) -> (u128, u64) {
    let divisor = u128::from(denominator);
    let scale = u128::from(scale);
    let scaled_rest = (numerator % divisor) * scale;
    let rest = u64::try_from(scaled_rest % divisor).unwrap_or(u64::MAX);
    ((numerator / divisor) * scale + scaled_rest / divisor, rest)
}

/// The whole part of a sum of proper fractions `(numerator, denominator)`.
fn whole_of_rests(rests: &[(u64, u64)]) -> u128 {
    let mut common = Natural::one();
    for &(_, denominator) in rests {
        common.multiply(denominator / gcd(common.remainder(denominator), denominator));
    }
    let mut sum = Natural::zero();
    for &(numerator, denominator) in rests {
        let mut part = common.clone();
        part.divide(denominator);
        part.multiply(numerator);
        sum.add(&part);
    }
    // Each rest is under 1, so the answer is under their number: find it by bisection.
    let (mut low, mut high) = (0_u64, rests.len() as u64);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let mut multiple = common.clone();
        multiple.multiply(middle);
        if multiple.compare(&sum) == Ordering::Greater { high = middle } else { low = middle }
    }
    u128::from(low)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

/// A natural number of any size, lowest limb first, without leading zero limbs.
#[derive(Clone, Debug)]
struct Natural {
    limbs: Vec<u64>,
}

impl Natural {
    const fn zero() -> Self {
        Self { limbs: Vec::new() }
    }

    fn one() -> Self {
        Self { limbs: vec![1] }
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0_u128;
        for limb in &mut self.limbs {
            carry += u128::from(*limb) * u128::from(factor);
            *limb = low(carry);
            carry >>= 64;
        }
        self.limbs.push(low(carry));
        self.trim();
    }

    /// Divides; callers guarantee that there is no remainder.
    fn divide(&mut self, divisor: u64) {
        let mut rest = 0_u128;
        for limb in self.limbs.iter_mut().rev() {
            rest = (rest << 64) | u128::from(*limb);
            *limb = low(rest / u128::from(divisor));
            rest %= u128::from(divisor);
        }
        self.trim();
    }

    fn remainder(&self, divisor: u64) -> u64 {
        let rest =
            self.limbs.iter().rev().fold(0_u128, |rest, &limb| ((rest << 64) | u128::from(limb)) % u128::from(divisor));
        low(rest)
    }

    fn add(&mut self, other: &Self) {
        let mut carry = 0_u128;
        for index in 0..self.limbs.len().max(other.limbs.len()) {
            if index == self.limbs.len() {
                self.limbs.push(0);
            }
            carry += u128::from(self.limbs[index]) + u128::from(other.limbs.get(index).copied().unwrap_or(0));
            self.limbs[index] = low(carry);
            carry >>= 64;
        }
        self.limbs.push(low(carry));
        self.trim();
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.limbs.len().cmp(&other.limbs.len());
        by_length.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

/// The lowest 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the low limb is what is wanted; the caller carries the rest")]
const fn low(value: u128) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Exact;

    fn sum(terms: &[(u64, u64)]) -> Exact {
        let mut exact = Exact::default();
        for &(numerator, denominator) in terms {
            exact.add(numerator, denominator);
        }
        exact
    }

    #[test]
    fn thirds_make_a_whole() {
        assert_eq!(sum(&[(1, 3), (1, 3), (1, 3)]).whole(1), 1);
        assert_eq!(sum(&[(1, 2), (1, 3), (1, 6)]).whole(100), 100);
        assert_eq!(sum(&[(1, 3)]).whole(100_000_000), 33_333_333);
        assert_eq!(sum(&[]).whole(100), 0);
        assert_eq!(sum(&[(1, 0)]).whole(100), 0);
    }

    /// The fractions `1/p + (p-1)/p` of a hundred primes: their common denominator has hundreds of digits, the sum is whole.
    #[test]
    fn no_common_denominator_is_too_large() {
        let primes: Vec<u64> = (1_000..3_000_u64).filter(|n| (2..60).all(|d| n % d != 0)).take(100).collect();
        let mut terms: Vec<(u64, u64)> =
            primes.iter().flat_map(|&p| [(1, p), (p - 1, 2 * p), (p - 1, 2 * p)]).collect();
        assert_eq!(sum(&terms).whole(1), 100);
        // A hair less than whole is not whole.
        terms[0] = (0, primes[0]);
        assert_eq!(sum(&terms).whole(1), 99);
    }

    proptest! {
        /// Where a common denominator fits into 128 bits the answer is that of plain arithmetic.
        #[test]
        fn agrees_with_plain_arithmetic(terms in prop::collection::vec((0..50_u64, 1..20_u64), 0..30), scale in 1..1_000_u64) {
            let common: u128 = 232_792_560; // the least common multiple of 1 to 20
            let plain: u128 = terms.iter().map(|&(n, d)| u128::from(n) * common / u128::from(d)).sum();
            prop_assert_eq!(sum(&terms).whole(scale), plain * u128::from(scale) / common);
        }
    }
}
