//! Chance, from a seed: the same seed and the same requests make the same Swarm.

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The dice of a name: what they throw is always the same for it.
    pub(crate) fn of(name: &str) -> Self {
        let seed = name.bytes().fold(7_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Self::new(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// What the managers name their objects: 25 letters and digits.
    pub(crate) fn id(&mut self) -> super::model::Id {
        self.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 25).into()
    }

    /// What an engine names its own objects: 64 hexadecimal digits.
    pub(crate) fn hex(&mut self) -> super::model::Id {
        self.text(b"0123456789abcdef", 64).into()
    }

    pub(crate) fn text(&mut self, letters: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| char::from(letters[(self.next() % letters.len() as u64) as usize]))
            .collect()
    }
}
