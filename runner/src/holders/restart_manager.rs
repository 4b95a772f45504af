//! The Restart Manager of Windows, which tells which processes use a file ("Restart Manager" of its
//! documentation). Some editions lack it, so its library is loaded only when it is needed. It is
//! asked only about files that are open.

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SUCCESS, FreeLibrary, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows_sys::Win32::System::RestartManager::{CCH_RM_SESSION_KEY, RM_PROCESS_INFO};
use windows_sys::core::{PCSTR, s, w};

/// A process that uses a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: u32,
    /// As the system describes it, for example "Node.js JavaScript Runtime".
    pub name: String,
}

type StartSession = unsafe extern "system" fn(*mut u32, u32, *mut u16) -> u32;
type RegisterResources = unsafe extern "system" fn(
    u32,
    u32,
    *const *const u16,
    u32,
    *const u8,
    u32,
    *const *const u16,
) -> u32;
type GetList =
    unsafe extern "system" fn(u32, *mut u32, *mut u32, *mut RM_PROCESS_INFO, *mut u32) -> u32;
type EndSession = unsafe extern "system" fn(u32) -> u32;

/// The library, and the four functions that cutover uses.
pub(super) struct RestartManager {
    library: HMODULE,
    start_session: StartSession,
    register_resources: RegisterResources,
    get_list: GetList,
    end_session: EndSession,
}

impl Drop for RestartManager {
    fn drop(&mut self) {
        // SAFETY: we loaded the library, and its functions are not used after this.
        unsafe { FreeLibrary(self.library) };
    }
}

/// How many times the list is requested if it grew meanwhile.
const MAX_TRIES: usize = 4;

impl RestartManager {
    /// `None` if this Windows has no Restart Manager.
    pub(super) fn load() -> Option<Self> {
        Self::load_from(w!("rstrtmgr.dll"))
    }

    fn load_from(name: *const u16) -> Option<Self> {
        // SAFETY: the name ends in a zero. Only the system's own directory is searched.
        let library =
            unsafe { LoadLibraryExW(name, std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
        if library.is_null() {
            return None;
        }
        // SAFETY: the library is loaded and the name ends in a zero.
        let function = |name: PCSTR| unsafe { GetProcAddress(library, name) };
        let functions = (|| {
            Some((
                function(s!("RmStartSession"))?,
                function(s!("RmRegisterResources"))?,
                function(s!("RmGetList"))?,
                function(s!("RmEndSession"))?,
            ))
        })();
        let Some((start, register, list, end)) = functions else {
            // SAFETY: we loaded the library, and nothing of it is used.
            unsafe { FreeLibrary(library) };
            return None;
        };
        // SAFETY: these are the functions' types in the documentation of each.
        unsafe {
            Some(Self {
                library,
                start_session: std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    StartSession,
                >(start),
                register_resources: std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    RegisterResources,
                >(register),
                get_list: std::mem::transmute::<unsafe extern "system" fn() -> isize, GetList>(
                    list,
                ),
                end_session: std::mem::transmute::<unsafe extern "system" fn() -> isize, EndSession>(
                    end,
                ),
            })
        }
    }

    /// The processes that use one of these files (paths that end in a zero).
    ///
    /// # Errors
    /// Which call failed, and its code.
    pub(super) fn users_of(&self, files: &[Vec<u16>]) -> Result<Vec<Process>, String> {
        let mut session = 0;
        let mut key = [0; CCH_RM_SESSION_KEY as usize + 1];
        // SAFETY: both results are ours, and the key is as large as the call requires.
        let code = unsafe { (self.start_session)(&raw mut session, 0, key.as_mut_ptr()) };
        if code != ERROR_SUCCESS {
            return Err(failed("RmStartSession", code));
        }
        let users = self.users_in(session, files);
        // SAFETY: we started the session.
        unsafe { (self.end_session)(session) };
        users
    }

    fn users_in(&self, session: u32, files: &[Vec<u16>]) -> Result<Vec<Process>, String> {
        debug_assert!(files.iter().all(|file| file.last() == Some(&0)), "each path ends in a zero");
        let paths: Vec<*const u16> = files.iter().map(Vec::as_ptr).collect();
        let count = u32::try_from(paths.len()).map_err(|error| error.to_string())?;
        // SAFETY: the paths end in a zero and live for the whole call. Nothing else is registered.
        let code = unsafe {
            (self.register_resources)(
                session,
                count,
                paths.as_ptr(),
                0,
                std::ptr::null(),
                0,
                std::ptr::null(),
            )
        };
        if code != ERROR_SUCCESS {
            return Err(failed("RmRegisterResources", code));
        }
        let mut found: Vec<RM_PROCESS_INFO> = Vec::new();
        for _ in 0..MAX_TRIES {
            let given = u32::try_from(found.len()).map_err(|error| error.to_string())?;
            let (mut needed, mut given, mut reasons) = (0, given, 0);
            // SAFETY: the list has room for `given` entries, and the other results are ours.
            let code = unsafe {
                (self.get_list)(
                    session,
                    &raw mut needed,
                    &raw mut given,
                    found.as_mut_ptr(),
                    &raw mut reasons,
                )
            };
            match code {
                ERROR_SUCCESS => {
                    return Ok(found.iter().take(given as usize).map(process).collect());
                }
                ERROR_MORE_DATA => found.resize(needed as usize, RM_PROCESS_INFO::default()),
                code => return Err(failed("RmGetList", code)),
            }
        }
        Err(failed("RmGetList", ERROR_MORE_DATA))
    }
}

fn failed(call: &str, code: u32) -> String {
    format!("the Restart Manager does not name the processes: {call} failed with {code}")
}

fn process(info: &RM_PROCESS_INFO) -> Process {
    let name: Vec<u16> = info.strAppName.iter().copied().take_while(|unit| *unit != 0).collect();
    Process { pid: info.Process.dwProcessId, name: String::from_utf16_lossy(&name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_restart_manager_nothing_is_loaded() {
        assert!(RestartManager::load_from(w!("no-such-library.dll")).is_none());
        // A library that lacks the functions is refused as well.
        assert!(RestartManager::load_from(w!("kernel32.dll")).is_none());
    }

    #[test]
    fn the_restart_manager_answers() {
        let path = std::env::current_exe().unwrap();
        let path: Vec<u16> =
            std::os::windows::ffi::OsStrExt::encode_wide(path.as_os_str()).chain([0]).collect();
        // Wine's Restart Manager names no process. But it accepts the calls, and that is what this
        // tests.
        let users = RestartManager::load().map(|manager| manager.users_of(&[path]));
        assert!(users.is_none_or(|users| users.is_ok()));
    }

    #[test]
    fn a_name_ends_at_its_zero() {
        let mut info = RM_PROCESS_INFO::default();
        info.Process.dwProcessId = 7;
        for (unit, slot) in "Old App\0rest".encode_utf16().zip(&mut info.strAppName) {
            *slot = unit;
        }
        assert_eq!(process(&info), Process { pid: 7, name: "Old App".into() });
    }
}
