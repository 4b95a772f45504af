//! Where the files of a plan are: one directory for the database, one for each companion.

use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

use cutover_core::{
    Code, CompanionName, Failure, FileName, Label, Names, Nonce, OpError, OpErrorKind, Places,
    PlanPath, Role, companion_fits,
};

use crate::os;

const DANGLING: &str = "it is a symbolic link to a file that does not exist, not a regular file";

/// How many symbolic links are followed in a row: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// One look at a path: its folder is resolved once, and what has the file's name in it is told.
pub(crate) struct Look {
    /// As it was given.
    pub path: PathBuf,
    pub absolute: io::Result<PathBuf>,
    /// The real folder.
    pub folder: io::Result<PathBuf>,
    /// What has the name there; no link is followed.
    pub kind: io::Result<FileType>,
}

impl Look {
    pub(crate) fn at(path: &Path) -> Self {
        let absolute = std::path::absolute(path);
        let parts = absolute.as_ref().ok().and_then(|path| path.parent().zip(path.file_name()));
        let none = || Err(io::ErrorKind::NotFound.into());
        let folder = parts.map_or_else(none, |(folder, _)| os::real_directory(folder));
        // Where the folder cannot be resolved, the system says why of the path as it was given.
        let real = folder.as_ref().ok().zip(parts).map(|(folder, (_, name))| folder.join(name));
        let kind = std::fs::symlink_metadata(real.as_deref().unwrap_or(path));
        let kind = kind.map(|found| found.file_type());
        Self { path: path.to_owned(), absolute, folder, kind }
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind.as_ref().is_ok_and(FileType::is_symlink)
    }
}

/// The real directory and file name of a database, and those of its companions.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub directory: PathBuf,
    pub canonical: FileName,
    pub companions: BTreeMap<CompanionName, (PathBuf, FileName)>,
    /// A companion whose path is a symbolic link to a file that does not exist.
    dangling: Option<(CompanionName, PathBuf)>,
}

impl Paths {
    /// Resolves symbolic links once. The directory must exist; the file need not.
    pub(crate) fn of(database: Look, companions: Vec<(&str, Look)>) -> Result<Self, Failure> {
        let (directory, canonical) = resolve(database)?;
        let (mut places, mut dangling) = (BTreeMap::new(), None);
        for (name, look) in companions {
            let (path, is_link) = (look.path.clone(), look.is_link());
            let name =
                CompanionName::new(name).map_err(|error| refuse(&path, &error.to_string()))?;
            let place = companion(look)?;
            if place.0 == directory && belongs(&canonical, &place.1) {
                return Err(refuse(
                    &path,
                    "a companion cannot be the database, or a file that belongs to it",
                ));
            }
            if places
                .values()
                .any(|(directory, name)| *directory == place.0 && is_one_name(name, &place.1))
            {
                return Err(refuse(&path, "two companions cannot be one file"));
            }
            if is_link && !os::exists(&place.0.join(place.1.as_str())) {
                dangling.get_or_insert_with(|| (name.clone(), path));
            }
            places.insert(name, place);
        }
        let paths = Self { directory, canonical, companions: places, dangling };
        // Not every call has a label; this is the shortest.
        Label::new("a").map_or(Ok(()), |label| paths.refuse_long(&label))?;
        Ok(paths)
    }

    /// Refuses a name that leaves no room for what this label makes of it.
    pub(crate) fn refuse_long(&self, label: &Label) -> Result<(), Failure> {
        let nonce = Nonce::from_number(0);
        let fits = Names::new(&self.canonical, label, &nonce, 0).is_ok();
        let database = (!fits).then(|| self.path(&self.canonical));
        let mut companions = self.companions.values();
        let path = database.or_else(|| {
            let (directory, file) = companions.find(|of| !companion_fits(&of.1, label, &nonce))?;
            Some(directory.join(file.as_str()))
        });
        let Some(path) = path else { return Ok(()) };
        let why = "the file's name is too long: a name that is made from it, with the label, would \
                   be longer than 255 bytes";
        let mut failure = Failure::refusal(Code::Io, why, "use a shorter name or a shorter label");
        failure.path = Some(path.display().to_string());
        Err(failure)
    }

    /// Refuses a companion that is a link to a file that does not exist: cutover makes no file
    /// where a link leads.
    pub(crate) fn refuse_dangling(&self) -> Result<(), Failure> {
        let Some((_, path)) = &self.dangling else { return Ok(()) };
        let fault = OpError::new(OpErrorKind::Irregular, DANGLING);
        let mut failure = Failure::from_fault(&fault, "look", false);
        failure.path = Some(path.display().to_string());
        Err(failure)
    }

    /// The companion that [`Self::refuse_dangling`] refuses, and what it is.
    pub(crate) fn dangling_companion(&self) -> Option<(PlanPath, String)> {
        let (companion, _) = self.dangling.as_ref()?;
        let (_, file) = self.companions.get(companion)?;
        let at = PlanPath { companion: Some(companion.clone()), name: file.clone() };
        Some((at, DANGLING.into()))
    }

    /// The real path of a directory, in the form that `self.directory` has. `None` if it cannot be
    /// resolved.
    pub(crate) fn directory_at(&self, directory: &Path) -> Option<PathBuf> {
        os::real_directory(directory).ok().map(|directory| os::plain(directory, &self.canonical))
    }

    /// Whether a name in the directory may be one of cutover's: it begins with the name of the
    /// database or of a companion, in any case. Most names of a large folder are passed over here.
    pub(crate) fn may_be_ours(&self, name: &str) -> bool {
        let begins = |with: &FileName| {
            let with = with.as_str();
            // The case of other letters may change their length.
            !with.is_ascii()
                || name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
                || !name.is_ascii()
        };
        begins(&self.canonical) || self.companions.values().any(|(_, file)| begins(file))
    }

    /// A file name in the spelling of this database. An application that opened `data.db` as
    /// `DATA.DB` left `DATA.DB-wal`.
    pub(crate) fn spelled(&self, name: FileName) -> FileName {
        let canonical = self.canonical.as_str();
        let rest = match name.as_str().split_at_checked(canonical.len()) {
            Some((start, rest))
                if start != canonical && start.to_lowercase() == canonical.to_lowercase() =>
            {
                rest
            }
            _ => return name,
        };
        match FileName::new(format!("{canonical}{rest}")) {
            Ok(ours) if os::same_file(&self.path(&ours), &self.path(&name)).unwrap_or(false) => {
                ours
            }
            _ => name,
        }
    }

    /// The path of a name in the database's directory.
    pub(crate) fn path(&self, name: &FileName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// A path relative to the database's directory. A path on another drive stays as it is.
    pub(crate) fn relative(&self, path: &Path) -> String {
        let shared = self
            .directory
            .components()
            .zip(path.components())
            .take_while(|(ours, its)| ours == its)
            .count();
        if shared == 0 {
            return path.display().to_string();
        }
        let up = self.directory.components().skip(shared).map(|_| std::path::Component::ParentDir);
        up.chain(path.components().skip(shared)).collect::<PathBuf>().display().to_string()
    }

    /// The path of a plan's file. `None` for a companion that the options do not declare.
    pub(crate) fn at(&self, at: &PlanPath) -> Option<PathBuf> {
        match &at.companion {
            None => Some(self.path(&at.name)),
            Some(companion) => self
                .companions
                .get(companion)
                .map(|(directory, _)| directory.join(at.name.as_str())),
        }
    }

    /// What stands before each bare name of a plan in its path.
    pub(crate) fn places(&self) -> Places {
        let before = |directory: &Path| directory.join("").display().to_string();
        let companions = self.companions.iter();
        std::iter::once((None, before(&self.directory)))
            .chain(companions.map(|(name, (directory, _))| (Some(name.clone()), before(directory))))
            .collect()
    }

    /// The database and its sidecars.
    pub(crate) fn set(&self, name: &FileName) -> [PathBuf; 4] {
        name.set().map(|name| self.path(&name))
    }

    /// Replaces the plan's names in a failure by paths that the application knows.
    pub(crate) fn locate(&self, mut failure: Failure) -> Failure {
        if let Some(at) = failure.path.clone().and_then(|path| PlanPath::try_from(path).ok())
            && let Some(path) = at.companion.as_ref().and_then(|_| self.at(&at))
        {
            failure.path = Some(path.display().to_string());
        }
        failure.in_directory(&self.directory.display().to_string(), std::path::MAIN_SEPARATOR);
        failure
    }
}

/// Whether a file of this name belongs to the database or is one of cutover's, also on a volume
/// that ignores case.
fn belongs(canonical: &FileName, name: &FileName) -> bool {
    let lower = |name: &FileName| FileName::new(name.as_str().to_lowercase());
    let in_lower_case = lower(canonical)
        .ok()
        .zip(lower(name).ok())
        .and_then(|(canonical, name)| Role::of(&canonical, &name));
    Role::of(canonical, name).is_some() || in_lower_case.is_some()
}

/// Whether two names are one file. The files need not exist, so this goes by what the system's
/// usual volumes do with case.
fn is_one_name(a: &FileName, b: &FileName) -> bool {
    let ignores_case = cfg!(any(windows, target_vendor = "apple"));
    a == b || ignores_case && a.as_str().to_lowercase() == b.as_str().to_lowercase()
}

fn refuse(path: &Path, why: &str) -> Failure {
    let mut failure = Failure::refusal(Code::Io, why, "check the path in the options");
    failure.path = Some(path.display().to_string());
    failure
}

/// Resolves a companion. If its directory does not exist, neither does the companion.
fn companion(look: Look) -> Result<(PathBuf, FileName), Failure> {
    let parts = look.absolute.as_ref().ok();
    let parts = parts.and_then(|path| path.parent().zip(path.file_name()?.to_str()));
    match parts {
        Some((parent, name)) if look.folder.is_err() && !parent.exists() => {
            // Once the directory is made it has this path, unless it is made through a symbolic
            // link that dangles now.
            let above = parent.ancestors().find_map(|above| {
                Some((os::real_directory(above).ok()?, parent.strip_prefix(above).ok()?))
            });
            let directory =
                above.map_or_else(|| parent.to_owned(), |(above, below)| above.join(below));
            let name =
                FileName::new(name).map_err(|error| refuse(&look.path, &error.to_string()))?;
            Ok((os::plain(directory, &name), name))
        }
        _ => resolve(look),
    }
}

fn resolve(mut look: Look) -> Result<(PathBuf, FileName), Failure> {
    for _ in 0..MAX_LINKS {
        let is_link = look.is_link();
        let path = look.absolute.map_err(|error| refuse(&look.path, &error.to_string()))?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(refuse(&path, "this is not the path of a file"));
        };
        let name =
            name.to_str().ok_or_else(|| refuse(&path, "the file name is not valid Unicode"))?;
        let name = FileName::new(name).map_err(|error| refuse(&path, &error.to_string()))?;
        if let Some(why) = cutover_core::refused_by_windows(name.as_str()).filter(|_| cfg!(windows))
        {
            return Err(refuse(&path, &format!("the file's name {why}")));
        }
        let directory = look
            .folder
            .map_err(|error| refuse(parent, &format!("the directory cannot be used: {error}")))?;
        let directory = os::plain(directory, &name);
        let name = os::stored_name(&directory, name);
        let leads = is_link.then(|| std::fs::read_link(directory.join(name.as_str())));
        match leads {
            Some(Ok(target)) => look = Look::at(&directory.join(target)),
            _ => return Ok((directory, name)),
        }
    }
    Err(refuse(&look.path, "too many symbolic links"))
}
