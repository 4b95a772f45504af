//! What differs between operating systems, behind one set of names.

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod platform;

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::path::Path;

use cutover_core::FileName;

pub(crate) use platform::{
    LOCKS_V1_OVER_THE_FLIP, OPENING_DROPS_LOCKS, PLATFORM, REFUSED_BYTES, Rights, create_beside,
    create_lock, create_new, create_owner_lock, create_private, create_private_directory,
    create_to_build, denied_for_good, file_id, free_bytes, give_rights, irreplaceable,
    is_only_in_use, known_file_id, links, only_its_owner_replaces, open_file_id, open_to_flush,
    open_to_give_rights, plain, read_at, real_directory, rename, rename_new, says_no_flush,
    says_no_links, sqlite_gives_owners, sync_dir, why_read_only, why_unchangeable,
};

#[cfg(windows)]
pub(crate) use platform::SHARING_VIOLATION;

/// Why a name is refused: what has it is not a regular file.
#[derive(Debug, thiserror::Error)]
#[error("it is {0}, not a regular file")]
pub(crate) struct Irregular(&'static str);

/// Refuses every kind of file but a regular one.
pub(crate) fn regular(kind: FileType) -> io::Result<()> {
    platform::irregular(kind).map_or(Ok(()), |what| Err(io::Error::other(Irregular(what))))
}

/// Refuses a name that something else than a regular file has. No link is followed, and nothing is
/// opened. A name that does not exist is not refused.
pub(crate) fn regular_or_missing(path: &Path) -> io::Result<()> {
    std::fs::symlink_metadata(path).map_or(Ok(()), |metadata| regular(metadata.file_type()))
}

/// Refuses what [`regular_or_missing`] refuses, and a sidecar that is another file as well, where
/// SQLite would change the owner of both.
pub(crate) fn own_or_missing(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    regular(metadata.file_type())?;
    let shared = sqlite_gives_owners() && links(path).is_ok_and(|links| links > 1);
    if shared { Err(io::Error::other(Irregular("a hard link to another file"))) } else { Ok(()) }
}

/// Refuses a file with content that is another file as well, which SQLite could write to.
pub(crate) fn own_or_empty(path: &Path) -> io::Result<()> {
    let full = std::fs::symlink_metadata(path).is_ok_and(|found| found.len() > 0);
    let shared = full && links(path).is_ok_and(|links| links > 1);
    if shared { Err(io::Error::other(Irregular("a hard link to another file"))) } else { Ok(()) }
}

/// Whether this is the name of a regular file, and not of a link to one.
pub(crate) fn is_regular(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Whether a name exists. A link that leads nowhere exists as well.
pub(crate) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Opens a regular file. Every file of ours, and every companion, is opened here: no link is
/// followed, and nothing else than a regular file is opened or waited for.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Opening a device can have an effect of its own, so its kind comes first.
    regular_or_missing(path)?;
    match platform::open_itself(path, options) {
        Ok(file) => regular(file.metadata()?.file_type()).map(|()| file),
        // Another process may have put a link there meanwhile.
        Err(error) => regular_or_missing(path).and(Err(error)),
    }
}

/// The message of the warning about what a file lacks of the rights and attributes that the file
/// before it has. `None` if it has all.
pub(crate) fn lost_message(what: &str, path: &Path, lost: &[String]) -> Option<String> {
    let message = format!(
        "{what} {} lacks what the one before it has, because the system refused it: {}",
        path.display(),
        lost.join(", ")
    );
    (!lost.is_empty()).then_some(message)
}

/// Opens a regular file to read it.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open(path, File::options().read(true))
}

/// How many bytes a companion may have: cutover reads it into memory.
const MAX_COMPANION_BYTES: u64 = 256 << 20;

/// Reads a companion, or a file beside it, whole.
pub(crate) fn read_companion(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let file = open_to_read(path)?;
    let mut bytes = Vec::new();
    let size = file.take(MAX_COMPANION_BYTES + 1).read_to_end(&mut bytes)?;
    if size as u64 > MAX_COMPANION_BYTES {
        let most = MAX_COMPANION_BYTES >> 20;
        return Err(io::Error::other(format!("a companion may have {most} MiB, and it has more")));
    }
    Ok(bytes)
}

/// A file name as the directory has it. On a volume that ignores case (Windows, most volumes of
/// macOS), `DATA.DB` opens `data.db`. The file's own spelling counts there, so that its journals
/// and backups have one name.
pub(crate) fn stored_name(directory: &Path, name: FileName) -> FileName {
    // Most directories distinguish case, which one look at another spelling tells. The names of a
    // large folder are then not listed.
    let other: String = name.as_str().chars().map(other_case).collect();
    if !exists(&directory.join(&other)) {
        return name;
    }
    let same = |entry: &FileName| entry.as_str().to_lowercase() == name.as_str().to_lowercase();
    let Ok(entries) = std::fs::read_dir(directory) else { return name };
    let entries: Vec<FileName> = entries
        .flatten()
        .filter_map(|entry| FileName::new(entry.file_name().to_str()?).ok())
        .filter(same)
        .collect();
    // A volume that distinguishes case may have both.
    match entries.iter().find(|entry| **entry == name).or(entries.first()) {
        Some(entry)
            if same_file(&directory.join(entry.as_str()), &directory.join(name.as_str()))
                .unwrap_or(false) =>
        {
            entry.clone()
        }
        _ => name,
    }
}

/// The letter in the other case, where that is one letter.
fn other_case(letter: char) -> char {
    let mut lower = letter.to_lowercase();
    let mut upper = letter.to_uppercase();
    match (lower.next(), lower.next(), upper.next(), upper.next()) {
        (Some(lower), None, ..) if lower != letter => lower,
        (_, _, Some(upper), None) => upper,
        _ => letter,
    }
}

/// Whether two paths are one file.
pub(crate) fn same_file(a: &Path, b: &Path) -> io::Result<bool> {
    Ok(file_id(a)? == file_id(b)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests on Windows cover a volume that ignores case. This one shows that no other file is
    /// taken for it.
    #[test]
    fn a_name_is_only_given_up_for_another_name_of_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let stored =
            |name: &str| stored_name(directory.path(), FileName::new(name).unwrap()).to_string();
        assert_eq!(stored("data.db"), "data.db", "nothing is there");
        std::fs::write(directory.path().join("data.db"), "").unwrap();
        let tells_apart = !directory.path().join("DATA.DB").exists();
        assert_eq!(stored("data.db"), "data.db");
        assert_eq!(stored("DATA.DB"), if tells_apart { "DATA.DB" } else { "data.db" });
        if tells_apart {
            std::fs::hard_link(directory.path().join("data.db"), directory.path().join("DATA.DB"))
                .unwrap();
            assert_eq!(
                (stored("data.db").as_str(), stored("DATA.DB").as_str()),
                ("data.db", "DATA.DB")
            );
        }
    }
}
