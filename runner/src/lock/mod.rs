//! One application at a time: the owner lock, and a lock beside each companion.

mod companion;
mod owner;

pub(crate) use companion::CompanionLocks;
pub use owner::OwnerLock;
pub(crate) use owner::{CallGuard, take};
