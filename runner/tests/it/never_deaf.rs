//! Work that takes long tells how far it is, and the application stops it in the middle. Each work
//! here ends only when it is stopped, or takes far longer than a test waits for.

use cutover::planner::OpName;
use cutover::{BuildBy, BuildFrom, Built, Code, DoctorOptions, Error, Event, Host, HostError, Job};

use crate::support::bed::Bed;

/// Rows whose check takes long: for each one SQLite computes the generated column, which may not be
/// NULL. An insert would do so as well, so the column comes after the rows.
const SLOW: &str = "CREATE TABLE slow (x);
    INSERT INTO slow WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
        SELECT i FROM n;
    PRAGMA writable_schema = ON;
    UPDATE sqlite_master SET sql =
        'CREATE TABLE slow (x, y AS (hex(zeroblob(2000000 + x))) NOT NULL)' WHERE name = 'slow';
    PRAGMA writable_schema = RESET; PRAGMA user_version = 1;";

/// Stops once it has heard of the progress of this op.
struct Stops {
    at: OpName,
    heard: Vec<(OpName, u64, Option<u64>)>,
    ops: Vec<OpName>,
}

impl Stops {
    fn at(at: OpName) -> Self {
        Self { at, heard: Vec::new(), ops: Vec::new() }
    }
}

impl Host for Stops {
    fn build(&mut self, _job: &mut dyn Job) -> Result<Built, HostError> {
        panic!("the build began")
    }
    fn event(&mut self, event: &Event) {
        match event {
            Event::Progress { op, done_bytes, total_bytes } => {
                self.heard.push((*op, *done_bytes, *total_bytes));
            }
            Event::Step { op, undo: false, .. } => self.ops.push(*op),
            _ => {}
        }
    }
    fn cancelled(&mut self) -> bool {
        self.heard.iter().any(|(op, ..)| *op == self.at)
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

fn assert_stopped(bed: &Bed, before: &[u8], host: &Stops, error: &Error) {
    assert_eq!(error.failure.code, Code::Aborted, "{error}");
    assert_eq!(host.ops.last(), Some(&host.at), "it ended in the middle of the work");
    assert!(bed.bytes() == before, "v1 is as it was");
    let ours = |name: &String| name != "data.db" && !name.ends_with("-lock");
    assert!(!bed.names().iter().any(ours), "{:?}", bed.names());
}

fn stopped(bed: &Bed, options: &cutover::Options, at: OpName) -> Stops {
    let before = bed.bytes();
    let mut host = Stops::at(at);
    let error = cutover::migrate(options, &mut host).unwrap_err();
    assert_stopped(bed, &before, &host, &error);
    host
}

#[test]
fn a_build_by_sql_that_never_ends_is_stopped() {
    let bed = Bed::new("CREATE TABLE t (x); PRAGMA user_version = 1;");
    let endless = "CREATE TABLE u (x); INSERT INTO u WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL \
                   SELECT i + 1 FROM n) SELECT count(*) FROM n;";
    let host = stopped(&bed, &bed.sql(BuildFrom::Empty, endless), OpName::BuildSql);
    assert!(host.heard.iter().all(|(_, _, total)| total.is_none()), "{:?}", host.heard);
}

#[test]
fn the_check_of_v2_is_stopped() {
    let bed = Bed::new(SLOW);
    let mut options = bed.sql(BuildFrom::Copy, "PRAGMA user_version = 2");
    options.check_v1 = false;
    let host = stopped(&bed, &options, OpName::Check);
    let of_check = host.heard.iter().filter(|(op, ..)| *op == OpName::Check);
    assert!(of_check.clone().all(|(_, done, total)| Some(*done) <= *total), "{:?}", host.heard);
}

#[test]
fn the_check_of_v1_is_stopped() {
    let bed = Bed::new(SLOW);
    let options = bed.options(BuildFrom::Empty, BuildBy::Host);
    stopped(&bed, &options, OpName::CheckPages);
}

#[test]
fn the_check_of_a_doctor_is_stopped() {
    for log in [false, true] {
        let bed = Bed::new(SLOW);
        if log {
            // What a program leaves that is killed: the log stays beside the database.
            let db = bed.open();
            db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE more (x)").unwrap();
            let files = ["", "-wal"].map(|end| format!("{}{end}", bed.path().display()));
            let bytes = files.clone().map(|file| std::fs::read(file).unwrap());
            drop(db);
            for (file, bytes) in files.into_iter().zip(bytes) {
                std::fs::write(file, bytes).unwrap();
            }
        }
        let before = bed.bytes();
        let mut host = Stops::at(OpName::CheckPages);
        let error = cutover::doctor(&bed.path(), &DoctorOptions::default(), &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Aborted, "{error}");
        assert!(bed.bytes() == before);
    }
}

/// The check of v1 that runs beside a build by SQL ends before the undo opens v1.
#[test]
fn an_undo_finds_no_check_of_v1_under_way() {
    #[derive(Default)]
    struct AfterTheBuild {
        built: bool,
        stop: bool,
    }
    impl Host for AfterTheBuild {
        fn event(&mut self, event: &Event) {
            if let Event::Step { op, .. } = event {
                self.stop |= self.built;
                self.built = *op == OpName::BuildSql;
            }
        }
        fn cancelled(&mut self) -> bool {
            self.stop
        }
        fn wait(&mut self, _delay_ms: u64) {
            panic!("the undo waits for this very process")
        }
    }
    let bed = Bed::new(&format!("PRAGMA journal_mode = WAL; {SLOW}"));
    let options = bed.sql(BuildFrom::Empty, "CREATE TABLE u (x); PRAGMA user_version = 2");
    let error = cutover::migrate(&options, &mut AfterTheBuild::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Aborted, "{error}");
    let sidecar = |name: &String| name.starts_with("data.db-");
    assert!(!bed.names().iter().any(sidecar), "{:?}", bed.names());
}

/// After v2 was built it is too late: a request to stop changes nothing.
#[test]
fn a_build_that_was_not_stopped_ends() {
    struct Late(bool);
    impl Host for Late {
        fn event(&mut self, event: &Event) {
            self.0 |= matches!(event, Event::Phase { phase: cutover::planner::Phase::Built });
        }
        fn cancelled(&mut self) -> bool {
            self.0
        }
    }
    let bed = Bed::new("CREATE TABLE t (x); PRAGMA user_version = 1;");
    let options = bed.sql(BuildFrom::Empty, "CREATE TABLE u (x); PRAGMA user_version = 2;");
    let result = cutover::migrate(&options, &mut Late(false)).unwrap();
    assert_eq!(crate::support::bed::told(&result).len(), 1, "it came too late");
}
