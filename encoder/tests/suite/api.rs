//! Instruction sets, handles, errors and sizes: what does not depend on what is encoded.

use crate::common::noise;
use std::collections::BTreeSet;
use std::{fs, mem};

use q64::{
    BufferTooSmall, DecodeError, Encoder, Isa, Operation, Q64Error, q64_decode,
    q64_decode_to_buffer, q64_decoded_len, q64_encode, q64_encode_to_buffer, q64_encoded_len,
};

#[test]
fn every_operation_has_a_kernel_for_every_isa_that_helps_it() {
    assert!(!Operation::ALL.is_empty());
    for operation in Operation::ALL {
        let mut isas = Isa::ALL.to_vec();
        match operation {
            Operation::Q64Decode => isas.retain(|isa| *isa != Isa::Avx512gfni),
            Operation::TopK => isas = vec![Isa::Scalar, Isa::Avx2, Isa::Avx512],
            #[cfg(feature = "simhash")]
            Operation::Simhash => isas = vec![Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Neon],
            _ => {}
        }
        assert_eq!(operation.paths(), isas, "{operation}");
    }
}

#[test]
fn what_streams_is_a_path_too() {
    for operation in Operation::ALL {
        let streaming = operation.streaming_paths();
        assert!(streaming.is_sorted());
        assert!(
            streaming.iter().all(|isa| operation.paths().contains(isa)),
            "{operation}"
        );
    }
    let wide = [Isa::Avx2, Isa::Avx512, Isa::Avx512vbmi, Isa::Avx512gfni];
    assert_eq!(Operation::Q64Encode.streaming_paths(), wide);
    for other in [
        Operation::Q64Decode,
        Operation::TopK,
        #[cfg(feature = "simhash")]
        Operation::Simhash,
    ] {
        assert!(other.streaming_paths().is_empty(), "{other}");
    }
}

#[test]
fn isas_are_in_order_and_have_names_of_their_own() {
    assert!(Isa::ALL.is_sorted());
    let names: BTreeSet<_> = Isa::ALL.iter().map(|isa| isa.to_string()).collect();
    assert_eq!(names.len(), Isa::ALL.len());
    assert_eq!(Isa::ALL[0], Isa::Scalar);
    assert_eq!(format!("{:>8}|", Isa::Avx2), "    avx2|");
}

#[test]
fn an_isa_is_available_if_the_cpu_has_all_its_features() {
    for isa in Isa::ALL {
        let here = isa.arch().is_none_or(|arch| arch == std::env::consts::ARCH);
        assert_eq!(isa.is_built(), here, "{isa}");
        let has_all = here && isa.features().iter().all(|feature| cpu_has(feature));
        assert_eq!(isa.is_available(), has_all, "{isa}");
    }
}

#[cfg(all(feature = "std", target_arch = "aarch64"))]
use std::arch::is_aarch64_feature_detected as has;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
use std::is_x86_feature_detected as has;
#[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
macro_rules! has {
    ($feature:tt) => {
        cfg!(target_feature = $feature)
    };
}

/// Whether the CPU has a feature of this target.
fn cpu_has(feature: &str) -> bool {
    macro_rules! has_one_of {
        ($($name:tt)*) => {
            match feature {
                $($name => has!($name),)*
                _ => panic!("this test does not know {feature}"),
            }
        };
    }
    #[cfg(target_arch = "aarch64")]
    return has_one_of!("neon");
    #[cfg(not(target_arch = "aarch64"))]
    has_one_of!("sse2" "ssse3" "avx2" "bmi1" "bmi2" "popcnt" "avx512f" "avx512bw" "avx512vl" "avx512vbmi" "gfni")
}

#[test]
fn a_handle_exists_only_for_an_available_isa_and_is_of_that_isa() {
    for &isa in Isa::ALL {
        let Some(encoder) = Encoder::with(isa) else {
            assert!(!isa.is_available(), "{isa} is available");
            continue;
        };
        assert!(isa.is_available(), "{isa} is not available");
        assert_eq!(encoder.isa(), isa);
        for &operation in Operation::ALL {
            let up_to = |path: &&Isa| **path <= isa && path.is_available();
            let last = operation.paths().iter().rfind(up_to);
            assert_eq!(Some(&encoder.isa_of(operation)), last, "{operation}");
            if operation.paths().contains(&isa) {
                assert_eq!(encoder.isa_of(operation), isa, "{operation}");
            }
        }
    }
}

#[test]
fn the_best_handle_uses_the_last_available_row() {
    let best = Encoder::new();
    for &operation in Operation::ALL {
        let last = operation.paths().iter().rfind(|isa| isa.is_available());
        assert_eq!(Some(&best.isa_of(operation)), last, "{operation}");
    }
    assert_eq!(format!("{best:?}"), format!("{:?}", Encoder::default()));
}

/// The name of a kernel's function, and the ISAs that have it.
type Kernel = (&'static str, &'static [Isa]);

/// The folders of kernels, and those that are in their files.
const FOLDERS: &[(&str, &[Kernel])] = &[
    (
        "q64",
        &[
            ("encode", Operation::Q64Encode.paths()),
            ("encode_streaming", Operation::Q64Encode.streaming_paths()),
            ("decode", Operation::Q64Decode.paths()),
        ],
    ),
    ("top_k", &[("top_k", Operation::TopK.paths())]),
    #[cfg(feature = "simhash")]
    ("simhash", &[("simhash", Operation::Simhash.paths())]),
];

/// The compiler does not compare what a kernel enables with what its ISA detects. Calling one is
/// sound only if it enables nothing else.
#[test]
fn kernels_enable_features_of_their_isa_alone() {
    for &(folder, kernels) in FOLDERS {
        for &isa in Isa::ALL {
            let path = format!("{}/src/{folder}/{isa}.rs", env!("CARGO_MANIFEST_DIR"));
            if !kernels.iter().any(|(_, isas)| isas.contains(&isa)) {
                assert!(!fs::exists(&path).unwrap(), "{path}");
                continue;
            }
            let source = fs::read_to_string(&path).expect("a file for each ISA");
            for (kernel, isas) in kernels {
                let has = ["crate", "super"]
                    .iter()
                    .any(|seen| source.contains(&format!("\npub({seen}) fn {kernel}(")));
                assert_eq!(has, isas.contains(&isa), "{kernel} of {path}");
            }
            let enabled = features_enabled(&source);
            assert_eq!(enabled.is_empty(), isa == Isa::Scalar, "{path}");
            assert_eq!(beyond(isa, &enabled), [""; 0], "{path}");
        }
    }
    let planted =
        "#[target_feature(enable = \"avx2,bmi2\")]\nfn f() {}\n#[target_feature(enable = \"fma\")]";
    let enabled = features_enabled(planted);
    assert_eq!(enabled, ["avx2", "bmi2", "fma"].map(String::from).into());
    assert_eq!(beyond(Isa::Avx2, &enabled), ["fma"]);
}

/// The features that an ISA does not have.
fn beyond(isa: Isa, features: &BTreeSet<String>) -> Vec<&str> {
    let features = features.iter().map(String::as_str);
    features
        .filter(|feature| !isa.features().contains(feature))
        .collect()
}

/// That a row's kernel is safe to call rests on its being of the row's ISA. The types cannot say so; the names do.
#[test]
fn a_row_holds_the_kernels_of_its_own_isa() {
    for &(folder, kernels) in FOLDERS {
        let folder = format!("{}/src/{folder}", env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(format!("{folder}/mod.rs")).expect("the tables' file");
        let rows = rows(&source);
        for isa in Isa::ALL.iter().filter(|isa| **isa != Isa::Scalar) {
            let of_isa = rows.iter().filter(|(name, _)| *name == format!("{isa:?}"));
            let modules: Vec<&str> = of_isa.map(|(_, module)| module.as_str()).collect();
            let tables = kernels.iter().filter(|(_, isas)| isas.contains(isa));
            assert_eq!(modules, vec![isa.name(); tables.count()], "{folder}: {isa}");
        }

        // A kernel's file that no table knows would never run.
        for file in fs::read_dir(&folder).expect("the kernels' folder") {
            let path = file.expect("an entry").path();
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .expect("a plain name")
                .to_owned();
            let known = Isa::ALL.iter().any(|isa| isa.name() == name)
                || ["matrix", "mod", "rows", "streaming"].contains(&&*name);
            assert!(known, "{} is no ISA's file", path.display());
        }
    }
    let planted = "(Isa::Sse2, on_x86_64!(avx2::encode)),";
    assert_eq!(rows(planted), [("Sse2".to_owned(), "avx2".to_owned())]);
}

/// The ISA and the module of each row with a kernel: `(Isa::Sse2, on_x86_64!(sse2::encode))`.
fn rows(source: &str) -> Vec<(String, String)> {
    let row = |rest: &str| {
        let (isa, rest) = rest.split_once(',')?;
        let (_, kernel) = rest
            .split_once("!(")
            .filter(|(target, _)| target.trim().starts_with("on_"))?;
        let (module, _) = kernel.split_once("::")?;
        Some((isa.to_owned(), module.to_owned()))
    };
    source.split("(Isa::").skip(1).filter_map(row).collect()
}

fn features_enabled(source: &str) -> BTreeSet<String> {
    let lists = source.split("enable = \"").skip(1);
    lists
        .flat_map(|rest| rest.split('"').next().unwrap().split(','))
        .map(str::to_owned)
        .collect()
}

#[test]
fn free_functions_take_text_in_any_form() {
    let data = b"Q64".to_vec();
    let text = q64_encode(&data);
    assert_eq!(q64_decode("FRj2DU").as_ref(), Ok(&data));
    assert_eq!(q64_decode(&text).as_ref(), Ok(&data));
    assert_eq!(q64_decode(text.as_bytes()).as_ref(), Ok(&data));
    assert_eq!(q64_decode(text.clone().into_bytes()).as_ref(), Ok(&data));
    let mut output = [0; 3];
    assert_eq!(q64_decode_to_buffer(&text, &mut output), Ok(3));
    assert_eq!(q64_decode_to_buffer(text.as_bytes(), &mut output), Ok(3));
}

#[test]
fn a_new_buffer_is_as_large_as_it_must_be() {
    for len in [0, 1, 15, 384, 4096] {
        let text = q64_encode(&noise(1, len));
        assert_eq!((text.len(), text.capacity()), (2 * len, 2 * len));
        let data = q64_decode(text).unwrap();
        assert_eq!((data.len(), data.capacity()), (len, len));
    }
}

#[test]
fn sizes() {
    assert_eq!(q64_encoded_len(0), Some(0));
    assert_eq!(q64_encoded_len(usize::MAX / 2), Some(usize::MAX - 1));
    assert_eq!(q64_encoded_len(usize::MAX / 2 + 1), None);
    assert_eq!(q64_decoded_len(0), 0);
    assert_eq!(q64_decoded_len(7), 3);
}

#[test]
fn errors_win_in_the_promised_order() {
    let mut output = [0xa5; 1];
    let refused = |text: &str, output: &mut [u8]| q64_decode_to_buffer(text, output).unwrap_err();
    assert_eq!(
        refused("!!!!!", &mut output),
        Q64Error::OddLength { len: 5 }
    );
    let small = Q64Error::BufferTooSmall {
        needed: 2,
        available: 1,
    };
    assert_eq!(refused("!!!!", &mut output), small);
    assert_eq!(output, [0xa5]);
    let invalid = Q64Error::InvalidCharacter {
        position: 1,
        byte: b'!',
        expected: 1,
    };
    assert_eq!(refused("A!", &mut output), invalid);
    let wrong = Q64Error::WrongPosition {
        position: 0,
        byte: b'_',
        found: 3,
        expected: 0,
    };
    assert_eq!(refused("_!", &mut output), wrong);
    assert_eq!(
        q64_encode_to_buffer(b"Q64", &mut output),
        Err(Q64Error::BufferTooSmall {
            needed: 6,
            available: 1
        })
    );
}

#[test]
fn errors_say_what_where_and_what_was_expected() {
    let cases = [
        (
            q64_decode("AQg").unwrap_err(),
            ("odd_length", None),
            "odd length: the text has 3 bytes, an odd number of characters, but every encoded byte is two; \
             is it cut off, or followed by a line end?",
        ),
        (
            q64_decode("AQ\n!").unwrap_err(),
            ("invalid_character", Some(2)),
            "invalid character: byte 0x0a ('\\n') at position 2 is in no Q64 alphabet; \
             expected one of \"ghijklmnopqrstuv\"",
        ),
        (
            q64_decode("AQgwA_").unwrap_err(),
            ("wrong_position", Some(5)),
            "wrong position: '_' at position 5 is of alphabet 3, expected alphabet 1, \
             one of \"QRSTUVWXYZabcdef\"; are characters missing or added before it?",
        ),
        (
            q64_decode_to_buffer("AQgw", &mut []).unwrap_err(),
            ("buffer_too_small", None),
            "buffer too small: the output buffer has 0 bytes, the result needs 2",
        ),
    ];
    for (error, (kind, position), message) in cases {
        assert_eq!((error.kind(), error.position()), (kind, position));
        assert_eq!(error.to_string(), message);
        assert!(std::error::Error::source(&error).is_none());
    }
}

#[test]
fn small_errors_are_small_and_say_as_much_as_they_know() {
    assert_eq!(mem::size_of::<BufferTooSmall>(), 0);
    assert_eq!(mem::size_of::<DecodeError>(), mem::size_of::<usize>());

    let encoder = Encoder::new();
    assert_eq!(
        encoder
            .encode_into(b"Q64", &mut [])
            .unwrap_err()
            .to_string(),
        "buffer too small: encoded text needs two bytes for every byte of data"
    );
    let refused = |text: &[u8], output: &mut [u8]| encoder.decode_into(text, output).unwrap_err();
    let odd = refused(b"AQg", &mut []);
    assert_eq!(
        (odd.position(), format!("{odd:?}")),
        (None, "OddLength".into())
    );
    assert!(odd.to_string().starts_with("odd length: "));
    let small = refused(b"AQgw", &mut [0]);
    assert_eq!(
        (small.position(), format!("{small:?}")),
        (None, "BufferTooSmall".into())
    );
    assert!(small.to_string().starts_with("buffer too small: "));
    let character = refused(b"AQgg", &mut [0; 2]);
    assert_eq!(
        (character.position(), format!("{character:?}")),
        (Some(3), "Character(3)".into())
    );
    assert_eq!(
        character.to_string(),
        "the byte at position 3 is not a character of that position's alphabet, \
         \"wxyz0123456789-_\""
    );
}
