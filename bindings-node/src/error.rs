//! Failures as data. No panic crosses to JavaScript.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cutover::{Code, Error, Failure};

use crate::host::Thrown;
use crate::message::{Cause, ToJs};

/// The last message of a task that failed.
pub(crate) fn failed(error: &Error) -> String {
    let cause = error.cause.as_ref().map(|cause| Cause {
        call: cause.downcast_ref::<Thrown>().map(|thrown| thrown.call),
        message: cause.to_string(),
    });
    ToJs::Failed { failure: &error.failure, cause }.to_text()
}

/// Does the work, and turns a panic into a failure. A panic leaves on disk what a kill leaves, and
/// recovery handles that.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(internal(&panic_text(panic.as_ref()))))
}

/// A defect of cutover itself.
pub(crate) fn internal(what: &str) -> Error {
    let hint = "start again: the next start finishes or undoes the upgrade; report this failure to \
                the authors of cutover";
    Failure::refusal(Code::Io, format!("cutover itself failed: {what}"), hint).into()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure() {
        let error = guarded::<()>(|| panic!("planted {}", 1)).unwrap_err();
        assert!(error.failure.to_string().contains("cutover itself failed: planted 1"), "{error}");
    }

    #[test]
    fn a_cause_names_the_call_that_threw() {
        let thrown = |cause| failed(&Error { cause: Some(cause), ..internal("x") });
        assert!(
            thrown(Box::new(Thrown { call: 7, message: "boom".into() }))
                .contains(r#""cause":{"call":7,"message":"boom"}"#)
        );
        assert!(thrown("plain".into()).contains(r#""cause":{"call":null,"message":"plain"}"#));
    }
}
