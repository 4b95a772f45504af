//! An upgrade makes, names and takes the lock files of its companions.

use cutover::{BuildBy, Code, Event, Outcome};

use super::{App, Bed};
use crate::support::notes::TO_V2;

#[test]
fn a_lock_that_cannot_be_made_stops_only_an_upgrade() {
    let bed = Bed::new();
    std::fs::create_dir(bed.path("shared/auth.json.cutover-lock")).unwrap();
    let failure = cutover::migrate(&bed.options("B"), &mut App::default()).unwrap_err().failure;
    assert_eq!((failure.code, failure.op.as_deref()), (Code::Io, Some("lock")));
    assert!(
        failure.to_string().contains("auth.json.cutover-lock: it is a directory, not a regular"),
        "{failure}"
    );
    assert!(bed.is_v1("B") && bed.names("B") == ["data.db"] && bed.content() == "v1");

    let mut bare = bed.options("B");
    bare.companions.clear();
    bare.make.run = BuildBy::Sql(TO_V2.into());
    cutover::migrate(&bare, &mut App::default()).unwrap();
    assert_eq!(
        cutover::migrate(&bed.options("B"), &mut App::default()).unwrap().outcome,
        Outcome::Current
    );
}

#[test]
fn locks_are_taken_by_real_path_and_released() {
    let bed = Bed::new();
    let mut options = bed.options("A");
    options.companions.insert("a".into(), bed.path("shared/z.json"));
    let first = bed.path("shared/auth.json.cutover-lock");
    let mut held = Some(std::fs::File::create(&first).unwrap());
    held.as_ref().unwrap().lock().unwrap();
    let mut host = App::default();
    // In the order of the companions' names the other lock would come first.
    host.on_wait = Some(Box::new(|event| {
        assert!(
            matches!(event, Event::Wait { file: Some(file), .. } if file == "auth/auth.json"),
            "{event:?}"
        );
        assert!(!bed.path("shared/z.json.cutover-lock").exists());
        drop(held.take());
    }));
    assert_eq!(cutover::migrate(&options, &mut host).unwrap().outcome, Outcome::Migrated);
    drop(host);
    for name in ["auth.json", "z.json"] {
        std::fs::File::open(bed.path(&format!("shared/{name}.cutover-lock")))
            .unwrap()
            .try_lock()
            .unwrap();
    }
}

#[test]
fn two_companions_with_one_lock_do_not_wait_for_each_other() {
    let bed = Bed::new();
    std::fs::write(bed.path("shared/auth.json.cutover-lock"), "").unwrap();
    std::fs::hard_link(
        bed.path("shared/auth.json.cutover-lock"),
        bed.path("shared/b.json.cutover-lock"),
    )
    .unwrap();
    let mut options = bed.options("A");
    options.companions.insert("b".into(), bed.path("shared/b.json"));
    let mut host = App { on_wait: Some(Box::new(|event| panic!("{event:?}"))), ..App::default() };
    let failure = cutover::migrate(&options, &mut host).unwrap_err().failure;
    assert!(
        failure.code == Code::Io
            && failure.to_string().contains("two companions cannot be one file"),
        "{failure}"
    );
    assert!(bed.is_v1("A"));
}

#[cfg(unix)]
#[test]
fn a_user_who_may_write_beside_a_companion_may_lock_it_and_no_other() {
    use std::os::unix::fs::PermissionsExt;
    for (directory, lock) in [(0o700, 0o600), (0o755, 0o600), (0o775, 0o660), (0o1777, 0o666)] {
        let bed = Bed::new();
        std::fs::set_permissions(bed.path("shared"), PermissionsExt::from_mode(directory)).unwrap();
        cutover::migrate(&bed.options("A"), &mut App::default()).unwrap();
        let mode = std::fs::metadata(bed.path("shared/auth.json.cutover-lock"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, lock, "{directory:o}: {mode:o}");
    }
}
