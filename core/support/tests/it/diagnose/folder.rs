//! A folder, and files of a folder.

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn file(name: &str, size: u64) -> DroppedFile {
    DroppedFile {
        name: name.into(),
        size,
        text: None,
        head: None,
        wal: None,
        check: None,
        content: None,
    }
}

fn dropped_database(name: &str, mode: JournalMode, changes: u32) -> DroppedFile {
    DroppedFile { head: Some(hex(&header_bytes(mode, changes))), ..file(name, 8192) }
}

fn folder(files: Vec<DroppedFile>, whole_folder: bool) -> Diagnosis {
    fit_to_send(diagnose(&Dropped { files, whole_folder, ..Dropped::default() }))
}

#[test]
fn a_folder_is_judged_by_names_sizes_headers_and_journals() {
    let text = journal(Phase::Built).to_text();
    let names = our_names();
    let files = || {
        vec![
            DroppedFile {
                text: Some(text.clone()),
                ..file(our_journal().as_str(), text.len() as u64)
            },
            dropped_database("data.db", JournalMode::Delete, 7),
            dropped_database(names.install.as_str(), JournalMode::Wal, 3),
            file("holiday.jpg", 3_000_000),
            file("data.db.owner-lock", 0),
        ]
    };
    let found = folder(files(), true);
    assert_eq!((found.kind, found.safety), (Kind::Folder, Safety::CannotTell), "no page was read");
    let read = || {
        let mut files = files();
        files[1].check = Some(Check::Sound);
        files
    };
    let found = folder(read(), true);
    assert_eq!((found.kind, found.safety), (Kind::Folder, Safety::Safe), "{}", found.because);
    assert!(
        found.plan.is_some() && found.facts.iter().any(|fact| fact == "Left out: 1 other file."),
        "{:?}",
        found.facts
    );
    assert_eq!(
        folder(read(), false).safety,
        Safety::CannotTell,
        "a part of a folder proves nothing"
    );
    let mut logged = files();
    logged.push(file("data.db-wal", 4152));
    assert_eq!(folder(logged, true).safety, Safety::CannotTell);
    let mut changed = files();
    changed[1] = dropped_database("data.db", JournalMode::Delete, 8);
    assert_eq!(folder(changed, true).safety, Safety::CannotTell);
    let mut missing = files();
    missing.remove(1);
    let found = folder(missing, true);
    assert!(
        found.safety == Safety::NotSafe && found.because.starts_with("data.db is missing"),
        "{}",
        found.because
    );
}

#[test]
fn one_file_alone_proves_nothing() {
    let whole = folder(vec![dropped_database("data.db", JournalMode::Wal, 7)], true);
    assert_eq!((whole.kind, whole.safety), (Kind::Folder, Safety::CannotTell));
    let found = folder(vec![dropped_database("data.db", JournalMode::Wal, 7)], false);
    assert_eq!(
        (found.kind, found.safety, found.header.is_some()),
        (Kind::File, Safety::CannotTell, true)
    );
    let found =
        folder(vec![DroppedFile { head: Some(hex(&[0; 100])), ..file("data.db", 8192) }], false);
    assert!(
        found.safety == Safety::NotSafe && found.because.contains("all zero"),
        "{}",
        found.because
    );
    let found = folder(
        vec![DroppedFile { wal: Some(read_wal(&[], None)), ..file("data.db-wal", 0) }],
        false,
    );
    assert_eq!((found.kind, found.safety), (Kind::File, Safety::CannotTell));
    assert_eq!(folder(vec![file("readme.txt", 3)], true).kind, Kind::Unknown);
    assert_eq!(folder(vec![file("../data.db", 3), file("a/b", 3)], true).kind, Kind::Unknown);
    assert_eq!(
        folder((0..3000).map(|at| file(&format!("f{at}"), 1)).collect(), true).kind,
        Kind::Unknown
    );
}

proptest! {
    #[test]
    fn no_folder_makes_it_panic(
        names in proptest::collection::vec("data\\.db(-wal|-journal|\\.(v1-v2|x)-(cutover\\.json|migration\\.json|1-3fa9c1d2(\\.json)?)|\\.building-3fa9c1d2)?|\\PC{0,9}", 0..6),
        sizes in proptest::collection::vec(any::<u64>(), 6),
        head in proptest::option::of("[0-9a-fé]{0,300}"),
        text in proptest::option::of("\\PC{0,40}"),
        whole_folder in any::<bool>(),
    ) {
        let files = names.iter().zip(sizes).map(|(name, size)| DroppedFile { name: name.clone(), size, text: text.clone(), head: head.clone(), ..file("", 0) }).collect();
        // A file may have any name, so the reply may hold any word: `fit_to_send` is not called.
        let found = diagnose(&Dropped { files, whole_folder, ..Dropped::default() });
        prop_assert_ne!(found.safety, Safety::Safe);
    }
}
