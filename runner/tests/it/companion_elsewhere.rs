//! A companion in another directory than its database, and on another file system.
//!
//! Some tests use a volume of its own for it. They kill the process before every call on the
//! companion, and the pair matches after the next start.
//!
//! The others use a file system without hard links, while the database's has them. There `strace`
//! answers every `link` of the companion with EPERM, as vfat and exFAT do.
#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::support::companion::{Bed, Does};
use crate::support::strace;

/// The calls that change a directory or write to a file, except SQLite's writes of pages.
const CHANGES: &str = "write,copy_file_range,sendfile,ftruncate,fsync,fdatasync,link,linkat,\
                       rename,renameat,renameat2,unlink,unlinkat";

fn clear(directories: &[PathBuf]) {
    for directory in directories {
        for entry in std::fs::read_dir(directory).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

/// Kills the process before every call on the companion, and before every link and rename of the
/// database.
fn killed_on_a_volume_of_its_own(does: Does) {
    let root = tempfile::tempdir().unwrap();
    let directories = ["app", "elsewhere"].map(|name| root.path().join(name));
    for directory in &directories {
        std::fs::create_dir(directory).unwrap();
        assert!(
            Command::new("mount")
                .args(["-t", "tmpfs", "tmpfs"])
                .arg(directory)
                .status()
                .unwrap()
                .success()
        );
    }
    let [app, elsewhere] =
        directories.each_ref().map(|directory| std::fs::metadata(directory).unwrap().dev());
    assert_ne!(app, elsewhere, "the test needs two volumes");
    let bed = Bed::new(root.path());
    let upgraded_first = || {
        if does == Does::Restores {
            bed.migrate(Does::Stages).unwrap();
        }
    };
    upgraded_first();
    let (output, calls) = strace::run(CHANGES, &[], &bed.program(does));
    assert_eq!(output.status.success(), does != Does::WritesInPlaceAndFails, "{output:?}");
    let of_companion = |call: &str| call.contains("/elsewhere");
    let of_database = |call: &str| {
        call.contains("/app/") && [" link", " rename"].iter().any(|name| call.contains(name))
    };
    let chosen: Vec<usize> = (0..calls.len())
        .filter(|at| of_companion(&calls[*at]) || of_database(&calls[*at]))
        .collect();
    for at in &chosen {
        let what = format!("killed before {}", calls[*at]);
        clear(&directories);
        bed.seed();
        upgraded_first();
        let (output, _) =
            strace::run(CHANGES, &[strace::kill_before(&calls, *at)], &bed.program(does));
        assert!(!output.status.success(), "{what}");
        let ended = match does {
            Does::Restores => {
                bed.recover().unwrap();
                // An unfinished restore is undone; it must be called again.
                if bed.version(&what) == 2 {
                    bed.restore().unwrap();
                }
                assert_eq!(bed.version(&what), 1, "{what}");
                assert_eq!(bed.kept(), ["of v2"], "{what}");
                continue;
            }
            // The failing build fails again, and leaves v1 and its companion as they were.
            Does::WritesInPlaceAndFails => {
                bed.migrate(does).unwrap_err();
                assert_eq!(bed.version(&what), 1, "{what}");
                bed.migrate(Does::Stages)
            }
            _ => bed.migrate(does),
        };
        ended.unwrap_or_else(|error| panic!("{what}: {}", error.failure));
        bed.assert_upgraded(&what);
        // The host wrote this in place; a kill may leave an empty file.
        let written = |kept: &String| {
            does != Does::Stages && ["", "half of v2", "of v2"].contains(&kept.as_str())
        };
        assert!(bed.kept().iter().all(written), "{what}: {:?}", bed.kept());
    }
    let companions = chosen.iter().filter(|at| of_companion(&calls[**at])).count();
    println!(
        "{does:?}: killed before {} calls, {companions} of them on the companion",
        chosen.len()
    );
    assert!(companions >= 9 && chosen.len() > companions, "{companions} of {}", chosen.len());
    for directory in &directories {
        assert!(Command::new("umount").arg(directory).status().unwrap().success());
    }
}

#[test]
fn staged_on_a_volume_of_its_own() {
    if !started_inside!(staged_on_a_volume_of_its_own) {
        killed_on_a_volume_of_its_own(Does::Stages);
    }
}

#[test]
fn written_in_place_on_a_volume_of_its_own() {
    if !started_inside!(written_in_place_on_a_volume_of_its_own) {
        killed_on_a_volume_of_its_own(Does::WritesInPlace);
    }
}

#[test]
fn put_back_on_a_volume_of_its_own() {
    if !started_inside!(put_back_on_a_volume_of_its_own) {
        killed_on_a_volume_of_its_own(Does::WritesInPlaceAndFails);
    }
}

#[test]
fn restored_on_a_volume_of_its_own() {
    if !started_inside!(restored_on_a_volume_of_its_own) {
        killed_on_a_volume_of_its_own(Does::Restores);
    }
}

/// Runs a case on a file system that refuses hard links for the companion.
fn without_links(bed: &Bed, does: Does) {
    let of_companion = [
        "-P".to_owned(),
        bed.auth.to_str().unwrap().to_owned(),
        "--inject=link,linkat:error=EPERM".to_owned(),
    ];
    let (output, _) =
        strace::run("link,linkat,rename,renameat,renameat2", &of_companion, &bed.program(does));
    assert_eq!(
        output.status.success(),
        does != Does::WritesInPlaceAndFails,
        "{does:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn without_links_a_companion_written_in_place_is_put_back() {
    let root = tempfile::tempdir().unwrap();
    let bed = Bed::new(root.path());
    without_links(&bed, Does::WritesInPlaceAndFails);
    assert_eq!((bed.version(""), bed.kept()), (1, vec!["half of v2".to_owned()]));
}

#[test]
fn without_links_a_companion_that_another_program_changed_is_kept_beside() {
    let root = tempfile::tempdir().unwrap();
    let bed = Bed::new(root.path());
    without_links(&bed, Does::StagesBesideAnother);
    assert_eq!((bed.version(""), bed.kept()), (2, vec!["of another".to_owned()]));
}

#[test]
fn without_links_a_restore_puts_the_companion_back() {
    let root = tempfile::tempdir().unwrap();
    let bed = Bed::new(root.path());
    bed.migrate(Does::Stages).unwrap();
    without_links(&bed, Does::Restores);
    assert_eq!((bed.version(""), bed.kept()), (1, vec!["of v2".to_owned()]));
}
