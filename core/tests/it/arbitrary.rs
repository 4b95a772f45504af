//! Arbitrary values of everything that is written to disk.

use cutover_core::{
    Companion, CompanionName, FileName, Fingerprint, Journal, JournalMode, Label, Names, Nonce,
    Phase, Strategy as Flip, V1, V2, Warning, WarningFrom,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

/// File names that people have: spaces, dots, other scripts, and the grammar's own words.
pub fn canonical() -> impl Strategy<Value = FileName> {
    prop_oneof![
        Just("data.db".to_owned()),
        "[a-zA-Z0-9 _.äß漢-]{1,60}",
        prop::sample::select(vec![
            "v1-v2-1-00000000",
            "a.building-00000000",
            "x-cutover.json.tmp-00000000",
            "data.db-wal",
            "-",
            "..."
        ])
        .prop_map(str::to_owned),
    ]
    .prop_filter_map("a file name", |text| FileName::new(text).ok())
}

/// Labels, among them those that look like other parts of the grammar.
pub fn label() -> impl Strategy<Value = Label> {
    prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?",
        prop::sample::select(vec![
            "v1-v2",
            "a-cutover",
            "v1-v2-migration",
            "1-00000000",
            "owner-lock",
            "source-1",
            "building-00000000",
            "displaced-x",
            "0",
        ])
        .prop_map(str::to_owned),
    ]
    .prop_filter_map("a label", |text| Label::new(text).ok())
}

pub fn nonce() -> impl Strategy<Value = Nonce> {
    any::<u32>().prop_map(Nonce::from_number)
}

pub fn names() -> impl Strategy<Value = (Names, Label, Nonce, u64)> {
    (canonical(), label(), nonce(), any::<u64>()).prop_map(|(canonical, label, nonce, ms)| {
        (Names::new(&canonical, &label, &nonce, ms).unwrap(), label, nonce, ms)
    })
}

pub fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(
            |number| serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
        ),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

fn warning() -> impl Strategy<Value = Warning> {
    (any::<bool>(), option::of("[A-Z_]{1,12}"), any::<String>()).prop_map(
        |(host, code, message)| Warning {
            from: if host { WarningFrom::Host } else { WarningFrom::Cutover },
            code,
            message,
        },
    )
}

fn companions() -> impl Strategy<Value = Vec<Companion>> {
    btree_map(
        "[a-zA-Z0-9_-]{1,32}",
        ("[a-z]{1,20}[.]json", option::of("[0-9a-f]{64}"), option::of("[0-9a-f]{64}")),
        0..3,
    )
    .prop_map(|map| {
        let entry =
            |(name, (file, before, after)): (String, (String, Option<String>, Option<String>))| {
                Companion {
                    name: CompanionName::new(name).unwrap(),
                    path: format!("/home/u/app/{file}"),
                    relative: file.clone(),
                    file: FileName::new(file).unwrap(),
                    before,
                    staged: after.is_some(),
                    after,
                }
            };
        map.into_iter().map(entry).collect()
    })
}

fn v1() -> impl Strategy<Value = V1> {
    (any::<String>(), any::<u64>(), "[0-9a-f]{200}", any::<bool>()).prop_map(
        |(file_id, size, header, wal)| V1 {
            file_id,
            fingerprint: Fingerprint { size, header },
            journal_mode: if wal { JournalMode::Wal } else { JournalMode::Delete },
        },
    )
}

/// Any journal that this release may write.
pub fn journal() -> impl Strategy<Value = Journal> {
    let host = (
        btree_map(any::<String>(), any::<u64>(), 0..4),
        option::of(json()),
        option::of(json()),
        vec(warning(), 0..3),
    );
    let phase = prop::sample::select(vec![
        Phase::Building,
        Phase::Built,
        Phase::Installing,
        Phase::Committed,
    ]);
    (
        names(),
        phase,
        any::<u32>(),
        v1(),
        (any::<bool>(), any::<String>(), any::<u64>(), "[0-9a-f]{64}"),
        companions(),
        host,
    )
        .prop_map(
            |(
                (names, label, nonce, _),
                phase,
                attempt,
                v1,
                (installed, file_id, size, page1),
                companions,
                host,
            )| {
                let file = if installed { names.install.clone() } else { names.staging.clone() };
                let (expect, host_state, report, warnings) = host;
                // JSON has one null: a state that is null is no state.
                let some = |value: Option<Value>| value.filter(|value| !value.is_null());
                Journal {
                    version: 2,
                    label,
                    nonce,
                    phase,
                    attempt,
                    strategy: if phase == Phase::Installing {
                        Flip::PageCopy
                    } else {
                        Flip::LinkReplace
                    },
                    names,
                    v1: Some(v1),
                    v2: (phase != Phase::Building).then_some(V2 { file, file_id, size, page1 }),
                    expect,
                    companions,
                    host_state: some(host_state),
                    report: some(report),
                    warnings,
                }
            },
        )
}
