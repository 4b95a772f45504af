//! The options of an upgrade, and of work on backups.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::{BUDGET_MS, BuildFrom};

use crate::lock::OwnerLock;
use crate::types::{BuildBy, Detect, Held, Integrity, Make, Unseen};

/// How the owner lock is held. Default: [`Lock::Acquire`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Lock {
    /// The call takes the lock and releases it when it ends. The call fails as `OWNED` if another
    /// process has it.
    #[default]
    Acquire,
    /// The caller took the lock with [`crate::lock`] and keeps it.
    Own(OwnerLock),
    /// The caller holds a lock of its own that serves the same purpose. cutover takes none.
    Held,
}

/// Methods that set a field and give the options back.
macro_rules! setters {
    ($options:ty { $($field:ident($value:ty) $set:expr,)* }) => {
        impl $options {
            $(
                #[doc = concat!("Sets [`Self::", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $value) -> Self {
                    self.$field = $set;
                    self
                }
            )*

            /// Sets the companions: each a name and a path.
            #[must_use]
            pub fn companions(
                mut self,
                companions: impl IntoIterator<Item = (impl Into<String>, impl Into<PathBuf>)>,
            ) -> Self {
                let owned = companions.into_iter().map(|(name, path)| (name.into(), path.into()));
                self.companions = owned.collect();
                self
            }
        }
    };
}
pub(crate) use setters;

/// The options of [`crate::migrate`]. [`Options::new`] sets the defaults, and a method of each
/// field's name sets that field.
///
/// ```
/// use cutover::{BuildBy, BuildFrom, Detect, Integrity, Make, Options};
///
/// let sql = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT); PRAGMA user_version = 2";
/// let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) };
/// let options = Options::new("data.db", "v1-v2", Detect::UserVersion(2), make)
///     .companions([("auth", "auth.json")])
///     .integrity(Integrity::Full)
///     .keep_backups(2);
/// assert_eq!(options.keep_backups, Some(2));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The database. cutover resolves symbolic links once; v2 replaces the real file.
    pub path: PathBuf,
    /// The name of this upgrade, for example `v1-v2`, which becomes part of the backup's name. 1 to
    /// 32 characters of `a-z`, `0-9` and `-`; the first and the last are not `-`. Other names use
    /// `source`, `building`, `install`, `owner`, `cutover`, `displaced` and `aside`, so none of
    /// these is a label.
    pub label: String,
    /// How v1 is told from v2.
    pub detect: Detect,
    /// Tells the callback of [`Detect::Host`] from every other callback in this process. With it
    /// `migrate` answers at once beside a leaked connection if this process has found the database
    /// current, as it does for every other [`Detect`]. Default: none, and `migrate` waits.
    pub detect_id: Option<String>,
    /// How v2 is made.
    pub make: Make,
    /// Whether [`crate::Host::verify`] checks v2 before it is installed. Default: no.
    pub verify: bool,
    /// Files outside the database that change with it. The key is a name of 1 to 32 letters,
    /// digits, `_` and `-`; the value is the file's path. Default: none.
    ///
    /// Two data directories may share a companion. So cutover locks each one (`<file>.cutover-lock`
    /// beside it) until the call ends, for every value of [`Options::lock`]. A companion whose
    /// directory does not exist is not locked.
    ///
    /// cutover installs what the build passes to [`crate::Job::write_companion`] durably with v2.
    /// If a build writes a companion in place instead, an undo puts the old content back; the build
    /// must flush what it wrote before it returns.
    pub companions: BTreeMap<String, PathBuf>,
    /// How the owner lock is held. Default: [`Lock::Acquire`].
    pub lock: Lock,
    /// What cutover does if this process has the database open. Default: [`Held::Refuse`]. Without
    /// effect on Windows, where cutover copies v2 into the open database.
    pub held: Held,
    /// What cutover does where it cannot be told which other programs have the database open.
    /// Default: [`Unseen::Refuse`].
    pub unseen: Unseen,
    /// Total time to wait for locks and open handles, in milliseconds. Default: 10,000.
    pub wait_ms: u64,
    /// How thoroughly v2 is checked. Default: [`Integrity::Quick`].
    pub integrity: Integrity,
    /// Whether SQLite checks v1 before v2 is installed (`PRAGMA quick_check`): beside a build by
    /// SQL, on a thread of its own, and before a callback. Default: yes.
    ///
    /// Without it a v1 that lost rows, or is cut, may come over without them; it then becomes the
    /// newest whole backup, beside which [`Options::keep_backups`] may remove a sound one. A build
    /// that meets the damage fails as `V1_CORRUPT` in any case.
    pub check_v1: bool,
    /// How many whole backups to keep, counted from the newest. A start removes the others once it
    /// has installed v2, or has cleaned up after a start that had. `None`, the default, keeps all.
    /// See [`crate::prune_backups`].
    pub keep_backups: Option<u32>,
}

impl Options {
    /// The default options: the call takes the owner lock, waits 10 s at most in total, and gives
    /// v2 a quick check.
    #[must_use]
    pub fn new(
        path: impl Into<PathBuf>,
        label: impl Into<String>,
        detect: Detect,
        make: Make,
    ) -> Self {
        Self {
            path: path.into(),
            label: label.into(),
            detect,
            detect_id: None,
            make,
            verify: false,
            companions: BTreeMap::new(),
            lock: Lock::Acquire,
            held: Held::Refuse,
            unseen: Unseen::Refuse,
            wait_ms: BUDGET_MS,
            integrity: Integrity::Quick,
            check_v1: true,
            keep_backups: None,
        }
    }
}

setters!(Options {
    path(impl Into<PathBuf>) path.into(),
    label(impl Into<String>) label.into(),
    detect(Detect) detect,
    detect_id(impl Into<String>) Some(detect_id.into()),
    make(Make) make,
    verify(bool) verify,
    lock(Lock) lock,
    held(Held) held,
    unseen(Unseen) unseen,
    wait_ms(u64) wait_ms,
    integrity(Integrity) integrity,
    check_v1(bool) check_v1,
    keep_backups(u32) Some(keep_backups),
});

/// The options of [`crate::restore`], [`crate::prune_backups`] and [`crate::adopt_backup`].
/// [`BackupOptions::default`] sets the defaults, and a method of each field's name sets that field.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupOptions {
    /// The companions, declared as the upgrade declared them: name to path. Default: none.
    pub companions: BTreeMap<String, PathBuf>,
    /// How the owner lock is held. Default: [`Lock::Acquire`].
    pub lock: Lock,
    /// What cutover does where it cannot be told which other programs have the database open. A
    /// prune does not ask. Default: [`Unseen::Refuse`].
    pub unseen: Unseen,
    /// Total time to wait for locks and open handles, in milliseconds. Default: 10,000.
    pub wait_ms: u64,
    /// How thoroughly a restored or adopted backup is checked. Default: [`Integrity::Quick`].
    pub integrity: Integrity,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            companions: BTreeMap::new(),
            lock: Lock::Acquire,
            unseen: Unseen::Refuse,
            wait_ms: BUDGET_MS,
            integrity: Integrity::Quick,
        }
    }
}

setters!(BackupOptions {
    lock(Lock) lock,
    unseen(Unseen) unseen,
    wait_ms(u64) wait_ms,
    integrity(Integrity) integrity,
});

impl BackupOptions {
    /// Options of an upgrade that is never made, for a session that detects and builds nothing.
    pub(crate) fn stand_in(&self, path: &Path, label: &str) -> Options {
        Options {
            companions: self.companions.clone(),
            lock: self.lock.clone(),
            unseen: self.unseen,
            wait_ms: self.wait_ms,
            integrity: self.integrity,
            ..Options::new(
                path,
                label,
                Detect::Host,
                Make { from: BuildFrom::Empty, run: BuildBy::Host },
            )
        }
    }
}
