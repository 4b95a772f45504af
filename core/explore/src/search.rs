//! The search: every crash state once, and a start from each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::boot::{Before, Boot, End};
use crate::disk::{Key, key_of};
use crate::happening::{Planted, happenings};
use crate::invariant::{self, is_v2};
use crate::machine::{Machine, Process, Tap};
use crate::mutate::Mutant;
use crate::{
    Bounds, Choice, Counterexample, Faults, Happening, Model, Path, Report, Setting, State,
    Violation, Zombie, matrix, others,
};
use cutover_core::fault::Platform;
use cutover_core::op::Op;
use cutover_core::run::{Action, Run};

/// A state to start from.
#[derive(Clone)]
pub(super) struct Node {
    pub state: State,
    path: Option<Rc<Path>>,
    pub crashes: u8,
    /// Something was in the way before.
    pub happened: bool,
}

impl Node {
    pub fn first(setting: &Setting) -> Self {
        Self { state: matrix::lay(setting), path: None, crashes: 0, happened: false }
    }

    /// What was chosen up to this state.
    pub fn choices(&self) -> Vec<Choice> {
        Path::choices(self.path.as_ref())
    }

    /// What was chosen up to this state, and then.
    fn counterexample(
        &self,
        setting: &Setting,
        model: Model,
        then: Choice,
        violation: Violation,
    ) -> Counterexample {
        let mut choices = self.choices();
        choices.push(then);
        Counterexample { setting: setting.clone(), model, choices, mutated: None, violation }
    }
}

/// Explores everything that can follow from `setting`, under `model`. With a mutant every plan is
/// changed by it before it runs.
#[must_use]
pub fn explore(
    setting: &Setting,
    model: Model,
    bounds: &Bounds,
    mutant: Option<&Mutant>,
) -> Report {
    let mut explorer = Explorer::new(setting, model, bounds, mutant);
    let mut next = Some(Node::first(setting));
    while let Some(node) = next {
        explorer.expand(&node);
        if explorer.report.bad.len() >= bounds.stop_after {
            break;
        }
        next = explorer.queue.pop_front();
    }
    explorer.report
}

/// The distinct states that one crash of the first start may leave.
pub(super) fn crash_states(setting: &Setting, model: Model) -> Vec<State> {
    crashes(setting, &Node::first(setting), model, &Bounds::ONE_CRASH)
        .into_iter()
        .map(|node| node.state)
        .collect()
}

/// What one crash of a right start from here may leave, to start from again.
pub(super) fn crashes(setting: &Setting, node: &Node, model: Model, bounds: &Bounds) -> Vec<Node> {
    let bounds = Bounds { crashes: node.crashes + 2, ..*bounds };
    let mut explorer = Explorer::new(setting, model, &bounds, None);
    explorer.expand(node);
    explorer.queue.into()
}

pub(super) struct Explorer<'a> {
    setting: &'a Setting,
    pub model: Model,
    bounds: Bounds,
    mutant: Option<&'a Mutant>,
    pub report: Report,
    pub queue: VecDeque<Node>,
    /// Crash states after which there will be no other crash: a start is run from each at once, so
    /// that they need not all be kept.
    last: Vec<Node>,
    met: BTreeMap<Key, Met>,
    /// Looks at the disk from which a start went on: whoever looks at the same goes on in the same
    /// way.
    covered: BTreeSet<Key>,
    /// Ends that were judged.
    judged: BTreeSet<Key>,
}

/// What was done about a state.
#[derive(Debug, Clone, Copy, Default)]
struct Met {
    /// A start is run from it, in the way of which everything may come.
    plain: bool,
    /// A start is run from it, with nothing more in its way.
    happened: bool,
}

/// A start stopped before an op.
struct Fork {
    at: u32,
    state: State,
    process: Process,
    boot: Boot,
    run: Run,
    happenings: Vec<Happening>,
}

/// What is being watched.
#[derive(Clone, Copy)]
struct Watch<'n> {
    node: &'n Node,
    happened: bool,
    happening: Option<(u32, Happening)>,
    /// Whether a crash is to be tried after each change.
    crash: bool,
}

/// What became of a start.
struct Outcome {
    /// Nothing: it was stopped, since it goes on as one did before.
    end: Option<End>,
    state: State,
    misuse: Option<Violation>,
    swayed: bool,
}

impl Outcome {
    fn of(end: Option<End>, machine: Machine, boot: &Boot) -> Self {
        let stayed = if end == Some(End::Current) { machine.stayed() } else { None };
        Self { misuse: machine.misuse().or(stayed), end, state: machine.state, swayed: boot.swayed }
    }
}

impl<'a> Explorer<'a> {
    pub fn new(
        setting: &'a Setting,
        model: Model,
        bounds: &Bounds,
        mutant: Option<&'a Mutant>,
    ) -> Self {
        // The crash after which the daemon in the field goes on is one more: what is explored is
        // what our own start does then.
        let before = setting.legacy_after().unwrap_or(0);
        let bounds = Bounds {
            crashes: bounds.crashes + before,
            happening_after_crashes: bounds.happening_after_crashes + before,
            ..*bounds
        };
        Self {
            setting,
            model,
            bounds,
            mutant,
            report: Report::default(),
            queue: VecDeque::new(),
            last: Vec::new(),
            met: BTreeMap::new(),
            covered: BTreeSet::new(),
            judged: BTreeSet::new(),
        }
    }

    /// Runs a start from this state, to its end, with everything that may come between.
    pub fn expand(&mut self, node: &Node) {
        self.report.starts += 1;
        self.report.states.insert(node.state.key());
        let setting = self.setting;
        let plain = Watch { node, happened: node.happened, happening: None, crash: true };
        if setting.legacy_after() == Some(node.crashes) && invariant::is_v1(&node.state, setting) {
            self.watch(plain, |tap, _| {
                let mut machine = Machine::new(node.state.clone(), setting, tap);
                matrix::legacy_daemon(&mut machine);
                Outcome::of(None, machine, &Boot::new(true))
            });
            return;
        }
        let may_happen = !node.happened
            && (self.bounds.others || self.bounds.faults != Faults::None)
            && node.crashes <= self.bounds.happening_after_crashes;
        let (mutant, bounds) = (self.mutant, self.bounds);
        let mut forks = Vec::new();
        let outcome = self.watch(plain, |tap, looks| {
            let mut machine = Machine::new(node.state.clone(), setting, tap);
            let mut boot = Boot::new(true);
            let (mut at, mut looked) = (0, false);
            let end = boot.go(&mut machine, None, mutant, &mut |boot, machine, before| {
                let (run, op) = match before {
                    Before::Look => return looks.stop(boot, machine),
                    Before::Migrate => {
                        return looks.recovered(boot, machine) || bounds.only_recovery;
                    }
                    Before::Op(run, op) => (run, op),
                };
                if may_happen {
                    let mut happenings = happenings(op, &bounds, setting);
                    // Between our look at a companion and the rename no program can be kept from
                    // changing it: it takes the companion's lock, or it is not
                    // protected.
                    happenings
                        .retain(|happening| !looked || *happening != Happening::CompanionChanged);
                    looked = unguarded(op, looked);
                    let (state, process) = (machine.state.clone(), machine.process.clone());
                    forks.push(Fork {
                        at,
                        state,
                        process,
                        boot: boot.clone(),
                        run: run.clone(),
                        happenings,
                    });
                }
                at += 1;
                false
            });
            looks.came_back(&machine.state);
            Outcome::of(end, machine, &boot)
        });
        if outcome.end == Some(End::Current) {
            let choice = Some((u32::MAX, Happening::ApplicationWrites));
            let watch = Watch { happening: choice, ..plain };
            let written = self.watch(watch, |tap, _| {
                let mut machine = Machine::new(outcome.state.clone(), setting, tap);
                others::application(&mut machine);
                Outcome::of(Some(End::Current), machine, &Boot::new(true))
            });
            self.end(watch, &written);
        }
        self.end(plain, &outcome);
        for fork in forks {
            for happening in &fork.happenings {
                self.fork(node, &fork, *happening);
            }
        }
    }

    fn fork(&mut self, node: &Node, fork: &Fork, happening: Happening) {
        let (setting, mutant, bounds) = (self.setting, self.mutant, self.bounds);
        let watch = Watch {
            node,
            happened: true,
            happening: Some((fork.at, happening)),
            crash: bounds.crash_after_happening,
        };
        let mut idle = false;
        self.report.starts += 1;
        let outcome =
            self.watch(watch, |tap, looks| {
                let mut machine = Machine::new(fork.state.clone(), setting, tap);
                machine.process = fork.process.clone();
                let mut run = fork.run.clone();
                idle = !happen(&mut machine, &mut run, happening);
                if idle {
                    return Outcome::of(None, machine, &fork.boot);
                }
                let mut boot = fork.boot.clone();
                let end = boot.go(&mut machine, Some(run), mutant, &mut |boot, machine, before| {
                    match before {
                        Before::Look => looks.stop(boot, machine),
                        Before::Migrate => looks.recovered(boot, machine) || bounds.only_recovery,
                        Before::Op(..) => false,
                    }
                });
                looks.came_back(&machine.state);
                Outcome::of(end, machine, &boot)
            });
        if !idle {
            self.end(watch, &outcome);
        }
    }

    /// Runs something with every change watched: each is judged, and what a crash there may leave
    /// is queued.
    fn watch(&mut self, watch: Watch, run: impl FnOnce(Tap, &mut Looks) -> Outcome) -> Outcome {
        let Watch { node, happened, happening, crash } = watch;
        let (setting, model, bounds) = (self.setting, self.model, self.bounds);
        let links = setting.links();
        let crash = crash && node.crashes < bounds.crashes;
        let is_last = node.crashes + 1 >= bounds.crashes;
        let mut looks = Looks {
            covered: std::mem::take(&mut self.covered),
            own: Vec::new(),
            setting,
            happened,
            crash,
            was_v2: is_v2(&node.state, setting),
            wrong: None,
        };
        let (report, met) = (&mut self.report, &mut self.met);
        let mut found = Vec::new();
        let mut tick = 0;
        let mut tap = |state: &State| {
            report.transitions += 1;
            tick += 1;
            let choice = |variant: u32, copied: bool| Choice {
                happening,
                crash: Some((tick, variant)),
                copied,
            };
            // Whether it is new, and good enough to go on from.
            let mut meets = |state: &State, choice: &Choice| {
                let key = state.key();
                let before = met.get(&key);
                if before.is_none()
                    && links
                    && let Some(violation) = invariant::at_every_instant(state, setting)
                {
                    met.insert(key, Met { plain: true, happened: true });
                    report.bad.push(node.counterexample(setting, model, choice.clone(), violation));
                    return false;
                }
                let before = before.copied().unwrap_or_default();
                let fresh = crash && !before.plain && !(happened && before.happened);
                let plain = before.plain || (crash && !happened);
                met.insert(key, Met { plain, happened: before.happened || crash });
                fresh
            };
            let mut queue = |state: State, choice: Choice| {
                let path = Some(Rc::new(Path { before: node.path.clone(), choice }));
                found.push(Node { state, path, crashes: node.crashes + 1, happened });
            };
            let state = state.as_seen(setting);
            if !meets(&state, &choice(0, false)) {
                return;
            }
            if model != Model::M0 && !state.disk.is_flushed() {
                for (variant, disk) in (1..).zip(state.disk.some_power_losses(model, bounds.exact))
                {
                    let mut after = State { disk, ledger: state.ledger.clone() };
                    after.ledger.v2_durable |= is_v2(&after, setting) && links;
                    if bounds.copies {
                        let copied =
                            State { disk: after.disk.copied(), ledger: after.ledger.clone() }
                                .as_seen(setting);
                        if meets(&copied, &choice(variant, true)) {
                            queue(copied, choice(variant, true));
                        }
                    }
                    let after = after.as_seen(setting);
                    if meets(&after, &choice(variant, false)) {
                        queue(after, choice(variant, false));
                    }
                }
            }
            queue(state, choice(0, false));
        };
        let mut outcome = run(&mut tap, &mut looks);
        if let Some(violation) = looks.wrong.take() {
            outcome.misuse.get_or_insert(violation);
        }
        self.covered = looks.covered;
        self.report.swayed |= outcome.swayed;
        if crash && is_last {
            // No start from one of these may crash, so none of them adds to the list.
            self.last.extend(found);
            while let Some(node) = self.last.pop() {
                if self.report.bad.len() < bounds.stop_after {
                    self.expand(&node);
                }
            }
        } else {
            self.queue.extend(found);
        }
        outcome
    }

    /// Judges how a start ended.
    fn end(&mut self, watch: Watch, outcome: &Outcome) {
        let setting = self.setting;
        let mut violation = outcome.misuse.clone();
        if violation.is_none() {
            violation = match &outcome.end {
                None => return,
                Some(End::Endless) => {
                    Some(Violation { rule: "I5", what: "the start does not end".into() })
                }
                Some(End::NoDatabase) => {
                    Some(Violation { rule: "I1", what: "the start found no database".into() })
                }
                Some(End::Failed(failure))
                    if !watch.happened && !setting.never_upgrades() && !setting.refuses() =>
                {
                    Some(Violation {
                        rule: "I5",
                        what: format!("nothing was in the way, and the start failed: {failure}"),
                    })
                }
                Some(end) => self
                    .left_nothing(watch, end, &outcome.state)
                    .or_else(|| self.afterwards(&outcome.state)),
            };
        }
        if let Some(violation) = violation {
            let choice = Choice { happening: watch.happening, crash: None, copied: false };
            self.report.bad.push(watch.node.counterexample(setting, self.model, choice, violation));
        }
    }

    /// A start that had nothing in its way, and could remove what it had made, leaves nothing for
    /// the next to do.
    fn left_nothing(&self, watch: Watch, end: &End, state: &State) -> Option<Violation> {
        let removes =
            self.setting.platform != Platform::Windows || self.setting.zombie == Zombie::None;
        if *end == End::Current && !watch.happened && removes {
            invariant::at_end(state, self.setting)
        } else {
            None
        }
    }

    /// What was in the way is gone: the next start must end well, and the one after it must find
    /// nothing to do.
    fn afterwards(&mut self, state: &State) -> Option<Violation> {
        let setting = self.setting;
        let state = state.as_seen(setting);
        if !self.judged.insert(state.key()) {
            return None;
        }
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(state.clone(), setting, &mut ignore);
        let mutant = self.mutant;
        let start = |machine: &mut Machine, migrate| {
            Boot::new(migrate).go(machine, None, mutant, &mut |_, _, _| false)
        };
        let again = start(&mut machine, false);
        if setting.refuses() {
            let same = machine.state == state;
            return (!same).then(|| Violation {
                rule: "I5",
                what: "a start that refuses has changed the disk".into(),
            });
        }
        if matches!(again, Some(End::Failed(_) | End::Endless | End::NoDatabase)) {
            return Some(Violation {
                rule: "I5",
                what: format!("next start: {}", End::told(again.as_ref())),
            });
        }
        if let Some(violation) = invariant::at_end(&machine.state, setting) {
            return Some(violation);
        }
        let before = machine.state.clone();
        let third = start(&mut machine, false);
        if third != again || machine.state != before {
            return Some(Violation {
                rule: "I5",
                what: "a start that has nothing to do has changed the disk".into(),
            });
        }
        if again == Some(End::Old) && !setting.never_upgrades() {
            let end = start(&mut machine, true);
            if end != Some(End::Current) {
                return Some(Violation {
                    rule: "I5",
                    what: format!("next start: {}", End::told(end.as_ref())),
                });
            }
            // What a zombie keeps this process from removing is removed by the next.
            machine.process = Process::default();
            start(&mut machine, false);
            return invariant::at_end(&machine.state, setting);
        }
        None
    }
}

/// What one start looked at.
struct Looks<'a> {
    covered: BTreeSet<Key>,
    own: Vec<Key>,
    setting: &'a Setting,
    happened: bool,
    crash: bool,
    was_v2: bool,
    wrong: Option<Violation>,
}

impl Looks<'_> {
    /// Whether a start that looks at this state now need not go on.
    fn stop(&mut self, boot: &Boot, machine: &Machine) -> bool {
        self.came_back(&machine.state);
        let mut hash = Sha256::new();
        machine.state.as_seen(self.setting).feed(&mut hash);
        machine.process.feed(&mut hash);
        boot.feed(&mut hash);
        hash.update([u8::from(self.happened), u8::from(self.crash)]);
        let key = key_of(hash);
        if self.own.contains(&key) {
            self.wrong.get_or_insert(Violation {
                rule: "I5",
                what: "the start does the same again and again".into(),
            });
            return true;
        }
        self.own.push(key);
        self.wrong.is_some() || !self.covered.insert(key)
    }

    /// What a migration begins with is as good as an end: nothing is left of what was recovered,
    /// unless a clean-up failed.
    fn recovered(&mut self, boot: &Boot, machine: &Machine) -> bool {
        if boot.left.is_none()
            && let Some(violation) = invariant::at_end(&machine.state, self.setting)
        {
            self.wrong.get_or_insert(violation);
        }
        self.wrong.is_some()
    }

    /// A start never turns a v2 back into a v1.
    fn came_back(&mut self, state: &State) {
        if self.was_v2 && !is_v2(state, self.setting) {
            self.wrong.get_or_insert(Violation {
                rule: "I3",
                what: "canonical was v2 and is v1 again".into(),
            });
        }
    }
}

/// Lets it happen. False: there was nothing to happen to.
pub(super) fn happen(machine: &mut Machine, run: &mut Run, happening: Happening) -> bool {
    match happening {
        Happening::OlderApplication => others::older_application(machine, false, true),
        Happening::OlderApplicationKilled => others::older_application(machine, true, true),
        Happening::OlderApplicationInRollbackMode => {
            others::older_application(machine, false, false)
        }
        Happening::OlderApplicationStays => others::older_application_stays(machine),
        Happening::CompanionChanged => others::change_companion(machine),
        Happening::ApplicationWrites => others::application(machine),
        Happening::FailsOnce(fail) | Happening::Fails(fail) => {
            if let Action::Perform { op, .. } = run.poll() {
                machine.process.fault = Some(Planted {
                    op,
                    fail,
                    for_ever: matches!(happening, Happening::Fails(_)),
                    spent: false,
                });
            }
            true
        }
    }
}

/// Whether, after this op, a companion was looked at whose name somebody may still change.
fn unguarded(op: &Op, looked: bool) -> bool {
    match op {
        Op::LookCompanion { .. } => true,
        // What is kept beside is what it was then.
        Op::Link { to: at, .. } => at.companion.is_some(),
        // Likewise where its name is taken away: whoever makes it anew is between the look and the
        // rename.
        Op::Rename { to: at, .. } if at.name.as_str().contains(".displaced-") => {
            at.companion.is_some()
        }
        Op::SyncDir { companion } => looked && companion.is_some(),
        _ => false,
    }
}
