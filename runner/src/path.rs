//! Refuses a path that cannot be the path of a file, before anything is done with it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cutover_core::{Code, Failure};

use crate::os;
use crate::place::{Look, Paths};

/// Refuses the path of a database, or the paths of its companions. Nothing is opened. What is at the
/// path of a companion is no reason here, because it must not keep a recovery from ending. Returns
/// what the paths are, which a call resolves here only: a link may lead elsewhere later.
pub(crate) fn usable(
    database: &Path,
    companions: &BTreeMap<String, PathBuf>,
) -> Result<Paths, Failure> {
    let database = look(database)?;
    refuse_kind(&database)?;
    let mut looks = Vec::new();
    for (name, path) in companions {
        looks.push((name.as_str(), look(path)?));
    }
    refuse_folder(&database)?;
    looks.iter().try_for_each(|(_, companion)| refuse_folder(companion))?;
    Paths::of(database, looks)
}

/// Refuses a folder that this user may not list or enter.
fn refuse_folder(look: &Look) -> Result<(), Failure> {
    let (folder, found) = match &look.folder {
        Ok(folder) if !look.is_link() => (folder.clone(), look.kind.as_ref().err().map(kind_of)),
        _ => {
            let Ok(absolute) = &look.absolute else { return Ok(()) };
            let real = absolute.canonicalize().unwrap_or_else(|_| {
                // Where a link leads, if this is one.
                let leads = std::fs::read_link(absolute).ok();
                leads.map_or_else(|| absolute.clone(), |leads| absolute.with_file_name(leads))
            });
            let Some(folder) = real.parent() else { return Ok(()) };
            (folder.to_owned(), std::fs::symlink_metadata(&real).err().as_ref().map(kind_of))
        }
    };
    let listed = std::fs::read_dir(&folder).err().as_ref().map(kind_of);
    let cannot = match (listed, found) {
        (Some(ErrorKind::PermissionDenied), _) => "list",
        (_, Some(ErrorKind::PermissionDenied)) => "enter",
        _ => return Ok(()),
    };
    Err(refused(
        &look.path,
        &format!(
            "this user may not {cannot} the folder {}, where an interrupted upgrade may have left \
             files",
            folder.display()
        ),
        "give this user the right to read and enter the folder (chmod u+rx), and start again",
    ))
}

fn kind_of(error: &std::io::Error) -> ErrorKind {
    error.kind()
}

fn refused(path: &Path, why: &str, hint: &str) -> Failure {
    let mut failure = Failure::refusal(Code::Io, why, hint);
    failure.path = Some(path.display().to_string().replace('\0', "\u{fffd}"));
    failure
}

/// Refuses a text that is not a path.
pub(crate) fn refuse_no_path(path: &Path) -> Result<(), Failure> {
    let refuse = |why: &str, hint: &str| Err(refused(path, why, hint));
    let Some(text) = path.to_str() else {
        return refuse(NOT_UTF8, RENAME);
    };
    if text.is_empty() {
        return refuse("the path is empty", "pass the path of the file");
    }
    if text.contains('\0') {
        return refuse(
            "the path has a NUL character, which no file's name has",
            "take the character out of the path in the options",
        );
    }
    if is_url(text) {
        return refuse(
            "this is a URL, not the path of a file",
            "pass the path; in JavaScript fileURLToPath(url) makes it of a file: URL",
        );
    }
    if text == ":memory:" {
        return refuse(
            "this is a database in memory, not the path of a file",
            "pass the path of a file; a database in memory needs no upgrade in place",
        );
    }
    if text.ends_with(std::path::is_separator) {
        return refuse(FOLDER, NAME_THE_FILE);
    }
    Ok(())
}

/// Looks at a path, and refuses a text that is not a path.
fn look(path: &Path) -> Result<Look, Failure> {
    refuse_no_path(path)?;
    let refuse = |why: &str, hint: &str| Err(refused(path, why, hint));
    // Where the folder is not there, the real folder cannot be told, and a later look says so.
    let look = Look::at(path);
    let is_not_text = |path: &PathBuf| path.to_str().is_none();
    if look.absolute.as_ref().is_ok_and(is_not_text) || look.folder.as_ref().is_ok_and(is_not_text)
    {
        return refuse(NOT_UTF8, RENAME);
    }
    match &look.kind {
        Err(error) if error.kind() == ErrorKind::InvalidFilename => refuse(
            "the path, or a name in it, is longer than the file system takes",
            "move the file to a folder with a shorter path",
        ),
        // A look at the folder tells what else is wrong.
        _ => Ok(look),
    }
}

fn refuse_kind(look: &Look) -> Result<(), Failure> {
    let leads_to = || std::fs::metadata(&look.path).ok().map(|found| found.file_type());
    let kind = if look.is_link() { leads_to() } else { look.kind.as_ref().ok().copied() };
    // A look at the folder tells what else is wrong.
    let Some(kind) = kind else { return Ok(()) };
    let hint = if kind.is_dir() { NAME_THE_FILE } else { "pass the path of a regular file" };
    os::regular(kind).map_err(|why| refused(&look.path, &why.to_string(), hint))
}

const FOLDER: &str = "it is a directory, not a regular file";
const NAME_THE_FILE: &str = "pass the path of the file in it";
const NOT_UTF8: &str = "the path, or the real path behind it, is not valid UTF-8";
const RENAME: &str = "rename the folder or the file whose name is not UTF-8, or move the file";

/// Whether a text is a URL, as drivers take them: `file:data.db`, `file:///data.db`,
/// `libsql://host`. `C://data.db` is a path.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme && (scheme.eq_ignore_ascii_case("file") || rest.starts_with("//"))
}
