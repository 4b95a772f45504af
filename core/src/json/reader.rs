//! Reads JSON without knowing any type. Where it refuses, it does so at the place and in the words that `serde_json` would.

use std::fmt::Display;

use super::{Error, Read};

/// How deep objects and arrays may be nested in what is kept.
const DEEPEST: u8 = 128;

/// One field of an object that is read.
pub struct Field<'a> {
    /// Its name in snake case; in the text it has camel case.
    pub name: &'static str,
    /// Where it goes.
    pub value: &'a mut dyn Read,
}

/// What an object may hold, and may lack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Its fields, and no other.
    Strict,
    /// Others as well.
    Loose,
    /// Its fields, or some of them.
    Partial,
}

/// A text that is being read.
pub struct Reader<'a> {
    pub(super) text: &'a str,
    /// The index of the next byte.
    pub(super) at: usize,
    depth: u8,
    /// What is wrong, and the index behind it: nothing where the object or array around it has yet to say.
    wrong: Option<(String, Option<usize>)>,
}

impl<'a> Reader<'a> {
    /// Reads all of a text.
    pub(super) fn whole(text: &'a str, value: &mut dyn Read) -> Result<(), Error> {
        let mut from = Self { text, at: 0, depth: DEEPEST, wrong: None };
        let read = value.read(&mut from).and_then(|()| match from.next_token() {
            None => Some(()),
            Some(_) => from.fail_ahead("trailing characters"),
        });
        if read.is_some() {
            return Ok(());
        }
        let (message, at) = from.wrong.unwrap_or_default();
        let before = text.as_bytes().get(..at.unwrap_or(from.at)).unwrap_or_default();
        let mut lines = before.split(|byte| *byte == b'\n');
        let column = lines.next_back().map_or(0, <[u8]>::len);
        Err(Error { message, line: lines.count() + 1, column })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn eat(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The next byte that is no white space, not eaten.
    pub(super) fn next_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn refuse_at<T>(&mut self, at: Option<usize>, message: &str) -> Option<T> {
        self.wrong.get_or_insert_with(|| (message.to_owned(), at));
        None
    }

    /// Refuses what was eaten last.
    pub(super) fn fail<T>(&mut self, message: &str) -> Option<T> {
        self.refuse_at(Some(self.at), message)
    }

    /// Refuses what comes next.
    pub(super) fn fail_ahead<T>(&mut self, message: &str) -> Option<T> {
        self.refuse_at(Some(self.text.len().min(self.at + 1)), message)
    }

    /// Refuses a value as a whole.
    pub fn refuse<T>(&mut self, message: &str) -> Option<T> {
        self.refuse_at(None, message)
    }

    /// What was made of a text, or its refusal.
    pub fn accept<T, E: Display>(&mut self, made: Result<T, E>) -> Option<T> {
        match made {
            Ok(made) => Some(made),
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    /// Where a refusal has no place yet, it is here.
    fn place(&mut self) {
        if let Some((_, at)) = &mut self.wrong {
            at.get_or_insert(self.at);
        }
    }

    /// Eats the rest of a word whose first letter was eaten.
    pub(super) fn rest(&mut self, rest: &str) -> Option<()> {
        for wanted in rest.bytes() {
            match self.eat() {
                None => return self.fail("EOF while parsing a value"),
                Some(byte) if byte != wanted => return self.fail("expected ident"),
                Some(_) => {}
            }
        }
        Some(())
    }

    /// Refuses the next value, which is none of what is expected.
    pub(super) fn misfit<T>(&mut self, expected: &str) -> Option<T> {
        let is = match self.next_token() {
            None => return self.fail_ahead("EOF while parsing a value"),
            Some(b'n') => {
                self.at += 1;
                self.rest("ull")?;
                "null".to_owned()
            }
            Some(b't' | b'f') => format!("boolean `{}`", self.truth()?),
            Some(b'-' | b'0'..=b'9') => self.number()?.to_string(),
            Some(b'"') => format!("string {:?}", self.text()?),
            Some(b'[') => "sequence".to_owned(),
            Some(b'{') => "map".to_owned(),
            Some(_) => return self.fail_ahead("expected value"),
        };
        self.fail(&format!("invalid type: {is}, expected {expected}"))
    }

    /// Eats `null`, if it is that.
    pub fn null(&mut self) -> Option<bool> {
        if self.next_token() != Some(b'n') {
            return Some(false);
        }
        self.at += 1;
        self.rest("ull")?;
        Some(true)
    }

    /// Reads `true` or `false`.
    pub fn truth(&mut self) -> Option<bool> {
        let (truth, rest) = match self.next_token() {
            Some(b't') => (true, "rue"),
            Some(b'f') => (false, "alse"),
            _ => return self.misfit("a boolean"),
        };
        self.at += 1;
        self.rest(rest)?;
        Some(truth)
    }

    /// Reads a string.
    pub fn text(&mut self) -> Option<String> {
        if self.next_token() != Some(b'"') {
            return self.misfit("a string");
        }
        self.at += 1;
        let mut text = String::new();
        self.string(Some(&mut text))?;
        Some(text)
    }

    /// The index of a word in a list of words.
    pub fn word(&mut self, words: &[&'static str]) -> Option<usize> {
        match self.next_token() {
            Some(b'"') => {}
            None => return self.fail_ahead("EOF while parsing a value"),
            Some(_) => return self.fail_ahead("expected value"),
        }
        let word = self.text()?;
        match words.iter().position(|known| **known == *word) {
            Some(index) => Some(index),
            None => self.fail(&unknown("variant", &word, words.iter().map(|word| (*word).to_owned()))),
        }
    }

    /// Reads a string to its end; its first quote was eaten. Without a text to put it in, it is only passed over.
    pub(super) fn string(&mut self, mut into: Option<&mut String>) -> Option<()> {
        loop {
            let plain = self.at;
            while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            if let (Some(into), Some(plain)) = (&mut into, self.text.get(plain..self.at)) {
                into.push_str(plain);
            }
            match self.peek() {
                None => return self.fail("EOF while parsing a string"),
                Some(b'"') => {
                    self.at += 1;
                    return Some(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    let letter = self.escape(into.is_some())?;
                    if let Some(into) = &mut into {
                        into.push(letter);
                    }
                }
                Some(_) => {
                    self.at += usize::from(into.is_some());
                    return self.fail("control character (\\u0000-\\u001F) found while parsing a string");
                }
            }
        }
    }

    /// Reads an escape behind its backslash. Only of one that is kept surrogates must come in pairs.
    fn escape(&mut self, kept: bool) -> Option<char> {
        const LONE: &str = "lone leading surrogate in hex escape";
        Some(match self.eat_of_string()? {
            letter @ (b'"' | b'\\' | b'/') => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !kept || !(0xd800..0xe000).contains(&first) {
                    return Some(char::from_u32(first).unwrap_or_default());
                }
                if first >= 0xdc00 {
                    return self.fail(LONE);
                }
                for wanted in [b'\\', b'u'] {
                    if self.eat_of_string()? != wanted {
                        return self.fail("unexpected end of hex escape");
                    }
                }
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return self.fail(LONE);
                }
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).unwrap_or_default()
            }
            _ => return self.fail("invalid escape"),
        })
    }

    fn eat_of_string(&mut self) -> Option<u8> {
        match self.eat() {
            None => self.fail("EOF while parsing a string"),
            some => some,
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let Some(digits) = self.text.as_bytes().get(self.at..self.at + 4) else {
            self.at = self.text.len();
            return self.fail("EOF while parsing a string");
        };
        self.at += 4;
        let mut number = 0;
        for digit in digits {
            match char::from(*digit).to_digit(16) {
                Some(digit) => number = number * 16 + digit,
                None => return self.fail("invalid escape"),
            }
        }
        Some(number)
    }

    /// Enters an object or array.
    fn enter(&mut self, bracket: u8, expected: &str) -> Option<()> {
        if self.next_token() != Some(bracket) {
            return self.misfit(expected);
        }
        self.depth -= 1;
        if self.depth == 0 {
            return self.fail_ahead("recursion limit exceeded");
        }
        self.at += 1;
        Some(())
    }

    /// Reads an array.
    pub fn list(&mut self, each: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.enter(b'[', "a sequence")?;
        let items = self.items(each);
        // A refusal of an item is placed behind the comma that follows it.
        if self.next_token() == Some(b',') {
            self.at += 1;
            self.next_token();
            self.place();
        }
        self.leave(items, b']')
    }

    fn items(&mut self, each: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let mut first = true;
        loop {
            match self.next_token() {
                None => return self.fail_ahead("EOF while parsing a list"),
                Some(b']') => return Some(()),
                Some(b',') if !first => {
                    self.at += 1;
                    match self.next_token() {
                        None => return self.fail_ahead("EOF while parsing a value"),
                        Some(b']') => return self.fail_ahead("trailing comma"),
                        Some(_) => {}
                    }
                }
                Some(_) if first => {}
                Some(_) => return self.fail_ahead("expected `,` or `]`"),
            }
            first = false;
            each(self)?;
        }
    }

    /// Reads an object. `each` is called behind each key.
    pub fn map(&mut self, expected: &str, each: &mut dyn FnMut(&mut Self, String) -> Option<()>) -> Option<()> {
        self.enter(b'{', expected)?;
        let entries = self.entries(each);
        self.next_token();
        self.leave(entries, b'}')
    }

    fn entries(&mut self, each: &mut dyn FnMut(&mut Self, String) -> Option<()>) -> Option<()> {
        const NO_KEY: &str = "key must be a string";
        let mut first = true;
        loop {
            match self.next_token() {
                None => return self.fail_ahead("EOF while parsing an object"),
                Some(b'}') => return Some(()),
                Some(b',') if !first => {
                    self.at += 1;
                    match self.next_token() {
                        None => return self.fail_ahead("EOF while parsing a value"),
                        Some(b'}') => return self.fail_ahead("trailing comma"),
                        Some(b'"') => {}
                        Some(_) => return self.fail_ahead(NO_KEY),
                    }
                }
                Some(b'"') if first => {}
                Some(_) if first => return self.fail_ahead(NO_KEY),
                Some(_) => return self.fail_ahead("expected `,` or `}`"),
            }
            first = false;
            let key = self.text()?;
            each(self, key)?;
        }
    }

    /// Leaves an object or array. A refusal of something in it that has no place yet is placed here.
    fn leave(&mut self, read: Option<()>, bracket: u8) -> Option<()> {
        if self.peek() == Some(bracket) {
            self.at += 1;
        }
        self.depth += 1;
        self.place();
        read
    }

    /// Eats the colon behind a key.
    pub fn colon(&mut self) -> Option<()> {
        match self.next_token() {
            Some(b':') => {
                self.at += 1;
                Some(())
            }
            Some(_) => self.fail_ahead("expected `:`"),
            None => self.fail_ahead("EOF while parsing an object"),
        }
    }

    /// Reads an object into fields.
    pub fn object(&mut self, name: &str, manner: Manner, fields: &mut [Field<'_>]) -> Option<()> {
        let mut seen = 0_u32;
        self.map(&format!("struct {name}"), &mut |from, key| {
            let Some(index) = fields.iter().position(|field| camel(field.name).eq(key.bytes())) else {
                if manner == Manner::Loose {
                    from.colon()?;
                    return from.ignore();
                }
                return from.refuse(&unknown("field", &key, fields.iter().map(|field| camel(field.name).map(char::from).collect())));
            };
            if seen & (1 << index) != 0 {
                return from.refuse(&format!("duplicate field `{key}`"));
            }
            seen |= 1 << index;
            from.colon()?;
            fields.get_mut(index)?.value.read(from)
        })?;
        let absent = |(index, field): &(usize, &Field<'_>)| seen & (1 << index) == 0 && !field.value.may_be_absent();
        match fields.iter().enumerate().find(absent) {
            Some((_, field)) if manner != Manner::Partial => {
                let name: String = camel(field.name).map(char::from).collect();
                self.fail(&format!("missing field `{name}`"))
            }
            _ => Some(()),
        }
    }
}

/// `free_bytes` as `freeBytes`.
fn camel(name: &str) -> impl Iterator<Item = u8> {
    let mut after = false;
    name.bytes().filter_map(move |byte| {
        let upper = std::mem::replace(&mut after, byte == b'_');
        (byte != b'_').then(|| if upper { byte.to_ascii_uppercase() } else { byte })
    })
}

fn unknown(what: &str, found: &str, known: impl Iterator<Item = String>) -> String {
    let known: Vec<String> = known.map(|known| format!("`{known}`")).collect();
    match known.as_slice() {
        [one] => format!("unknown {what} `{found}`, expected {one}"),
        [one, other] => format!("unknown {what} `{found}`, expected {one} or {other}"),
        _ => format!("unknown {what} `{found}`, expected one of {}", known.join(", ")),
    }
}
