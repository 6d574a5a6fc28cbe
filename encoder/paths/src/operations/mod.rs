//! Which functions of the encoder there are to verify, on which paths, on which data.

use std::cell::RefCell;
use std::rc::Rc;

use pathproof::{CodePath, Failure, Input, Operation, Reason};
use q64::{Encoder, Isa, Q64Error, STREAMS_FROM};

mod batch;
mod eq64;
mod mq64;
mod q64_text;
mod simhash;
mod stream;
mod top_k;
mod z_order;

/// Embeddings of all-MiniLM-L6-v2 in three 8-bit forms, and LSA vectors of a width that is no multiple of a block; see NOTICE.
const CORPUS: [(&str, &[u8], usize); 4] = [
    (
        "minilm_sq8",
        include_bytes!("../../corpus/minilm_sq8_1500x384.u8"),
        384,
    ),
    (
        "minilm_sym8",
        include_bytes!("../../corpus/minilm_sym8_1500x384.u8"),
        384,
    ),
    (
        "minilm_unit8",
        include_bytes!("../../corpus/minilm_unit8_1500x384.u8"),
        384,
    ),
    (
        "lsa_sq8",
        include_bytes!("../../corpus/lsa_sq8_1500x100.u8"),
        100,
    ),
];

/// Changes of the machine code that nothing notices, each with the reason why it may live.
const SURVIVORS: &str = include_str!("../../survivors.toml");

/// What a buffer that is too short is refused with.
fn too_short(needed: usize, available: usize) -> Failure {
    Failure::kind("buffer_too_small").detail([needed as u64, available as u64])
}

/// Every operation of the encoder.
pub fn operations() -> Vec<Operation> {
    let with_corpus = |operation: Operation| {
        CORPUS
            .into_iter()
            .fold(operation, |operation, (set, data, row)| {
                operation.rows(set, data, row)
            })
    };
    let operations = [
        q64_text::encode(),
        q64_text::decode(),
        eq64::encode(),
        eq64::decode(),
        mq64::encode(),
        mq64::encode_with_levels(),
        mq64::decode(),
        top_k::top_k(),
        simhash::simhash(),
        z_order::z_order(),
        z_order::extended(),
        batch::encode(),
        batch::decode(),
        batch::top_k(),
        simhash::batch(),
        stream::encode(),
        stream::decode(),
    ];
    operations.into_iter().map(with_corpus).collect()
}

/// Both deliveries of every row of an operation's table; a row that cannot run here says why.
fn rows(
    of: q64::Operation,
    paths: impl Fn(Encoder, &'static str) -> [CodePath; 2],
) -> Vec<CodePath> {
    let row = |&isa: &Isa| {
        let paths = match Encoder::with(isa) {
            Some(encoder) => paths(encoder, isa.name()),
            None => ["fills", "returns"]
                .map(|delivery| CodePath::absent(isa.name(), delivery, missing(isa))),
        };
        paths.map(|path| promised(of, isa, path).switches_at(switches(of, isa)))
    };
    of.paths().iter().flat_map(row).collect()
}

/// The lengths at which an ISA's row changes to another kernel.
fn switches(of: q64::Operation, isa: Isa) -> &'static [usize] {
    if of.streaming_paths().contains(&isa) {
        &[STREAMS_FROM]
    } else {
        &[]
    }
}

/// The free functions, which take the best row for this CPU, and what their callers do with the answers: a buffer made for each
/// call (`fresh`), and answers that live on (`kept`), so that the allocator cannot hand out warm memory again.
fn chosen(
    of: q64::Operation,
    // Not function pointers: a call through one would be measured, too.
    fills: impl Fn(&Input<'_>, &mut [u8]) -> Result<usize, Q64Error> + Copy + 'static,
    returns: impl Fn(&Input<'_>) -> Result<Vec<u8>, Q64Error> + Copy + 'static,
    capacity: fn(&Input<'_>) -> usize,
) -> [CodePath; 4] {
    let into_fresh = move |i: &Input<'_>| {
        let mut answer = vec![0; capacity(i)];
        fills(i, &mut answer).map(|_| answer)
    };
    let shelf = Shelf::new();
    // Not by `Encoder::new`, whose first call of a process is to be a verified one.
    let available = |isa: &Isa| isa.is_available();
    let isa = of.paths().iter().copied().rfind(available);
    let isa = isa.unwrap_or(Isa::Scalar);
    [
        CodePath::fills("auto", move |i, out| fills(i, out).map_err(failure)),
        CodePath::returns("auto", move |i| returns(i).map_err(failure)),
        CodePath::returns("auto", move |i| into_fresh(i).map_err(failure)).via("fresh"),
        CodePath::returns("auto", move |i| {
            returns(i).map_err(failure).map(|answer| shelf.keep(answer))
        })
        .via("kept"),
    ]
    .map(|path| promised(of, isa, path).switches_at(switches(of, isa)))
}

/// What a path of an ISA promises of the instructions that it executes: some of the feature that sets it apart, once its input is
/// as long as its registers, and none beyond its bundle.
fn promised(of: q64::Operation, isa: Isa, path: CodePath) -> CodePath {
    let apart: &[&str] = match isa {
        // Arithmetic of floats is older than that of bytes.
        Isa::Avx2 if of == q64::Operation::Simhash => &["avx"],
        Isa::Avx512 if of == q64::Operation::Simhash => &["avx512f"],
        Isa::Sse2 => &["sse2"],
        Isa::Ssse3 => &["ssse3"],
        Isa::Avx2 => &["avx2"],
        Isa::Avx512 => &["avx512bw"],
        Isa::Avx512vbmi => &["avx512vbmi"],
        Isa::Avx512gfni => &["gfni"],
        // Scalar code has nothing of its own, and stepping is not to be had where NEON is.
        _ => &[],
    };
    let register = match isa {
        Isa::Avx2 => 32,
        Isa::Avx512 | Isa::Avx512vbmi | Isa::Avx512gfni => 64,
        _ => 16,
    };
    // Text is twice as long as the data that fills a register. Top-k takes as many bytes as a mask has bits.
    let block = match of {
        q64::Operation::Q64Decode => 2 * register,
        q64::Operation::TopK => 64,
        _ => register,
    };
    path.executes(apart)
        .only(isa.features())
        .block(block)
        .refuses_in_full()
}

/// Answers that live on: more than a cache of the first level holds, and no more than memory bears. Then all of them go.
struct Shelf(RefCell<Vec<Rc<Vec<u8>>>>);

impl Shelf {
    const MOST: usize = 64;
    const MOST_BYTES: usize = 64 << 20;

    fn new() -> Self {
        Self(RefCell::new(Vec::with_capacity(Self::MOST)))
    }

    fn keep(&self, answer: Vec<u8>) -> Rc<Vec<u8>> {
        let answer = Rc::new(answer);
        let mut kept = self.0.borrow_mut();
        if kept.len() >= (Self::MOST_BYTES / answer.len().max(1)).min(Self::MOST) {
            kept.clear();
        }
        kept.push(Rc::clone(&answer));
        answer
    }
}

/// All that an error says, in the harness' words.
fn failure(error: Q64Error) -> Failure {
    let numbers = |numbers: &[usize]| {
        let mut detail = [0; 3];
        for (to, number) in detail.iter_mut().zip(numbers) {
            *to = *number as u64;
        }
        Some(detail)
    };
    Failure {
        kind: Some(error.kind().into()),
        at: error.position(),
        detail: match error {
            Q64Error::OddLength { len } | Q64Error::OddSegment { len, .. } => numbers(&[len]),
            Q64Error::InvalidCharacter { byte, expected, .. } => {
                numbers(&[byte.into(), expected.into()])
            }
            Q64Error::WrongPosition {
                byte,
                found,
                expected,
                ..
            } => numbers(&[byte.into(), found.into(), expected.into()]),
            Q64Error::BufferTooSmall { needed, available } => numbers(&[needed, available]),
            Q64Error::MissingDot { byte, .. } => numbers(&[byte.into()]),
            Q64Error::BadLevels { index, data_len } => numbers(&[index, data_len]),
            Q64Error::TooLong { len, most } => numbers(&[len, most]),
            Q64Error::TooMany { asked, most } => numbers(&[asked, most]),
            Q64Error::BadRows { len, row_len } => numbers(&[len, row_len]),
            // A kind and a position are all that there is to say.
            _ => None,
        },
    }
}

/// Why there is no encoder of an ISA.
fn missing(isa: Isa) -> Reason {
    match isa.arch() {
        Some(arch) if !isa.is_built() => Reason::Target(arch.into()),
        _ => Reason::Cpu(isa.features().join(", ").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_keeps_no_more_than_it_may() {
        let shelf = Shelf::new();
        let kept: Vec<Rc<Vec<u8>>> = (0..200).map(|n| shelf.keep(vec![n])).collect();
        for (n, answer) in kept.iter().enumerate() {
            let on_it = usize::from(n >= 200 / Shelf::MOST * Shelf::MOST);
            assert_eq!((answer[0], Rc::strong_count(answer)), (n as u8, 1 + on_it));
        }
        // Two of these are too many.
        for _ in 0..3 {
            let large = shelf.keep(vec![0; Shelf::MOST_BYTES * 2 / 3]);
            assert_eq!(*shelf.0.borrow(), [large]);
        }
    }

    #[test]
    fn every_operation_of_the_encoder_is_verified() {
        let operations = operations();
        for of in q64::Operation::ALL {
            let found = operations
                .iter()
                .any(|operation| operation.name() == of.name());
            assert!(found, "{of} has kernels, and `operations` does not list it");
        }
    }
}
