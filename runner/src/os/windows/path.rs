//! Paths in two forms: the verbatim one, which the system takes at any length, and the plain one,
//! which every program understands.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf, Prefix};

use cutover_core::FileName;

/// A path in the verbatim form. The system's functions take only that form if it has more than 260
/// units ("Maximum Path Length Limitation" of the Windows documentation).
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let path = std::path::absolute(path)?;
    let kind = match path.components().next() {
        Some(Component::Prefix(prefix)) => Some(prefix.kind()),
        _ => None,
    };
    // `C:\x` becomes `\\?\C:\x`, and `\\server\share` becomes `\\?\UNC\server\share`.
    let (prefix, skip) = match kind {
        Some(Prefix::Disk(_)) => (r"\\?\", 0),
        Some(Prefix::UNC(..)) => (r"\\?\UNC", 1),
        _ => ("", 0),
    };
    Ok(prefix.encode_utf16().chain(path.as_os_str().encode_wide().skip(skip)).chain([0]).collect())
}

/// A directory's real path, with links and junctions resolved. Some volumes cannot tell a final
/// path (`GetFinalPathNameByHandleW`; those of RAM disks, and Wine's for a long path). There it is
/// the given path, made absolute.
pub(crate) fn real_directory(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path).or_else(|error| {
        if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return Err(error);
        }
        let mut wide = wide(path)?;
        wide.pop();
        Ok(PathBuf::from(OsString::from_wide(&wide)))
    })
}

/// How many characters cutover appends to a database's name at most: those of a sidecar of a backup
/// with the longest label.
const LONGEST_ADDITION: usize = 128;

/// A real directory without the prefix `\\?\`, which SQLite's URIs, libSQL and most programs do not
/// understand. The prefix stays if a name in the directory would be too long without it.
pub(crate) fn plain(directory: PathBuf, name: &FileName) -> PathBuf {
    let longest = directory.join(format!("{name}.{}", "x".repeat(LONGEST_ADDITION)));
    if dunce::simplified(&longest) == longest {
        directory
    } else {
        dunce::simplified(&directory).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbatim(path: &str) -> String {
        let wide = wide(Path::new(path)).unwrap();
        String::from_utf16(wide.strip_suffix(&[0]).unwrap()).unwrap()
    }

    #[test]
    fn every_form_of_a_path_has_its_verbatim_form() {
        assert_eq!(verbatim(r"C:\a\b.db"), r"\\?\C:\a\b.db");
        assert_eq!(verbatim(r"C:/a/./c/../b.db"), r"\\?\C:\a\b.db");
        assert_eq!(verbatim(r"\\server\share\a\b.db"), r"\\?\UNC\server\share\a\b.db");
        assert_eq!(verbatim(r"\\?\C:\a\b.db"), r"\\?\C:\a\b.db");
        // A path relative to a drive begins at that drive's own current directory.
        let here = std::env::current_dir().unwrap();
        let drive = here.to_str().unwrap().split_at(2).0.to_owned();
        assert_eq!(
            verbatim(&format!("{drive}b.db")),
            verbatim(here.join("b.db").to_str().unwrap())
        );
        assert_eq!(verbatim("b.db"), verbatim(here.join("b.db").to_str().unwrap()));
    }

    #[test]
    fn the_prefix_stays_only_where_it_is_needed() {
        let name = FileName::new("data.db").unwrap();
        let plain = |path: &str| plain(PathBuf::from(path), &name).display().to_string();
        assert_eq!(plain(r"\\?\C:\Users\me"), r"C:\Users\me");
        let long = format!(r"\\?\C:\{}", "x".repeat(200));
        assert_eq!(plain(&long), long);
        // Without the prefix these would be a device and another directory.
        assert_eq!(plain(r"\\?\C:\aux"), r"\\?\C:\aux");
        assert_eq!(plain(r"\\?\C:\dot."), r"\\?\C:\dot.");
        assert_eq!(plain(r"\\?\UNC\server\share"), r"\\?\UNC\server\share");
    }
}
