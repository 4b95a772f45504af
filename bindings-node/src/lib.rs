//! The runner as an addon for Node and Bun.
//!
//! Every task runs on a thread of its own, never on the event loop and never in libuv's pool. JSON
//! text crosses, both ways: the thread calls `receive` with what it wants of the application
//! (`message::ToJs`), and [`Session::send`] gives it the answers (`message::FromJs`). The thread is
//! the only one that touches the database. A failure is data; the TypeScript face throws it.

mod backups;
mod error;
mod host;
mod message;
mod options;
pub mod pure;

use std::sync::mpsc::{Sender, channel};

use napi::bindgen_prelude::{Either, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::host::JsHost;
use crate::message::FromJs;
use crate::options::Task;

/// A message, or the lock that was asked for.
type Delivery = Either<String, OwnerLock>;
type Receive = ThreadsafeFunction<Delivery, (), Delivery, Status, false>;

/// A task that runs.
#[napi]
pub struct Session {
    inbox: Sender<FromJs>,
}

#[napi]
impl Session {
    /// Gives the thread a message. Throws when it is not one.
    ///
    /// # Errors
    /// When the text is not a message.
    #[napi(catch_unwind)]
    #[allow(clippy::needless_pass_by_value)] // napi hands strings over
    pub fn send(&self, text: String) -> Result<()> {
        let message = serde_json::from_str(&text).map_err(|error| invalid(&error))?;
        // A task that has ended needs nothing any more.
        let _ = self.inbox.send(message);
        Ok(())
    }
}

/// Ownership of a database. Let go by `release`, or when the environment that took it ends.
#[napi]
pub struct OwnerLock {
    lock: Option<cutover::OwnerLock>,
}

#[napi]
impl OwnerLock {
    /// Lets go. A second call does nothing.
    #[napi(catch_unwind)]
    pub fn release(&mut self) {
        self.lock = None;
    }
}

/// Says that JavaScript has gone, when the environment drops what it holds of a task.
struct Farewell(Sender<FromJs>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.0.send(FromJs::Gone);
    }
}

/// Starts a task. The last thing that `receive` gets is a message of type `done` or `failed`, or
/// the lock.
///
/// # Errors
/// When the task is not one, its lock was released, or the system gives no thread.
#[napi(catch_unwind)]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn start(
    task: String,
    lock: Option<&OwnerLock>,
    receive: Function<'_, Delivery, ()>,
) -> Result<Session> {
    let lock = match lock {
        None => None,
        Some(OwnerLock { lock: Some(lock) }) => Some(lock.clone()),
        Some(_) => return Err(invalid(&"options.lock was released")),
    };
    let task = Task::parse(&task, lock).map_err(|why| invalid(&why))?;
    let (inbox, messages) = channel();
    let farewell = Farewell(inbox.clone());
    let receive: Receive =
        receive.build_threadsafe_function::<Delivery>().build_callback(move |context| {
            let _lives_as_long = &farewell;
            Ok(context.value)
        })?;
    let run = move || {
        let tell = |delivery| {
            receive.call(delivery, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
        };
        let mut host = JsHost::new(|text| tell(Either::A(text)), messages, task.tells_events());
        let last = match error::guarded(|| task.perform(&mut host)) {
            Ok(options::Product::Lock(lock)) => Either::B(OwnerLock { lock: Some(lock) }),
            Ok(options::Product::Json(ok)) => Either::A(message::ToJs::Done { ok }.to_text()),
            Err(error) => Either::A(error::failed(&error)),
        };
        tell(last);
    };
    std::thread::Builder::new().name("cutover".into()).spawn(run).map_err(|error| {
        Error::new(Status::GenericFailure, format!("no thread can be started: {error}"))
    })?;
    Ok(Session { inbox })
}

fn invalid(why: &dyn std::fmt::Display) -> Error {
    Error::new(Status::InvalidArg, why.to_string())
}
