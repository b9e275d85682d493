//! The place of the tables in a PostgreSQL database: in one schema of the search path, not always in the first.

/// Finds the schemas of the search path that have the tables, in the order of the path, each with those of its
/// tables that a table of an earlier schema hides.
pub(crate) const FIND: &str = "
    SELECT nspname::text,
           (SELECT string_agg(hidden.relname::text, ', ' ORDER BY hidden.relname) FROM pg_class AS hidden
            WHERE hidden.relnamespace = pg_namespace.oid AND NOT pg_table_is_visible(hidden.oid)
              AND hidden.relname IN ('seaql_migrations', 'users', 'tasks', 'idempotency_keys', 'refresh_tokens',
                                     'revocations', 'attempts', 'imports', 'feeds', 'changes', 'trash',
                                     'personal_tokens', 'locks'))
    FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place)
    JOIN pg_namespace ON nspname = path.name
    JOIN pg_class AS tasks ON tasks.relnamespace = pg_namespace.oid AND tasks.relname = 'tasks'
    JOIN pg_attribute ON attrelid = tasks.oid AND attname = 'is_completed'
    JOIN pg_class AS history
      ON history.relnamespace = pg_namespace.oid AND history.relname = 'seaql_migrations'
    ORDER BY place";

/// Why the tables of a search path cannot be used: SQL without schemas would reach other ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MisplacedTables {
    /// Several schemas have them.
    #[error(
        "several schemas of its search_path have tables of Taskhold: {0}. Find out which has your data, and name only \
         that one: ALTER ROLE … SET search_path = …"
    )]
    SeveralSets(String),
    /// Other tables of the same name come first.
    #[error(
        "its search_path names a schema whose tables hide those of Taskhold in the schema {schema} ({tables}). Name \
         {schema} first: ALTER ROLE … SET search_path = …"
    )]
    Hidden {
        /// The schema of the tables.
        schema: String,
        /// The hidden ones.
        tables: String,
    },
}

/// Returns the schema of the tables, given the rows of [`FIND`]; `None` if there are none.
///
/// # Errors
/// [`MisplacedTables`].
pub(crate) fn only_schema(
    mut found: Vec<(String, Option<String>)>,
) -> Result<Option<String>, MisplacedTables> {
    if found.len() > 1 {
        let schemas = found.into_iter().map(|(schema, _)| schema);
        let schemas = schemas.collect::<Vec<_>>().join(", ");
        return Err(MisplacedTables::SeveralSets(schemas));
    }
    match found.pop() {
        Some((schema, Some(tables))) => Err(MisplacedTables::Hidden { schema, tables }),
        found => Ok(found.map(|(schema, _)| schema)),
    }
}

/// Quotes a name for SQL.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_visible_set_is_used_and_any_other_refused() {
        let set = |schema: &str, hidden: Option<&str>| (schema.to_owned(), hidden.map(Into::into));
        assert_eq!(only_schema(vec![]), Ok(None));
        assert_eq!(only_schema(vec![set("b", None)]), Ok(Some("b".to_owned())));
        assert_eq!(
            only_schema(vec![set("a", None), set("b", Some("tasks"))]),
            Err(MisplacedTables::SeveralSets("a, b".into()))
        );
        assert_eq!(
            only_schema(vec![set("b", Some("users"))]),
            Err(MisplacedTables::Hidden {
                schema: "b".into(),
                tables: "users".into()
            })
        );
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
