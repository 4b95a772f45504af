//! How far an exploration goes.

/// How far the exploration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one bound, and they are crossed freely")]
pub struct Bounds {
    /// How many crashes there may be: 2 is a crash in the migration and one further in the
    /// recovery.
    pub crashes: u8,
    /// Whether an older application and others may come between any two ops.
    pub actors: bool,
    /// Which ops may fail.
    pub faults: Faults,
    /// After how many crashes something may still happen: 1 is in the first recovery as well.
    pub interference_after_crashes: u8,
    /// Whether crashes are enumerated after a happening.
    pub crash_after_interference: bool,
    /// Whether the directory may be copied between a crash and the recovery.
    pub copies: bool,
    /// Of how many changes of a directory a power loss may lose any subset; of more, not every one
    /// is tried.
    pub exact: usize,
    /// Whether a start ends where its recovery does: what begins there is as good as new.
    pub only_recovery: bool,
    /// How many counterexamples are kept before it stops.
    pub stop_after: usize,
}

/// Which ops may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// None does.
    None,
    /// One before the journal says `built`, and some behind it: what an undo begins with.
    ToUndo,
    /// Every op, in every way, once and for ever.
    All,
}

impl Bounds {
    /// One crash, nothing else in the way, and the first counterexample ends it.
    pub const ONE_CRASH: Self = Self {
        crashes: 1,
        actors: false,
        faults: Faults::None,
        interference_after_crashes: 0,
        crash_after_interference: false,
        copies: false,
        exact: usize::MAX,
        only_recovery: false,
        stop_after: 1,
    };
}
