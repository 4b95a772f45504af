//! The simulator: one start of the application on the model disk, by the real planner and the real
//! `Run`, with every interference.

pub mod actors;
pub mod faults;
pub mod legacy;
pub mod machine;
pub mod normalizer;
mod page_copy;
mod perform;
pub mod process;
mod sqlite;
pub mod start;
