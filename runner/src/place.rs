//! Where the names of a plan are: one directory for the database, one for each companion.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::failure::{Code, Failure};
use cutover_core::names::{At, CompanionName, FileName, Role};

use crate::os;

/// As many symbolic links in a row as Linux follows.
const MAX_LINKS: usize = 40;

/// The real directory and name of a database, and those of its companions.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub directory: PathBuf,
    pub canonical: FileName,
    pub companions: BTreeMap<CompanionName, (PathBuf, FileName)>,
}

impl Place {
    /// Resolves symbolic links once. The file itself need not exist; its directory must.
    pub(crate) fn of(path: &Path, companions: &BTreeMap<String, PathBuf>) -> Result<Self, Failure> {
        let (directory, canonical) = resolve(path)?;
        let mut places = BTreeMap::new();
        for (name, path) in companions {
            let name = CompanionName::new(name.clone()).map_err(|error| refuse(path, &error.to_string()))?;
            let place = companion(path)?;
            if place.0 == directory && Role::of(&canonical, &place.1).is_some() {
                return Err(refuse(path, "a companion cannot be the database, or a file that belongs to it"));
            }
            if places.values().any(|other| *other == place) {
                return Err(refuse(path, "two companions cannot be one file"));
            }
            places.insert(name, place);
        }
        Ok(Self { directory, canonical, companions: places })
    }

    /// A directory by the name that this place has for it, if it is the same.
    pub(crate) fn directory_at(&self, directory: &Path) -> Option<PathBuf> {
        os::real_directory(directory).ok().map(|directory| os::plain(directory, &self.canonical))
    }

    /// The path of a name in the database's directory.
    pub(crate) fn path(&self, name: &FileName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// The path of a plan's file. Nothing for a companion that is not declared.
    pub(crate) fn at(&self, at: &At) -> Option<PathBuf> {
        match &at.companion {
            None => Some(self.path(&at.name)),
            Some(companion) => self.companions.get(companion).map(|(directory, _)| directory.join(at.name.as_str())),
        }
    }

    /// The database and its sidecars.
    pub(crate) fn set(&self, name: &FileName) -> Vec<PathBuf> {
        name.set().iter().map(|name| self.path(name)).collect()
    }

    /// Turns the failure's names into the paths that the application knows.
    pub(crate) fn locate(&self, mut failure: Failure) -> Failure {
        if let Some(at) = failure.path.clone().and_then(|path| At::try_from(path).ok())
            && let Some(path) = at.companion.as_ref().and_then(|_| self.at(&at))
        {
            failure.path = Some(path.display().to_string());
        }
        failure.in_directory(&self.directory.display().to_string(), std::path::MAIN_SEPARATOR);
        failure
    }
}

fn refuse(path: &Path, why: &str) -> Failure {
    let mut failure = Failure::refusal(Code::Io, why, "check the path in the options");
    failure.path = Some(path.display().to_string());
    failure.compose();
    failure
}

/// A companion's directory may not be there yet; then neither is the companion.
fn companion(path: &Path) -> Result<(PathBuf, FileName), Failure> {
    let absolute = std::path::absolute(path).map_err(|error| refuse(path, &error.to_string()))?;
    match (absolute.parent(), absolute.file_name().and_then(std::ffi::OsStr::to_str)) {
        (Some(parent), Some(name)) if !parent.exists() => {
            Ok((parent.to_owned(), FileName::new(name).map_err(|error| refuse(path, &error.to_string()))?))
        }
        _ => resolve(path),
    }
}

fn resolve(path: &Path) -> Result<(PathBuf, FileName), Failure> {
    let mut path = std::path::absolute(path).map_err(|error| refuse(path, &error.to_string()))?;
    for _ in 0..MAX_LINKS {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(refuse(&path, "this is not the path of a file"));
        };
        let name = name.to_str().ok_or_else(|| refuse(&path, "the file name is not valid Unicode"))?;
        let name = FileName::new(name).map_err(|error| refuse(&path, &error.to_string()))?;
        if let Some(why) = cutover_core::validate::refused_by_windows(name.as_str()).filter(|_| cfg!(windows)) {
            return Err(refuse(&path, &format!("the file's name {why}")));
        }
        let directory = os::real_directory(parent).map_err(|error| refuse(parent, &format!("the directory cannot be used: {error}")))?;
        let directory = os::plain(directory, &name);
        let name = os::stored_name(&directory, name);
        let real = directory.join(name.as_str());
        match std::fs::read_link(&real) {
            Ok(target) => path = directory.join(target),
            Err(_) => return Ok((directory, name)),
        }
    }
    Err(refuse(&path, "too many symbolic links"))
}
