use cutover_core::{Failure, Op, OpError, OpErrorKind, OsCode, Platform, Retry};
use proptest::prelude::*;

use cutover_world::{me, name};

const TRANSIENT_ON_WINDOWS: [i32; 10] = [32, 33, 170, 303, 1224, 55, 64, 121, 1231, 5];
const PERMANENT_ON_WINDOWS: [i32; 13] =
    [2, 3, 17, 19, 50, 87, 112, 123, 145, 206, 1295, 1314, 1117];

fn rename() -> Op {
    Op::Rename { from: (&name("a")).into(), to: (&name("b")).into() }
}

fn class(platform: Platform, raw: i32, op: &Op) -> Retry {
    OpError::new(OpErrorKind::Os { os: OsCode::of(platform, raw) }, "")
        .class(platform, op.is_sync())
}

#[test]
fn windows_codes_are_worth_waiting_for_or_not() {
    for raw in TRANSIENT_ON_WINDOWS {
        assert_eq!(class(Platform::Windows, raw, &rename()), Retry::Transient, "{raw}");
    }
    for raw in PERMANENT_ON_WINDOWS {
        assert_ne!(class(Platform::Windows, raw, &rename()), Retry::Transient, "{raw}");
    }
    for raw in [39, 112, 1295] {
        assert_eq!(class(Platform::Windows, raw, &rename()), Retry::NoSpace, "{raw}");
    }
    for raw in [17, 50, 87] {
        assert_eq!(class(Platform::Windows, raw, &rename()), Retry::Unsupported, "{raw}");
    }
}

/// As libuv maps them, so that a message says what the application's own messages say; those that
/// libuv calls UNKNOWN have names here.
#[test]
fn windows_codes_have_the_names_of_node() {
    for (code, raws) in [
        ("EPERM", &[5, 1314][..]),
        ("EBUSY", &[32, 33, 303, 1224]),
        ("EXDEV", &[17]),
        ("ENOSPC", &[112, 39]),
        ("ENOENT", &[2, 3, 123, 267]),
        ("ENAMETOOLONG", &[206]),
        ("EROFS", &[19]),
        ("ENOTEMPTY", &[145]),
        ("EEXIST", &[80, 183]),
        ("EIO", &[1175, 1176, 1177, 1117]),
    ] {
        for raw in raws {
            let os = OsCode::of(Platform::Windows, *raw);
            assert_eq!(os.code, code, "{raw}");
            assert!(os.name.starts_with("ERROR_"), "{raw}: {}", os.name);
            assert_eq!(os.raw, *raw);
        }
    }
}

#[test]
fn posix_codes_are_known_on_both_systems() {
    let class = |platform, raw| class(platform, raw, &rename());
    for (code, linux, macos, expected) in [
        ("EAGAIN", 11, 35, Retry::Transient),
        ("EINTR", 4, 4, Retry::Transient),
        ("ETXTBSY", 26, 26, Retry::Transient),
        ("ENFILE", 23, 23, Retry::Transient),
        ("EMFILE", 24, 24, Retry::Transient),
        ("ENOSPC", 28, 28, Retry::NoSpace),
        ("EDQUOT", 122, 69, Retry::NoSpace),
        // More free space does not help.
        ("EFBIG", 27, 27, Retry::Permanent),
        ("ENOTSUP", 95, 45, Retry::Unsupported),
        ("EINVAL", 22, 22, Retry::Unsupported),
        ("EXDEV", 18, 18, Retry::Unsupported),
        ("EIO", 5, 5, Retry::Permanent),
        ("EACCES", 13, 13, Retry::Permanent),
        ("EPERM", 1, 1, Retry::Permanent),
        ("EROFS", 30, 30, Retry::Permanent),
        ("ENOENT", 2, 2, Retry::Permanent),
        ("ENAMETOOLONG", 36, 63, Retry::Permanent),
        // A mount point: it does not go away by waiting.
        ("EBUSY", 16, 16, Retry::Permanent),
    ] {
        for (platform, raw) in [(Platform::Linux, linux), (Platform::Macos, macos)] {
            assert_eq!(OsCode::of(platform, raw).code, code);
            assert_eq!(class(platform, raw), expected, "{code} on {platform:?}");
        }
    }
}

#[test]
fn holders_are_waited_for_and_permanent_errors_are_not() {
    let class = |cause| OpError::new(cause, "").class(Platform::Linux, false);
    for cause in [OpErrorKind::Busy, OpErrorKind::Held { holders: vec![me()] }] {
        assert_eq!(class(cause), Retry::Transient);
    }
    for cause in [
        OpErrorKind::V1Changed,
        OpErrorKind::CompanionChanged,
        OpErrorKind::NotADatabase,
        OpErrorKind::TemporaryFolder { full: true },
        OpErrorKind::V1Corrupt,
        OpErrorKind::Verify,
        OpErrorKind::StillOld,
        OpErrorKind::Newer,
        OpErrorKind::Host,
        OpErrorKind::Sidecar,
        OpErrorKind::Sqlite,
        OpErrorKind::Aborted,
    ] {
        assert_eq!(class(cause), Retry::Permanent);
    }
}

proptest! {
    /// A failed flush has dropped the pages and marked them clean: flushing again would report a success that is none.
    #[test]
    fn a_failed_flush_is_never_tried_again(raw in -10..3000_i32, directory in any::<bool>()) {
        let op = if directory { Op::SyncDir { companion: None } } else { Op::SyncFile { file: (&name("a")).into() } };
        for platform in [Platform::Linux, Platform::Macos, Platform::Windows] {
            prop_assert_ne!(class(platform, raw, &op), Retry::Transient);
            prop_assert_eq!(OpError::new(OpErrorKind::Busy, "").class(platform, op.is_sync()), Retry::Permanent);
        }
    }

    /// Never "Unknown error": a number without a name keeps its number.
    #[test]
    fn every_number_has_a_name(raw in any::<i32>()) {
        for platform in [Platform::Linux, Platform::Macos, Platform::Windows] {
            let os = OsCode::of(platform, raw);
            prop_assert!(os.code.starts_with('E') && os.raw == raw);
            let unknown = format!("error {raw}");
            prop_assert!([os.code.as_str(), unknown.as_str()].contains(&os.name.as_str()) || os.name.starts_with("ERROR_"), "{:?}", os);
        }
    }
}

/// The author of the application reads hints as well, so no hint sends its reader to the author.
#[test]
fn hints_say_what_to_do_and_do_not_send_their_reader_to_the_author() {
    let os = |code: &str| OsCode { code: code.into(), raw: 1, name: code.into() };
    let causes = [
        OpErrorKind::Busy,
        OpErrorKind::V1Changed,
        OpErrorKind::CompanionChanged,
        OpErrorKind::NotADatabase,
        OpErrorKind::V1Corrupt,
        OpErrorKind::Verify,
        OpErrorKind::StillOld,
        OpErrorKind::Newer,
        OpErrorKind::Host,
        OpErrorKind::Sidecar,
        OpErrorKind::SecondName,
        OpErrorKind::TemporaryFolder { full: true },
        OpErrorKind::TemporaryFolder { full: false },
        OpErrorKind::Sqlite,
        OpErrorKind::Aborted,
    ];
    let codes = ["EACCES", "EPERM", "EROFS", "EIO", "EBUSY", "EMFILE", "ENFILE", "EFBIG", "E1"];
    let causes = causes.into_iter().chain(codes.map(|code| OpErrorKind::Os { os: os(code) }));
    for cause in causes.chain([OpErrorKind::Os { os: os("EDQUOT") }]) {
        let fault = OpError::new(cause, "why");
        let hint = Failure::from_fault(
            &fault,
            "settle",
            fault.class(Platform::Linux, false) == Retry::NoSpace,
        )
        .hint;
        assert!(!hint.is_empty() && !hint.contains("author"), "{fault:?}: {hint}");
        assert!(!hint.contains("free some space"), "{fault:?}: {hint}");
    }
}
