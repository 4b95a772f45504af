//! Whichever call meets an open handle: its `HELD` says where the data is.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use cutover::{BackupOptions, BuildBy, BuildFrom, Code, Error, Options};

use crate::support::bed::{Application, Bed};

const V1: &str = "CREATE TABLE t (x); PRAGMA user_version = 1;";

fn options(bed: &Bed) -> Options {
    let sql = "CREATE TABLE u (x); PRAGMA user_version = 2;";
    bed.sql(BuildFrom::Empty, sql).wait_ms(0)
}

fn upgraded() -> Bed {
    let bed = Bed::new(V1);
    cutover::migrate(&options(&bed), &mut ()).unwrap();
    bed
}

/// With a journal in the phase `building`.
fn interrupted() -> Bed {
    let bed = Bed::new(V1);
    let build = bed.options(BuildFrom::Empty, BuildBy::Host);
    let mut host =
        Application { build: Some(Box::new(|_| panic!("killed"))), ..Default::default() };
    catch_unwind(AssertUnwindSafe(|| cutover::migrate(&build, &mut host))).unwrap_err();
    bed
}

fn newest_backup(bed: &Bed) -> PathBuf {
    bed.0.path().join(cutover::list_backups(&bed.path()).unwrap()[0].name.as_str())
}

#[test]
fn whichever_call_is_held_says_where_the_data_is() {
    // What is called, the database, the file that is open, and the call.
    type Call<'a> = (&'a str, &'a Bed, PathBuf, &'a dyn Fn() -> Result<(), Error>);
    let patient = BackupOptions::default().wait_ms(0);
    let (v1, v2, half) = (Bed::new(V1), upgraded(), interrupted());
    let plan = cutover::plan(&options(&v1), &mut ()).unwrap().unwrap();
    let lost = v2.0.path().join("data.db.old");
    std::fs::copy(newest_backup(&v2), &lost).unwrap();
    let backup = newest_backup(&v2);
    let calls: [Call; 7] = [
        ("migrate", &v1, v1.path(), &|| cutover::migrate(&options(&v1), &mut ()).map(drop)),
        ("run_plan", &v1, v1.path(), &|| {
            cutover::run_plan(&plan.to_text(), &options(&v1), &mut ()).map(drop)
        }),
        ("migrate", &half, half.path(), &|| cutover::migrate(&options(&half), &mut ()).map(drop)),
        ("recover", &half, half.path(), &|| cutover::recover(&options(&half), &mut ()).map(drop)),
        ("restore", &v2, v2.path(), &|| v2.restore().map(drop)),
        ("restore of an open backup", &v2, backup, &|| v2.restore().map(drop)),
        ("adopt", &v2, lost.clone(), &|| {
            cutover::adopt_backup(&v2.path(), &lost, &patient, &mut ()).map(drop)
        }),
    ];
    for (call, bed, held, run) in calls {
        let open = File::open(&held).unwrap();
        let error = run().unwrap_err();
        drop(open);
        assert_eq!(error.failure.code, Code::Held, "{call}: {error}");
        let (data, canonical) = (&error.failure.data, bed.path().display().to_string());
        assert!([&data.v1, &data.v2].contains(&&Some(canonical)), "{call}: {error}");
    }
}
