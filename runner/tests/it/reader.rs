//! A reader gives rows one after the other.

use cutover::{
    BuildBy, BuildFrom, Built, Detect, Host, HostError, Job, Make, Options, Reader, Value,
};
use rusqlite::Connection;

use crate::support::notes::{TO_V2, V1};

/// Runs this with a reader of v1.
fn with_v1(work: impl FnMut(&Reader)) {
    struct App<F>(F);
    impl<F: FnMut(&Reader)> Host for App<F> {
        fn build(&mut self, job: &mut dyn Job<'_>) -> Result<Built, HostError> {
            (self.0)(job.v1());
            let v2 = Connection::open(job.staging())?;
            v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str()])?;
            v2.execute_batch(TO_V2)?;
            Ok(Built::default())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.db");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    let options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
    cutover::migrate(&options, &mut App(work)).unwrap();
}

/// The numbers from `from` on, without an end.
const COUNT: &str =
    "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

fn number(row: Option<Result<cutover::Row, HostError>>) -> i64 {
    match &row.unwrap().unwrap()[..] {
        [(name, Value::Integer(number))] if name == "i" => *number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_queries_without_an_end_are_read_in_turn() {
    with_v1(|v1| {
        let mut queries =
            [1, 1000, 1_000_000].map(|from| v1.rows(COUNT, &[Value::Integer(from)]).unwrap());
        for round in 0..500 {
            let [a, b, c] = queries.each_mut().map(|rows| number(rows.next()));
            assert_eq!([a, b, c], [round + 1, round + 1000, round + 1_000_000]);
            // Another query between them changes nothing.
            assert_eq!(v1.all("SELECT id FROM notes", &[]).unwrap().len(), 3);
        }
    });
}

#[test]
fn a_query_ends_once_with_its_last_row_or_with_an_error() {
    with_v1(|v1| {
        let mut rows = v1.rows("SELECT id AS i FROM notes ORDER BY id", &[]).unwrap();
        assert_eq!([1, 2, 3].map(|_| number(rows.next())), [1, 2, 3]);
        assert!(rows.next().is_none() && rows.next().is_none(), "it began anew");

        let overflows = "SELECT CASE id WHEN 3 THEN abs(-9223372036854775807 - 1) ELSE id END AS i
                         FROM notes ORDER BY id";
        let mut rows = v1.rows(overflows, &[]).unwrap();
        assert_eq!([1, 2].map(|_| number(rows.next())), [1, 2]);
        let error = rows.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("integer overflow"), "{error}");
        assert!(rows.next().is_none());

        let missing = v1.rows("SELECT ?1, ?2", &[Value::Null]).unwrap_err().to_string();
        assert!(missing.contains("Wrong number of parameters"), "{missing}");
        assert!(v1.rows("SELECT 1 FROM absent", &[]).is_err());
    });
}
