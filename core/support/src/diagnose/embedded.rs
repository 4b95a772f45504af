//! Finds what a person pasted with something round it: in a mail, quoted, between code fences,
//! after a signature, with a log before it.
//!
//! A mail may have changed it. Each way that mail programs change a text is taken back, one after
//! the other, until a bundle is found. What then still cannot be read is named as damaged.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::bundle::Given;
use cutover_core::ReadError;

/// The fields of the formats. An object without them, such as a line of a log, has none inside.
const FIELDS: [&str; 4] = ["\"observation\"", "\"steps\"", "\"phase\"", "\"startedMs\""];

/// The format that a text has, by the fields that only this format has. One field alone proves
/// nothing: a line of a log may have a `phase` or `steps` too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Bundle,
    Plan,
    Journal,
    Receipt,
}

impl Form {
    pub fn of(text: &str) -> serde_json::Result<Option<Self>> {
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Seen {
            version: Shape,
            observation: Shape,
            steps: Shape,
            undo: Shape,
            phase: Shape,
            names: Shape,
            source: Shape,
            nonce: Shape,
            started_ms: Shape,
            backup: Shape,
        }
        use Shape::{Array, Number, Object, Text};
        let seen: Seen = serde_json::from_str(text)?;
        Ok(match seen {
            Seen { observation: Object, version: Number, .. } => Some(Self::Bundle),
            Seen { steps: Array, undo: Array, .. } => Some(Self::Plan),
            Seen { phase: Text, names: Object, .. }
            | Seen { phase: Text, source: Text, nonce: Text, .. } => Some(Self::Journal),
            Seen { started_ms: Number, backup: Text, .. } => Some(Self::Receipt),
            _ => None,
        })
    }
}

/// The kind of a JSON value.
#[derive(Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Other,
    Number,
    Text,
    Array,
    Object,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Shape;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("any JSON value")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Other)
            }
            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Other)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }
            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::Text)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Shape::Array)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Shape, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Shape::Object)
            }
        }
        deserializer.deserialize_any(Look)
    }
}

/// What was found in a text.
pub(super) struct Embedded {
    pub texts: Vec<(Form, String)>,
    /// The text without them.
    pub rest: String,
    /// Whether a bundle seems to be in it that cannot be read.
    pub is_damaged: bool,
}

/// The bundles in a text that can be read.
pub(super) fn bundles(text: &str) -> Vec<Given> {
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if let Ok(bundle) = Given::parse(trimmed) {
        return vec![bundle];
    }
    let bundles = find(trimmed).texts.into_iter().filter(|(form, _)| *form == Form::Bundle);
    bundles.filter_map(|(_, text)| Given::parse(&text).ok()).collect()
}

/// Finds bundles, plans, journals and receipts in a text.
pub(super) fn find(text: &str) -> Embedded {
    const WAYS: [fn(&str) -> Cow<'_, str>; 6] = [
        |text| Cow::Borrowed(text),
        unquoted,
        base64,
        quoted_printable,
        |text| Cow::Owned(unescaped(text)),
        |text| Cow::Owned(straight(text)),
    ];
    let (mut plain, mut unread) = (None, None);
    let mut is_damaged = false;
    let mut mended = Cow::Borrowed(text);
    for way in WAYS {
        let next = way(&mended);
        if plain.is_some() && next == mended {
            continue;
        }
        mended = Cow::Owned(next.into_owned());
        let (texts, rest) = scan(&mended);
        let mentions = mentions_bundle(&mended);
        is_damaged |= mentions;
        let bundles = || texts.iter().filter(|(form, _)| *form == Form::Bundle);
        if bundles()
            .any(|(_, text)| matches!(Given::parse(text), Ok(_) | Err(ReadError::TooNew { .. })))
        {
            // What is left may be the rest of another that is damaged.
            let is_damaged = mentions_bundle(&rest);
            let rest = if is_damaged { without_json(&rest) } else { rest };
            let mut texts = texts;
            texts.retain(|(form, _)| !is_damaged || *form == Form::Bundle);
            return Embedded { texts, rest, is_damaged };
        }
        if bundles().next().is_some() {
            unread = unread.or(Some((texts, rest)));
            continue;
        }
        // A part of a damaged bundle may look like a plan or a journal.
        plain = plain.or_else(|| (!mentions && !texts.is_empty()).then_some((texts, rest)));
    }
    if let Some((texts, rest)) = unread {
        return Embedded { texts, rest: without_json(&rest), is_damaged: false };
    }
    match plain {
        Some((texts, rest)) if !is_damaged => Embedded { texts, rest, is_damaged },
        _ if is_damaged => Embedded { texts: Vec::new(), rest: without_json(text), is_damaged },
        _ => Embedded { texts: Vec::new(), rest: text.to_owned(), is_damaged },
    }
}

/// A text without the lines that seem to be of a damaged bundle: no error in it is the last.
fn without_json(text: &str) -> String {
    let is_json = |line: &&str| {
        let line = line.trim_start_matches(['>', ' ', '\t', '\u{a0}']);
        line.starts_with(['"', '{', '}', '[', ']', '\u{201c}']) || line.contains("\":")
    };
    text.lines().filter(|line| !is_json(line)).collect::<Vec<_>>().join("\n")
}

/// Whether a text has the first fields of a bundle.
fn mentions_bundle(text: &str) -> bool {
    let has = |field: &str| text.contains(field);
    has("\"observation\"") && has("\"canonical\"") || has("\"atMs\"") && has("\"sqlite\"")
}

/// The known objects of a text, and the rest of it.
fn scan(text: &str) -> (Vec<(Form, String)>, String) {
    let (mut objects, mut rest) = (Vec::new(), String::new());
    let (mut from, mut at) = (0, 0);
    // An object that does not end is read to the end of the text, and one that may have another
    // inside is read again: a hostile text may begin many.
    let mut left = text.len().saturating_mul(4);
    while let Some(begin) = text[at..].find('{').map(|found| at + found) {
        at = begin + 1;
        let begins_object = text[at..].trim_start_matches([' ', '\t', '\r', '\n', '\u{a0}']);
        if !begins_object.starts_with('"') {
            continue;
        }
        let found = object(text, begin);
        let end = found.as_ref().map_or(text.len(), |(_, end)| *end);
        if let Some((object, _)) = found {
            if let Ok(Some(form)) = Form::of(&object) {
                objects.push((form, object));
                rest.push_str(&text[from..begin]);
                rest.push('\n');
                from = end;
                at = end;
                continue;
            }
            if !FIELDS.iter().any(|field| object.contains(field)) {
                at = end;
                continue;
            }
        }
        left = match left.checked_sub(end - begin) {
            Some(left) => left,
            None => break,
        };
    }
    rest.push_str(&text[from..]);
    (objects, rest)
}

/// The object that begins here, and where it ends. A line break inside of a text is not JSON: a
/// mail program broke the line.
fn object(text: &str, begin: usize) -> Option<(String, usize)> {
    let mut object = String::new();
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for (at, c) in text[begin..].char_indices() {
        match c {
            '\n' | '\r' if in_text => continue,
            '\u{a0}' if !in_text => {
                object.push(' ');
                continue;
            }
            _ => object.push(c),
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '{' if !in_text => depth += 1,
            '}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return Some((object, begin + at + 1));
                }
            }
            _ => {}
        }
    }
    None
}

/// Without the marks of a quoted mail: `> `.
fn unquoted(text: &str) -> Cow<'_, str> {
    if !text.lines().any(|line| line.starts_with('>')) {
        return Cow::Borrowed(text);
    }
    let bare = |line: &str| {
        let mut line = line;
        while let Some(rest) = line.strip_prefix('>') {
            line = rest.strip_prefix(' ').unwrap_or(rest);
        }
        line.to_owned()
    };
    Cow::Owned(text.lines().map(bare).collect::<Vec<_>>().join("\n"))
}

/// Without the encoding `quoted-printable` of a mail.
fn quoted_printable(text: &str) -> Cow<'_, str> {
    if !text.contains("=\n") && !text.contains("=\r\n") && !text.contains("=20") {
        return Cow::Borrowed(text);
    }
    let joined = text.replace("=\r\n", "").replace("=\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more
            .get(..2)
            .filter(|_| *first == b'=')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { more.get(2..).unwrap_or_default() } else { more };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// With the parts that a mail encodes as `base64` put in their places, where they are texts.
fn base64(text: &str) -> Cow<'_, str> {
    /// Lines that are shorter do not begin a part.
    const LEAST: usize = 40;
    let is_line = |line: &str| {
        !line.is_empty()
            && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let mut out: Vec<Cow<'_, str>> = Vec::new();
    let mut changed = false;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let count = lines[at..].iter().take_while(|line| is_line(line)).count();
        if line.len() >= LEAST && count > 0 {
            let part = lines[at..at + count].concat();
            at += count;
            match decode(&part).and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(decoded) => {
                    changed = true;
                    out.push(Cow::Owned(decoded));
                }
                None => out.push(Cow::Owned(part)),
            }
        } else {
            out.push(Cow::Borrowed(line));
            at += 1;
        }
    }
    if changed { Cow::Owned(out.join("\n")) } else { Cow::Borrowed(text) }
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in base64.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Without the entities of HTML.
fn unescaped(text: &str) -> String {
    ["&quot;", "&#34;", "&#x22;"]
        .iter()
        .fold(text.to_owned(), |text, entity| text.replace(entity, "\""))
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&")
}

/// With the straight quotes that a word processor made round.
fn straight(text: &str) -> String {
    text.replace(['\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}', '\u{ab}', '\u{bb}'], "\"")
}
