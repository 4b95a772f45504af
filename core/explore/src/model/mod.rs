//! The model: a disk with files, names and what of both is durable, and what SQLite reads from it.

pub mod database;
pub mod disk;
pub mod power_loss;
pub mod sqlite;
pub mod state;
