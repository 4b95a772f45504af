//! Interrupts a start by a panic in the host's `event`, which hears of each step before it is
//! performed. After the panic cutover's code only closes handles, as the system does after a kill.

use std::panic::resume_unwind;

use cutover::{Event, Host};

/// Ends the start before step `at`, counted from 0.
pub struct Interrupt {
    pub at: usize,
    pub seen: usize,
}

impl Host for Interrupt {
    fn event(&mut self, event: &Event) {
        if let Event::Step { .. } = event {
            if self.seen == self.at {
                resume_unwind(Box::new("interrupted"));
            }
            self.seen += 1;
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}
