//! Writing JSON objects whose member names are known when the program is compiled.
//!
//! Serde escapes the name of every member of every object anew, which takes half of the time of
//! writing a task. [`json_object!`] declares a struct and writes its members with names that are
//! constants.

use std::fmt::Display;
use std::io::Write as _;

use serde::ser::Error as _;
use serde_json::Result;
use serde_json::value::RawValue;
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;

/// A value that is appended to a JSON document.
pub(crate) trait WriteJson {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()>;
}

impl WriteJson for &str {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(document, self)
    }
}

impl WriteJson for bool {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(document, self)
    }
}

impl WriteJson for TaskId {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        write_plain(self, document)
    }
}

impl WriteJson for Timestamp {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        write_plain(self, document)
    }
}

/// Appends text that needs no escaping.
fn write_plain(value: &impl Display, document: &mut Vec<u8>) -> Result<()> {
    document.push(b'"');
    write!(document, "{value}").map_err(serde_json::Error::io)?;
    document.push(b'"');
    Ok(())
}

/// Returns the JSON of a value.
pub(crate) fn to_raw(value: &impl WriteJson) -> Result<Box<RawValue>> {
    let mut document = Vec::new();
    value.write_json(&mut document)?;
    RawValue::from_string(String::from_utf8(document).map_err(serde_json::Error::custom)?)
}

/// Declares a struct that is written as a JSON object with its fields as members.
macro_rules! json_object {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident<$lifetime:lifetime> {
            $(#[$first_attribute:meta])* $first_visibility:vis $first:ident: $first_type:ty,
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name<$lifetime> {
            $(#[$first_attribute])* $first_visibility $first: $first_type,
            $($(#[$field_attribute])* $field_visibility $field: $type,)*
        }

        impl $crate::json::WriteJson for $name<'_> {
            fn write_json(&self, document: &mut Vec<u8>) -> serde_json::Result<()> {
                document.extend_from_slice(concat!("{\"", stringify!($first), "\":").as_bytes());
                self.$first.write_json(document)?;
                $(
                    document.extend_from_slice(concat!(",\"", stringify!($field), "\":").as_bytes());
                    self.$field.write_json(document)?;
                )*
                document.push(b'}');
                Ok(())
            }
        }
    };
}

pub(crate) use json_object;
