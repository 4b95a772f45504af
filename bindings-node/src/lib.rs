//! The runner as an addon for Node and Bun.
//!
//! Every task runs on a thread of its own, never on the event loop and never in libuv's pool. Only
//! that thread touches the database. JSON text crosses both ways: the thread calls `receive` with
//! each call of the application (`message::ToJs`), and [`Session::send`] passes the answers to the
//! thread (`message::FromJs`). A failure crosses as data, and TypeScript throws it.
//!
//! `tasks` are what JavaScript starts, and `options` what it gives them. `host` is the application
//! as the thread calls it, and `desk` serves what its callbacks request. The pure functions are not
//! here: they are WebAssembly in Node as well.

mod desk;
mod error;
mod host;
mod message;
mod options;
mod tasks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{Either, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;

use crate::host::JsHost;
use crate::message::{FromJs, ToJs};
use crate::tasks::{Product, Task};

/// A message, or the lock of a task that takes one.
type Delivery = Either<String, OwnerLock>;
type Receive = ThreadsafeFunction<Delivery, (), Delivery, Status, false>;

/// A running task.
#[napi]
pub struct Session {
    inbox: Sender<FromJs>,
    stop: Arc<AtomicBool>,
}

#[napi]
impl Session {
    /// Sends a message to the thread.
    ///
    /// # Errors
    /// When the text is not a message.
    #[napi(catch_unwind)]
    #[allow(clippy::needless_pass_by_value)] // napi passes strings by value
    pub fn send(&self, text: String) -> Result<()> {
        let message = serde_json::from_str(&text).map_err(|error| invalid(&error))?;
        if matches!(message, FromJs::Abort) {
            self.stop.store(true, Ordering::Relaxed);
        }
        // A task that has ended reads no message.
        let _ = self.inbox.send(message);
        Ok(())
    }
}

/// The owner lock of a database. `release` or the end of the environment releases it.
#[napi]
pub struct OwnerLock {
    held: Held,
}

#[napi]
impl OwnerLock {
    /// The files of the lock; none after a release.
    #[napi(getter, catch_unwind)]
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let lock = self.held.get();
        let files = lock.iter().flat_map(cutover::OwnerLock::files);
        files.map(|file| file.display().to_string()).collect()
    }

    /// Releases the lock. A second call does nothing.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.held.end();
    }
}

/// A lock from the call that takes it on. A worker may be terminated while the lock is on its way to
/// JavaScript: nothing there would release it then, so the environment itself does.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Slot>>);

#[derive(Default)]
enum Slot {
    #[default]
    Awaited,
    Locked(cutover::OwnerLock),
    Ended,
}

impl Held {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a lock, unless the environment has ended.
    fn put(&self, lock: cutover::OwnerLock) {
        let mut slot = self.slot();
        if matches!(*slot, Slot::Awaited) {
            *slot = Slot::Locked(lock);
        }
    }

    fn get(&self) -> Option<cutover::OwnerLock> {
        match &*self.slot() {
            Slot::Locked(lock) => Some(lock.clone()),
            Slot::Awaited | Slot::Ended => None,
        }
    }

    fn end(&self) {
        *self.slot() = Slot::Ended;
    }
}

/// Tells the thread that the environment ended: the environment drops this then.
struct Farewell(Sender<FromJs>, Arc<AtomicBool>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        let _ = self.0.send(FromJs::Gone);
    }
}

/// Starts a task. The last value that `receive` gets is a message of type `done` or `failed`, or
/// the lock.
///
/// # Errors
/// When the text is not a task, the lock was released, or the system starts no thread.
#[napi(catch_unwind)]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn start(
    env: &Env,
    task: String,
    lock: Option<&OwnerLock>,
    receive: Function<'_, Delivery, ()>,
) -> Result<Session> {
    let lock = match lock.map(|lock| lock.held.get()) {
        None => None,
        Some(None) => return Err(invalid(&"options.lock was released")),
        Some(lock) => lock,
    };
    let task = Task::parse(&task, lock).map_err(|why| invalid(&why))?;
    let held = Held::default();
    if task.locks() {
        env.add_env_cleanup_hook(held.clone(), |held| held.end())?;
    }
    let (inbox, messages) = channel();
    let stop: Arc<AtomicBool> = Arc::default();
    let farewell = Farewell(inbox.clone(), Arc::clone(&stop));
    let stopped_by = Arc::clone(&stop);
    let receive: Receive =
        receive.build_threadsafe_function::<Delivery>().build_callback(move |context| {
            let _lives_as_long = &farewell;
            Ok(context.value)
        })?;
    let run = move || {
        let tell = |delivery| {
            receive.call(delivery, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
        };
        let mut host =
            JsHost::new(|text| tell(Either::A(text)), messages, task.events).stopped_by(stopped_by);
        let last = match error::guarded(|| task.perform(&mut host)) {
            Ok(Product::Lock(lock)) => {
                held.put(lock);
                Either::B(OwnerLock { held })
            }
            Ok(Product::Json(ok)) => Either::A(ToJs::Done { ok }.to_text()),
            Err(error) => Either::A(error::failed(&error)),
        };
        tell(last);
    };
    std::thread::Builder::new().name("cutover".into()).spawn(run).map_err(|error| {
        Error::new(Status::GenericFailure, format!("no thread can be started: {error}"))
    })?;
    Ok(Session { inbox, stop })
}

fn invalid(why: &dyn std::fmt::Display) -> Error {
    Error::new(Status::InvalidArg, why.to_string())
}
