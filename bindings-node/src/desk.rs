//! Serves the requests of a running callback, until it settles.

use std::collections::BTreeMap;

use cutover::{HostError, Job, Reader, Row, Rows, Value};
use serde_json::Value as Json;

use crate::message::{Request, blob, blob_to_json, rows_to_json, value_from_json};

/// How many bytes of values one batch of an iteration has, or one row that is larger.
const BATCH_BYTES: usize = 1 << 20;
/// What a value takes besides its text or bytes.
const VALUE_BYTES: usize = 16;

/// What the callback was given.
pub(crate) enum Given<'a, 'v1> {
    Job(&'a mut dyn Job<'v1>),
    Reader(&'v1 Reader),
    Nothing,
}

pub(crate) struct Desk<'a, 'v1> {
    given: Given<'a, 'v1>,
    /// The iterations that have not ended, by the number that JavaScript gave.
    open: BTreeMap<u32, Rows<'v1>>,
}

impl<'a, 'v1> Desk<'a, 'v1> {
    pub(crate) fn of(given: Given<'a, 'v1>) -> Self {
        Self { given, open: BTreeMap::new() }
    }

    pub(crate) fn warn(&mut self, message: String) {
        if let Given::Job(job) = &mut self.given {
            job.warn(message);
        }
    }

    pub(crate) fn serve(&mut self, request: Request) -> Result<Json, HostError> {
        match (&mut self.given, request) {
            (_, Request::All { sql, args }) => {
                let rows = self.query(&sql, &args)?.collect::<Result<Vec<_>, _>>()?;
                Ok(rows_to_json(&rows, true))
            }
            (_, Request::Iterate { iteration, sql, args }) => {
                let rows = self.query(&sql, &args)?;
                self.open.insert(iteration, rows);
                self.next(iteration)
            }
            (_, Request::Next { iteration }) => self.next(iteration),
            (_, Request::Stop { iteration }) => {
                self.open.remove(&iteration);
                Ok(Json::Null)
            }
            (Given::Job(job), Request::Source) => path_to_json(&job.source()?),
            (Given::Job(job), Request::SaveState { state }) => {
                job.save_state(state).map(|()| Json::Null)
            }
            (Given::Job(job), Request::ReadCompanion { companion }) => {
                Ok(job.read_companion(&companion)?.map_or(Json::Null, |bytes| blob_to_json(&bytes)))
            }
            (Given::Job(job), Request::WriteCompanion { companion, data }) => {
                job.write_companion(&companion, &blob(&data)?).map(|()| Json::Null)
            }
            (Given::Reader(_) | Given::Nothing, _) => Err(SETTLED.into()),
        }
    }

    fn query(&self, sql: &str, args: &[Json]) -> Result<Rows<'v1>, HostError> {
        let reader = match &self.given {
            Given::Job(job) => job.v1(),
            Given::Reader(reader) => reader,
            Given::Nothing => return Err(SETTLED.into()),
        };
        let args = args.iter().map(value_from_json).collect::<Result<Vec<_>, _>>()?;
        reader.rows(sql, &args)
    }

    /// The next rows of an iteration. After an error, and after the last row, it has ended.
    fn next(&mut self, iteration: u32) -> Result<Json, HostError> {
        let Some(mut rows) = self.open.remove(&iteration) else {
            return Err(SETTLED.into());
        };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES {
            let Some(row) = rows.next() else { return Ok(rows_to_json(&batch, true)) };
            let row = row?;
            bytes += size(&row);
            batch.push(row);
        }
        self.open.insert(iteration, rows);
        Ok(rows_to_json(&batch, false))
    }
}

const SETTLED: &str = "it can be used only until its callback has settled";

fn size(row: &Row) -> usize {
    let of = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    };
    row.iter().map(|(_, value)| VALUE_BYTES + of(value)).sum()
}

pub(crate) fn path_to_json(path: &std::path::Path) -> Result<Json, HostError> {
    Ok(path.to_str().ok_or("the path of the database is not Unicode")?.into())
}
