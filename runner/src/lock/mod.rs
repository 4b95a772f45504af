//! One application at a time: the owner lock, and a lock beside each companion.

mod companion;
mod owner;

pub(crate) use companion::CompanionLocks;
pub(crate) use owner::{CallGuard, take};
pub use owner::{OwnerLock, lock};
