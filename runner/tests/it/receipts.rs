//! A receipt that this user may not read, as in a folder that users share.
#![cfg(target_os = "linux")]

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::again::held_as_an_owner;
use crate::support::directory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Code, Detect, DoctorOptions, Host, Make, Options, Rule,
};
use rusqlite::Connection;

struct Calm;
impl Host for Calm {}

#[test]
fn an_unreadable_receipt_is_that_of_one_backup() {
    if held_as_an_owner(&again!(an_unreadable_receipt_is_that_of_one_backup)) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("data.db");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    let options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
    let of_backups = BackupOptions::default();
    let old = cutover::migrate(&options, &mut Calm).unwrap().backup.unwrap();
    cutover::restore(&path, &old, &of_backups, &mut Calm).unwrap();
    let new = cutover::migrate(&options, &mut Calm).unwrap().backup.unwrap();
    let receipt = scratch.path().join(format!("{}.json", old.file_name().unwrap().display()));
    set_permissions(&receipt, Permissions::from_mode(0o0)).unwrap();
    assert!(std::fs::read(&receipt).is_err(), "the test needs a user who may not read");

    let listed = cutover::list_backups(&path).unwrap();
    let told: Vec<_> = listed.iter().map(|of| (of.whole, of.why.as_deref())).collect();
    let why = "its receipt cannot be read, or is not text";
    assert_eq!(told, [(true, None), (false, Some(why))]);
    let rule = Rule { keep: Some(0), older_than_ms: None };
    let pruned = cutover::prune_backups(&path, rule, &of_backups, &mut Calm).unwrap();
    assert_eq!((pruned.removed.len(), pruned.left[0].why.as_str()), (0, why));
    let bundle = cutover::doctor(&path, &DoctorOptions::default(), &mut ()).unwrap();
    assert_eq!(bundle.receipts.values().filter(|text| text.is_none()).count(), 1);
    let refused = cutover::restore(&path, &old, &of_backups, &mut Calm).unwrap_err();
    assert_eq!(refused.failure.code, Code::Verify);
    // Another receipt does not take its place unseen.
    let names = directory::names(scratch.path());
    let refused = cutover::adopt_backup(&path, &old, &of_backups, &mut Calm).unwrap_err().failure;
    let receipt = receipt.canonicalize().unwrap().display().to_string();
    assert_eq!((refused.code, refused.path.as_deref()), (Code::Io, Some(&*receipt)));
    assert_eq!(refused.os.as_ref().unwrap().code, "EACCES", "{refused}");
    assert_eq!(directory::names(scratch.path()), names);
    cutover::restore(&path, Path::new(&new), &of_backups, &mut Calm).unwrap();
    assert_eq!(rows(&path, "notes"), NOTES);
}
