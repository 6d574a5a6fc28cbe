//! Notes which compiler built the harness, for the machine line of the records, and how: accepted survivors are of such code.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if let Ok(output) = Command::new(rustc).arg("--version").output() {
        println!(
            "cargo::rustc-env=PATHPROOF_RUSTC={}",
            String::from_utf8_lossy(&output.stdout).trim()
        );
    }
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=PATHPROOF_OPT_LEVEL={level}");
}
