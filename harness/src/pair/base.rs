//! Where the sides of a comparison come from: this program, a file, or another revision, built as this program was.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{Read, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::worker::Launch;

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
                "HEAD is where it parts from {revision}, and the tree has no changes: nothing is compared but this revision with itself"
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

/// Where a base is unpacked: not in the head's repository, where cargo would find the head's configuration, toolchain and workspace, too.
#[derive(Debug)]
enum Place {
    Kept(PathBuf),
    /// Where no cache can be written: for this run alone.
    Fresh(tempfile::TempDir),
}

impl Place {
    /// The first cache that can be written and does not lie in the repository; each home has a tree of its own there.
    fn find(
        top: &Path,
        home: &Path,
        caches: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Self, String> {
        let home = std::path::absolute(home).unwrap_or(home.into());
        let name = crc::Crc::<u64>::new(&crc::CRC_64_XZ);
        let name = name.checksum(home.as_os_str().as_encoded_bytes());
        let outside = |folder: &PathBuf| !folder.starts_with(top);
        let made = |folder: PathBuf| {
            std::fs::create_dir_all(&folder).ok()?;
            folder.canonicalize().ok()
        };
        let kept = caches
            .into_iter()
            .map(|cache| cache.join(format!("pathproof/{name:016x}")))
            .filter(outside)
            .filter_map(made)
            .find(outside);
        let place = match kept {
            Some(folder) => Self::Kept(folder),
            None => Self::Fresh(
                tempfile::Builder::new()
                    .prefix("pathproof-")
                    .tempdir()
                    .map_err(|e| format!("no folder to unpack a base in: {e}"))?,
            ),
        };
        let (of_base, of_head) = (above(&place.tree()), above(top));
        if let Some(file) = of_base.symmetric_difference(&of_head).next() {
            return Err(format!(
                "{} is for builds in {} and not for those in {}, so that base and head would be built unlike: set XDG_CACHE_HOME to a folder beside the repository, such as {}",
                file.display(),
                if of_head.contains(file) {
                    top
                } else {
                    place.folder()
                }
                .display(),
                if of_head.contains(file) {
                    place.folder()
                } else {
                    top
                }
                .display(),
                top.with_file_name(".cache").display()
            ));
        }
        Ok(place)
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Fresh(folder) => folder.path(),
        }
    }

    fn tree(&self) -> PathBuf {
        self.folder().join("tree")
    }

    /// Cargo takes files that are older than a build for those that it built. A tree that was not the last one to be built in `home`,
    /// because one of both comes from a backup or a CI's cache, is laid anew.
    fn pair_with(&self, home: &Path, commit: &str) -> Result<(), String> {
        let marks = [self.folder().join("built"), home.join("built")];
        let [of_tree, of_home] = marks.each_ref().map(|mark| std::fs::read(mark).ok());
        if of_tree.is_none() || of_tree != of_home {
            clear(&self.tree())
                .map_err(|e| format!("cannot clear {}: {e}", self.tree().display()))?;
        }
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let mark = format!("{commit} at {}\n", now.as_nanos());
        marks.iter().try_for_each(|at| {
            std::fs::write(at, &mark).map_err(|e| format!("cannot write {}: {e}", at.display()))
        })
    }
}

/// Folders for what can be made again.
fn caches() -> impl Iterator<Item = PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let of_user = folder("HOME").map(|home| home.join(".cache"));
    let caches = [folder("XDG_CACHE_HOME"), of_user].into_iter().flatten();
    caches.filter(|cache| cache.is_absolute())
}

/// The files above a folder that cargo and rustup go by in it, but for those that they go by everywhere.
fn above(folder: &Path) -> BTreeSet<PathBuf> {
    let everywhere = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let of_user = || Some(Path::new(&std::env::var_os("HOME")?).join(".cargo"));
    let everywhere = everywhere.or_else(of_user);
    let matters = |at: &PathBuf| match at.ends_with("Cargo.toml") {
        true => std::fs::read_to_string(at).is_ok_and(|text| text.contains("[workspace")),
        false => at.is_file() && at.parent() != everywhere.as_deref(),
    };
    let names = [
        ".cargo/config.toml",
        ".cargo/config",
        "rust-toolchain.toml",
        "rust-toolchain",
        "Cargo.toml",
    ];
    let above = folder.ancestors().skip(1);
    above
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .filter(matters)
        .collect()
}

/// The control's shuffle; the layouts that are asked for are 1, 2, ….
const CONTROL: u32 = 1000;

/// What git says, without its last newline. It is asked for nothing that it would write down.
fn git(args: &[&str]) -> Result<String, String> {
    let out = Command::new("git").args(args).stdin(Stdio::null()).output();
    let out =
        out.map_err(|e| format!("cannot run git, of which --base wants the revision: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_string());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(format!(
        "git {}: {}",
        args.join(" "),
        said.lines().next().unwrap_or("it failed")
    ))
}

/// Lays a commit's files below `tree`: what is there already is left as it is, so that cargo builds what has changed and no more.
fn unpack(top: &Path, commit: &str, tree: &Path) -> Result<(), String> {
    let cannot =
        |e: &dyn std::fmt::Display| format!("cannot unpack {commit} in {}: {e}", tree.display());
    std::fs::create_dir_all(tree).map_err(|e| cannot(&e))?;
    let mut git = Command::new("git")
        .args(["archive", "--format=tar", commit])
        .current_dir(top)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| cannot(&e))?;
    let archive = git
        .stdout
        .take()
        .ok_or_else(|| cannot(&"git has no stdout"))?;
    let laid = lay(archive, tree);
    let status = git.wait().map_err(|e| cannot(&e))?;
    let kept = laid.map_err(|e| cannot(&e))?;
    if !status.success() {
        return Err(cannot(&format_args!("git archive: {status}")));
    }
    prune(tree, tree, &kept).map_err(|e| cannot(&e))
}

/// The files of an archive; which they are.
fn lay(archive: impl Read, tree: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path
            .components()
            .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
        {
            return Err(std::io::Error::other(format!(
                "{} lies outside",
                path.display()
            )));
        }
        let at = tree.join(&path);
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            make_folder(tree, &path)?;
        } else if kind.is_file() || kind.is_symlink() {
            make_folder(tree, path.parent().unwrap_or(Path::new("")))?;
        }
        if kind.is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            let same = std::fs::symlink_metadata(&at).is_ok_and(|m| m.is_file())
                && std::fs::read(&at).is_ok_and(|known| known == bytes);
            if !same {
                clear(&at)?;
                File::create(&at)?.write_all(&bytes)?;
            }
            use std::os::unix::fs::PermissionsExt as _;
            let executable = entry.header().mode()? & 0o111 != 0;
            let mode = if executable { 0o755 } else { 0o644 };
            std::fs::set_permissions(&at, std::fs::Permissions::from_mode(mode))?;
            files.insert(path);
        } else if kind.is_symlink() {
            let to = entry.link_name()?.map(|to| to.into_owned());
            let to = to.ok_or_else(|| {
                std::io::Error::other(format!("{} links to nothing", path.display()))
            })?;
            if std::fs::read_link(&at).ok().as_ref() != Some(&to) {
                clear(&at)?;
                std::os::unix::fs::symlink(to, &at)?;
            }
            files.insert(path);
        }
    }
    Ok(files)
}

/// Makes a folder below `tree`. Where another commit had a file, or a link, which may lead anywhere, a folder takes its place.
fn make_folder(tree: &Path, below: &Path) -> std::io::Result<()> {
    let mut at = tree.to_path_buf();
    std::fs::create_dir_all(&at)?;
    for part in below {
        at.push(part);
        if !std::fs::symlink_metadata(&at).is_ok_and(|known| known.is_dir()) {
            clear(&at)?;
            std::fs::create_dir(&at)?;
        }
    }
    Ok(())
}

/// Removes what is there.
fn clear(at: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(at) {
        Ok(known) if known.is_dir() => std::fs::remove_dir_all(at),
        Ok(_) => std::fs::remove_file(at),
        Err(_) => Ok(()),
    }
}

/// Removes what is below `folder` and not among `kept`, paths relative to `tree`.
fn prune(tree: &Path, folder: &Path, kept: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let (entry, at) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        let below = at.strip_prefix(tree).unwrap_or(&at);
        if entry?.is_dir() {
            prune(tree, &at, kept)?;
            // It stays if there is something in it.
            let _ = std::fs::remove_dir(&at);
        } else if !kept.contains(below) {
            std::fs::remove_file(&at)?;
        }
    }
    Ok(())
}

/// The client's package: cargo says it to what it runs, and few programs have another name.
fn package(wanted: &Wanted<'_>) -> String {
    std::env::var("CARGO_PKG_NAME").unwrap_or_else(|_| wanted.program.into())
}

fn has_package(folder: &Path, package: &str) -> Result<bool, String> {
    if !folder.is_dir() {
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
fn build(wanted: &Wanted<'_>, folder: &Path, home: &Path) -> Result<PathBuf, String> {
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
fn links(
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
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let beside = to.with_extension("new");
    std::fs::copy(from, &beside)
        .and_then(|_| std::fs::rename(&beside, to))
        .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            // As it is, which `append_data` would refuse of a path that leads outside.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_mode(0o644);
            let link = text.strip_prefix("-> ");
            if let Some(to) = link {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name(to).unwrap();
            }
            let text = if link.is_some() { "" } else { text };
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn what_has_not_changed_stays_and_what_is_gone_goes() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path();
        let first = archive(&[
            ("a/same", "1"),
            ("a/other", "2"),
            ("gone/deep/file", "3"),
            ("was/file", "4"),
        ]);
        let kept = lay(first.as_slice(), tree).unwrap();
        prune(tree, tree, &kept).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
        for file in ["a/same", "a/other"] {
            let file = std::fs::File::options()
                .write(true)
                .open(tree.join(file))
                .unwrap();
            file.set_modified(long_ago).unwrap();
        }
        let second = archive(&[("a/same", "1"), ("a/other", "5"), ("was", "a file now")]);
        let kept = lay(second.as_slice(), tree).unwrap();
        prune(tree, tree, &kept).unwrap();
        let changed =
            |file: &str| tree.join(file).metadata().unwrap().modified().unwrap() != long_ago;
        assert!(!changed("a/same") && changed("a/other"));
        assert_eq!(std::fs::read_to_string(tree.join("a/other")).unwrap(), "5");
        assert_eq!(
            std::fs::read_to_string(tree.join("was")).unwrap(),
            "a file now"
        );
        assert!(!tree.join("gone").exists());
    }

    #[test]
    fn a_path_that_leads_outside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["../outside", "/outside", "a/../../outside"] {
            let laid = lay(
                archive(&[(path, "x")]).as_slice(),
                &folder.path().join("tree"),
            );
            assert!(
                laid.is_err_and(|why| why.to_string().contains("lies outside")),
                "{path}"
            );
        }
    }

    #[test]
    fn a_folder_takes_the_place_of_a_file_and_of_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, outside) = (folder.path().join("tree"), folder.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("same"), "1").unwrap();
        let link = format!("-> {}", outside.display());
        let first = archive(&[("file", "was"), ("link", &link), ("deep/link", &link)]);
        lay(first.as_slice(), &tree).unwrap();
        assert_eq!(std::fs::read_link(tree.join("link")).unwrap(), outside);
        let second = archive(&[
            ("file/now/folder", "2"),
            ("link/same", "1"),
            ("link/other", "3"),
            ("deep/link/link", "-> nowhere"),
        ]);
        let kept = lay(second.as_slice(), &tree).unwrap();
        prune(&tree, &tree, &kept).unwrap();
        let read = |file: &str| std::fs::read_to_string(tree.join(file)).unwrap();
        assert_eq!(read("file/now/folder") + &read("link/other"), "23");
        assert!(!tree.join("link").is_symlink() && tree.join("deep/link/link").is_symlink());
        let outside: Vec<_> = std::fs::read_dir(outside).unwrap().collect();
        assert_eq!(outside.len(), 1, "{outside:?}");
        // And back.
        lay(
            archive(&[("file", "was"), ("link", &link)]).as_slice(),
            &tree,
        )
        .unwrap();
        assert!(read("file") == "was" && tree.join("link").is_symlink());
    }

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

    #[test]
    fn a_base_is_unpacked_where_cargo_finds_nothing_of_the_head() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (top, home) = (at("a/repository"), at("a/repository/target/base"));
        let write = |file: &str, text: &str| {
            std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            std::fs::write(at(file), text).unwrap();
        };
        write("a/repository/.cargo/config.toml", "");
        write("a/repository/rust-toolchain", "");
        write("a/repository/Cargo.toml", "[workspace]");
        write("a/Cargo.toml", "[package]");
        // What lies in the repository is no place for it, nor is what cannot be written.
        write("file", "");
        let caches = || [top.join(".cache"), at("file"), at("b")];
        let place = Place::find(&top, &home, caches()).unwrap();
        assert!(place.folder().starts_with(at("b")), "{place:?}");
        let other = Place::find(&top, &at("a/other/base"), caches()).unwrap();
        assert_ne!(place.folder(), other.folder());
        let fresh = Place::find(&top, &home, []).unwrap();
        assert!(!fresh.folder().starts_with(folder.path()), "{fresh:?}");
        // What is above one and not above the other.
        for (file, text) in [
            ("a/.cargo/config.toml", ""),
            ("b/Cargo.toml", "[workspace]"),
        ] {
            write(file, text);
            let why = Place::find(&top, &home, caches()).unwrap_err();
            assert!(
                why.contains(file) && why.contains("set XDG_CACHE_HOME"),
                "{why}"
            );
            Place::find(&top, &home, [at("a/.cache")]).unwrap();
            std::fs::remove_file(at(file)).unwrap();
        }
    }

    #[test]
    fn a_tree_that_another_build_was_of_is_laid_anew() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let place = Place::find(&folder.path().join("top"), &home, [folder.path().into()]).unwrap();
        let file = place.tree().join("file");
        let stays = |lost: &dyn Fn()| {
            place.pair_with(&home, "first").unwrap();
            std::fs::create_dir_all(place.tree()).unwrap();
            std::fs::write(&file, "").unwrap();
            lost();
            place.pair_with(&home, "second").unwrap();
            file.is_file()
        };
        assert!(stays(&|| ()));
        assert!(!stays(
            &|| std::fs::write(home.join("built"), "earlier").unwrap()
        ));
        assert!(!stays(&|| std::fs::remove_file(
            place.folder().join("built")
        )
        .unwrap()));
    }
}
