//! A plain mutator with a seeded generator, so that a run can be repeated from its seed.

/// Longer inputs find nothing that these do not.
const MAX_INPUT: usize = 1 << 16;
/// Bytes that lengths, counts and tags like to be.
const TELLING: [u8; 12] = [0x00, 0x01, 0x0f, 0x10, 0x2f, 0x68, 0x72, 0x7a, 0x7f, 0x80, 0x90, 0xff];

/// Makes input after input out of seeds.
pub struct Mutator {
    state: u64,
    seeds: Vec<Vec<u8>>,
    input: Vec<u8>,
}

impl Mutator {
    /// The same seed and seeds give the same inputs.
    #[must_use]
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        Self { state: seed, seeds, input: Vec::new() }
    }

    /// The next input.
    pub fn input(&mut self) -> &[u8] {
        let seed = self.below(self.seeds.len().max(1));
        self.input.clear();
        self.input.extend_from_slice(self.seeds.get(seed).map_or(&[], Vec::as_slice));
        for _ in 0..=self.below(6) {
            self.change();
        }
        self.input.truncate(MAX_INPUT);
        &self.input
    }

    fn change(&mut self) {
        let length = self.input.len();
        let at = self.below(length.max(1));
        let end = (at + self.below(16) + 1).min(length);
        match self.below(9) {
            0 => self.put(at, |byte, _| byte ^ 1),
            1 => {
                let bit = self.below(8);
                self.put(at, |byte, _| byte ^ (1 << bit));
            }
            2 => self.put(at, |_, random| random),
            3 => self
                .put(at, |_, random| TELLING.get(usize::from(random) % TELLING.len()).copied().unwrap_or(0)),
            4 => self.put(at, |byte, random| byte.wrapping_add(random % 9).wrapping_sub(4)),
            5 => self.input.truncate(at),
            6 => {
                self.input.drain(at.min(end)..end);
            }
            7 => {
                let piece: Vec<u8> = self.input.get(at..end).unwrap_or_default().to_vec();
                let to = self.below(length + 1);
                self.input.splice(to..to, piece);
            }
            _ => {
                // The rest of another seed from the same place on.
                let other = self.below(self.seeds.len().max(1));
                let rest = self.seeds.get(other).and_then(|seed| seed.get(at..)).unwrap_or_default().to_vec();
                self.input.truncate(at);
                self.input.extend_from_slice(&rest);
            }
        }
    }

    fn put(&mut self, at: usize, new: impl Fn(u8, u8) -> u8) {
        let random = self.random().to_le_bytes()[0];
        if let Some(byte) = self.input.get_mut(at) {
            *byte = new(*byte, random);
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random() % (limit as u64)).unwrap_or(0)
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
