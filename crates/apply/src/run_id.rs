//! Ids of runs: the time and four characters that keep two runs of one second apart.

use jiff::Timestamp;

use crate::clock::Clock;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id, for example `20261122T175600Z-4f1k`: sorted by time, and usable as a file name.
pub fn new_run_id(clock: &dyn Clock) -> String {
    let now = clock.now();
    run_id(now, std::process::id())
}

fn run_id(now: Timestamp, process: u32) -> String {
    // The nanoseconds are mixed so that their low, often empty digits decide as much as the high ones.
    let mixed = u64::from(now.subsec_nanosecond().unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ u64::from(process).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let digit = |index: u32| {
        let position = usize::try_from((mixed >> (44 + 5 * index)) & 31).expect("five bits fit");
        char::from(DIGITS[position])
    };
    let suffix: String = (0..4).map(digit).collect();
    format!("{}-{suffix}", now.strftime("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_with_the_time_and_differ_within_a_second() {
        let at = |nanos| Timestamp::new(1_800_000_000, nanos).unwrap();
        let id = run_id(at(5), 77);
        assert!(id.starts_with("20270115T080000Z-"), "{id}");
        assert_eq!(id.len(), 21);
        assert_ne!(id, run_id(at(1_000), 77));
        assert_ne!(id, run_id(at(5), 78));
    }
}
