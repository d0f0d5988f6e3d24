//! BACKBEAT's hybrid logical clock: `wall:logical:node`, four hex digits each.

use std::fmt;
use std::str::FromStr;

/// One reading of a hybrid logical clock.
///
/// # Caveats
/// The wall part is the low 16 bits of milliseconds and wraps after 65 s: a reading is a mark, and there is
/// deliberately no order on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hlc {
    /// Low 16 bits of the wall clock in milliseconds.
    pub wall: u16,
    /// Counts readings within one millisecond.
    pub logical: u16,
    /// Which node read the clock.
    pub node: u16,
}

/// A text that is not `hhhh:hhhh:hhhh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must look like 1a2b:0000:9f3c, three times four hex digits")]
pub struct HlcError;

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall, logical, node } = self;
        write!(f, "{wall:04x}:{logical:04x}:{node:04x}")
    }
}

impl FromStr for Hlc {
    type Err = HlcError;

    fn from_str(text: &str) -> Result<Self, HlcError> {
        let mut parts = text.split(':').map(|part| {
            let hex = part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
            u16::from_str_radix(part, 16).ok().filter(|_| hex)
        });
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(wall)), Some(Some(logical)), Some(Some(node)), None) => {
                Ok(Self { wall, logical, node })
            }
            _ => Err(HlcError),
        }
    }
}

/// Reads the clock of one node; no two readings of the same millisecond are equal.
#[derive(Clone, Debug)]
pub struct HlcClock {
    node: u16,
    last_millis: u64,
    logical: u16,
}

impl HlcClock {
    /// A clock whose node part is derived from `name`.
    pub fn new(name: &str) -> Self {
        let node = name
            .bytes()
            .fold(0u16, |hash, byte| hash.rotate_left(5) ^ u16::from(byte));
        Self {
            node,
            last_millis: 0,
            logical: 0,
        }
    }

    /// The reading at `now_millis` (milliseconds of wall time). A wall clock that stands still or goes back
    /// only moves the logical part on.
    #[expect(clippy::cast_possible_truncation, reason = "BACKBEAT keeps the low 16 bits")]
    pub fn read(&mut self, now_millis: u64) -> Hlc {
        if now_millis > self.last_millis {
            self.last_millis = now_millis;
            self.logical = 0;
        } else {
            self.logical = self.logical.wrapping_add(1);
        }
        Hlc {
            wall: self.last_millis as u16,
            logical: self.logical,
            node: self.node,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Hlc, HlcClock, HlcError};

    #[test]
    fn readings_survive_their_text() {
        fn check(text: &str, expected: Result<&str, HlcError>) {
            let written = text.parse::<Hlc>().map(|hlc| hlc.to_string());
            assert_eq!(written, expected.map(str::to_owned), "{text:?}");
        }
        check("1a2b:0000:9f3c", Ok("1a2b:0000:9f3c"));
        check("FFFF:0001:ABCD", Ok("ffff:0001:abcd"));
        for bad in [
            "",
            "1a2b",
            "1a2b:0000",
            "1a2b:0000:9f3",
            "1a2b:0000:9f3cc",
            "1a2b:0000:9f3g",
        ] {
            check(bad, Err(HlcError));
        }
        check("+a2b:0000:9f3c", Err(HlcError));
        check("1a2b:0000:9f3c:0000", Err(HlcError));
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_still_ticks() {
        let mut clock = HlcClock::new("agent-1");
        let mut read = |millis| {
            let Hlc {
                wall,
                logical,
                node: _,
            } = clock.read(millis);
            (wall, logical)
        };
        assert_eq!(read(0x1_0005), (5, 0));
        assert_eq!(read(0x1_0005), (5, 1));
        assert_eq!(read(0x1_0001), (5, 2));
        assert_eq!(read(0x1_0006), (6, 0));
    }

    #[test]
    fn nodes_differ() {
        assert_ne!(
            HlcClock::new("reviewer_1").read(1),
            HlcClock::new("reviewer_2").read(1)
        );
    }
}
