//! The application as the thread of a task calls it: a [`Host`] that sends messages.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use cutover::{Built, Event, Host, HostError, Job, Reader, Verdict};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::desk::{Desk, Given, path_to_json};
use crate::message::{Call, FromJs, ToJs};

/// How long a callback may run after an abort. Then the run continues without the callback.
const ABORT_GRACE: Duration = Duration::from_secs(2);
/// How long `undo` and `cleanup` may run after an abort.
const UNDO_GRACE: Duration = Duration::from_secs(30);

/// The longest answer that crosses, in bytes of JSON. A string that V8 cannot hold (2^29 - 24
/// characters) would end the process.
const MAX_ANSWER: usize = 256 << 20;

/// The error of a callback. JavaScript keeps the thrown value under the call's id.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Thrown {
    pub call: u32,
    pub message: String,
}

/// The application in JavaScript. `tell` sends it a text; `false` means that it has ended.
#[allow(clippy::struct_excessive_bools)] // each tells of something else
pub(crate) struct JsHost<Tell: FnMut(String) -> bool> {
    tell: Tell,
    inbox: Receiver<FromJs>,
    events: bool,
    /// The application has not handled an event within the grace of an abort.
    deaf: bool,
    calls: u32,
    aborted: bool,
    gone: bool,
    stop: Arc<AtomicBool>,
}

impl<Tell: FnMut(String) -> bool> JsHost<Tell> {
    pub(crate) fn new(tell: Tell, inbox: Receiver<FromJs>, events: bool) -> Self {
        let stop = Arc::default();
        Self { tell, inbox, events, deaf: false, calls: 0, aborted: false, gone: false, stop }
    }

    /// This flag becomes true with an abort, also while this thread does not read its messages.
    pub(crate) fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// Calls JavaScript and waits for its answer. Until then this thread serves the requests of
    /// the callback, so that only this thread touches the database.
    fn ask(&mut self, call: Call<'_>, given: Given<'_, '_>) -> Result<Json, HostError> {
        let mut desk = Desk::of(given);
        let grace = if matches!(call, Call::Undo { .. } | Call::Cleanup { .. }) {
            UNDO_GRACE
        } else {
            ABORT_GRACE
        };
        self.calls += 1;
        let asked = self.calls;
        self.send(&ToJs::Call { id: asked, call })?;
        let mut deadline = self.aborted.then(|| Instant::now() + grace);
        loop {
            let Some(message) = self.receive(deadline) else {
                return Err(format!(
                    "it was aborted and did not settle within {} s",
                    grace.as_secs()
                )
                .into());
            };
            match message {
                FromJs::Answer { id, value } if id == asked => return Ok(value),
                FromJs::Threw { id, message } if id == asked => {
                    return Err(Box::new(Thrown { call: asked, message }));
                }
                // From an earlier callback, which did not settle in time.
                FromJs::Answer { .. } | FromJs::Threw { .. } => {}
                FromJs::Request { call, id, request } => {
                    let served = if call == asked {
                        desk.serve(request)
                    } else {
                        Desk::of(Given::Nothing).serve(request)
                    };
                    self.reply(id, served)?;
                }
                FromJs::Warn { call, message } => {
                    if call == asked {
                        desk.warn(message);
                    }
                }
                FromJs::Abort => {
                    self.aborted = true;
                    deadline.get_or_insert_with(|| Instant::now() + grace);
                }
                FromJs::Gone => return Err(self.left()),
            }
        }
    }

    fn reply(&mut self, id: u32, served: Result<Json, HostError>) -> Result<(), HostError> {
        match served {
            Ok(ok) => {
                let text = ToJs::Reply { id, ok }.to_text();
                if text.len() <= MAX_ANSWER {
                    return self.send_text(text);
                }
                let found = text.len();
                let message = format!(
                    "the answer has {found} bytes as JSON, and at most {MAX_ANSWER} cross at \
                     once: ask for fewer rows, or for parts of a value"
                );
                self.send(&ToJs::Refused { id, message })
            }
            Err(error) => self.send(&ToJs::Refused { id, message: error.to_string() }),
        }
    }

    fn send(&mut self, message: &ToJs<'_>) -> Result<(), HostError> {
        self.send_text(message.to_text())
    }

    fn send_text(&mut self, text: String) -> Result<(), HostError> {
        if !self.gone && (self.tell)(text) { Ok(()) } else { Err(self.left()) }
    }

    /// Notes that JavaScript has ended. The run undoes what it can without the application.
    fn left(&mut self) -> HostError {
        self.gone = true;
        self.aborted = true;
        "the JavaScript environment ended".into()
    }

    /// The next message; `None` at the deadline.
    fn receive(&self, deadline: Option<Instant>) -> Option<FromJs> {
        let Some(deadline) = deadline else {
            return Some(self.inbox.recv().unwrap_or(FromJs::Gone));
        };
        match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(FromJs::Gone),
        }
    }

    /// Handles a message that came while no call was open.
    fn note(&mut self, message: FromJs) {
        match message {
            FromJs::Abort => self.aborted = true,
            FromJs::Gone => drop(self.left()),
            // If JavaScript has ended, the next call reports it.
            FromJs::Request { id, request, .. } => {
                drop(self.reply(id, Desk::of(Given::Nothing).serve(request)));
            }
            FromJs::Answer { .. } | FromJs::Threw { .. } | FromJs::Warn { .. } => {}
        }
    }
}

/// The answer of a build.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    expect: std::collections::BTreeMap<String, u64>,
    report: Option<Json>,
}

impl<Tell: FnMut(String) -> bool> Host for JsHost<Tell> {
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        let call = Call::Detect { path: path_to_json(db.path())? };
        Ok(serde_json::from_value(self.ask(call, Given::Reader(db))?)?)
    }

    fn build(&mut self, job: &mut dyn Job<'_>) -> Result<Built, HostError> {
        let call = Call::Build {
            staging: path_to_json(job.staging())?,
            v1: path_to_json(job.v1().path())?,
            nonce: job.nonce().to_owned(),
            attempt: job.attempt(),
        };
        let Answer { expect, report } = serde_json::from_value(self.ask(call, Given::Job(job))?)?;
        Ok(Built { expect, report })
    }

    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        let call = Call::Verify { path: path_to_json(v2.path())? };
        self.ask(call, Given::Reader(v2)).map(drop)
    }

    fn undo(&mut self, state: Option<&Json>, nonce: &str) -> Result<(), HostError> {
        self.ask(Call::Undo { state, nonce }, Given::Nothing).map(drop)
    }

    fn cleanup(&mut self, state: Option<&Json>, nonce: &str) -> Result<(), HostError> {
        self.ask(Call::Cleanup { state, nonce }, Given::Nothing).map(drop)
    }

    /// TypeScript turns a failure into a warning.
    fn release_handles(&mut self) {
        drop(self.ask(Call::Release, Given::Nothing));
    }

    /// Waits until the application has handled the event, so that it does so before a step runs. Once
    /// it did not, within the grace of an abort, it is told of the other events without a wait.
    fn event(&mut self, event: &Event) {
        if !self.events {
            return;
        }
        let call = Call::Event { event };
        if self.deaf {
            self.calls += 1;
            drop(self.send(&ToJs::Call { id: self.calls, call }));
        } else {
            self.deaf = self.ask(call, Given::Nothing).is_err();
        }
    }

    fn cancelled(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(message) => self.note(message),
                Err(TryRecvError::Empty) => return self.aborted,
                Err(TryRecvError::Disconnected) => {
                    drop(self.left());
                    return true;
                }
            }
        }
    }

    fn stop(&self) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.stop))
    }

    /// Returns early when the application aborts during the wait. The run has already handled an
    /// earlier abort, so an earlier abort must not cut this wait short.
    fn wait(&mut self, delay_ms: u64) {
        let end = Instant::now() + Duration::from_millis(delay_ms);
        let aborted = self.aborted;
        while aborted == self.aborted {
            if self.gone {
                // JavaScript has ended: no abort can come, so this waits the whole time.
                return std::thread::sleep(end.saturating_duration_since(Instant::now()));
            }
            let Some(message) = self.receive(Some(end)) else { return };
            self.note(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::message::Request;

    /// A host whose application has sent these messages already.
    fn host(said: Vec<FromJs>) -> JsHost<impl FnMut(String) -> bool> {
        let (inbox, messages) = channel();
        for message in said {
            inbox.send(message).unwrap();
        }
        // The channel stays open: only `Gone` ends JavaScript here.
        std::mem::forget(inbox);
        JsHost::new(|_| true, messages, true)
    }

    fn verify() -> Call<'static> {
        Call::Verify { path: Json::Null }
    }

    fn answer(id: u32) -> FromJs {
        FromJs::Answer { id, value: Json::from(id) }
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next_callbacks_answer() {
        let mut host =
            host(vec![answer(1), FromJs::Threw { id: 1, message: "late".into() }, answer(2)]);
        assert_eq!(host.ask(verify(), Given::Nothing).unwrap(), 1);
        assert_eq!(host.ask(verify(), Given::Nothing).unwrap(), 2);
    }

    #[test]
    fn a_host_without_javascript_neither_asks_nor_waits() {
        let mut host = host(vec![FromJs::Gone]);
        assert_eq!(
            host.undo(None, "").unwrap_err().to_string(),
            "the JavaScript environment ended"
        );
        assert!(host.cancelled());
        assert!(host.cleanup(None, "").is_err());
        host.release_handles();
        host.wait(0);
    }

    #[test]
    fn an_environment_that_accepts_no_message_has_ended() {
        let (_inbox, messages) = channel();
        let mut host = JsHost::new(|_| false, messages, true);
        assert!(host.undo(None, "").is_err());
        assert!(host.cancelled());
    }

    #[test]
    fn an_abort_ends_the_current_wait() {
        let mut host = host(vec![FromJs::Abort]);
        host.wait(u64::from(u32::MAX));
        assert!(host.cancelled());
    }

    #[test]
    fn only_the_running_callback_is_served() {
        let warn = |call| FromJs::Warn { call, message: String::new() };
        let all = |call, id| FromJs::Request {
            call,
            id,
            request: Request::All { sql: "SELECT 1".into(), args: Vec::new() },
        };
        let mut told = Vec::new();
        let (inbox, messages) = channel();
        for message in [all(7, 1), all(1, 2), warn(7), answer(1)] {
            inbox.send(message).unwrap();
        }
        let mut host = JsHost::new(
            |text| {
                told.push(text);
                true
            },
            messages,
            true,
        );
        host.ask(verify(), Given::Nothing).unwrap();
        assert!(told[1..].iter().all(|text| text.contains(r#""type":"refused""#)), "{told:?}");
        assert_eq!(told.len(), 3);
    }
}
