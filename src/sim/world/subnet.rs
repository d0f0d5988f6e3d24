//! A block of IPv4 addresses.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    base: u32,
    pub(crate) prefix: u8,
}

impl Subnet {
    pub(crate) const fn new(base: u32, prefix: u8) -> Self {
        Self {
            base: base & Self::mask(prefix),
            prefix,
        }
    }

    const fn mask(prefix: u8) -> u32 {
        if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        let mask = Self::mask(self.prefix.min(other.prefix));
        self.base & mask == other.base & mask
    }

    pub(crate) fn contains(self, address: Ipv4Addr) -> bool {
        self.overlaps(Self::new(address.into(), 32))
    }

    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base.wrapping_add(1))
    }

    /// The addresses of the gateway, tasks and services: all but the block's own and broadcast.
    pub(crate) fn hosts(self) -> std::ops::Range<u32> {
        let size = 1_u64 << (32 - self.prefix);
        let end = u64::from(self.base) + size.saturating_sub(1);
        self.base.saturating_add(1)..u32::try_from(end).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (base, prefix) = text.split_once('/').ok_or(())?;
        let base: Ipv4Addr = base.parse().map_err(drop)?;
        let prefix: u8 = prefix.parse().map_err(drop)?;
        if prefix > 32 {
            return Err(());
        }
        Ok(Self::new(base.into(), prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_compared_and_counted() {
        let subnet: Subnet = "10.99.0.7/20".parse().unwrap();
        assert_eq!(subnet.to_string(), "10.99.0.0/20");
        assert_eq!(subnet.gateway().to_string(), "10.99.0.1");
        assert_eq!(subnet.hosts().len(), 4096 - 2);
        assert!(subnet.overlaps("10.99.15.0/24".parse().unwrap()));
        assert!(!subnet.overlaps("10.99.16.0/24".parse().unwrap()));
        assert!("bad".parse::<Subnet>().is_err() && "1.2.3.4/33".parse::<Subnet>().is_err());
    }
}
