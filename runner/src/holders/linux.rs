use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use cutover_core::observe::Holder;

/// Every process of which the open descriptors can be seen (proc(5): those of this user, or all for root) and that has one of
/// these files open; this process first. Looking is a `stat` of `/proc/<pid>/fd/<n>`, which opens nothing.
pub(crate) fn holders(files: &[PathBuf]) -> Vec<Holder> {
    let wanted: BTreeSet<(u64, u64)> =
        files.iter().filter_map(|path| std::fs::symlink_metadata(path).ok()).map(|m| (m.dev(), m.ino())).collect();
    let mut found = Vec::new();
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    if wanted.is_empty() {
        return found;
    }
    let own = std::process::id();
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = descriptors
            .flatten()
            .any(|descriptor| std::fs::metadata(descriptor.path()).is_ok_and(|m| wanted.contains(&(m.dev(), m.ino()))));
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(Holder { pid, name: name.trim_end().to_owned(), this_process: pid == own });
        }
    }
    found.sort_by_key(|holder| (!holder.this_process, holder.pid));
    found
}
