//! Writes JSON as `serde_json` does when it writes prettily, but for its table of powers of ten, which is larger than what writes a float here.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::float::Shortest;

/// The text of a value whose maps have text keys: of any other, nothing.
pub(crate) fn to_string<T: Serialize>(value: &T) -> String {
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, Pretty(PrettyFormatter::new())));
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
}

struct Pretty(PrettyFormatter<'static>);

macro_rules! forward {
    ($($method:ident($($first:ident)?)),*) => {
        $(fn $method<W: ?Sized + Write>(&mut self, to: &mut W $(, $first: bool)?) -> Result<()> {
            self.0.$method(to $(, $first)?)
        })*
    };
}

impl Formatter for Pretty {
    forward!(
        begin_array(),
        end_array(),
        begin_array_value(first),
        end_array_value(),
        begin_object(),
        end_object(),
        begin_object_key(first),
        begin_object_value(),
        end_object_value()
    );

    fn write_f64<W: ?Sized + Write>(&mut self, to: &mut W, value: f64) -> Result<()> {
        write!(to, "{}", Shortest(value))
    }
}
