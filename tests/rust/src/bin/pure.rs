//! The pure functions without WebAssembly, for the tests that compare the two: reads a JSON array
//! of calls, `[name, argument…]`, and prints the array of their answers.

use std::error::Error;

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let calls: Vec<Vec<Value>> = serde_json::from_reader(std::io::stdin().lock())?;
    let answers = calls.iter().map(|call| answer(call)).collect::<Result<Vec<_>, _>>()?;
    serde_json::to_writer(std::io::stdout().lock(), &answers)?;
    Ok(())
}

fn answer(call: &[Value]) -> Result<String, String> {
    let text = |at: usize| call.get(at).and_then(Value::as_str).unwrap_or_default();
    Ok(match text(0) {
        "plan" => cutover_core::api::plan(text(1), text(2)),
        "planRecovery" => cutover_core::api::plan_recovery(text(1), text(2), text(3)),
        "validatePlan" => {
            cutover_core::api::validate_plan(text(1), call.get(2).and_then(Value::as_str))
        }
        "explainError" => cutover_core::api::explain_error(text(1)),
        "diagnose" => cutover_support::api::diagnose(text(1)),
        "readDatabaseHeader" => {
            let size = call.get(2).and_then(Value::as_u64);
            cutover_support::api::read_database_header(&bytes(call)?, size)
        }
        "readWal" => {
            let mut reader = cutover_support::WalReader::new(None);
            reader.feed(&bytes(call)?);
            cutover_support::api::wal(reader)
        }
        "planLanes" => {
            let held = call.get(2).and_then(Value::as_bool).unwrap_or_default();
            cutover_explore::api::plan_lanes(text(1), held)
        }
        "explore" => match cutover_explore::api::explore(text(1)) {
            Err(refused) => refused,
            Ok(mut exploration) => {
                let _ = cutover_explore::api::explore_on(&mut exploration, u32::MAX);
                cutover_explore::api::explored(&exploration)
            }
        },
        "replayCrash" => cutover_explore::api::replay_crash(text(1)),
        other => return Err(format!("there is no pure function {other:?}")),
    })
}

/// The first argument, an array of bytes.
fn bytes(call: &[Value]) -> Result<Vec<u8>, String> {
    let array = call.get(1).cloned().unwrap_or_default();
    serde_json::from_value(array).map_err(|error| error.to_string())
}
