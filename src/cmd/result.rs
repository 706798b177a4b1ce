//! Plain data to Tcl values.

use crate::tcl::Obj;
use crate::value::{Record, Value};

impl From<&Value> for Obj {
    fn from(value: &Value) -> Self {
        match value {
            Value::Str(text) => Self::text(text),
            Value::Bytes(bytes) => Self::bytes(bytes),
            Value::Int(number) => Self::int(*number),
            Value::Bool(truth) => Self::bool(*truth),
            Value::List(items) => Self::list(items.iter().map(Self::from)),
            Value::Record(record) => record.into(),
        }
    }
}

impl From<&Record> for Obj {
    fn from(record: &Record) -> Self {
        Self::dict(record.iter().map(|(key, value)| (key, Self::from(value))))
    }
}
