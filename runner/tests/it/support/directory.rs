//! Names and paths in a directory.

use std::path::{Path, PathBuf};

/// The real path as cutover tells it: without the prefix that Windows puts before one.
pub fn real(path: &Path) -> PathBuf {
    let real = path.canonicalize().unwrap();
    real.to_str().unwrap().trim_start_matches(r"\\?\").into()
}

/// Every name but the locks, which stay.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-lock"));
    names.sort();
    names
}
