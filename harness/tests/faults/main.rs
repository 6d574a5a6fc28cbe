//! The fault zoo.
mod zoo;
fn main() -> std::process::ExitCode {
    pathproof::main(zoo::zoo())
}
