//! Every path of the q64 encoder, verified and measured: `cargo run --release`, or `cargo harness VERB`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    pathproof::main(q64_paths::operations())
}
