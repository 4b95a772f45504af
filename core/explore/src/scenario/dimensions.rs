//! The table of everything that is explored: which starts, under which models, how far.

use crate::model::power_loss::Model;
use crate::scenario::bounds::{Bounds, Faults};
use crate::scenario::table::{
    companions, field, held_before, kept, kept_on_windows, left_behind, on_windows, page_copies,
    restored_by_pages_on_windows, shapes, wrong, zombies,
};
use crate::scenario::{InitialState, Scenario};
use cutover_core::plan::BuildFrom;

/// One line of the table: what is crossed with what.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// What it is about.
    pub name: &'static str,
    /// The starts.
    pub scenarios: Vec<Scenario>,
    /// How the machine may stop.
    pub models: Vec<Model>,
    /// How far it goes.
    pub bounds: Bounds,
}

/// A crash anywhere, and one more anywhere in the recovery.
const TWO_CRASHES: Bounds = Bounds { crashes: 2, stop_after: 3, ..Bounds::ONE_CRASH };
/// Something in the way, or a fault, of a start or of the recovery after a crash; and a crash
/// anywhere after it.
const CROSSED: Bounds = Bounds {
    actors: true,
    faults: Faults::All,
    interference_after_crashes: 1,
    crash_after_interference: true,
    stop_after: 3,
    ..Bounds::ONE_CRASH
};

/// Likewise in a recovery of what the daemon in the field left, up to where it is over, which is
/// stopped twice before or after.
const RECOVERED: Bounds =
    Bounds { crashes: 3, interference_after_crashes: 2, only_recovery: true, ..CROSSED };

impl Dimension {
    /// Every crash state of every plan, each counted once: under M3 and Windows. Every state of
    /// M0, M1 and M2 is one of M3, as `core/explore/tests/it/explore.rs` shows of the model.
    #[must_use]
    pub fn full() -> Vec<Self> {
        let mut dimensions = Self::every_model();
        for dimension in &mut dimensions {
            dimension.models.retain(|model| matches!(model, Model::M3 | Model::Windows));
        }
        dimensions.retain(|dimension| !dimension.models.is_empty());
        dimensions
    }

    /// [`Dimension::full`], and M0, M1 and M2 counted on their own, which shows what each adds.
    #[must_use]
    pub fn every_model() -> Vec<Self> {
        use Model::{M0, M1, M2, M3, Windows};
        let copied = Bounds { copies: true, stop_after: 3, ..Bounds::ONE_CRASH };
        let plans = || {
            shapes()
                .into_iter()
                .chain(zombies())
                .chain(wrong())
                .chain(companions())
                .collect::<Vec<_>>()
        };
        let all = || plans().into_iter().chain(field()).collect::<Vec<_>>();
        // Crossing a page copy's every page write with everything else takes long: of these the ones
        // that have most to lose.
        let most_to_lose = |mut scenarios: Vec<Scenario>| {
            scenarios
                .retain(|of| of.initial == InitialState::WalRows && of.from == BuildFrom::Copy);
            scenarios
        };
        let crossed = || most_to_lose(page_copies());
        let dimension = |name, scenarios, models: &[Model], bounds| Dimension {
            name,
            scenarios,
            models: models.to_vec(),
            bounds,
        };
        vec![
            dimension("every plan: the process killed twice", plans(), &[M0], TWO_CRASHES),
            dimension(
                "every plan: power lost twice, changes in order",
                plans(),
                &[M1],
                TWO_CRASHES,
            ),
            dimension(
                "every plan: power lost twice, any subset of changes",
                plans(),
                &[M2],
                TWO_CRASHES,
            ),
            dimension(
                "every plan: power lost twice, a rename may leave both names",
                plans(),
                &[M3],
                TWO_CRASHES,
            ),
            dimension(
                "what the daemon in the field leaves at each step, over our journal too",
                field(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension(
                "its recovery: an older application, another writer or a fault, and three crashes",
                field(),
                &[M3],
                RECOVERED,
            ),
            dimension("the same, on Windows", on_windows(field()), &[Windows], RECOVERED),
            dimension(
                "an older application, another writer or a fault anywhere, and a crash before or \
             after it",
                all(),
                &[M3],
                CROSSED,
            ),
            dimension(
                "the directory copied after a crash: new file ids, links cut",
                all(),
                &[M3],
                copied,
            ),
            dimension(
                "where canonical cannot be linked: stopped twice",
                page_copies(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension(
                "the same: an older application, another writer or a fault, and a crash",
                crossed(),
                &[M3],
                CROSSED,
            ),
            dimension("the same: the directory copied after a crash", page_copies(), &[M3], copied),
            dimension(
                "the same, on Windows: the machine stopped twice",
                on_windows(page_copies()),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "the same, on Windows: an older application, another writer or a fault",
                on_windows(crossed()),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows: every plan and the field's, the machine stopped twice",
                on_windows(all()),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows: an older application, another writer or a fault, and a crash",
                on_windows(all()),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows: the directory copied after a crash",
                on_windows(all()),
                &[Windows],
                copied,
            ),
            dimension(
                "Windows: v1 is held by this process, the machine stopped twice",
                held_before(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "the same: an older application, another writer or a fault",
                most_to_lose(held_before()),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "the same: the directory copied after a crash",
                held_before(),
                &[Windows],
                copied,
            ),
            dimension(
                "v1 moves to a new file, away from a zombie: the machine stopped twice",
                left_behind(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension(
                "the same: an older application, another writer or a fault, and a crash",
                left_behind(),
                &[M3],
                CROSSED,
            ),
            dimension(
                "restores and prunes: the machine stopped twice",
                kept(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension(
                "restores and prunes: an older application, another writer or a fault, and a crash",
                kept(),
                &[M3],
                CROSSED,
            ),
            dimension(
                "restores and prunes: the directory copied after a crash",
                kept(),
                &[M3],
                copied,
            ),
            dimension(
                "Windows: restores and prunes, the machine stopped twice",
                kept_on_windows(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows: restores and prunes, something in the way, and a crash",
                kept_on_windows(),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows: restores and prunes, the directory copied",
                kept_on_windows(),
                &[Windows],
                copied,
            ),
            dimension(
                "Windows: restores by page copy, the machine stopped twice",
                restored_by_pages_on_windows(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows: restores by page copy, something in the way, and a crash",
                restored_by_pages_on_windows(),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows: restores by page copy, the directory copied",
                restored_by_pages_on_windows(),
                &[Windows],
                copied,
            ),
        ]
    }

    /// The same within bounds that take seconds: one crash where the full matrix has two, and crashes
    /// of the process only where it crosses.
    #[must_use]
    pub fn short() -> Vec<Self> {
        Self::every_model()
            .into_iter()
            .map(|mut dimension| {
                dimension.bounds.crashes = 1;
                if dimension.bounds.faults == Faults::All {
                    dimension.models = vec![Model::M0];
                    dimension.scenarios.retain(|scenario| {
                        (scenario.initial == InitialState::WalRows
                            && scenario.from == BuildFrom::Copy)
                            || scenario.has_backups()
                    });
                }
                dimension.scenarios.retain(|scenario| {
                    dimension.models != [Model::M3] || scenario.from == BuildFrom::Copy
                });
                dimension
            })
            .filter(|dimension| !dimension.scenarios.is_empty())
            .collect()
    }
}
