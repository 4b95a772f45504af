//! Numbers, and what is passed over.

use std::fmt;

use super::float::{self, Shortest};
use super::reader::Reader;

const OUT_OF_RANGE: &str = "number out of range";
const INVALID: &str = "invalid number";
const ENDS: &str = "EOF while parsing a value";

/// A number as it is kept.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Unsigned(u64),
    /// Below zero.
    Signed(i64),
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(number) => write!(f, "integer `{number}`"),
            Self::Signed(number) => write!(f, "integer `{number}`"),
            Self::Float(number) => write!(f, "floating point `{}`", Shortest(*number)),
        }
    }
}

impl Reader<'_> {
    /// Reads a whole number that is not below zero, and not above `most`.
    pub fn unsigned(&mut self, kind: &str, most: u64) -> Option<u64> {
        match self.integer(kind)? {
            Number::Unsigned(number) if number <= most => Some(number),
            other => self.fail(&format!("invalid value: {other}, expected {kind}")),
        }
    }

    /// Reads a whole number.
    pub fn signed(&mut self) -> Option<i32> {
        let number = self.integer("i32")?;
        let fits = match number {
            Number::Unsigned(number) => i32::try_from(number).ok(),
            Number::Signed(number) => i32::try_from(number).ok(),
            Number::Float(_) => None,
        };
        match fits {
            Some(number) => Some(number),
            None => self.fail(&format!("invalid value: {number}, expected i32")),
        }
    }

    fn integer(&mut self, kind: &str) -> Option<Number> {
        if !matches!(self.next_token(), Some(b'-' | b'0'..=b'9')) {
            return self.misfit(kind);
        }
        match self.number()? {
            float @ Number::Float(_) => self.fail(&format!("invalid type: {float}, expected {kind}")),
            number => Some(number),
        }
    }

    /// Reads a number, which is what comes next.
    pub(super) fn number(&mut self) -> Option<Number> {
        let begins = self.at;
        let exponent = self.scan_number(true)?;
        let text = self.text.get(begins..self.at)?;
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        if mantissa.len() == text.len() && !text.contains('.') {
            match text.parse::<u64>() {
                Ok(number) if !negative => return Some(Number::Unsigned(number)),
                Ok(number) if (1..=1 << 63).contains(&number) => return Some(Number::Signed(0_i64.wrapping_sub_unsigned(number))),
                _ => {}
            }
        }
        let float = float::nearest(mantissa, exponent);
        if float.is_infinite() {
            return self.fail(OUT_OF_RANGE);
        }
        Some(Number::Float(if negative { -float } else { float }))
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes over a number, and says its exponent. One that is kept must be in range.
    fn scan_number(&mut self, kept: bool) -> Option<i32> {
        let ends = if kept { ENDS } else { INVALID };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let begins = self.at;
        match self.eat() {
            None => return self.fail(ends),
            Some(b'0') => {
                if let Some(b'0'..=b'9') = self.peek() {
                    return self.fail_ahead(INVALID);
                }
            }
            Some(b'1'..=b'9') => self.digits(),
            Some(_) => return self.fail(INVALID),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            let fraction = self.at;
            self.digits();
            if self.at == fraction {
                return self.fail_ahead(if self.peek().is_none() { ends } else { INVALID });
            }
        }
        if !matches!(self.peek(), Some(b'e' | b'E')) {
            return Some(0);
        }
        let zero = self.text.get(begins..self.at)?.bytes().all(|byte| byte == b'0' || byte == b'.');
        self.at += 1;
        let negative = self.peek() == Some(b'-');
        if negative || self.peek() == Some(b'+') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0'..=b'9') => {}
            None => return self.fail(ends),
            Some(_) => {
                self.at += 1;
                return self.fail(INVALID);
            }
        }
        let mut exponent = 0_i32;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            let Some(more) = exponent.checked_mul(10).and_then(|tens| tens.checked_add(i32::from(digit - b'0'))) else {
                if kept && !zero && !negative {
                    return self.fail(OUT_OF_RANGE);
                }
                self.digits();
                return Some(if negative { i32::MIN } else { i32::MAX });
            };
            exponent = more;
        }
        Some(if negative { -exponent } else { exponent })
    }

    /// Passes over one value, however deep.
    pub fn ignore(&mut self) -> Option<()> {
        let mut around = Vec::new();
        loop {
            match self.next_token() {
                None => return self.fail_ahead(ENDS),
                Some(b'n') => drop(self.null()?),
                Some(b't' | b'f') => drop(self.truth()?),
                Some(b'-' | b'0'..=b'9') => drop(self.scan_number(false)?),
                Some(b'"') => {
                    self.at += 1;
                    self.string(None)?;
                }
                Some(open @ (b'[' | b'{')) => {
                    self.at += 1;
                    let close = if open == b'[' { b']' } else { b'}' };
                    around.push(close);
                    if self.peek_inside(close)? != close {
                        self.key(close)?;
                        continue;
                    }
                    self.at += 1;
                    around.pop();
                }
                Some(_) => return self.fail_ahead("expected value"),
            }
            loop {
                let Some(close) = around.last().copied() else { return Some(()) };
                match self.peek_inside(close)? {
                    b',' => {
                        self.at += 1;
                        self.key(close)?;
                        break;
                    }
                    byte if byte == close => {
                        self.at += 1;
                        around.pop();
                    }
                    _ if close == b']' => return self.fail_ahead("expected `,` or `]`"),
                    _ => return self.fail_ahead("expected `,` or `}`"),
                }
            }
        }
    }

    fn peek_inside(&mut self, close: u8) -> Option<u8> {
        match self.next_token() {
            None if close == b']' => self.fail_ahead("EOF while parsing a list"),
            None => self.fail_ahead("EOF while parsing an object"),
            some => some,
        }
    }

    /// Passes over a key with its colon, in an object.
    fn key(&mut self, close: u8) -> Option<()> {
        if close == b']' {
            return Some(());
        }
        if self.peek_inside(close)? != b'"' {
            return self.fail_ahead("key must be a string");
        }
        self.at += 1;
        self.string(None)?;
        self.colon()
    }
}
