//! Which addresses a network of ours gets: a large block that nobody uses.
//!
//! The engine's own choice, a /24, runs out near 250 agents. And a clash is not refused: the engine makes the
//! network, its managers fail to give it addresses, and its services wait for ever.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// Where our networks' blocks come from: clear of what the engine (10.0.0.0 and up, 172.16.0.0/12), clouds
/// (10.0.0.0/16, 10.128.0.0/9, 172.31.0.0/16) and Kubernetes (10.96.0.0/12) take by default.
const POOL: Subnet = Subnet::new(Ipv4Addr::new(10, 64, 0, 0), 11);
/// The sizes that are tried: 16,381 agents, 4,093, and 1,021 when little is left.
const PREFIXES: [u8; 3] = [18, 20, 22];

/// A block of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    /// The block of `prefix` bits (0 to 32) that `address` is in.
    pub(super) const fn new(address: Ipv4Addr, prefix: u8) -> Self {
        let base = address.to_bits();
        Self {
            base: if prefix == 0 {
                0
            } else {
                base >> (32 - prefix) << (32 - prefix)
            },
            prefix,
        }
    }

    /// How many containers can have an address in it: all but its first, its last and the gateway's.
    pub(super) fn capacity(self) -> u64 {
        self.size().saturating_sub(3)
    }

    fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }

    fn overlaps(self, other: Self) -> bool {
        let end = |subnet: Self| u64::from(subnet.base) + subnet.size();
        u64::from(self.base) < end(other) && u64::from(other.base) < end(self)
    }

    fn blocks(self, prefix: u8) -> impl Iterator<Item = Self> {
        let step = Self { base: 0, prefix }.size();
        let end = u64::from(self.base) + self.size();
        (u64::from(self.base)..end)
            .step_by(usize::try_from(step).unwrap_or(usize::MAX))
            .filter_map(move |base| {
                Some(Self {
                    base: base.try_into().ok()?,
                    prefix,
                })
            })
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ();

    /// Reads `10.0.0.0/24`, or one address. IPv6 is an error: it never overlaps with ours.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or(())?;
        Ok(Self::new(address.parse().map_err(drop)?, prefix))
    }
}

/// A free block, as large as can be had; `None` when the whole pool is taken.
///
/// The search starts at a place that `name` decides, so that operators which choose at the same time, and do
/// not see one another's choice, rarely choose the same.
pub(super) fn choose(name: &str, taken: &[Subnet]) -> Option<Subnet> {
    let spread = name.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let is_free = |block: &Subnet| !taken.iter().any(|other| block.overlaps(*other));
    PREFIXES.into_iter().find_map(|prefix| {
        let mut blocks: Vec<Subnet> = POOL.blocks(prefix).collect();
        let start = spread % blocks.len().max(1);
        blocks.rotate_left(start);
        blocks.into_iter().find(is_free)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_gets_the_largest_block_that_is_free() {
        for (taken, expect) in [
            (&[][..], Some("10.64.0.0/18")),
            (&["10.0.0.0/24", "172.17.0.0/16"], Some("10.64.0.0/18")),
            (&["10.64.0.0/18"], Some("10.64.64.0/18")),
            (&["10.64.1.0/24", "10.64.64.7"], Some("10.64.128.0/18")),
            (&["10.64.0.0/12", "10.80.0.0/12"], None),
            (&["10.0.0.0/8"], None),
            (&["0.0.0.0/0"], None),
        ] {
            let taken: Vec<Subnet> = taken.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(
                choose("", &taken).map(|block| block.to_string()).as_deref(),
                expect,
                "{taken:?}"
            );
        }
    }

    #[test]
    fn smaller_blocks_do_when_no_large_one_is_left() {
        // One address in each /18: a /20 still fits into the first.
        let mut taken: Vec<Subnet> = POOL
            .blocks(18)
            .map(|block| Subnet { prefix: 32, ..block })
            .collect();
        assert_eq!(choose("", &taken).unwrap().to_string(), "10.64.16.0/20");
        taken.extend(POOL.blocks(20).map(|block| Subnet { prefix: 32, ..block }));
        assert_eq!(choose("", &taken).unwrap().to_string(), "10.64.4.0/22");
    }

    #[test]
    fn networks_of_other_names_start_elsewhere() {
        let blocks: std::collections::BTreeSet<String> = ["a", "b", "chorus_net", "team_net"]
            .map(|name| choose(name, &[]).unwrap().to_string())
            .into();
        assert_eq!(blocks.len(), 4, "{blocks:?}");
    }

    #[test]
    fn addresses_are_counted() {
        for (text, expect) in [
            ("10.0.0.0/24", 253),
            ("10.1.2.3/18", 16_381),
            ("10.0.0.0/31", 0),
            ("0.0.0.0/0", 4_294_967_293),
        ] {
            assert_eq!(text.parse::<Subnet>().unwrap().capacity(), expect, "{text}");
        }
        for bad in ["", "10.0.0.0/33", "fd00::/8", "10.0.0/8"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }
}
