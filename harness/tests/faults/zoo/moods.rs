//! Paths that are right, and twice as slow for a reason that has nothing to do with their code: what a comparison must not take for a
//! difference between two sides. All of them are compared with themselves.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use pathproof::{CodePath, Input, Operation, Outcome};

use super::codec::{encode, reference};

/// How long a mood of the clock lasts: longer than all epochs of one side, where sides do not take turns.
const MOOD: Duration = Duration::from_secs(2);

pub(crate) fn operations() -> Vec<Operation> {
    let path = |name, slow: fn() -> bool| {
        CodePath::fills(
            name,
            move |i: &Input<'_>, out: &mut [u8]| -> Outcome<usize> {
                if slow() {
                    black_box(encode(i.bytes(), black_box(&mut *out)));
                }
                Ok(encode(i.bytes(), out))
            },
        )
    };
    let moods = Operation::new("moods", |i| Ok(reference::encode(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .paths([
            path("by-process", by_process),
            path("by-name", || {
                std::env::var_os("ZOO_MOOD").is_some_and(|mood| mood == "slow")
            }),
            path("by-clock", || {
                (since(SystemTime::UNIX_EPOCH).as_millis() / MOOD.as_millis()).is_multiple_of(2)
            }),
        ]);
    vec![moods]
}

fn since(then: SystemTime) -> Duration {
    then.elapsed().unwrap_or_default()
}

/// As a layout of code or stack does, which is drawn once for a process.
fn by_process() -> bool {
    static SLOW: OnceLock<bool> = OnceLock::new();
    *SLOW.get_or_init(|| {
        let now = since(SystemTime::UNIX_EPOCH).subsec_nanos();
        hashed(u64::from(now) << 20 ^ u64::from(std::process::id()))
    })
}

/// A bit of each word, with no pattern.
fn hashed(word: u64) -> bool {
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1
}
