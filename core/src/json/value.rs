//! JSON that is kept as it is: what the application saved or reported.

use serde_json::{Map, Value};

use super::number::Number;
use super::{Read, Reader};

impl Read for Value {
    fn blank() -> Self {
        Self::Null
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        *self = match from.next_token() {
            None => return from.fail_ahead("EOF while parsing a value"),
            Some(b'n') => {
                from.null()?;
                Self::Null
            }
            Some(b't' | b'f') => Self::Bool(from.truth()?),
            Some(b'-' | b'0'..=b'9') => match from.number()? {
                Number::Unsigned(number) => number.into(),
                Number::Signed(number) => number.into(),
                Number::Float(number) => number.into(),
            },
            Some(b'"') => Self::String(from.text()?),
            Some(b'[') => {
                let mut items = Vec::new();
                items.read(from)?;
                Self::Array(items)
            }
            Some(b'{') => {
                let mut entries = Map::new();
                from.map("", &mut |from, key| {
                    from.colon()?;
                    let mut value = Self::Null;
                    value.read(from)?;
                    entries.insert(key, value);
                    Some(())
                })?;
                Self::Object(entries)
            }
            Some(_) => return from.fail_ahead("expected value"),
        };
        Some(())
    }
}
