//! How far an exploration goes.

/// How far the exploration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one bound, and they are crossed freely")]
pub struct Bounds {
    /// The most crashes: 2 means one in the upgrade and one in its recovery.
    pub crashes: u8,
    /// Whether an older application and other programs may act between any two ops.
    pub actors: bool,
    /// Which ops may fail.
    pub faults: Faults,
    /// Interferences happen in a start after at most this many crashes: 1 includes the first
    /// recovery.
    pub interference_after_crashes: u8,
    /// Whether crashes are enumerated after an interference.
    pub crash_after_interference: bool,
    /// Whether the directory may be copied between a crash and the recovery.
    pub copies: bool,
    /// Every subset is tried of at most this many unflushed changes of a directory. Of more, only
    /// some subsets are.
    pub exact: usize,
    /// Whether a start ends after its recovery. An upgrade that begins there is as good as a first
    /// one.
    pub only_recovery: bool,
    /// The exploration stops after this many counterexamples.
    pub stop_after: usize,
}

/// Which ops may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// No op fails.
    None,
    /// One op before the journal says `built`, and some after it: failures that lead to an undo.
    ToUndo,
    /// Every op, in every way, once or for ever.
    All,
}

impl Bounds {
    /// One crash, no interference, and the first counterexample ends the exploration.
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
