use cutover_core::explore::*;
use cutover_core::plan::{By, From};
fn main() {
    for shape in [Shape::Settled, Shape::WalClosed, Shape::WalRows, Shape::HotJournal, Shape::JournalTmp, Shape::Orphans, Shape::UnreadableJournal, Shape::NoCanonical] {
        for (by, from) in [(By::Sql, From::Empty), (By::Sql, From::Copy), (By::Host, From::Empty), (By::Host, From::Copy)] {
            for model in [Model::M0, Model::M1, Model::M2, Model::M3] {
                let setting = matrix::plain(shape, by, from).unwrap();
                let bounds = Bounds { crashes: 2, others: false, faults: false, crash_after_happening: false, copies: false, stop_after: 1 };
                let t = std::time::Instant::now();
                let report = explore(&setting, model, &bounds, None);
                println!("{shape:?} {by:?} {from:?} {} states {} transitions {} starts {} bad {} {:?}", model.as_str(), report.states.len(), report.transitions, report.starts, report.bad.len(), t.elapsed());
                if let Some(bad) = report.bad.first() { println!("{}", bad.tell(None)); return; }
            }
        }
    }
}
