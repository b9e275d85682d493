//! Writing JSON objects whose member names are known when the program is compiled.
//!
//! Serde escapes the name of every member of every object anew, which takes half of the time of
//! writing a task. [`json_object!`] declares a struct and writes its members with names that are
//! constants.

use std::io::Write as _;

use serde::ser::Error as _;
use serde_json::Result;
use serde_json::value::RawValue;
use taskhold_domain::task::{Due, Priority, Repeat, RepeatFrom, Tags, TaskId};
use taskhold_domain::timestamp::Timestamp;
use uuid::Uuid;

/// A value that is appended to a JSON document.
pub(crate) trait WriteJson {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()>;
}

impl<T: WriteJson> WriteJson for Option<T> {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        if let Some(value) = self {
            return value.write_json(document);
        }
        document.extend_from_slice(b"null");
        Ok(())
    }
}

impl WriteJson for &str {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(document, self)
    }
}

impl WriteJson for &RawValue {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        document.extend_from_slice(self.get().as_bytes());
        Ok(())
    }
}

impl WriteJson for bool {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(document, self)
    }
}

// Neither ids nor times contain characters that are escaped.
impl WriteJson for TaskId {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        let mut text = Uuid::encode_buffer();
        document.push(b'"');
        document.extend_from_slice(
            self.as_uuid()
                .hyphenated()
                .encode_lower(&mut text)
                .as_bytes(),
        );
        document.push(b'"');
        Ok(())
    }
}

impl WriteJson for Timestamp {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        write!(document, "\"{self}\"").map_err(serde_json::Error::io)
    }
}

impl WriteJson for Priority {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        self.as_str().write_json(document)
    }
}

impl WriteJson for RepeatFrom {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        self.as_str().write_json(document)
    }
}

impl WriteJson for &Repeat {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        // No part of a rule has a character that is escaped.
        write!(document, "\"{self}\"").map_err(serde_json::Error::io)
    }
}

impl WriteJson for &Due {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        // No name of a time zone has a character that is escaped.
        write!(document, "\"{self}\"").map_err(serde_json::Error::io)
    }
}

impl WriteJson for &Tags {
    fn write_json(&self, document: &mut Vec<u8>) -> Result<()> {
        document.push(b'[');
        for (index, tag) in self.iter().enumerate() {
            if index > 0 {
                document.push(b',');
            }
            tag.as_str().write_json(document)?;
        }
        document.push(b']');
        Ok(())
    }
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
