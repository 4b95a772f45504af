//! What comes from a disk or from elsewhere is read strictly. Each place of each text is damaged in
//! turn: a field that is unknown, there twice, gone or of another type is refused, and the refusal
//! says at which line and column.

use std::fmt::Write as _;

use cutover_core::{BuildBy, BuildFrom, Journal, Observation, Phase, Plan, Receipt, Request};
use cutover_world::{
    canonical, interrupted, journal, migrations, request, with_auth, with_companion,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

/// Objects that hold names of the user's: any key of the right form may stand in them.
const OPEN: [&str; 5] = ["expect", "files", "journals", "hostState", "report"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Damage {
    Unknown,
    Twice,
    Gone,
    OtherType,
}

/// Writes a text with one field damaged: the `target`th of all.
struct Writer {
    damage: Damage,
    target: usize,
    field: usize,
    /// The name of the damaged field.
    damaged: Option<String>,
}

impl Writer {
    fn write(&mut self, value: &Value, open: bool, text: &mut String) {
        match value {
            Value::Object(object) => {
                text.push('{');
                for (at, (key, value)) in object.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    let hit = !open && self.field == self.target;
                    self.field += usize::from(!open);
                    let inner_open = OPEN.contains(&key.as_str()) || is_companions(key, value);
                    if !hit {
                        let _ = write!(text, "\n{}:", Value::from(key.as_str()));
                        self.write(value, inner_open, text);
                        continue;
                    }
                    self.damaged = Some(key.clone());
                    let _ = match self.damage {
                        Damage::Unknown => {
                            write!(text, "\n\"planted\":1,\n{}:{value}", Value::from(key.as_str()))
                        }
                        Damage::Twice => {
                            let key = Value::from(key.as_str());
                            write!(text, "\n{key}:{value},\n{key}:{value}")
                        }
                        Damage::Gone => write!(text, "\n\"gone\":null"),
                        Damage::OtherType => {
                            write!(text, "\n{}:[[[true]]]", Value::from(key.as_str()))
                        }
                    };
                }
                text.push('}');
            }
            Value::Array(items) => {
                text.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    self.write(item, open, text);
                }
                text.push(']');
            }
            other => {
                let _ = write!(text, "{other}");
            }
        }
    }
}

/// An observation's and a receipt's companions are a map by name; a journal's are a list.
fn is_companions(key: &str, value: &Value) -> bool {
    key == "companions" && value.is_object()
}

/// Every text with one field damaged, and the name of the field.
fn damaged(text: &str, damage: Damage) -> Vec<(String, String)> {
    let value: Value = serde_json::from_str(text).unwrap();
    let mut all = Vec::new();
    for target in 0.. {
        let mut writer = Writer { damage, target, field: 0, damaged: None };
        let mut text = String::new();
        writer.write(&value, false, &mut text);
        match writer.damaged {
            Some(field) => all.push((text, field)),
            None => return all,
        }
    }
    all
}

type Read = fn(&str) -> Result<(), String>;

/// A text of each format, and how it is read.
fn formats() -> Vec<(&'static str, String, Read)> {
    let built = with_companion(journal(Phase::Built), true);
    let observation = with_auth(interrupted(&built));
    let mut all: Vec<(&'static str, String, Read)> = vec![
        ("journal", built.to_text(), |text| {
            Journal::parse(text, &canonical()).map(drop).map_err(|error| error.to_string())
        }),
        ("receipt", built.receipt(1).to_text(), |text| {
            Receipt::parse(text).map(drop).map_err(|error| error.to_string())
        }),
        ("observation", serde_json::to_string(&observation).unwrap(), |text| {
            serde_json::from_str::<Observation>(text).map(drop).map_err(|error| error.to_string())
        }),
        (
            "request",
            serde_json::to_string(&request(BuildBy::Host, BuildFrom::Copy)).unwrap(),
            |text| {
                serde_json::from_str::<Request>(text).map(drop).map_err(|error| error.to_string())
            },
        ),
    ];
    let plan: Read = |text| Plan::parse(text).map(drop).map_err(|error| error.to_string());
    all.extend(migrations().into_iter().take(2).map(|(_, of)| ("plan", of.to_text(), plan)));
    all
}

fn says_where(error: &str) -> bool {
    error.contains("line ") && error.contains("column ")
}

#[test]
fn a_field_that_is_unknown_twice_there_or_of_another_type_is_refused_with_its_place() {
    let mut tried = 0;
    for (format, text, read) in formats() {
        assert_eq!(read(&text), Ok(()), "{format}");
        for damage in [Damage::Unknown, Damage::Twice, Damage::OtherType] {
            for (text, field) in damaged(&text, damage) {
                // What the host saved may be anything.
                if damage == Damage::OtherType && ["hostState", "report"].contains(&field.as_str())
                {
                    continue;
                }
                let error =
                    read(&text).expect_err(&format!("{format}: {damage:?} {field}\n{text}"));
                assert!(says_where(&error), "{format}: {damage:?} {field}: {error}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// A value that may be absent may be left out; then it is read as absent, and nothing else is.
#[test]
fn a_field_that_has_another_name_is_refused() {
    for (format, text, read) in formats() {
        for (text, field) in damaged(&text, Damage::Gone) {
            let error = read(&text).expect_err(&format!("{format}: {field}\n{text}"));
            assert!(says_where(&error), "{format}: {field}: {error}");
        }
    }
}

#[test]
fn what_is_too_deep_or_of_a_newer_version_is_refused() {
    for (format, text, read) in formats() {
        let deep = text.replacen('{', &format!("{{\"x\":{}", "[".repeat(200)), 1);
        assert!(says_where(&read(&deep).unwrap_err()), "{format}");
        let mut newer: Value = serde_json::from_str(&text).unwrap();
        if newer.get("version").is_some() {
            newer["version"] = 99.into();
            let error = read(&newer.to_string()).unwrap_err();
            assert!(error.contains("99") && error.contains("newer"), "{format}: {error}");
        }
    }
}

proptest! {
    /// Damage anywhere is refused with its place, or leaves a text that is still one. Nothing panics.
    #[test]
    fn a_damaged_text_is_refused_or_read(
        which in any::<Index>(), at in any::<Index>(), length in 0..9_usize,
        piece in prop::sample::select(vec!["", "{", "}", "[", "]", ",", ":", "\"", "\\", "null", "-", "1e999", "\\ud83d", "\u{7f}"]),
    ) {
        let formats = formats();
        let (format, text, read) = &formats[which.index(formats.len())];
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, piece.bytes());
        if let Ok(text) = String::from_utf8(bytes)
            && let Err(error) = read(&text)
            && serde_json::from_str::<Value>(&text).is_err()
        {
            prop_assert!(says_where(&error), "{}: {}", format, error);
        }
    }
}

/// What the host saved comes back to the last bit.
#[test]
fn what_the_host_saved_comes_back_exactly() {
    for number in ["0.1", "1e-320", "5e-324", "1.7976931348623157e308", "9007199254740993", "-0.0"]
    {
        let mut saved = journal(Phase::Building);
        saved.host_state = Some(serde_json::from_str(number).unwrap());
        let read = Journal::parse(&saved.to_text(), &canonical()).unwrap().host_state.unwrap();
        let (was, is) = (number.parse::<f64>().unwrap(), read.as_f64().unwrap());
        assert_eq!(was.to_bits(), is.to_bits(), "{number}");
    }
}
