//! The messages between the thread and JavaScript, as JSON text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cutover::{Event, Failure, Row, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// From the thread to JavaScript.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum ToJs<'a> {
    /// Asks the application to do something and to answer.
    Call { id: u32, call: Call<'a> },
    /// Answers a request.
    Reply { id: u32, ok: Json },
    /// Refuses a request.
    Refused { id: u32, message: String },
    /// The task succeeded.
    Done { ok: Json },
    /// The task failed.
    Failed { failure: &'a Failure, cause: Option<Cause> },
}

/// A call of the application.
#[derive(Debug, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Call<'a> {
    Detect { path: Json },
    Build { staging: Json, v1: Json, nonce: String, attempt: u32 },
    Verify { path: Json },
    Undo { state: Option<&'a Json>, nonce: &'a str },
    Cleanup { state: Option<&'a Json>, nonce: &'a str },
    Release,
    Event { event: &'a Event },
}

/// The application's own error: the id of the call that threw it, if one did, and its message.
#[derive(Debug, Serialize)]
pub(crate) struct Cause {
    pub call: Option<u32>,
    pub message: String,
}

/// From JavaScript to the thread.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum FromJs {
    /// The result of a call.
    Answer { id: u32, value: Json },
    /// The error of a call.
    Threw { id: u32, message: String },
    /// A request of the call's callback.
    Request { call: u32, id: u32, request: Request },
    /// A warning of the call's callback, for the result.
    Warn { call: u32, message: String },
    /// The application aborted its signal.
    Abort,
    /// The JavaScript environment ended.
    #[serde(skip)]
    Gone,
}

/// A request of a callback.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "name",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Request {
    All {
        sql: String,
        args: Vec<Json>,
    },
    /// Begins an iteration, under a number of its own, and asks for its first rows.
    Iterate {
        iteration: u32,
        sql: String,
        args: Vec<Json>,
    },
    Next {
        iteration: u32,
    },
    Stop {
        iteration: u32,
    },
    Source,
    SaveState {
        state: Json,
    },
    ReadCompanion {
        companion: String,
    },
    WriteCompanion {
        companion: String,
        data: String,
    },
}

impl ToJs<'_> {
    /// The text that crosses. Serialisation cannot fail: the keys of every map are text.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The largest integer that a JavaScript number holds exactly.
const MAX_SAFE: i64 = (1 << 53) - 1;

/// A value of SQLite as exact JSON. A value that JSON or a JavaScript number cannot hold is tagged:
/// `{"i": "<integer>"}`, `{"f": "<number>"}` or `{"b": "<base64>"}`.
pub(crate) fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(integer) if (-MAX_SAFE..=MAX_SAFE).contains(integer) => json!(integer),
        Value::Integer(integer) => json!({ "i": integer.to_string() }),
        Value::Real(real) if real.is_finite() => json!(real),
        Value::Real(real) => json!({ "f": if *real > 0.0 { "Infinity" } else { "-Infinity" } }),
        Value::Text(text) => json!(text),
        Value::Blob(blob) => json!({ "b": BASE64.encode(blob) }),
    }
}

/// A value of SQLite from JSON. A bare number is an integer if it is written without fraction and
/// exponent. JavaScript tags an integer that a number cannot hold.
pub(crate) fn value_from_json(json: &Json) -> Result<Value, String> {
    let wrong = || format!("{json} is not a value for SQLite");
    match json {
        Json::Null => Ok(Value::Null),
        Json::Number(number) => number
            .as_i64()
            .map(Value::Integer)
            .or_else(|| number.as_f64().map(Value::Real))
            .ok_or_else(wrong),
        Json::String(text) => Ok(Value::Text(text.clone())),
        Json::Object(tagged) => {
            let mut entries = tagged.iter();
            let (Some((tag, Json::String(text))), None) = (entries.next(), entries.next()) else {
                return Err(wrong());
            };
            match tag.as_str() {
                "i" => text
                    .parse()
                    .map(Value::Integer)
                    .map_err(|_| format!("{text} is not a 64-bit integer")),
                "f" => text.parse().map(Value::Real).map_err(|_| wrong()),
                "b" => blob(text).map(Value::Blob),
                _ => Err(wrong()),
            }
        }
        Json::Bool(_) | Json::Array(_) => Err(wrong()),
    }
}

/// Rows as JSON: the column names once, then the values, and whether these are the last.
pub(crate) fn rows_to_json(rows: &[Row], last: bool) -> Json {
    let columns: Vec<&str> =
        rows.first().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let values: Vec<Vec<Json>> = rows
        .iter()
        .map(|row| row.iter().map(|(_, value)| value_to_json(value)).collect())
        .collect();
    json!({ "columns": columns, "rows": values, "last": last })
}

pub(crate) fn blob(text: &str) -> Result<Vec<u8>, String> {
    BASE64.decode(text).map_err(|error| format!("this is not base64: {error}"))
}

pub(crate) fn blob_to_json(bytes: &[u8]) -> Json {
    json!(BASE64.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cross_exactly() {
        let values = [
            Value::Null,
            Value::Integer(0),
            Value::Integer(MAX_SAFE),
            Value::Integer(MAX_SAFE + 1),
            Value::Integer(i64::MIN),
            Value::Integer(i64::MAX),
            Value::Real(0.1),
            Value::Real(2.0),
            Value::Real(f64::MIN_POSITIVE),
            Value::Real(f64::MAX),
            Value::Real(f64::INFINITY),
            Value::Real(f64::NEG_INFINITY),
            Value::Text("a\0b \u{1f600}".into()),
            Value::Blob(vec![0, 255, 128]),
            Value::Blob(Vec::new()),
        ];
        for value in values {
            let text = value_to_json(&value).to_string();
            let back = value_from_json(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back, value, "{text}");
        }
    }

    #[test]
    fn an_integer_that_a_number_cannot_hold_is_tagged() {
        assert_eq!(value_to_json(&Value::Integer(MAX_SAFE)).to_string(), "9007199254740991");
        assert_eq!(
            value_to_json(&Value::Integer(MAX_SAFE + 1)).to_string(),
            r#"{"i":"9007199254740992"}"#
        );
    }

    #[test]
    fn other_json_is_refused() {
        for text in [
            "true",
            "[]",
            "{}",
            r#"{"i":"9223372036854775808"}"#,
            r#"{"i":1}"#,
            r#"{"x":"1"}"#,
            r#"{"i":"1","b":""}"#,
            r#"{"b":"*"}"#,
        ] {
            let json = serde_json::from_str(text).unwrap();
            assert!(value_from_json(&json).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_are_read_strictly() {
        let read = serde_json::from_str::<FromJs>;
        assert!(matches!(read(r#"{"type":"abort"}"#), Ok(FromJs::Abort)));
        let request = r#"{"type":"request","call":1,"id":2,"request":{"name":"all","sql":"SELECT ?","args":[0.1]}}"#;
        assert!(matches!(read(request), Ok(FromJs::Request { request: Request::All { .. }, .. })));
        // Only the environment sends `Gone`, never a message.
        for text in [
            r#"{"type":"gone"}"#,
            r#"{"type":"answer","id":1}"#,
            r#"{"type":"warn","call":1,"message":"","more":1}"#,
            "",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
