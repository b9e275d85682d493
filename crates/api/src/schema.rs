//! The parts of descriptions that several modules share.

use serde_json::Value;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Required, Schema, SchemaFormat};

/// An id for examples.
pub(crate) const SOME_ID: &str = "01a1fd4a-394c-7699-8ad9-e4a650ecd070";

/// An instant for examples.
pub(crate) const SOME_TIME: &str = "2026-11-21T08:47:42.412957Z";

/// The entity tag of a new task, for examples.
pub(crate) const SOME_ETAG: &str = "\"1-660c569efd49d\"";

/// An instant after a change, for examples.
pub(crate) const LATER: &str = "2026-11-21T09:12:03.000817Z";

/// The entity tag after that change, for examples.
pub(crate) const LATER_ETAG: &str = "\"2-660c5c0fea1f1\"";

/// The pattern of text without U+0000, which PostgreSQL cannot store. The regular expressions of all languages know
/// `\x00`, but not all know `\u0000`. The macros of utoipa take a literal only, so that they repeat it.
pub(crate) const WITHOUT_NUL: &str = r"^[^\x00]*$";

/// Returns the schema of text that is one of these names.
pub(crate) fn one_of<T: Into<Value>>(names: impl IntoIterator<Item = T>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
}

/// Returns the schema of the name of a time zone.
pub(crate) fn zone_name() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[A-Za-z][A-Za-z0-9_+/-]*$"))
}

/// Declares a type that stands for a schema which no struct on the wire has.
macro_rules! schema_type {
    ($(#[$attribute:meta])* $name:ident = $schema:expr) => {
        $(#[$attribute])*
        pub(crate) struct $name;

        impl utoipa::ToSchema for $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema.into()
            }
        }
    };
}

pub(crate) use schema_type;

/// Returns the schema that was derived for a struct, to be varied.
pub(crate) fn object_of<T: PartialSchema>() -> ObjectBuilder {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object.into(),
        _ => ObjectBuilder::new(),
    }
}

/// The largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
pub(crate) const MAX_EXACT_INTEGER: u64 = (1 << 53) - 1;

/// Returns the schema of an integer. Generators take an integer without a format for one of 32 bits.
pub(crate) fn integer(min: u64, max: u64) -> ObjectBuilder {
    let format = if i32::try_from(max).is_ok() {
        KnownFormat::Int32
    } else {
        KnownFormat::Int64
    };
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(format)))
        .minimum(Some(min))
        .maximum(Some(max))
}

/// Returns an optional parameter of a query.
pub(crate) fn query_parameter(
    name: &str,
    schema: impl Into<RefOr<Schema>>,
    description: &str,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
