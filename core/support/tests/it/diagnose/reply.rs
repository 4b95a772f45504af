//! Each code has a reply that tells the customer what to do.

use super::*;

/// The customer is told what to do, whatever code the message ends with.
#[test]
fn every_code_has_a_reply_of_its_own() {
    let mut replies = BTreeMap::new();
    for &code in Code::ALL {
        let alone = text(&format!("[cutover:{}]", code.as_str()));
        let whole =
            text(&Failure::refusal(code, "it is so", "do that").with_v1(&canonical()).to_string());
        let mut made = bundle(settled(), Check::Sound, None);
        made.last_error = Some(Failure::refusal(code, "it is so", "do that"));
        let last = text(&made.to_text());
        let damage = matches!(code, Code::V1Corrupt | Code::NotADatabase);
        assert_eq!(alone.safety, if damage { Safety::NotSafe } else { Safety::CannotTell });
        let of_line = if damage { Safety::NotSafe } else { Safety::CannotTell };
        assert_eq!((whole.safety, last.safety), (of_line, Safety::Safe), "{code:?}");
        if !damage {
            let please = last.reply.split("\n\n").nth(1).unwrap();
            assert!(
                alone.reply.contains(please) && whole.reply.contains(please),
                "{code:?}: {}",
                alone.reply
            );
        }
        replies.entry(alone.reply).or_insert_with(Vec::new).push(code);
    }
    let same: Vec<_> = replies.into_values().filter(|codes| codes.len() > 1).collect();
    assert_eq!(same, [[Code::Host, Code::Verify, Code::StillOld]]);
    for (line, word) in [
        ("[cutover:IO:rename:EBUSY]", "cloud folder"),
        ("EBUSY: resource busy or locked, rename 'a'", "cloud folder"),
        ("[cutover:IO:sync-file:EIO]", "another disk"),
        ("[cutover:IO:copy:ENOSPC]", "free some space"),
        ("EPERM: operation not permitted, fsync", "newest version"),
        ("EROFS: read-only file system, open", "make it writable"),
        ("[cutover:IO:copy:EMFILE]", "restart the computer"),
        ("SqliteError: disk I/O error", "another disk"),
        ("Error: cutover has no addon for linux-x64-gnu (Node 24): it is not there", "install"),
        ("Der Prozess kann nicht zugreifen. (os error 32)", "cloud folder"),
        ("El disco está lleno. (os error 112)", "free some space"),
    ] {
        let reply = text(line).reply;
        assert!(reply.contains(word), "{line}: {reply}");
    }
}
