//! The steps that plans share, each group in its one right order. Every function takes a journal
//! and returns steps; none looks at the disk.
//!
//! | file | holds |
//! | --- | --- |
//! | `journal.rs` | writing and removing the journal and the receipt |
//! | `flip.rs` | making v2 canonical by a hard link and a rename, and v1 in a restore |
//! | `page_copy.rs` | the flip where canonical cannot be linked |
//! | `companions.rs` | comparing, installing and putting back companions |
//! | `cleanup.rs` | what follows the commit |
//! | `undo.rs` | what follows a failure before the flip |

mod cleanup;
mod companions;
mod flip;
mod journal;
pub(super) mod page_copy;
mod undo;

pub(super) use cleanup::{clean_up, cleanup_index, temporary};
pub(super) use companions::{
    Which, companion_names, install_companions, is_kept, is_staged, kept_with_backup, set_aside,
    undo_companions,
};
pub use flip::displaced_by;
pub(super) use flip::{
    BackupName, check_no_stale_handles, flip, flip_of_restore, position_of_flip,
};
pub(super) use journal::{
    FLUSH, commit, flush_directories, receipt_steps, remove_half_written, remove_tmp,
    stray_journal_tmps, tmp, write_journal,
};
pub(super) use undo::{discard_v2, end_undo, give_wal_back, had_wal, restore_v1_name, undo};
