//! Explores.
use cutover_core::explore::*;
fn go(name: &str, settings: Vec<Setting>, models: &[Model], bounds: Bounds) {
    for setting in settings {
        for model in models {
            let t = std::time::Instant::now();
            let report = explore(&setting, *model, &bounds, None);
            println!(
                "{name} {:?} {:?} {:?} {:?} {} {:?} {} states {} transitions {} starts {} bad {} {:?}",
                setting.shape,
                setting.by,
                setting.from,
                setting.host,
                setting.companion_before,
                setting.zombie,
                model.as_str(),
                report.states.len(),
                report.transitions,
                report.starts,
                report.bad.len(),
                t.elapsed()
            );
            if let Some(bad) = report.bad.first() {
                println!("{}", bad.tell(None));
            }
        }
    }
}
fn main() {
    let which = std::env::args().nth(1).unwrap_or_default();
    let plain = Bounds {
        crashes: 2,
        others: false,
        faults: false,
        happening_after_crashes: 1,
        crash_after_happening: false,
        copies: false,
        stop_after: 1,
    };
    let posix = [Model::M0, Model::M1, Model::M2, Model::M3];
    if which == "controls" {
        let setting = &matrix::shapes()[0];
        for flip in [control::Flip::TwoRenameLiveLog, control::Flip::TwoRenameSettled, control::Flip::LinkReplaceUnflushed, control::Flip::LinkReplace] {
            println!("{flip:?} {:?} {:?}", control::count(setting, flip, Model::M1), control::count(setting, flip, Model::M2));
        }
    }
    if which == "mutants" {
        let settings: Vec<Setting> = matrix::mutants();
        let plans = mutate::plans(&settings);
        let mutants = mutate::Mutant::all(&plans);
        println!("{} plans {} mutants", plans.len(), mutants.len());
        let runs = [(Model::M2, Bounds { crashes: 1, ..plain }), (Model::M3, plain), (Model::M0, Bounds { crashes: 1, others: true, faults: true, ..plain })];
        let t = std::time::Instant::now();
        for mutant in mutants {
            match mutate::fate(&mutant, &settings, &runs) {
                mutate::Fate::Caught(bad) => println!("caught {mutant}: {}", bad.violation.rule),
                fate => println!("{fate:?} {mutant}"),
            }
        }
        println!("{:?}", t.elapsed());
    }
    match which.as_str() {
        "shapes" => go("shapes", matrix::shapes(), &posix, plain),
        "companions" => go("companions", matrix::companions(), &posix, plain),
        "zombies" => go("zombies", matrix::zombies(), &posix, plain),
        "windows" => {
            go("windows", matrix::on_windows(matrix::shapes()), &[Model::M0, Model::Windows], plain);
            go("windows", matrix::on_windows(matrix::companions()), &[Model::M0, Model::Windows], plain);
            go("windows", matrix::on_windows(matrix::zombies()), &[Model::M0, Model::Windows], plain);
        }
        "winothers" => {
            for s in [matrix::shapes(), matrix::companions(), matrix::zombies()] {
                go(
                    "winothers",
                    matrix::on_windows(s),
                    &[Model::M0, Model::Windows],
                    Bounds { crashes: 1, others: true, faults: true, ..plain },
                )
            }
        }
        "others" => {
            for s in [matrix::shapes(), matrix::companions(), matrix::zombies()] {
                go("others", s, &[Model::M0, Model::M2], Bounds { crashes: 2, others: true, ..plain })
            }
        }
        "faults" => {
            for s in [matrix::shapes(), matrix::companions(), matrix::zombies()] {
                go("faults", s, &[Model::M0, Model::M2], Bounds { crashes: 1, faults: true, ..plain })
            }
        }
        "field" => go("field", matrix::field(), &posix, plain),
        "copies" => {
            for s in [matrix::shapes(), matrix::companions()] {
                go("copies", s, &[Model::M0, Model::M2], Bounds { crashes: 1, copies: true, ..plain })
            }
        }
        _ => {}
    }
}
