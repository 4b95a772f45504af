//! Copies a file byte by byte.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::os;
use crate::sqlite::Watch;

/// How many bytes are copied until the copy looks whether it must stop.
const PIECE: u64 = 16 << 20;
const BUFFER: usize = 1 << 20;

/// Creates a file: its path, and the rights that it gets.
pub(crate) type Create = fn(&Path, &os::Rights) -> io::Result<File>;

/// Copies a file to a new one. The bytes of `gap` are not read; the copy has zeros there. Returns the
/// new file, and the rights of the first.
pub(crate) fn copy(
    from: &Path,
    to: &Path,
    gap: &Range<u64>,
    create: Create,
    watch: &Watch<'_>,
) -> io::Result<(File, os::Rights)> {
    copy_open(&mut os::open_to_read(from)?, to, gap, create, watch)
}

/// Copies a file that is open, from its first byte.
pub(crate) fn copy_open(
    source: &mut File,
    to: &Path,
    gap: &Range<u64>,
    create: Create,
    watch: &Watch<'_>,
) -> io::Result<(File, os::Rights)> {
    source.rewind()?;
    let rights = os::Rights::of_open(source)?;
    let mut target = create(to, &rights)?;
    if let Err(error) = bytes(source, &mut target, gap, watch) {
        // A copy that failed must not stand in the way of the next attempt. Windows removes no file
        // that is open alone.
        drop(target);
        let _ = std::fs::remove_file(to);
        return Err(error);
    }
    Ok((target, rights))
}

fn bytes(
    source: &mut File,
    target: &mut File,
    gap: &Range<u64>,
    watch: &Watch<'_>,
) -> io::Result<()> {
    pieces(&mut source.by_ref().take(gap.start), target, watch)?;
    source.seek(SeekFrom::Start(gap.end))?;
    target.seek(SeekFrom::Start(gap.end))?;
    pieces(source, target, watch)?;
    // A file may end inside the gap.
    let size = source.metadata()?.len();
    if target.metadata()?.len() < size { target.set_len(size) } else { Ok(()) }
}

/// Copies in pieces, so that it can be stopped. Linux copies inside the kernel, and shares the
/// blocks where the file system can (`copy_file_range`).
pub(crate) fn pieces(
    source: &mut impl Read,
    target: &mut File,
    watch: &Watch<'_>,
) -> io::Result<()> {
    loop {
        if watch.must_stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        // Where the bytes go through this process, they do so in this buffer.
        let mut piece = BufReader::with_capacity(BUFFER, source.by_ref().take(PIECE));
        if io::copy(&mut piece, target)? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::Gauge;

    #[test]
    fn a_gap_is_filled_with_zeros_and_everything_else_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        for gap in [0..0, 0..512, 4096..4608] {
            for size in [0, 1, 4095, 4096, 4100, 4608, 9000] {
                let mut whole: Vec<u8> =
                    (0..size).map(|at| u8::try_from(at % 251 + 1).unwrap()).collect();
                std::fs::write(&from, &whole).unwrap();
                copy(&from, &to, &gap, os::create_new, &Watch::quiet(Gauge::default())).unwrap();
                let end = whole.len();
                let [start, stop] =
                    [gap.start, gap.end].map(|at| usize::try_from(at).unwrap().min(end));
                whole[start..stop].fill(0);
                assert!(std::fs::read(&to).unwrap() == whole, "{gap:?} of {size}");
                std::fs::remove_file(&to).unwrap();
            }
        }
    }

    #[test]
    fn a_copy_that_is_stopped_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        std::fs::write(&from, "old").unwrap();
        let mut stop = |gauge: &Gauge| gauge.stop();
        let watch = Watch::new(Gauge::default(), &mut stop);
        copy(&from, &to, &(0..0), os::create_new, &watch).unwrap_err();
        assert!(!to.exists());
    }

    #[test]
    fn an_existing_target_stays_and_a_failed_copy_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        std::fs::write(&from, "new").unwrap();
        std::fs::write(&to, "old").unwrap();
        assert_eq!(
            copy(&from, &to, &(0..0), os::create_new, &Watch::quiet(Gauge::default()))
                .unwrap_err()
                .kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read(&to).unwrap(), b"old");
        std::fs::remove_file(&to).unwrap();
        // No system can seek that far.
        copy(&from, &to, &(0..u64::MAX), os::create_new, &Watch::quiet(Gauge::default()))
            .unwrap_err();
        assert!(!to.exists());
    }
}
