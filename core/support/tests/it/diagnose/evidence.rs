//! Evidence inside of a text, and several pieces of it.

use super::*;

fn sound() -> Bundle {
    let mut made = bundle(settled(), Check::Sound, None);
    made.content = Some(Content { tables: 1, rows: 400 });
    made
}

/// As a mail program breaks lines: after a space, and quotes them.
fn quoted(text: &str, width: usize) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while rest.len() > width {
            let at = rest[..width].rfind(' ').map_or(width, |at| at + 1);
            out.push(format!("> {}", &rest[..at]));
            rest = &rest[at..];
        }
        out.push(format!("> {rest}"));
    }
    out.join("\n")
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * at) & 63) as usize];
            out.push(if at > three.len() { '=' } else { char::from(digit) });
        }
    }
    let lines: Vec<&str> =
        out.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\r\n")
}

#[test]
fn a_bundle_is_found_in_what_people_send() {
    let whole = serde_json::to_string_pretty(&sound()).unwrap();
    let quoted_printable = whole.replace('=', "=3D").replace("\"path\"", "\"pa=\r\nth\"");
    for (what, sent) in [
        ("a mail", format!("Hello,\n\nhere it is:\n\n{whole}\n\n-- \nAnn {{ CEO }}\nTel. 555\n")),
        ("a code fence", format!("```json\n{whole}\n```\n")),
        ("a compact one", format!("see {} thanks", sound().to_text())),
        ("a quoted mail", format!("On Monday Ann wrote:\n{}", quoted(&whole, 70))),
        ("a deeply quoted mail", quoted(&quoted(&whole, 60), 900)),
        ("no-break spaces", whole.replace("  ", "\u{a0}\u{a0}") + "\nBye"),
        (
            "round quotes",
            whole.replace("\": ", "\u{201d}: ").replace("  \"", "  \u{201c}") + "\nBye",
        ),
        ("HTML", format!("<pre>{}</pre>", whole.replace('&', "&amp;").replace('"', "&quot;"))),
        (
            "quoted-printable",
            format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{quoted_printable}"),
        ),
        (
            "base64",
            format!(
                "Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
                base64(whole.as_bytes())
            ),
        ),
        ("a log before it", format!("12:00 ERROR EBUSY: busy, rename 'a'\n{whole}\n")),
        ("JSON before it", format!("{{\"level\": 30, \"msg\": \"up\"}}\n{whole}")),
        (
            "a long log before it",
            format!("{}{whole}", "{\"a\":{\"b\":{\"c\":1}}}\n".repeat(20_000)),
        ),
        ("inside of another object", format!("{{\"ticket\": 7, \"report\": {whole}}}")),
    ] {
        let found = text(&sent);
        assert_eq!(
            (found.kind, found.safety),
            (Kind::Bundle, Safety::Safe),
            "{what}: {}",
            found.because
        );
    }
}

#[test]
fn a_damaged_bundle_is_named_and_its_parts_are_not_judged() {
    let made = bundle(interrupted(&journal(Phase::Built)), Check::Sound, None);
    let whole = serde_json::to_string_pretty(&made).unwrap();
    let cut = whole.len() - 40;
    for (what, sent) in [
        ("cut short", format!("Hello,\n\n{}\n\nBye", &whole[..cut])),
        (
            "a line is missing",
            format!("Hello,\n{}\nBye", whole.replace("\"observation\": {", "\"observation\": ")),
        ),
        ("its end", format!("{}\nBye", &whole[whole.find("\"observation\"").unwrap()..])),
    ] {
        let found = text(&sent);
        assert_eq!(
            (found.kind, found.safety),
            (Kind::Bundle, Safety::CannotTell),
            "{what}: {}",
            found.because
        );
        assert!(found.because.contains("damaged or cut short"), "{what}: {}", found.because);
    }
    // A whole one beside it does not hide it.
    let found = text(&format!("{}\n\nand again:\n{}", whole, &whole[..cut]));
    assert_eq!(
        (found.safety, found.evidence.len()),
        (Safety::CannotTell, 2),
        "{:?}",
        found.evidence
    );
}

fn at(made: &Bundle, at_ms: u64) -> Bundle {
    let mut made = made.clone();
    made.made.at_ms = at_ms;
    made
}

#[test]
fn of_several_pieces_the_worst_answer_and_the_newest_date_win() {
    let good = at(&sound(), NOW_MS + 60_000).to_text();
    let bad = Bundle { check: Check::Damaged { problems: 2 }, ..sound() }.to_text();
    for sent in [format!("{good}\n{bad}"), format!("{bad}\n{good}")] {
        let found = text(&sent);
        assert_eq!((found.safety, found.evidence.len()), (Safety::NotSafe, 2));
        assert_eq!(found.made.unwrap().at_ms, NOW_MS + 60_000);
        let said: BTreeSet<&str> = found.evidence.iter().map(|of| of.says.as_str()).collect();
        assert_eq!(said.len(), 2);
    }
    // A line of a log explains, and decides nothing unless it tells of damage.
    let found = text(&format!("ENOSPC: no space left on device, write\n{good}"));
    assert_eq!(found.safety, Safety::Safe);
    assert!(found.reply.contains("disk is full"), "{}", found.reply);
    let found = text(&format!("SqliteError: database disk image is malformed\n{good}"));
    assert_eq!(found.safety, Safety::NotSafe);
}

#[test]
fn an_earlier_bundle_contradicts_what_is_there_now() {
    let mut observation = settled();
    observation.files.insert(canonical(), database("1", JournalMode::Wal, 7));
    let mut logged = observation.clone();
    logged.files.insert(name("data.db-wal"), plain("8", 4152));
    let mut earlier = bundle(logged, Check::Sound, None);
    earlier.content = Some(Content { tables: 1, rows: 400 });
    let mut wal = read_wal(&[], None);
    wal.commits_not_checkpointed = 3;
    earlier.wal = Some(wal);
    let mut now = at(&bundle(observation, Check::Sound, None), NOW_MS + 1);
    now.content = earlier.content;
    let both = |now: &Bundle| text(&format!("{}\n{}", earlier.to_text(), now.to_text()));
    let found = both(&now);
    assert_eq!(found.safety, Safety::NotSafe, "{}", found.because);
    assert!(found.because.contains("3 committed transactions"), "{}", found.because);
    // It was checkpointed meanwhile.
    let mut used = now.clone();
    used.observation.files.insert(canonical(), database("1", JournalMode::Wal, 9));
    assert_eq!(both(&used).safety, Safety::Safe, "{}", both(&used).because);
    let mut older = now.clone();
    older.observation.files.insert(canonical(), database("1", JournalMode::Wal, 5));
    assert!(both(&older).because.contains("older copy"), "{}", both(&older).because);
    used.content = Some(Content { tables: 1, rows: 0 });
    assert_eq!(both(&used).safety, Safety::NotSafe);
}

#[test]
fn lines_of_json_are_no_journal_and_no_plan() {
    for line in [
        r#"{"level":"info","phase":"boot","msg":"EBUSY: busy, rename"}"#,
        r#"{"steps":3,"phase":"built","err":"EBUSY: busy, rename"}"#,
        r#"{"steps":[1,2],"msg":"EBUSY: busy, rename"}"#,
        r#"{"observation":"none","startedMs":1,"msg":"EBUSY: busy, rename"}"#,
    ] {
        let found = text(line);
        assert_eq!(found.kind, Kind::Line, "{line}: {}", found.because);
        assert_eq!(found.explanation.unwrap().os.as_deref(), Some("EBUSY"));
    }
}

/// A hostile text may begin objects without end.
#[test]
fn a_text_that_begins_many_objects_is_read_a_few_times_only() {
    let hostile = "{\"a\":".repeat(400_000);
    assert_eq!(text(&format!("x {hostile}")).kind, Kind::Unknown);
    let found = text(&format!("{}\n{hostile}", sound().to_text()));
    assert_eq!(found.safety, Safety::Safe, "{}", found.because);
}
