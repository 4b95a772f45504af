//! Everything that is explored: which scenarios, under which models, how far.

use crate::model::power_loss::Model;
use crate::scenario::bounds::{Bounds, Faults};
use crate::scenario::table::{
    adopted, adopted_on_windows, companions, held_before, kept, kept_on_windows, left_behind,
    legacy, on_windows, page_copies, restored_by_pages_on_windows, shapes, wrong, zombies,
};
use crate::scenario::{InitialState, Scenario};
use cutover_core::BuildFrom;

/// One row of the table: scenarios crossed with models.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// In words.
    pub name: &'static str,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// How the machine may stop.
    pub models: Vec<Model>,
    /// How far it goes.
    pub bounds: Bounds,
}

/// A crash at any change, and one more at any change of the recovery.
const TWO_CRASHES: Bounds = Bounds { crashes: 2, stop_after: 3, ..Bounds::ONE_CRASH };
/// An interference in a start, or in the recovery after a crash; and a crash at any change after
/// it.
const CROSSED: Bounds = Bounds {
    actors: true,
    faults: Faults::All,
    interference_after_crashes: 1,
    crash_after_interference: true,
    stop_after: 3,
    ..Bounds::ONE_CRASH
};

/// As [`CROSSED`], in a recovery of what the legacy daemon left, up to its end. The machine stops
/// twice before or after.
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
        let all = || plans().into_iter().chain(legacy()).collect::<Vec<_>>();
        // A page copy makes many changes. Crossing each with everything else takes long, so only
        // the scenarios with most to lose are crossed.
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
                "what the legacy daemon leaves at each step, also beside cutover's journal",
                legacy(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension(
                "recovery of the legacy cutover: an interference, and three crashes",
                legacy(),
                &[M3],
                RECOVERED,
            ),
            dimension(
                "Windows: recovery of the legacy cutover, an interference, and three crashes",
                on_windows(legacy()),
                &[Windows],
                RECOVERED,
            ),
            dimension(
                "every plan: an interference anywhere, and a crash before or after it",
                all(),
                &[M3],
                CROSSED,
            ),
            dimension(
                "every plan: the directory copied after a crash, which cuts hard links",
                all(),
                &[M3],
                copied,
            ),
            dimension(
                "page copy: the machine stopped twice",
                page_copies(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension("page copy: an interference, and a crash", crossed(), &[M3], CROSSED),
            dimension(
                "page copy: the directory copied after a crash",
                page_copies(),
                &[M3],
                copied,
            ),
            dimension(
                "Windows, page copy: the machine stopped twice",
                on_windows(page_copies()),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows, page copy: an interference, and a crash",
                on_windows(crossed()),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows, every plan and the legacy cutover: the machine stopped twice",
                on_windows(all()),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows, every plan: an interference, and a crash",
                on_windows(all()),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows, every plan: the directory copied after a crash",
                on_windows(all()),
                &[Windows],
                copied,
            ),
            dimension(
                "Windows, v1 held by a leaked connection: the machine stopped twice",
                held_before(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows, v1 held by a leaked connection: an interference, and a crash",
                most_to_lose(held_before()),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows, v1 held by a leaked connection: the directory copied after a crash",
                held_before(),
                &[Windows],
                copied,
            ),
            dimension(
                "v1 moves away from a leaked connection: the machine stopped twice",
                left_behind(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension(
                "v1 moves away from a leaked connection: an interference, and a crash",
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
            dimension("restores and prunes: an interference, and a crash", kept(), &[M3], CROSSED),
            dimension(
                "adoptions: the machine stopped twice",
                adopted(),
                &[M0, M1, M2, M3],
                TWO_CRASHES,
            ),
            dimension("adoptions: an interference, and a crash", adopted(), &[M3], CROSSED),
            dimension(
                "Windows, adoptions: the machine stopped twice",
                adopted_on_windows(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows, adoptions: an interference, and a crash",
                adopted_on_windows(),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "restores and prunes: the directory copied after a crash",
                kept(),
                &[M3],
                copied,
            ),
            dimension(
                "Windows, restores and prunes: the machine stopped twice",
                kept_on_windows(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows, restores and prunes: an interference, and a crash",
                kept_on_windows(),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows, restores and prunes: the directory copied after a crash",
                kept_on_windows(),
                &[Windows],
                copied,
            ),
            dimension(
                "Windows, restores by page copy: the machine stopped twice",
                restored_by_pages_on_windows(),
                &[Windows],
                TWO_CRASHES,
            ),
            dimension(
                "Windows, restores by page copy: an interference, and a crash",
                restored_by_pages_on_windows(),
                &[Windows],
                CROSSED,
            ),
            dimension(
                "Windows, restores by page copy: the directory copied after a crash",
                restored_by_pages_on_windows(),
                &[Windows],
                copied,
            ),
        ]
    }

    /// The table within bounds that take seconds: one crash instead of two, and only M0 where
    /// scenarios are crossed with interferences.
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
