//! Builds of a base, and links of it whose functions lie elsewhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Wanted;
use crate::worker::{Launch, bind};

/// The client's package: cargo says it to what it runs, and few programs have another name.
pub(super) fn package(wanted: &Wanted<'_>) -> String {
    std::env::var("CARGO_PKG_NAME").unwrap_or_else(|_| wanted.program.into())
}

pub(super) fn has_package(folder: &Path, package: &str) -> Result<bool, String> {
    if !folder.join("Cargo.toml").is_file() {
        return Ok(false);
    }
    let out = cargo(folder)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output();
    let out = out.map_err(|e| format!("cannot run cargo: {e}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let why = said.lines().find(|line| line.starts_with("error"));
        let why = why.unwrap_or("cargo metadata failed");
        return Err(format!(
            "the base's packages cannot be told, in {}: {why}",
            folder.display()
        ));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    let packages = metadata["packages"].as_array();
    Ok(packages.is_some_and(|all| all.iter().any(|of| of["name"] == package)))
}

/// Cargo, in a folder, as this program's own build had it; not as it runs this program.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    settled(&mut command, folder);
    command
}

fn settled(command: &mut Command, folder: &Path) {
    command.current_dir(folder).stdin(Stdio::null());
    // What cargo says to what it runs is of the head's tree.
    for gone in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
    ] {
        command.env_remove(gone);
    }
}

/// Builds the client in `folder`, with a target folder in `home`; the program.
pub(super) fn build(wanted: &Wanted<'_>, folder: &Path, home: &Path) -> Result<PathBuf, String> {
    let package = package(wanted);
    let mut command = match wanted.build {
        Some(shell) => {
            let mut command = Command::new("sh");
            settled(&mut command, folder);
            command.args(["-c", shell]).env("CARGO_PKG_NAME", &package);
            command
        }
        None => {
            let mut command = cargo(folder);
            command.args([
                "build",
                "--release",
                "-p",
                &package,
                "--message-format=json-render-diagnostics",
            ]);
            command
        }
    };
    built(&mut command, wanted, home)
}

/// Links of the client in `folder`, its functions in another order in each.
pub(super) fn links(
    launch: &Launch,
    wanted: &Wanted<'_>,
    folder: &Path,
    home: &Path,
    shuffles: std::ops::Range<u32>,
) -> Result<Vec<Launch>, String> {
    let mut links = Vec::new();
    for shuffle in shuffles {
        let mut command = cargo(folder);
        command.args([
            "rustc",
            "--release",
            "-p",
            &package(wanted),
            "--bin",
            wanted.program,
        ]);
        command.arg("--message-format=json-render-diagnostics");
        command.args([
            "--",
            "-C",
            &format!("link-arg=-Wl,--shuffle-sections=.text*={shuffle}"),
        ]);
        let built = built(&mut command, wanted, home)
            .map_err(|why| format!("linking it with --shuffle-sections, which lld knows: {why}"))?;
        let kept = home.join(format!("link-{shuffle}"));
        copy(&built, &kept)?;
        links.push(launch.of(kept));
    }
    Ok(links)
}

/// Runs a build that says in cargo's JSON what it has made.
fn built(command: &mut Command, wanted: &Wanted<'_>, home: &Path) -> Result<PathBuf, String> {
    let target = home.join("target");
    let target = std::path::absolute(&target).unwrap_or(target);
    command
        .env("CARGO_TARGET_DIR", &target)
        .stdout(Stdio::piped());
    command.stderr(if wanted.loud {
        Stdio::inherit()
    } else {
        Stdio::piped()
    });
    // It stays in this program's group, so that Ctrl-C at a terminal, which is for the whole group in the foreground, reaches all of
    // the build. Where this program alone is ended, it takes the command along; a compiler of it may still end what it has begun.
    bind(command);
    let shown = format!("{command:?}");
    let child = command
        .spawn()
        .map_err(|e| format!("cannot run {shown}: {e}"))?;
    let out = child
        .wait_with_output()
        .map_err(|e| format!("{shown}: {e}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let error = said
            .lines()
            .find(|line| line.starts_with("error"))
            .unwrap_or("see above");
        return Err(format!("{shown} failed ({}): {error}", out.status));
    }
    let programs: Vec<PathBuf> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    let named = |program: &&PathBuf| {
        program
            .file_stem()
            .is_some_and(|stem| stem == wanted.program)
    };
    match (programs.iter().find(named), &programs[..]) {
        (Some(program), _) => Ok(program.clone()),
        (None, [program]) => Ok(program.clone()),
        (None, programs) => Err(format!(
            "{shown} says of no program {} that it made it (with --message-format=json); it made {programs:?}",
            wanted.program
        )),
    }
}

/// Copies a program beside the one that is there, and puts it in its place at once.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let beside = to.with_extension("new");
    std::fs::copy(from, &beside)
        .and_then(|_| std::fs::rename(&beside, to))
        .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    /// A thread stands for a program that is killed: what it has started cannot tell.
    #[test]
    fn a_build_does_not_outlive_who_began_it() {
        let begin = || {
            let mut command = Command::new("sh");
            command.args(["-c", "exec sleep 60"]);
            bind(&mut command);
            command.spawn().unwrap()
        };
        let mut child = std::thread::spawn(begin).join().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_base_whose_packages_cannot_be_told_is_not_one_without_the_package() {
        let folder = tempfile::tempdir().unwrap();
        let has = || has_package(folder.path(), "mine");
        assert_eq!(has(), Ok(false));
        let manifest = folder.path().join("Cargo.toml");
        let package = "[package]\nname = \"mine\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n";
        std::fs::write(&manifest, package).unwrap();
        std::fs::write(folder.path().join("lib.rs"), "").unwrap();
        assert_eq!(has(), Ok(true));
        std::fs::write(&manifest, "[package\n").unwrap();
        let why = has().unwrap_err();
        assert!(
            why.starts_with("the base's packages cannot be told"),
            "{why}"
        );
    }
}
