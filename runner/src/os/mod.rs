//! What differs between operating systems, behind one set of names.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod platform;

use std::io;
use std::path::Path;

use cutover_core::FileName;

pub(crate) use platform::{
    LOCKS_V1_OVER_THE_FLIP, OPENING_DROPS_LOCKS, PLATFORM, REFUSED_BYTES, adopt, create_lock,
    create_new, create_private, create_private_directory, create_writable, denied_for_good,
    file_id, free_bytes, irreplaceable, links, open_to_flush, plain, read_at, real_directory,
    rename, rename_new, says_no_flush, says_no_links, sync_dir, why_read_only,
};

/// A file name as the directory has it. On a volume that ignores case (Windows, most volumes of
/// macOS), `DATA.DB` opens `data.db`. The file's own spelling counts there, so that its journals
/// and backups have one name.
pub(crate) fn stored_name(directory: &Path, name: FileName) -> FileName {
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
