//! What a domain function returns to a command: plain data, which only the top floor turns into Tcl values.
//!
//! Pure: std only, so that a certificate's description, say, can be tested without an interpreter.

/// A value on its way to the script.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Text.
    Str(String),
    /// A byte array.
    Bytes(Vec<u8>),
    /// An integer.
    Int(i64),
    /// A boolean, `0` or `1` in Tcl.
    Bool(bool),
    /// A list.
    List(Vec<Self>),
    /// A record; in Tcl a dict whose keys keep this order.
    Record(Record),
}

/// Keys and values in the order in which a script sees them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record(Vec<(String, Value)>);

impl Record {
    /// A record without keys.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a key at the end, or gives a key that is there a new value in its old place.
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Adds all keys of another record.
    pub(crate) fn extend(&mut self, other: Self) {
        for (key, value) in other.0 {
            self.put(&key, value);
        }
    }

    /// For tests: the value of a key.
    #[cfg(test)]
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The keys and values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Makes the obvious conversions into [`Value`].
macro_rules! from {
    ($($type:ty => |$name:ident| $value:expr;)+) => {
        $(impl From<$type> for Value {
            fn from($name: $type) -> Self {
                $value
            }
        })+
    };
}

from! {
    &str => |text| Self::Str(text.to_owned());
    String => |text| Self::Str(text);
    &[u8] => |bytes| Self::Bytes(bytes.to_owned());
    Vec<u8> => |bytes| Self::Bytes(bytes);
    i32 => |number| Self::Int(i64::from(number));
    u32 => |number| Self::Int(i64::from(number));
    i64 => |number| Self::Int(number);
    bool => |truth| Self::Bool(truth);
    Record => |record| Self::Record(record);
    Vec<Self> => |items| Self::List(items);
    Vec<String> => |items| Self::List(items.into_iter().map(Self::Str).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_place_when_it_is_put_again() {
        let mut record = Record::new();
        record.put("a", 1);
        record.put("b", "x");
        record.put("a", 2);
        let seen: Vec<_> = record.iter().collect();
        assert_eq!(
            seen,
            [("a", &Value::Int(2)), ("b", &Value::Str("x".into()))]
        );
    }
}
