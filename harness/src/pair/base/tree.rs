//! The tree of a base: a commit unpacked where cargo finds nothing of the head, and kept for the next run.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Where a base is unpacked: not in the head's repository, where cargo would find the head's configuration, toolchain and workspace, too.
#[derive(Debug)]
pub(super) enum Place {
    Kept(PathBuf),
    /// Where no cache can be written: for this run alone.
    Fresh(tempfile::TempDir),
}

impl Place {
    /// The first cache that can be written and does not lie in the repository; each home has a tree of its own there.
    pub(super) fn find(
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

    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Fresh(folder) => folder.path(),
        }
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.folder().join("tree")
    }

    /// Cargo takes files that are older than a build for those that it built. A tree that was not the last one to be built in `home`,
    /// because one of both comes from a backup or a CI's cache, is laid anew.
    pub(super) fn pair_with(&self, home: &Path, commit: &str) -> Result<(), String> {
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
pub(super) fn caches() -> impl Iterator<Item = PathBuf> {
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

/// What git says, without its last newline. It is asked for nothing that it would write down.
pub(super) fn git(args: &[&str]) -> Result<String, String> {
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
pub(super) fn unpack(top: &Path, commit: &str, tree: &Path) -> Result<(), String> {
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
    // Behind the end of the archive git pads it: whoever stops reading there may end git by SIGPIPE.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;
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
    fn an_archive_is_read_to_its_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let mut padded = archive(&[("file", "1")]);
        padded.resize(1 << 20, 0);
        let mut rest = padded.as_slice();
        lay(&mut rest, folder.path()).unwrap();
        assert!(rest.is_empty());
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
