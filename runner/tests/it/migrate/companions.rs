//! An upgrade changes a companion with the database, and an undo puts the companion back.

use cutover::{BuildFrom, Code, Event, Outcome};

use super::{Bed, Scripted, build_v2};
#[cfg(unix)]
use super::{mode, set_mode};

#[test]
fn staged_companions_change_with_the_database() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    std::fs::write(&auth, "v1 secret").unwrap();
    #[cfg(unix)]
    for path in [&auth, &bed.path()] {
        set_mode(path, 0o600);
    }
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());

    let mut failing = Scripted::default();
    failing.build = Some(Box::new(|job| {
        job.write_companion("auth", b"v2 secret")?;
        Err("no".into())
    }));
    cutover::migrate(&options, &mut failing).unwrap_err();
    assert_eq!(std::fs::read(&auth).unwrap(), b"v1 secret");
    assert_eq!(bed.names(), ["auth.json", "data.db"]);

    #[cfg(unix)]
    let mut private = 0;
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        assert_eq!(job.read_companion("auth")?, Some(b"v1 secret".to_vec()));
        job.write_companion("auth", b"v2 secret")?;
        job.save_state(serde_json::json!("a secret"))?;
        // Backup, staged file and journal: no other user can read them at any time. The journal is
        // as private as v1.
        #[cfg(unix)]
        for entry in std::fs::read_dir(auth.parent().unwrap())? {
            let path = entry?.path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("auth.json.") && !name.ends_with("-lock")
                || name.ends_with("-cutover.json")
            {
                assert_eq!(mode(&path), 0o600, "{name}");
                private += 1;
            }
        }
        assert_eq!(job.read_companion("auth")?, Some(b"v2 secret".to_vec()));
        assert!(job.read_companion("other").is_err());
        build_v2(job)
    }));
    let result = cutover::migrate(&options, &mut host).unwrap();
    drop(host);
    assert_eq!(std::fs::read(&auth).unwrap(), b"v2 secret");
    #[cfg(unix)]
    assert_eq!((mode(&auth), private), (0o600, 3));
    let nonce = result.backup.unwrap().to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    assert_eq!(
        std::fs::read(bed.directory.path().join(format!("auth.json.v1-v2-{nonce}"))).unwrap(),
        b"v1 secret"
    );
    assert_eq!(bed.names().len(), 5, "{:?}", bed.names());
}

#[test]
fn a_companion_written_in_place_is_put_back_and_what_it_held_is_kept() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    std::fs::write(&auth, "v1 secret").unwrap();
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());
    let mut host = Scripted::default();
    host.build = Some(Box::new(|_| {
        std::fs::write(&auth, "half of v2")?;
        Err("no".into())
    }));
    cutover::migrate(&options, &mut host).unwrap_err();
    drop(host);
    assert_eq!(std::fs::read(&auth).unwrap(), b"v1 secret");
    let displaced: Vec<String> =
        bed.names().into_iter().filter(|name| name.contains(".displaced-")).collect();
    assert_eq!(std::fs::read(bed.directory.path().join(&displaced[0])).unwrap(), b"half of v2");
}

#[test]
fn a_companion_that_was_not_there_is_not_there_after_an_undo_and_what_it_held_is_kept() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());
    let mut told = Vec::new();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|_| {
        std::fs::write(&auth, "half of v2")?;
        Err("no".into())
    }));
    host.on_event = Some(Box::new(|event| {
        if let Event::Warning { warning } = event {
            told.push((warning.code.clone(), warning.message.clone()));
        }
    }));
    cutover::migrate(&options, &mut host).unwrap_err();
    drop(host);
    let names = bed.names();
    let [displaced, database] = &names[..] else { panic!("{names:?}") };
    assert_eq!(std::fs::read(bed.directory.path().join(displaced)).unwrap(), b"half of v2");
    assert!(displaced.starts_with("auth.json.displaced-") && database == "data.db", "{names:?}");
    let path = bed.directory.path().canonicalize().unwrap().join(displaced);
    let path = path.to_str().unwrap().trim_start_matches(r"\\?\");
    assert!(
        matches!(&told[..], [(Some(code), message)]
            if code == "KEPT" && message.contains(path) && message.contains("once")),
        "{told:?}"
    );

    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        std::fs::write(&auth, "of v2")?;
        build_v2(job)
    }));
    let result = cutover::migrate(&options, &mut host).unwrap();
    assert_eq!((std::fs::read(&auth).unwrap(), result.warnings), (b"of v2".to_vec(), vec![]));
}

#[test]
fn a_companions_missing_directory_is_made_for_its_owner_alone_and_locked_as_any() {
    let bed = Bed::new("wal");
    let config = bed.directory.path().join("config");
    let auth = config.join("deeper/auth.json");
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());

    let mut failing = Scripted::default();
    failing.build = Some(Box::new(|job| {
        assert!(!config.exists());
        assert_eq!(job.read_companion("auth")?, None);
        job.write_companion("auth", b"v2 secret")?;
        assert_eq!(job.read_companion("auth")?, Some(b"v2 secret".to_vec()));
        #[cfg(unix)]
        assert_eq!((mode(&config), mode(auth.parent().unwrap())), (0o700, 0o700));
        let lock = std::fs::File::open(auth.with_file_name("auth.json.cutover-lock"))?;
        assert!(matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
        Err("no".into())
    }));
    let error = cutover::migrate(&options, &mut failing).unwrap_err();
    drop(failing);
    assert_eq!(error.failure.code, Code::Host, "{}", error.failure);
    assert_eq!(crate::support::directory::names(auth.parent().unwrap()), Vec::<String>::new());

    // As after an undo, and as for the first time.
    for made in [true, false] {
        if !made {
            std::fs::remove_dir_all(&config).unwrap();
        }
        let mut host = Scripted::default();
        host.build = Some(Box::new(|job| {
            job.write_companion("auth", b"v2 secret")?;
            build_v2(job)
        }));
        let result = cutover::migrate(&options, &mut host).unwrap();
        assert_eq!((result.outcome, result.warnings), (Outcome::Migrated, vec![]));
        assert_eq!(std::fs::read(&auth).unwrap(), b"v2 secret");
        let names = crate::support::directory::names(auth.parent().unwrap());
        assert_eq!(names, ["auth.json"]);
        std::fs::rename(result.backup.unwrap(), bed.path()).unwrap();
    }
}

/// Two data directories may share a companion whose directory neither has made.
#[test]
fn a_missing_directory_that_another_upgrade_makes_first_is_refused() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("config/auth.json");
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());
    options.wait_ms = 0;
    let mut other = None;
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        std::fs::create_dir(auth.parent().unwrap())?;
        let lock = std::fs::File::create(auth.with_file_name("auth.json.cutover-lock"))?;
        lock.lock()?;
        other = Some(lock);
        job.write_companion("auth", b"v2 secret")?;
        build_v2(job)
    }));
    let failure = cutover::migrate(&options, &mut host).unwrap_err().failure;
    drop(host);
    assert_eq!(failure.code, Code::Held, "{failure}");
    assert!(failure.to_string().contains("another upgrade, of this data directory or of one"));
    assert!(other.is_some() && !auth.exists());
}

#[test]
fn companions_are_files_of_their_own() {
    let bed = Bed::new("wal");
    let with = |companions: &[(&str, &str)]| {
        let mut options = bed.sql();
        options.companions = companions
            .iter()
            .map(|(name, file)| ((*name).to_owned(), bed.directory.path().join(file)))
            .collect();
        cutover::migrate(&options, &mut Scripted::default())
    };
    for refused in [
        &[("a", "data.db-wal")][..],
        &[("a", "data.db")],
        &[("a", "auth.json"), ("b", "auth.json")],
        &[("a/b", "auth.json")],
    ] {
        assert_eq!(with(refused).unwrap_err().failure.code, Code::Io, "{refused:?}");
        bed.assert_untouched("wal");
    }
    // If the companion's directory does not exist, the companion does not exist either.
    assert_eq!(with(&[("a", "not-yet/auth.json")]).unwrap().outcome, Outcome::Migrated);
}

/// It is no fault of SQLite's.
#[test]
fn a_companion_that_is_too_large_is_refused_and_its_limit_is_told() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    // A hole takes no space.
    std::fs::File::create(&auth).unwrap().set_len((256 << 20) + 1).unwrap();
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        job.write_companion("auth", b"v2 secret")?;
        build_v2(job)
    }));
    let failure = cutover::migrate(&options, &mut host).unwrap_err().failure;
    let told = failure.to_string();
    assert_eq!(failure.code, Code::Io, "{told}");
    assert!(told.contains("a companion may have 256 MiB, and it has more"), "{told}");
    assert!(told.contains("correct what the message says") && !told.contains("SQLite"), "{told}");
    assert_eq!(std::fs::metadata(&auth).unwrap().len(), (256 << 20) + 1);
    assert_eq!(bed.names(), ["auth.json", "data.db"]);
}
