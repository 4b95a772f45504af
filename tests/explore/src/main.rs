//! Explores.
use cutover_core::explore::*;
fn go(name: &str, settings: Vec<Setting>, models: &[Model], bounds: Bounds) {
    for setting in settings {
        for model in models {
            let t = std::time::Instant::now();
            let report = explore(&setting, *model, &bounds, None);
            println!("{name} {:?} {:?} {:?} {:?} {} {:?} {} states {} transitions {} starts {} bad {} {:?}", setting.shape, setting.by, setting.from, setting.host, setting.companion_before, setting.zombie, model.as_str(), report.states.len(), report.transitions, report.starts, report.bad.len(), t.elapsed());
            if let Some(bad) = report.bad.first() { println!("{}", bad.tell(None)); }
        }
    }
}
fn main() {
    let which = std::env::args().nth(1).unwrap_or_default();
    let plain = Bounds { crashes: 2, others: false, faults: false, happening_after_crashes: 1, crash_after_happening: false, copies: false, stop_after: 1 };
    let posix = [Model::M0, Model::M1, Model::M2, Model::M3];
    match which.as_str() {
        "shapes" => go("shapes", matrix::shapes(), &posix, plain),
        "companions" => go("companions", matrix::companions(), &posix, plain),
        "zombies" => go("zombies", matrix::zombies(), &posix, plain),
        "windows" => { go("windows", matrix::on_windows(matrix::shapes()), &[Model::M0, Model::Windows], plain);
        go("windows", matrix::on_windows(matrix::companions()), &[Model::M0, Model::Windows], plain);
        go("windows", matrix::on_windows(matrix::zombies()), &[Model::M0, Model::Windows], plain); },
        "others" => { for s in [matrix::shapes(), matrix::companions(), matrix::zombies()] { go("others", s, &[Model::M0, Model::M2], Bounds { crashes: 1, others: true, ..plain }) } }
        "faults" => { for s in [matrix::shapes(), matrix::companions(), matrix::zombies()] { go("faults", s, &[Model::M0, Model::M2], Bounds { crashes: 1, faults: true, ..plain }) } }
        "copies" => { for s in [matrix::shapes(), matrix::companions()] { go("copies", s, &[Model::M0, Model::M2], Bounds { crashes: 1, copies: true, ..plain }) } }
        _ => {}
    }
}
