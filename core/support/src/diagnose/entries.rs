//! The entries of a log. An entry is a line with those that belong to it: a stack trace, the fields
//! of an error. Colours are left out.

/// One entry.
pub(super) struct Entry {
    pub text: String,
    /// When it was written, in seconds of no certain time zone: good enough to order a log.
    at_s: Option<i64>,
}

/// The entries of a text, oldest first. A log that is exported newest first, as the event log of
/// Windows is, is turned round by its dates.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in without_colours(text).lines() {
        let follows = line.starts_with([' ', '\t', '}', ']', ')'])
            || ["Caused by", "caused by", "at "].iter().any(|begin| line.starts_with(begin));
        match entries.last_mut() {
            Some(entry) if follows => {
                entry.text.push('\n');
                entry.text.push_str(line);
                entry.at_s = entry.at_s.or_else(|| time(line));
            }
            _ => entries.push(Entry { text: line.to_owned(), at_s: time(line) }),
        }
    }
    // An entry without a date follows the one before it.
    let mut last = None;
    for entry in &mut entries {
        last = entry.at_s.or(last);
        entry.at_s = last;
    }
    entries.sort_by_key(|entry| entry.at_s);
    entries
}

/// Leaves out the escape sequences of a terminal, also as JSON writes them.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    // One search for what all of them begin with: a search for each would read the rest of a long
    // log again at every colour.
    while let Some(at) = rest.find(['\u{1b}', '\\']) {
        let mark = ["\u{1b}[", "\\u001b[", "\\u001B[", "\\x1b["]
            .into_iter()
            .find(|mark| rest[at..].starts_with(mark));
        let Some(mark) = mark else {
            plain.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        plain.push_str(&rest[..at]);
        let behind = &rest[at + mark.len()..];
        let end = behind.find(|c: char| !c.is_ascii_digit() && c != ';' && c != '?');
        rest = match end {
            Some(end) => &behind[end + behind[end..].chars().next().map_or(0, char::len_utf8)..],
            None => "",
        };
    }
    plain.push_str(rest);
    plain
}

/// The first date with a time in a line.
fn time(line: &str) -> Option<i64> {
    numbers(line).or_else(|| epoch(line))
}

/// `2026-11-21T10:00:03`, `21.11.2026 10:00:03`, `11/21/2026 10:00:03 AM`: six numbers, of which
/// the first or the third is a year.
fn numbers(line: &str) -> Option<i64> {
    let mut found: Vec<(i64, usize, usize)> = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len().min(400) {
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if end == at {
            at += 1;
            continue;
        }
        if let Ok(number) = line[at..end].parse::<i64>() {
            found.push((number, at, end));
        }
        at = end;
    }
    found.windows(6).find_map(|six| {
        // They stand together: at most a comma and a space, or a `T`, between two.
        let close = six.windows(2).all(|two| two[1].1 - two[0].2 <= 2);
        let [a, b, c, hour, minute, second] = [0, 1, 2, 3, 4, 5].map(|at| six[at].0);
        let by_dots = bytes.get(six[0].2) == Some(&b'.');
        let (year, month, day) = match (a, c) {
            (1970..=9999, _) => (a, b, c),
            (_, 1970..=9999) if by_dots || a > 12 => (c, b, a),
            (_, 1970..=9999) => (c, a, b),
            _ => return None,
        };
        let fits = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 61;
        let half = line.get(six[5].2..).unwrap_or_default().trim_start();
        let hour = match half.get(..2) {
            Some("PM" | "pm") if hour < 12 => hour + 12,
            Some("AM" | "am") if hour == 12 => 0,
            _ => hour,
        };
        let days = (year * 12 + month) * 31 + day;
        (close && fits).then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
    })
}

/// `"time":1764500000000`, as some loggers write JSON. Its scale is another than that of
/// [`numbers`], but one log has one form.
fn epoch(line: &str) -> Option<i64> {
    let at = ["\"time\":", "\"ts\":", "\"timestamp\":"]
        .iter()
        .find_map(|mark| Some(line.find(mark)? + mark.len()))?;
    let digits: String = line[at..].trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
