//! The simulator: one start of the application, by the real planner and the real `Run`, on the model
//! disk, with everything that may be in its way.

pub mod actors;
pub mod faults;
pub mod legacy;
pub mod machine;
mod normalized;
mod page_copy;
mod perform;
pub mod process;
mod sqlite;
pub mod start;
