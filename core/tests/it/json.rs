//! Our reader against what serde derives, over texts that were damaged at random: the same values, and the same words at the same place where it refuses.

use std::fmt::Debug;

use cutover_core::diagnose::{Dropped, DroppedFile};
use cutover_core::explore::cells::Question;
use cutover_core::journal::{Journal, Receipt};
use cutover_core::json;
use cutover_core::observe::Observation;
use cutover_core::op::Step;
use cutover_core::plan::{Plan, Request};
use cutover_core::sqlite::{Wal, WalReader};
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{arbitrary, world};

/// What may stand in place of a piece of a text, or before it.
const PIECES: [&str; 41] = [
    "",
    "/",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00x",
    "\\ud83d\\u0041",
    "\\x",
    "null",
    "nul",
    "true",
    "false",
    "0",
    "00",
    "-",
    "-0",
    "-1",
    "1.",
    "1.5",
    "1e",
    "1e400",
    "1e-400",
    "5e-1",
    "18446744073709551616",
    "4294967296",
    "\n",
    " ",
    "\t",
    "\u{1}",
    "é",
    "\"extra\":1,",
    "\"size\"",
    "\"old\"",
];

fn same<T: json::Read + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let (ours, theirs) = (json::from_str::<T>(text), serde_json::from_str::<T>(text));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
        // An object only as an object, and a word only as a string.
        (Err(ours), _) if ours.message.contains("sequence, expected struct") || ours.message == "expected value" => {}
        (Err(ours), Err(theirs)) => assert_eq!(ours.to_string(), theirs.to_string(), "{text}"),
        (ours, theirs) => panic!("{ours:?}, and serde says {theirs:?}: {text}"),
    }
}

/// Cuts a text, or puts a piece in the place of some of it.
fn damage(text: &str, at: Index, length: usize, piece: Option<&str>) -> String {
    let mut at = at.index(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let Some(piece) = piece else { return text[..at].to_owned() };
    let mut end = text.len().min(at + length);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    format!("{}{piece}{}", &text[..at], &text[end..])
}

/// An observation with something in every field.
fn observation() -> Observation {
    let mut observation = world::with_auth(world::directory());
    observation.holders = vec![world::me(), world::somebody()];
    observation.free_bytes = Some(u64::MAX);
    for companion in observation.companions.values_mut() {
        companion.present = ["auth.json", "auth.json.v1-v2-00000000", "auth.json~"].map(world::name).into();
        companion.same.clone_from(&companion.present);
    }
    world::put_journal(&mut observation, &world::our_journal(), "{\"a\": \"ß\\u0000\"}");
    observation
}

fn dropped() -> Dropped {
    let wal = Wal { checkpointed_frames: Some(1), ..WalReader::new(None).finish() };
    let file = DroppedFile { name: "data.db-wal".into(), size: 1, text: None, head: Some("00".into()), wal: Some(wal) };
    Dropped { text: None, files: vec![file], whole_folder: true, platform: Some(cutover_core::fault::Platform::Macos) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_texts_are_refused_as_serde_would(
        journal in arbitrary::journal(),
        pretty: bool,
        at: Index,
        length in 0..12_usize,
        piece in proptest::option::weighted(0.9, prop::sample::select(PIECES.as_slice())),
        plan: Index,
    ) {
        let write = |value: &Value| if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() };
        let damaged = |value: Value| damage(&write(&value), at, length, piece);
        same::<Journal>(&damaged(json!(journal)));
        same::<Receipt>(&damaged(json!(journal.receipt(7))));
        same::<Observation>(&damaged(json!(observation())));
        same::<Request>(&damaged(json!(world::request(cutover_core::plan::By::Sql, cutover_core::plan::From::Copy))));
        same::<Dropped>(&damaged(json!(dropped())));
        same::<Question>(&damaged(json!({ "strategy": "two-rename", "platform": "linux", "by": "sql", "from": "empty", "models": ["M0", "M2"] })));
        let plans = world::migrations();
        let (_, plan) = &plans[plan.index(plans.len())];
        same::<Plan>(&damaged(json!(plan)));
        same::<Step>(&damaged(json!(plan.steps[at.index(plan.steps.len())])));
    }

    #[test]
    fn what_is_passed_over_is_refused_as_serde_would(value in arbitrary::json(), at: Index, length in 0..8_usize, piece in prop::sample::select(PIECES.as_slice())) {
        let text = damage(&value.to_string(), at, length, Some(piece));
        let ours = json::from_str::<json::Ignored>(&text).map(|_| ());
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).map(|_| ());
        prop_assert_eq!(ours.map_err(|error| error.to_string()), theirs.map_err(|error| error.to_string()), "{}", text);
        same::<Value>(&text);
    }
}

#[test]
fn what_is_kept_is_not_too_deep_and_what_is_passed_over_may_be() {
    for depth in [126, 127, 128, 129] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        same::<Value>(&text);
        same::<Vec<Value>>(&text);
        same::<Option<Value>>(&format!("{{\"a\":{text}}}"));
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(json::from_str::<json::Ignored>(&deep).is_ok());
}

#[test]
fn a_word_is_a_string_and_an_object_no_array() {
    use cutover_core::fault::Platform;
    assert_eq!(json::from_str::<Platform>(" \"macos\" ").unwrap(), Platform::Macos);
    assert!(json::from_str::<Platform>("{\"macos\":null}").is_err());
    let refused = json::from_str::<cutover_core::observe::Fingerprint>("[1,\"00\"]").unwrap_err();
    assert_eq!(refused.to_string(), "invalid type: sequence, expected struct Fingerprint at line 1 column 0");
}

#[test]
fn a_name_that_is_none_is_refused_where_serde_says() {
    use std::collections::BTreeMap;

    use cutover_core::names::{At, FileName};
    for text in ["[\"a\",\"b/c\" ]", "[\"b/c\" , \"d\"]", "[\"b/c\"\n,\n]", "[\"b/c\" \"d\"]", "[\"b/c\"", "[\"a/b/c\", 1]", " [\"..\"]"] {
        same::<Vec<FileName>>(text);
        same::<Vec<At>>(text);
        same::<Option<Vec<Option<FileName>>>>(text);
    }
    for text in ["{\"b/c\" : 1}", "{\"a\":1,\"b/c\":2}", "{\"a\":1 , \"b/c\"}", "{\"b/c\"", "{\"a\": -1 , \"b\":2}", "{\"a\":{}}"] {
        same::<BTreeMap<FileName, u32>>(text);
    }
}
