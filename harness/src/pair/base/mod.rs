//! Where the sides of a comparison come from: this program, a file, or another revision, built as this program was.

mod build;
mod tree;

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use self::build::{build, copy, has_package, links, package};
use self::tree::{Place, caches, git, unpack};
use super::ITSELF;
use crate::worker::Launch;

/// The control's shuffle; the layouts that are asked for are 1, 2, ….
const CONTROL: u32 = 1000;

/// What the head, which is the running program, is compared with.
pub(crate) struct Wanted<'a> {
    pub(crate) revision: Option<&'a str>,
    pub(crate) file: Option<&'a Path>,
    /// How a client is built, for a shell; by default with cargo.
    pub(crate) build: Option<&'a str>,
    /// Of how many links of each side epochs are drawn.
    pub(crate) layouts: Option<u32>,
    /// Where builds and links are kept from run to run.
    pub(crate) home: &'a Path,
    /// The name of this program, without folders.
    pub(crate) program: &'a str,
    /// Whether a build may say on stderr how far it is.
    pub(crate) loud: bool,
}

/// The links of all three sides.
#[derive(Debug)]
pub(crate) struct Bases {
    /// What the head is compared with, as it is shown; empty if that is another path of the same build.
    pub(crate) name: String,
    pub(crate) base: Vec<Launch>,
    pub(crate) head: Vec<Launch>,
    pub(crate) control: Vec<Launch>,
    /// What must be known beside the rows.
    pub(crate) remarks: Vec<String>,
    /// Why there is no base, if so.
    pub(crate) absent: Option<String>,
}

impl Bases {
    pub(crate) fn find(
        launch: &Launch,
        wanted: &Wanted<'_>,
        note: &dyn Fn(&str),
    ) -> Result<Self, String> {
        let this = vec![launch.clone()];
        let mut bases = Self {
            name: String::new(),
            base: this.clone(),
            head: this.clone(),
            control: this,
            remarks: Vec::new(),
            absent: None,
        };
        let same_link = "the control is the same link as the base, in another process";
        if let Some(file) = wanted.file {
            let file = file
                .canonicalize()
                .map_err(|e| format!("--base-bin {}: {e}", file.display()))?;
            bases.name = file.display().to_string();
            let other = launch.of(file);
            bases.base = vec![other.clone()];
            bases.control = vec![other];
            bases.remarks.push(same_link.into());
        } else if let Some(revision) = wanted.revision {
            bases.of_revision(launch, revision, wanted, note)?;
        } else {
            bases.remarks.push(same_link.into());
        }
        if let Some(layouts) = wanted.layouts
            && bases.absent.is_none()
        {
            if wanted.file.is_some() {
                return Err("--layouts links each side anew, and a --base-bin has no sources: take --base REV".into());
            }
            if wanted.build.is_some() {
                return Err("--layouts links each side anew with cargo rustc, which a --build command may not be".into());
            }
            note("linking the head anew, from a build of its own");
            // Two paths of one program are in every link of it; the control is one more.
            let more = u32::from(wanted.revision.is_none());
            if wanted.revision.is_none() {
                hold(wanted.home)?;
            }
            bases.head = head_links(launch, wanted, layouts + more)?;
            if wanted.revision.is_none() {
                bases.control = bases.head.split_off(layouts as usize);
                bases.base = bases.head.clone();
                bases.remarks.clear();
            }
        }
        Ok(bases)
    }

    pub(crate) fn is_revision(&self) -> bool {
        !self.name.is_empty()
    }

    /// Of how many links the epochs are drawn, if of several.
    pub(crate) fn layouts(&self) -> Option<u32> {
        (self.head.len() > 1 || self.base.len() > 1).then_some(self.head.len() as u32)
    }

    fn of_revision(
        &mut self,
        launch: &Launch,
        revision: &str,
        wanted: &Wanted<'_>,
        note: &dyn Fn(&str),
    ) -> Result<(), String> {
        let git = |args: &[&str]| git(args);
        let top = git(&["rev-parse", "--show-toplevel"])?;
        let below = git(&["rev-parse", "--show-prefix"])?;
        let meant = format!("{revision}^{{commit}}");
        git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &meant]).map_err(|_| {
            format!("--base {revision}: no such revision here; fetch it (in CI: fetch-depth: 0), or name another")
        })?;
        let commit = git(&["merge-base", "HEAD", revision]).map_err(|_| {
            format!("--base {revision}: it has no commit in common with HEAD; in a shallow clone fetch more of both (git fetch --unshallow)")
        })?;
        let commit = commit.lines().next().unwrap_or_default().to_string();
        let short: String = commit.chars().take(10).collect();
        self.name = format!("{revision} ({short})");
        // With layouts the head, too, is built anew.
        if wanted.build.is_none() && wanted.layouts.is_none() {
            built_alike(launch.program())?;
        }
        let changed = !git(&["--no-optional-locks", "status", "--porcelain"])?.is_empty();
        if changed {
            self.remarks.push(
                "the head's tree has changes that are not committed; it is compared as it is"
                    .into(),
            );
        } else if git(&["rev-parse", "HEAD"])? == commit {
            self.remarks.push(format!(
                "HEAD is where it parts from {revision}, and the tree has no changes: {ITSELF}"
            ));
        }
        hold(wanted.home)?;
        let top = Path::new(&top);
        let place = Place::find(top, wanted.home, caches())?;
        let tree = place.tree();
        note(&format!(
            "unpacking {short}, where it parts from {revision}, in {}",
            tree.display()
        ));
        place.pair_with(wanted.home, &commit)?;
        unpack(top, &commit, &tree)?;
        let folder = tree.join(&below);
        if wanted.build.is_none() && !has_package(&folder, &package(wanted))? {
            self.absent = Some(format!("{short} has no package {}", package(wanted)));
            return Ok(());
        }
        note("building the base; the first time, all that it depends on, too");
        let built = build(wanted, &folder, wanted.home)?;
        // Another link of it takes its place in the target folder.
        let kept = wanted.home.join("base");
        copy(&built, &kept)?;
        let base = launch.of(kept);
        self.control = vec![base.clone()];
        self.base = vec![base];
        match wanted.build {
            Some(_) => self.remarks.push(
                "the control is the same link as the base, in another process: how to link anew what --build builds is not known".into(),
            ),
            None => match links(launch, wanted, &folder, wanted.home, CONTROL..CONTROL + 1) {
                Ok(control) => self.control = control,
                Err(why) => self.remarks.push(format!(
                    "the control is the same link as the base, in another process: {why}"
                )),
            },
        }
        if let (Some(layouts), None) = (wanted.layouts, wanted.build) {
            self.base = links(launch, wanted, &folder, wanted.home, 1..layouts + 1)?;
        }
        Ok(())
    }
}

/// Links of this program's own sources, as they lie here, in a target folder beside that of bases.
pub(crate) fn of_this_program(
    launch: &Launch,
    wanted: &Wanted<'_>,
    count: u32,
) -> Result<Vec<Launch>, String> {
    hold(wanted.home)?;
    head_links(launch, wanted, count)
}

fn head_links(launch: &Launch, wanted: &Wanted<'_>, count: u32) -> Result<Vec<Launch>, String> {
    let here = std::env::current_dir()
        .map_err(|e| format!("this process has no folder of its own: {e}"))?;
    let own = wanted.home.with_file_name("head");
    links(launch, wanted, &here, &own, 1..count + 1)
}

/// Refuses a head that another profile made than makes the base: every row would tell the profiles apart.
fn built_alike(program: &Path) -> Result<(), String> {
    let mut folders = program.ancestors().skip(1).filter_map(Path::file_name);
    // Tests and examples lie one deeper.
    let profile = folders.find(|name| *name != "deps" && *name != "examples");
    if profile.is_some_and(|name| name == "release") {
        return Ok(());
    }
    Err(format!(
        "--base builds the base with --release, and {} does not lie in a folder that cargo makes so: run this program with `cargo run --release`, or say with --build CMD how the base is built as this program was",
        program.display()
    ))
}

/// Keeps `home` for this run: what it builds there is started until its end. The lock ends with the process.
fn hold(home: &Path) -> Result<(), String> {
    let at = home.join("lock");
    let cannot = |e: std::io::Error| format!("cannot lock {}: {e}", at.display());
    std::fs::create_dir_all(home).map_err(cannot)?;
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.open(&at).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(format!(
                "{} is in use: process {} compares or calibrates, and starts what it has built there; wait for its end, or take a program of another target folder (CARGO_TARGET_DIR), which has its own",
                home.display(),
                holder.trim()
            ));
        }
        // A file system that has no locks: as cargo does there.
        Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(e)) => return Err(cannot(e)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(cannot)?;
    std::mem::forget(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_of_another_profile_is_refused() {
        for alike in [
            "release/p",
            "x86_64/release/p",
            "release/deps/p-0",
            "release/examples/p",
        ] {
            assert_eq!(built_alike(&Path::new("/target").join(alike)), Ok(()));
        }
        for unlike in [
            "debug/p",
            "release/debug/p",
            "release-lto/deps/p",
            "usr/bin/p",
        ] {
            let why = built_alike(&Path::new("/target").join(unlike)).unwrap_err();
            assert!(why.contains("cargo run --release") && why.contains("--build CMD"));
        }
    }

    #[test]
    fn a_home_is_of_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("base");
        hold(&home).unwrap();
        let why = hold(&home).unwrap_err();
        let this = format!("in use: process {} compares", std::process::id());
        assert!(
            why.contains(&this) && why.contains("wait for its end"),
            "{why}"
        );
        hold(&folder.path().join("other")).unwrap();
    }
}
