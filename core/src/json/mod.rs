//! Reads JSON into our types. What serde derives for each type was a third of the code that a browser loads, so here a type only lists its fields
//! (`record!`, `words!`), and one [`Reader`] that knows no type does the rest. It takes what serde would, in the same words where it refuses;
//! an object only as an object, and a word only as a string, which is all that writers of ours write.

mod float;
mod number;
mod reader;
mod value;
mod write;

use std::collections::BTreeMap;
use std::fmt;

pub use reader::{Field, Manner, Reader};

pub(crate) use write::to_string;

/// Why a text is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// From 1.
    pub line: usize,
    /// From 1; 0 before the first character of a line.
    pub column: usize,
}

impl Error {
    /// Whether the text ends too early.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.message.starts_with("EOF while parsing")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for Error {}

/// A type that is read from JSON, in place: so that nothing has to be taken apart again where a text ends too early or lies.
pub trait Read {
    /// What stands there until it is read.
    fn blank() -> Self
    where
        Self: Sized;

    /// Reads one value. Nothing: the reader has kept why not.
    fn read(&mut self, from: &mut Reader<'_>) -> Option<()>;

    /// Whether a field of this type may be left out.
    fn may_be_absent(&self) -> bool {
        false
    }
}

/// Reads one value, and nothing behind it.
///
/// # Errors
/// Where in the text, and why it is not one.
pub fn from_str<T: Read>(text: &str) -> Result<T, Error> {
    let mut value = T::blank();
    Reader::whole(text, &mut value)?;
    Ok(value)
}

/// Reads an object: the fields of a struct, by their names in camel case. A name of its own is given behind `=`. `loose` passes over fields that it
/// does not know; in a `partial` one every field may be left out.
macro_rules! record {
    ($type:ident { $($field:ident $(= $name:literal)?),* $(,)? }) => {
        $crate::json::record!(Strict $type { $($field $(= $name)?),* });
    };
    (loose $type:ident { $($field:ident $(= $name:literal)?),* $(,)? }) => {
        $crate::json::record!(Loose $type { $($field $(= $name)?),* });
    };
    (partial $type:ident { $($field:ident $(= $name:literal)?),* $(,)? }) => {
        $crate::json::record!(Partial $type { $($field $(= $name)?),* });
    };
    ($manner:ident $type:ident { $($field:ident $(= $name:literal)?),* }) => {
        impl $crate::json::Read for $type {
            fn blank() -> Self {
                Self { $($field: $crate::json::Read::blank()),* }
            }

            fn read(&mut self, from: &mut $crate::json::Reader<'_>) -> Option<()> {
                let fields = &mut [$($crate::json::Field { name: [$($name,)? stringify!($field)][0], value: &mut self.$field }),*];
                from.object(stringify!($type), $crate::json::Manner::$manner, fields)
            }
        }
    };
}
pub(crate) use record;

/// Reads a word: one kind of an enum.
macro_rules! words {
    ($type:ident { $first:ident = $first_word:literal $(, $kind:ident = $word:literal)* $(,)? }) => {
        // Every kind has a word, or this does not compile.
        const _: fn(&$type) = |kind| match kind {
            $type::$first $(| $type::$kind)* => {}
        };
        impl $crate::json::Read for $type {
            fn blank() -> Self {
                Self::$first
            }

            fn read(&mut self, from: &mut $crate::json::Reader<'_>) -> Option<()> {
                let kinds = [Self::$first $(, Self::$kind)*];
                *self = *kinds.get(from.word(&[$first_word $(, $word)*])?)?;
                Some(())
            }
        }
    };
}
pub(crate) use words;

/// Reads a text that must be of some grammar.
macro_rules! checked_text {
    ($type:ty, $blank:expr) => {
        impl $crate::json::Read for $type {
            fn blank() -> Self {
                $blank
            }

            fn read(&mut self, from: &mut $crate::json::Reader<'_>) -> Option<()> {
                let text = from.text()?;
                *self = from.accept(Self::try_from(text))?;
                Some(())
            }
        }
    };
}
pub(crate) use checked_text;

/// Something that is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignored;

impl Read for Ignored {
    fn blank() -> Self {
        Self
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        from.ignore()
    }
}

impl Read for bool {
    fn blank() -> Self {
        false
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        *self = from.truth()?;
        Some(())
    }
}

impl Read for String {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        *self = from.text()?;
        Some(())
    }
}

impl Read for u64 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        *self = from.unsigned("u64", Self::MAX)?;
        Some(())
    }
}

impl Read for u32 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        *self = Self::try_from(from.unsigned("u32", u64::from(Self::MAX))?).ok()?;
        Some(())
    }
}

impl Read for i32 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        *self = from.signed()?;
        Some(())
    }
}

impl<T: Read> Read for Option<T> {
    fn blank() -> Self {
        None
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        if from.null()? {
            *self = None;
            return Some(());
        }
        self.insert(T::blank()).read(from)
    }

    fn may_be_absent(&self) -> bool {
        true
    }
}

impl<T: Read> Read for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        from.list(&mut |from| {
            let mut item = T::blank();
            item.read(from)?;
            self.push(item);
            Some(())
        })
    }
}

impl<K: TryFrom<String> + Ord, V: Read> Read for BTreeMap<K, V>
where
    K::Error: fmt::Display,
{
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        from.map("a map", &mut |from, key| {
            let key = from.accept(K::try_from(key))?;
            from.colon()?;
            let mut value = V::blank();
            value.read(from)?;
            self.insert(key, value);
            Some(())
        })
    }
}
