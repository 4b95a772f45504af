//! Writes the JSON Schemas of the file formats beside this program, or, with `--check`, compares
//! the checked-in ones with the types. Then it prints the schema of every type that crosses to
//! JavaScript, for `scripts/generate-types.mjs`.
//!
//! A schema describes what this release *writes*: every member, and `null` for an absent value.
//! This release reads all of that.

use std::path::Path;
use std::process::ExitCode;

use cutover_explore as explore;
use cutover_support as support;
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
        ("bundle", of::<support::Bundle>()),
        ("journal", of::<cutover_core::Journal>()),
        ("plan", of::<cutover_core::Plan>()),
        ("receipt", of::<cutover_core::Receipt>()),
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
        cutover_core::Backup,
        support::Bundle,
        explore::CrashMatrix,
        explore::Progress,
        explore::Question,
        support::Diagnosis,
        support::Dropped,
        support::DroppedFile,
        cutover_core::Explanation,
        cutover_core::Code,
        cutover_core::Failure,
        cutover_core::OpError,
        cutover_core::Platform,
        cutover_core::Journal,
        cutover_core::Phase,
        cutover_core::Receipt,
        cutover_core::Strategy,
        cutover_core::Warning,
        explore::Lanes,
        cutover_core::Label,
        cutover_core::Names,
        cutover_core::Nonce,
        cutover_core::Holder,
        cutover_core::Observation,
        cutover_core::Verdict,
        cutover_core::Guard,
        cutover_core::Op,
        cutover_core::OpName,
        cutover_core::Left,
        cutover_core::Plan,
        cutover_core::PlanKind,
        cutover_core::Recovery,
        cutover_core::Request,
        cutover_core::Rule,
        cutover_core::Event,
        support::DatabaseHeader,
        support::Wal,
        cutover_core::Finding,
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
    use super::of;

    #[test]
    fn the_schemas_know_the_names_that_serde_gives() {
        let plan = of::<cutover_core::Plan>();
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
