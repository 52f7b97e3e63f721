//! Chance that can be repeated: `BANTER_SEED` takes a run's seed.

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice with the seed asked for, or one of their own; it is printed.
    pub(crate) fn new(what: &str) -> Self {
        let asked = std::env::var("BANTER_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = asked.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), what));
        println!("{what}: BANTER_SEED={seed}");
        Self(seed)
    }

    /// 0 to `sides` - 1.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// A number of rounds from the environment.
pub(crate) fn rounds(variable: &str, few: u64) -> u64 {
    std::env::var(variable).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(few)
}
