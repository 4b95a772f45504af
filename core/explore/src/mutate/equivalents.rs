//! Why some mutants make no difference, read from `equivalents.txt`.

use std::sync::LazyLock;

/// A reason, and the mutants that it explains.
pub(crate) type Reason = (&'static str, Vec<&'static str>);

/// The reasons, in the order of the file.
pub(crate) static REASONS: LazyLock<Vec<Reason>> = LazyLock::new(|| {
    let mut reasons: Vec<Reason> = Vec::new();
    let lines = include_str!("equivalents.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match (line.strip_prefix("    "), reasons.last_mut()) {
            (Some(mutant), Some((_, mutants))) => mutants.push(mutant),
            _ => reasons.push((line, Vec::new())),
        }
    }
    reasons
});
