//! Schemas in few words.

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat};

/// Text without U+0000, which no store keeps alike.
pub(super) const WITHOUT_NUL: &str = r"^[^\u0000]*$";

/// A schema with its name.
pub(super) type Named = (&'static str, RefOr<Schema>);

/// A member of an object.
pub(super) type Member = (&'static str, RefOr<Schema>);

pub(super) fn reference(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

pub(super) fn of_type(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(schema_type)
}

/// The same or null.
pub(super) fn nullable(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([schema_type, Type::Null]))
}

pub(super) fn text() -> ObjectBuilder {
    of_type(Type::String)
}

pub(super) fn flag() -> ObjectBuilder {
    of_type(Type::Boolean)
}

pub(super) fn count() -> ObjectBuilder {
    of_type(Type::Integer)
        .minimum(Some(0_u32))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

/// An instant as the service writes it.
pub(super) fn instant(text: ObjectBuilder) -> ObjectBuilder {
    text.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

pub(super) fn formatted(format: &str) -> ObjectBuilder {
    text().format(Some(SchemaFormat::Custom(format.to_owned())))
}

/// Text of so many code points, without U+0000.
pub(super) fn bounded(text: ObjectBuilder, min: usize, max: usize) -> ObjectBuilder {
    text.min_length((min > 0).then_some(min))
        .max_length(Some(max))
        .pattern(Some(WITHOUT_NUL))
}

/// An object whose members are all there.
pub(super) fn whole<const N: usize>(members: [Member; N]) -> ObjectBuilder {
    let names = members.each_ref().map(|(name, _)| *name);
    names
        .into_iter()
        .fold(with(members), ObjectBuilder::required)
}

/// An object with these members, none of which must be there.
pub(super) fn with<const N: usize>(members: [Member; N]) -> ObjectBuilder {
    members
        .into_iter()
        .fold(of_type(Type::Object), |object, (name, schema)| {
            object.property(name, schema)
        })
}

/// One of these members at least must be there.
pub(super) fn any_required(object: ObjectBuilder, names: &[&str]) -> ObjectBuilder {
    let alternatives: Vec<Value> = names
        .iter()
        .map(|name| json!({"required": [name]}))
        .collect();
    object.extensions(Some(keywords([("anyOf", alternatives.into())])))
}

pub(super) fn list_of(name: &str) -> ArrayBuilder {
    ArrayBuilder::new().items(reference(name))
}

/// Keywords that the builders do not know.
pub(super) fn keywords<const N: usize>(keywords: [(&str, Value); N]) -> Extensions {
    keywords.into_iter().collect()
}
