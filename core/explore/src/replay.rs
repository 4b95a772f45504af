//! Tells a counterexample: what was done, what persisted, what recovery did, and which invariant
//! broke. Its last line replays it.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;

use crate::check;
use crate::model::disk::{ASIDE, Content, Disk, HOME};
use crate::model::power_loss::Model;
use crate::model::state::State;
use crate::scenario::{Scenario, table};
use crate::search::{Choice, Counterexample, EXACT};
use crate::sim::actors::{self, happen};
use crate::sim::faults::Interference;
use crate::sim::legacy::legacy_daemon;
use crate::sim::machine::Machine;
use crate::sim::normalizer::Normalizer;
use crate::sim::start::{Before, End, PlanChange, Start, initial_state};

/// One name of the disk, in words.
fn entry(name: &str, content: &Content) -> String {
    let text = match content {
        Content::Empty => "empty".to_owned(),
        Content::Torn => "torn".to_owned(),
        Content::Shm => "shared memory".to_owned(),
        Content::Db(db) => format!("{} {:?} counter {}", db.data, db.mode, db.counter),
        Content::Wal(db) => format!("log up to {} of database {}", db.data, db.of),
        Content::Hot(db) => format!("journal back to {} of database {}", db.data, db.of),
        Content::Companion(version) => format!("companion {version}"),
        Content::Text(text) => {
            let phase =
                text.text.split("\"phase\": \"").nth(1).and_then(|rest| rest.split('"').next());
            phase.map_or_else(|| "text".to_owned(), |phase| format!("journal, {phase}"))
        }
    };
    format!("{name}: {text}")
}

/// Describes every name: what it holds, and which names are one file.
#[must_use]
pub fn describe(disk: &Disk) -> Vec<String> {
    let mut lines = Vec::new();
    for (dir, prefix) in [(HOME, ""), (ASIDE, "auth/")] {
        for (name, ino) in &*disk.dirs[dir].now {
            let inode = &disk.inodes[ino];
            let mut line = entry(&format!("{prefix}{name}"), &inode.now);
            let _ = write!(
                line,
                " (file {ino}{})",
                if inode.is_flushed() { "" } else { ", not flushed" }
            );
            lines.push(line);
        }
    }
    lines
}

/// Writes the choices as one line without spaces.
#[must_use]
pub fn line(choices: &[Choice]) -> String {
    let mut text = String::new();
    for choice in choices {
        if !text.is_empty() {
            text.push(',');
        }
        if let Some((at, interference)) = choice.interference {
            let _ = write!(text, "{at}:{interference}@");
        }
        match choice.crash {
            Some((tick, variant)) => {
                let _ = write!(text, "{tick}.{variant}");
            }
            None => text.push_str("end"),
        }
        if choice.copied {
            text.push('c');
        }
    }
    text
}

/// Reads a replay line: the scenario's number, the model, the choices.
#[must_use]
pub fn parse_replay_line(text: &str) -> Option<(Scenario, Model, Vec<Choice>)> {
    let mut parts = text.split('/');
    let scenario = table::all().into_iter().nth(parts.next()?.parse().ok()?)?;
    let word = parts.next()?;
    let model = Model::ALL.into_iter().find(|model| model.as_str() == word)?;
    let choices: Option<Vec<Choice>> = parts.next()?.split(',').map(choice).collect();
    Some((scenario, model, choices?))
}

fn choice(text: &str) -> Option<Choice> {
    let (text, copied) = text.strip_suffix('c').map_or((text, false), |text| (text, true));
    let (interference, crash) = match text.split_once('@') {
        None => (None, text),
        Some((interference, crash)) => {
            let (at, word) = interference.split_once(':')?;
            let interference = Interference::all()
                .into_iter()
                .find(|interference| interference.to_string() == word)?;
            (Some((at.parse().ok()?, interference)), crash)
        }
    };
    let crash = match crash {
        "end" => None,
        crash => {
            let (tick, variant) = crash.split_once('.')?;
            Some((tick.parse().ok()?, variant.parse().ok()?))
        }
    };
    Some(Choice { interference, crash, copied })
}

/// Performs the choices again. Gives what happened, line by line, and the state at the end.
/// `mutant`: what changes every start, or the start of this number, counted from 0.
#[must_use]
pub fn replay(
    scenario: &Scenario,
    model: Model,
    choices: &[Choice],
    mutant: Option<(&dyn PlanChange, Option<u8>)>,
) -> (Vec<String>, State) {
    let log = RefCell::new(vec![format!(
        "starts with {}",
        describe(&initial_state(scenario).disk).join(", ")
    )]);
    let normalizer = Normalizer::new(scenario);
    let mut state = initial_state(scenario);
    for (number, choice) in choices.iter().enumerate() {
        let exact = mutant
            .and_then(|(_, start)| start)
            .filter(|start| usize::from(*start) == number)
            .map_or(usize::MAX, |_| EXACT);
        let mutant = mutant
            .filter(|(_, start)| start.is_none_or(|start| usize::from(start) == number))
            .map(|(mutant, _)| mutant);
        let crash = choice.crash.map_or((u32::MAX, 0), |crash| crash);
        let (tick, at) = (Cell::new(0_u32), Cell::new(0_u32));
        let armed = Cell::new(choice.interference.is_none());
        let crashed: RefCell<Option<State>> = RefCell::new(None);
        let mut observer = |state: &State| {
            tick.set(tick.get() + 1);
            if armed.get() && tick.get() == crash.0 {
                crashed.replace(Some(state.clone()));
            }
        };
        let say = |line: String| {
            if crashed.borrow().is_none() {
                log.borrow_mut().push(line);
            }
        };
        say(format!("start {}", number + 1));
        let mut start = Start::new(true);
        let mut machine = Machine::new(state.clone(), scenario, &mut observer);
        if scenario.legacy_after().map(u32::from) == u32::try_from(number).ok()
            && check::is_v1(&machine.state, scenario)
        {
            legacy_daemon(&mut machine);
        } else {
            let stop = choice.interference.map(|(at, _)| at);
            let mut kept = None;
            let mut end = start.go(&mut machine, None, mutant, &mut |start, _, before| {
                let Before::Op(run, op) = before else { return false };
                if stop == Some(at.get()) {
                    kept = Some((start.clone(), run.clone()));
                    return true;
                }
                at.set(at.get() + 1);
                say(step_in_words(run, op));
                false
            });
            if let Some((_, interference)) = choice.interference {
                tick.set(0);
                armed.set(true);
                say(format!("  {interference}"));
                match kept {
                    Some((mut going, mut run)) => {
                        happen(&mut machine, &mut run, interference);
                        end = going.go(&mut machine, Some(run), mutant, &mut |_, _, before| {
                            if let Before::Op(run, op) = before {
                                say(step_in_words(run, op));
                            }
                            false
                        });
                    }
                    None => drop(actors::application(&mut machine).then_some(())),
                }
            }
            say(format!("  ended: {}", End::in_words(end.as_ref())));
        }
        let ended = machine.state;
        let crashed = crashed.into_inner();
        state = match crashed {
            None => ended,
            Some(live) if crash.1 == 0 => {
                log.borrow_mut()
                    .push(format!("  killed; there is {}", describe(&live.disk).join(", ")));
                normalizer.of(&live)
            }
            Some(live) => {
                let live = normalizer.of(&live);
                let disk =
                    live.disk.some_power_losses(model, exact).swap_remove(crash.1 as usize - 1);
                log.borrow_mut()
                    .push(format!("  the power fails; there is {}", describe(&disk).join(", ")));
                let mut after = State { disk, ledger: live.ledger };
                after.ledger.v2_durable |= check::is_v2(&after, scenario) && scenario.links();
                if choice.copied { after } else { normalizer.of(&after) }
            }
        };
        if choice.copied {
            log.borrow_mut().push("  the directory is copied".to_owned());
            state.disk = state.disk.copied();
            state = normalizer.of(&state);
        }
    }
    let mut log = log.into_inner();
    log.push(format!("there is {}", describe(&state.disk).join(", ")));
    (log, state)
}

fn step_in_words(run: &cutover_core::Run, op: &cutover_core::Op) -> String {
    let (undo, index) = run.position();
    let file = op.file().map(|file| format!(" {file}")).unwrap_or_default();
    format!("  {}{index} {}{file}", if undo { "undo " } else { "" }, op.name())
}

impl Counterexample {
    /// The whole story.
    #[must_use]
    pub fn tell(&self, mutant: Option<&dyn PlanChange>) -> String {
        let (mut lines, _) = replay(
            &self.scenario,
            self.model,
            &self.choices,
            mutant.map(|mutant| (mutant, self.mutated)),
        );
        lines.push(format!("{} is broken: {}", self.violation.rule, self.violation.what));
        let number = table::all().iter().position(|scenario| *scenario == self.scenario);
        let number = number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        lines.push(format!("replay: {number}/{}/{}", self.model.as_str(), line(&self.choices)));
        lines.join("\n")
    }
}
