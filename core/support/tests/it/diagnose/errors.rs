//! Errors of other programs, as they print them.

use super::*;

/// Every result code of SQLite 3.51, without those that tell of no error.
const SQLITE: &str = "ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT \
    NOTFOUND FULL CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT \
    RANGE NOTADB ERROR_MISSING_COLLSEQ ERROR_RETRY ERROR_SNAPSHOT IOERR_READ IOERR_SHORT_READ \
    IOERR_WRITE IOERR_FSYNC IOERR_DIR_FSYNC IOERR_TRUNCATE IOERR_FSTAT IOERR_UNLOCK IOERR_RDLOCK \
    IOERR_DELETE IOERR_BLOCKED IOERR_NOMEM IOERR_ACCESS IOERR_CHECKRESERVEDLOCK IOERR_LOCK \
    IOERR_CLOSE IOERR_DIR_CLOSE IOERR_SHMOPEN IOERR_SHMSIZE IOERR_SHMLOCK IOERR_SHMMAP IOERR_SEEK \
    IOERR_DELETE_NOENT IOERR_MMAP IOERR_GETTEMPPATH IOERR_CONVPATH IOERR_VNODE IOERR_AUTH \
    IOERR_BEGIN_ATOMIC IOERR_COMMIT_ATOMIC IOERR_ROLLBACK_ATOMIC IOERR_DATA IOERR_CORRUPTFS \
    IOERR_IN_PAGE LOCKED_SHAREDCACHE LOCKED_VTAB BUSY_RECOVERY BUSY_SNAPSHOT BUSY_TIMEOUT \
    CANTOPEN_NOTEMPDIR CANTOPEN_ISDIR CANTOPEN_FULLPATH CANTOPEN_CONVPATH CANTOPEN_DIRTYWAL \
    CANTOPEN_SYMLINK CORRUPT_VTAB CORRUPT_SEQUENCE CORRUPT_INDEX READONLY_RECOVERY READONLY_CANTLOCK \
    READONLY_ROLLBACK READONLY_DBMOVED READONLY_CANTINIT READONLY_DIRECTORY ABORT_ROLLBACK \
    CONSTRAINT_CHECK CONSTRAINT_COMMITHOOK CONSTRAINT_FOREIGNKEY CONSTRAINT_FUNCTION \
    CONSTRAINT_NOTNULL CONSTRAINT_PRIMARYKEY CONSTRAINT_TRIGGER CONSTRAINT_UNIQUE CONSTRAINT_VTAB \
    CONSTRAINT_ROWID CONSTRAINT_PINNED CONSTRAINT_DATATYPE AUTH_USER";

#[test]
fn every_code_of_sqlite_is_explained_and_none_is_safe() {
    for code in SQLITE.split_whitespace() {
        let found = text(&format!("SqliteError: SQLITE_{code}: something"));
        let damage = ["NOTADB", "FORMAT"].contains(&code)
            || code.starts_with("CORRUPT") && code != "CORRUPT_VTAB"
            || ["IOERR_DATA", "IOERR_CORRUPTFS"].contains(&code);
        let safety = if damage { Safety::NotSafe } else { Safety::CannotTell };
        assert_eq!((found.kind, found.safety), (Kind::Line, safety), "{code}: {}", found.because);
        assert!(found.explanation.is_some_and(|of| of.os.is_some_and(|os| os.contains(code))));
    }
    for calm in ["SQLITE_OK", "SQLITE_DONE", "SQLITE_ROW", "SQLITE_NOTICE_RECOVER_WAL", "SQLITE_X"]
    {
        assert_eq!(text(calm).kind, Kind::Unknown, "{calm}");
    }
}

/// As real programs print them.
#[test]
fn errors_are_known_however_a_program_prints_them() {
    let known = |line: &str, os: &str, safety: Safety| {
        let found = text(line);
        let told = found.explanation.as_ref().and_then(|of| of.os.as_deref());
        assert_eq!((told, found.safety), (Some(os), safety), "{line}: {}", found.because);
    };
    let (bad, open) = (Safety::NotSafe, Safety::CannotTell);
    for (line, os, safety) in [
        // SQLite through node:sqlite, better-sqlite3, Bun, rusqlite, .NET, Python, Go, GRDB, Android.
        (
            "Error: database disk image is malformed\n    at x (a.js:1:1) {\n  code: 'ERR_SQLITE_ERROR',\n  errcode: 11,\n  errstr: 'database disk image is malformed'\n}",
            "SQLITE_CORRUPT",
            bad,
        ),
        (
            "SQLiteError: file is not a database\n errno: 26,\n byteOffset: -1,",
            "SQLITE_NOTADB",
            bad,
        ),
        ("Error code 5: The database file is locked (SQLite)", "SQLITE_BUSY", open),
        ("SQLite Error 11: 'database disk image is malformed'.", "SQLITE_CORRUPT", bad),
        ("sqlite3.OperationalError: database is locked", "SQLITE_BUSY", open),
        ("database disk image is malformed (11)", "SQLITE_CORRUPT", bad),
        ("SQLite error 13: database or disk is full - while executing", "SQLITE_FULL", open),
        (
            "android.database.sqlite.SQLiteDatabaseCorruptException: database disk image is malformed (code 267 SQLITE_CORRUPT_VTAB)",
            "SQLITE_CORRUPT_VTAB",
            open,
        ),
        ("SQLite error 522: x", "SQLITE_IOERR", open),
        // The system's own reason tells more.
        ("SqliteError: disk I/O error (os error 28)", "ENOSPC", open),
        // Node, Bun, Python, Rust, Go.
        ("Error: EACCES: permission denied, open '/a/data.db'", "EACCES", open),
        ("PermissionError: [WinError 5] Zugriff verweigert: 'C:\\\\a'", "EPERM", open),
        ("OSError: [Errno 30] Read-only file system: '/a'", "EROFS", open),
        ("Input/output error (os error 5)", "EIO", open),
        ("Too many open files (os error 24)", "EMFILE", open),
        ("/Users/ann/x: Disk quota exceeded (os error 69)", "EDQUOT", open),
        ("Structure needs cleaning (os error 117)", "EUCLEAN", open),
        ("{ errno: -4082, syscall: 'unlink' }", "EBUSY", open),
        // Windows, in any language, by number.
        ("Access is denied. (os error 5)", "EPERM", open),
        ("Accès refusé. (os error 5)", "EPERM", open),
        ("プロセスはファイルにアクセスできません。 (os error 32)", "EBUSY", open),
        ("C:\\a\\data.db: Недостаточно места на диске. (os error 112)", "ENOSPC", open),
        ("Ein nicht korrigierbarer Fehler. (os error 23)", "Windows error 23", open),
        ("System.IO.IOException: Le processus ne peut pas. HRESULT: 0x80070020", "EBUSY", open),
        ("faulting status 0xC000009C", "Windows error 23", open),
        // The event log, as XML and as a table.
        (
            "<Event><System><Provider Name='disk'/><EventID>7</EventID><TimeCreated SystemTime='2026-11-21T10:00:00Z'/></System></Event>",
            "DISK",
            open,
        ),
        ("Fehler,21.11.2026 10:00:03,Ntfs,55,(2)", "DISK", open),
        // A missing addon.
        (
            "Error: cutover has no addon for win32-x64 (Node 24): the package",
            "CUTOVER_NO_ADDON",
            open,
        ),
        ("Error: Cannot find module 'cutover-linux-x64-gnu'", "CUTOVER_NO_ADDON", open),
        // Colours, also inside of JSON.
        ("\u{1b}[31mERROR\u{1b}[0m \u{1b}[1mENOSPC\u{1b}[22m: write", "ENOSPC", open),
        ("{\"msg\":\"\\u001b[31mEROFS: read-only\\u001b[39m\"}", "EROFS", open),
    ] {
        known(line, os, safety);
    }
    // Neither an event of another source nor a number of another kind.
    for line in ["Information,21.11.2026,Kernel,7,", "HTTP error 404", "exit code 5", "0x80004005"]
    {
        assert_eq!(text(line).kind, Kind::Unknown, "{line}");
    }
}

#[test]
fn the_newest_entry_counts_wherever_it_stands() {
    let os = |log: &str| text(log).explanation.unwrap().os.unwrap();
    assert_eq!(os("SQLITE_CORRUPT: a\nENOSPC: no space, write\n"), "ENOSPC");
    let found = text("SQLITE_CORRUPT: a\nENOSPC: no space, write\n");
    assert!(found.facts[0].contains("Earlier it says SQLITE_CORRUPT"), "{:?}", found.facts);
    assert_eq!(
        os("2026-11-21T10:00:03Z EIO: i/o error, read\n2026-11-20T10:00:03Z ENOSPC: x, write\n"),
        "EIO"
    );
    assert_eq!(
        os("Fehler,21.11.2026 10:00:03,app,EIO\nFehler,20.11.2026 11:00:03,app,ENOSPC\n"),
        "EIO"
    );
    assert_eq!(os("11/21/2026 1:00:03 PM EIO: x\n11/21/2026 11:00:03 AM ENOSPC: x\n"), "EIO");
    assert_eq!(
        os("{\"time\":1764500000002,\"m\":\"EIO\"}\n{\"time\":1764500000001,\"m\":\"ENOSPC\"}"),
        "EIO"
    );
    // A stack trace belongs to its entry, also where it names another error.
    let traced = "cutover: rename failed on a: no [cutover:IO:rename:EBUSY]\n    at x (a.js:1:1) {\n  [cause]: Error: EIO: i/o error\n}\n";
    let found = text(traced);
    assert_eq!(found.explanation.unwrap().os.as_deref(), Some("EBUSY"));
    // Of a long export, newest first, the first lines.
    let long = format!(
        "2026-11-21T10:00:03Z EIO: x\n{}",
        "2026-11-20T10:00:03Z nothing happened here at all\n".repeat(30_000)
    );
    assert_eq!(os(&long), "EIO");
}

#[test]
fn no_number_makes_it_panic() {
    for number in ["-1", "0", "99999999999999999999", "-4095", "4294967296", "256", "-", ""] {
        for mark in ["os error ", "errno: ", "[WinError ", "SQLite error ", "EventID: ", "0x"] {
            let _ = text(&format!("{mark}{number}"));
        }
    }
    for platform in ["/Users/a ", "C:\\a ", ""] {
        for number in 1..300 {
            let found = text(&format!("{platform}(os error {number})"));
            assert_eq!((found.kind, found.safety), (Kind::Line, Safety::CannotTell), "{number}");
        }
    }
}
