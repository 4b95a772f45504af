//! Writes the JSON Schemas of the file formats beside this program, or, with `--check`, compares
//! the checked-in ones with the types. Then it prints the schema of every type that crosses to
//! JavaScript, for `scripts/generate-types.mjs`.
//!
//! A schema describes what this release *writes*: every member, and `null` for an absent value.
//! This release reads all of that.

use std::path::Path;
use std::process::ExitCode;

use cutover_core::{
    backup, explain, failure, fault, journal, names, observe, op, plan, run, validate,
};
use cutover_explore as explore;
use cutover_support::{self as support, bundle, diagnose};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema, json_schema};

#[expect(clippy::disallowed_methods, reason = "this program writes files; core does not")]
fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let mut status = ExitCode::SUCCESS;
    for (name, wanted) in files() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.schema.json"));
        if check {
            let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
            if found != wanted {
                eprintln!(
                    "core/schema/{name}.schema.json is not what the types give: run `npm run \
                     generate` and commit the result"
                );
                status = ExitCode::FAILURE;
            }
        } else if let Err(error) = std::fs::write(&path, wanted) {
            eprintln!("{}: {error}", path.display());
            status = ExitCode::FAILURE;
        }
    }
    println!("{}", all());
    status
}

fn files() -> [(&'static str, String); 4] {
    [
        ("bundle", of::<bundle::Bundle>()),
        ("journal", of::<journal::Journal>()),
        ("plan", of::<plan::Plan>()),
        ("receipt", of::<journal::Receipt>()),
    ]
}

/// The schema of one file format.
fn of<T: JsonSchema>() -> String {
    text(&generator().into_root_schema_for::<T>())
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

#[expect(clippy::expect_used, reason = "a schema is JSON already")]
fn text(schema: &Schema) -> String {
    serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n"
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
        explore::CrashMatrix,
        explore::Progress,
        explore::Question,
        diagnose::Diagnosis,
        diagnose::Dropped,
        diagnose::DroppedFile,
        explain::Explanation,
        failure::Code,
        failure::Failure,
        fault::OpError,
        fault::Platform,
        journal::Journal,
        journal::Phase,
        journal::Receipt,
        journal::Strategy,
        journal::Warning,
        explore::Lanes,
        names::Label,
        names::Names,
        names::Nonce,
        fault::Holder,
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
        support::DatabaseHeader,
        support::Wal,
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

#[cfg(test)]
mod tests {
    use super::{of, plan};

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
}
