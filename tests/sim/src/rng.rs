//! The one source of chance of a run: xoshiro256++ seeded through splitmix64.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A generator whose whole future follows from its seed.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut x = seed;
        let mut splitmix = || {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = x;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self { state: [splitmix(), splitmix(), splitmix(), splitmix()] }
    }

    pub fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `bound`; 0 where the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        let wide = u128::from(self.next()) * (bound as u128);
        usize::try_from(wide >> 64).expect("below a usize")
    }

    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end() - range.start() + 1;
        range.start() + u64::try_from((u128::from(self.next()) * u128::from(width)) >> 64).expect("fits")
    }

    /// True that often in a thousand times. Draws nothing where the answer is certain.
    pub fn per_mille(&mut self, chance: u32) -> bool {
        chance > 0 && self.within(0..=999) < u64::from(chance)
    }

    pub fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        let (low, high) = (range.start() * 1000, range.end() * 1000);
        Duration::from_micros(self.within(low..=high))
    }

    /// One of the choices, by weight.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let total: u64 = choices.iter().map(|c| u64::from(c.0)).sum();
        let mut at = self.within(0..=total.saturating_sub(1));
        for &(weight, choice) in choices {
            if at < u64::from(weight) {
                return choice;
            }
            at -= u64::from(weight);
        }
        choices[choices.len() - 1].1
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len())]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run_and_another_another() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            (0..100).map(|_| rng.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn bounds_hold_and_every_choice_comes() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[rng.below(5)] = true;
            assert!((3..=9).contains(&rng.within(3..=9)));
        }
        assert_eq!(seen, [true; 5]);
        assert!((0..1000).filter(|_| rng.per_mille(100)).count().abs_diff(100) < 50);
        assert!(!rng.per_mille(0));
    }
}
