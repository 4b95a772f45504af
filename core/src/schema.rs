//! The JSON Schemas in `core/schema`, generated from the types and compared with what is checked
//! in.
//!
//! They describe what this release *writes*: every field there, an absent value as `null`. All of
//! it is accepted when read.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema, json_schema};

use crate::explore::cells;
use crate::{
    backup, bundle, diagnose, explain, failure, fault, journal, lanes, names, observe, op, plan,
    run, sqlite, validate,
};

/// Sets this variable to have the files written instead of compared.
const UPDATE: &str = "UPDATE_SCHEMA";

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn text(schema: &Schema) -> String {
    serde_json::to_string_pretty(schema).unwrap() + "\n"
}

/// The schema of one file format.
fn of<T: JsonSchema>() -> String {
    text(&generator().into_root_schema_for::<T>())
}

/// Every type that crosses to JavaScript, by its name.
fn all() -> String {
    let mut generator = generator();
    let mut properties = serde_json::Map::new();
    macro_rules! types {
        ($($module:ident::$name:ident),* $(,)?) => {
            $(properties.insert(stringify!($name).into(), generator.subschema_for::<$module::$name>().into());)*
        };
    }
    types![
        backup::Backup,
        bundle::Bundle,
        cells::CrashMatrix,
        cells::Progress,
        cells::Question,
        diagnose::Diagnosis,
        diagnose::Dropped,
        diagnose::DroppedFile,
        explain::Explanation,
        failure::Code,
        failure::Failure,
        fault::Fault,
        fault::Platform,
        journal::Journal,
        journal::Phase,
        journal::Receipt,
        journal::Strategy,
        journal::Warning,
        lanes::Lanes,
        names::Label,
        names::Names,
        names::Nonce,
        observe::Holder,
        observe::Observation,
        observe::Verdict,
        op::Guard,
        op::Op,
        plan::Left,
        plan::Plan,
        plan::PlanKind,
        plan::Recovery,
        plan::Request,
        plan::Rule,
        run::Event,
        sqlite::DatabaseHeader,
        sqlite::Wal,
        validate::Finding,
    ];
    let required: Vec<String> = properties.keys().cloned().collect();
    text(&json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Types",
        "description": "Every type that crosses to JavaScript, by its name.",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": generator.take_definitions(true),
    }))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "this test compares files; nothing but tests is compiled here"
)]
fn the_checked_in_schemas_are_those_of_the_types() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let files = [
        ("bundle", of::<bundle::Bundle>()),
        ("journal", of::<journal::Journal>()),
        ("plan", of::<plan::Plan>()),
        ("receipt", of::<journal::Receipt>()),
        ("types", all()),
    ];
    for (name, wanted) in files {
        let path = directory.join(format!("{name}.schema.json"));
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, wanted).unwrap();
            continue;
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        assert!(
            found == wanted,
            "core/schema/{name}.schema.json is not what the types give: run `npm run generate` \
             and commit the result"
        );
    }
}

#[test]
fn the_schemas_know_the_names_that_serde_gives() {
    let plan = of::<plan::Plan>();
    for word in [
        "\"do\"",
        "\"if\"",
        "\"op\"",
        "\"write-journal\"",
        "\"staging-held\"",
        "\"mustBeSame\"",
        "\"needsBytes\"",
        "\"link-replace\"",
    ] {
        assert!(plan.contains(word), "{word}");
    }
    for word in ["must_be_same", "\"StagingHeld\"", "\"LinkReplace\""] {
        assert!(!plan.contains(word), "{word}");
    }
}
