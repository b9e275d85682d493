//! The rights on the tables of PostgreSQL that serving needs.

use std::fmt;

/// A row of [`find_missing`]: the role and the schema, quoted where they need it, a table or `None` for the schema
/// itself, and the rights.
pub(crate) type MissingRight = (String, String, Option<String>, String);

/// The rights that a role lacks. Displayed as a sentence that names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRights(Vec<MissingRight>);

impl MissingRights {
    /// Returns `None` if no right is missing.
    pub(crate) fn of(rows: Vec<MissingRight>) -> Option<Self> {
        (!rows.is_empty()).then_some(Self(rows))
    }

    /// Returns the statements that the owner of the tables has to run.
    #[must_use]
    pub fn grants(&self) -> String {
        let grants = self.0.iter().map(|(role, schema, table, rights)| {
            let object = table.as_ref().map_or_else(
                || format!("SCHEMA {schema}"),
                |table| format!("{schema}.{table}"),
            );
            format!("GRANT {rights} ON {object} TO {role};")
        });
        grants.collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for MissingRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (role, schema, table, rights)) in self.0.iter().enumerate() {
            let before = match index {
                0 => format!("the role {role} lacks "),
                _ => ", ".to_owned(),
            };
            let object = table
                .as_ref()
                .map_or_else(|| format!("the schema {schema}"), Clone::clone);
            write!(f, "{before}{rights} on {object}")?;
        }
        Ok(())
    }
}

/// Returns SQL that finds the rights on these tables which the session's role lacks. The tables are looked for in the
/// schemas of the search path, those included that the role may not use, in which no name is found otherwise.
pub(crate) fn find_missing(tables: &[&str]) -> String {
    let tables = tables
        .iter()
        .map(|table| format!("'{table}'"))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "WITH path AS (
             SELECT trim(both ' \"' FROM replace(name, '$user', current_user)) AS name, place
             FROM unnest(string_to_array(current_setting('search_path'), ',')) WITH ORDINALITY AS path (name, place)),
         home AS (
             SELECT pg_namespace.oid, nspname FROM path JOIN pg_namespace ON nspname = path.name
             WHERE EXISTS (SELECT FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
                           WHERE relnamespace = pg_namespace.oid AND relname = 'tasks' AND attname = 'is_completed')
               AND EXISTS (SELECT FROM pg_class
                           WHERE relnamespace = pg_namespace.oid AND relname = 'seaql_migrations')
             ORDER BY place LIMIT 1),
         needed AS (
             SELECT name, \"right\" FROM unnest(ARRAY[{tables}]) AS name,
                                         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS \"right\"
             UNION ALL SELECT 'seaql_migrations', 'SELECT')
         SELECT quote_ident(current_user), quote_ident(nspname), NULL, 'USAGE'
         FROM home WHERE NOT has_schema_privilege(home.oid, 'USAGE')
         UNION ALL
         (SELECT quote_ident(current_user), quote_ident(nspname), name, string_agg(\"right\", ', ' ORDER BY \"right\")
          FROM home JOIN pg_class ON relnamespace = home.oid JOIN needed ON name = relname
          WHERE NOT has_table_privilege(pg_class.oid, \"right\")
          GROUP BY nspname, name ORDER BY name)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_are_named_with_their_grants() {
        let row = |table: Option<&str>, rights: &str| {
            let table = table.map(str::to_owned);
            ("app".to_owned(), "public".to_owned(), table, rights.into())
        };
        let missing = MissingRights::of(vec![row(None, "USAGE"), row(Some("tasks"), "SELECT")]);
        let missing = missing.expect("some");
        assert_eq!(
            missing.to_string(),
            "the role app lacks USAGE on the schema public, SELECT on tasks"
        );
        assert_eq!(
            missing.grants(),
            "GRANT USAGE ON SCHEMA public TO app; GRANT SELECT ON public.tasks TO app;"
        );
        assert_eq!(MissingRights::of(vec![]), None);
    }
}
