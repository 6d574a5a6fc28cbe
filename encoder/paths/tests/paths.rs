//! One named test per path of every operation.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    pathproof::tests(q64_paths::operations())
}
