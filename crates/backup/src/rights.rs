//! The rights of other roles on the tables of PostgreSQL. A restore makes new tables, on which only their owner has
//! rights, so that it grants them again.

use std::collections::BTreeSet;

use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, PgConnection};
use serde::{Deserialize, Serialize};
use taskhold_infrastructure::db::tables::quoted;

use crate::error::BackupError;
use crate::table::{MIGRATIONS, TABLES};

/// The rights that are granted again: whatever else a file says is passed over.
const KNOWN: [&str; 8] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "MAINTAIN",
];

/// Rights of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role.
    pub role: String,
    /// The table; `None` for the tables that the owner makes later (default privileges).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The rights, separated by commas.
    pub rights: String,
}

impl Grant {
    /// Returns the rights that this program knows, as SQL; `None` if there are none.
    fn rights(&self) -> Option<String> {
        let rights = self.rights.split(", ");
        let known: Vec<_> = rights.filter(|right| KNOWN.contains(right)).collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}

/// Reads the rights of all roles but the owner on the tables of a schema, and on those that its owner makes later.
pub(crate) async fn grants(
    session: &mut PgConnection,
    schema: &str,
) -> Result<Vec<Grant>, BackupError> {
    const GRANTS: &str = "
        WITH ours AS (SELECT relname, relowner, relacl FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                      WHERE nspname = $1 AND relname = ANY ($2))
        SELECT rolname::text, relname::text, string_agg(privilege_type, ', ' ORDER BY privilege_type)
        FROM ours, aclexplode(relacl) AS acl JOIN pg_roles ON pg_roles.oid = grantee
        WHERE grantee <> relowner GROUP BY 1, 2
        UNION ALL
        SELECT rolname::text, NULL, string_agg(privilege_type, ', ' ORDER BY privilege_type)
        FROM pg_default_acl JOIN pg_namespace ON pg_namespace.oid = defaclnamespace,
             aclexplode(defaclacl) AS acl JOIN pg_roles ON pg_roles.oid = grantee
        WHERE nspname = $1 AND defaclobjtype = 'r' AND grantee <> defaclrole
          AND defaclrole = (SELECT relowner FROM ours WHERE relname = 'tasks')
        GROUP BY 1
        ORDER BY 1, 2";
    let tables: Vec<_> = TABLES.into_iter().chain([MIGRATIONS]).collect();
    let rows: Vec<(String, Option<String>, String)> = sqlx::query_as(GRANTS)
        .bind(schema)
        .bind(tables)
        .fetch_all(session)
        .await
        .map_err(BackupError::sql("read the rights on the tables"))?;
    let grants = rows.into_iter().map(|(role, table, rights)| Grant {
        role,
        table,
        rights,
    });
    Ok(grants.collect())
}

/// The rights to grant after a restore.
#[derive(Debug)]
pub(crate) struct Rights {
    grants: Vec<Grant>,
    /// The owner of the tables before, if it is not the role that restores.
    owner: Option<String>,
}

/// What became of the rights of other roles.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RestoredRights {
    /// The roles that have the rights again.
    pub granted: Vec<String>,
    /// Statements that this role could not run, or that name a role which the server does not have.
    pub left: Vec<String>,
}

impl Rights {
    /// Reads what there is to grant: the rights on the tables that will be replaced, or else those in the backup.
    pub(crate) async fn of(
        session: &mut PgConnection,
        schema: Option<&str>,
        in_backup: &[Grant],
    ) -> Result<Self, BackupError> {
        const OWNER: &str = "SELECT tableowner::text FROM pg_tables \
            WHERE schemaname = $1 AND tablename = $2 AND tableowner <> current_user AND pg_has_role(tableowner, 'MEMBER')";
        let Some(schema) = schema else {
            return Ok(Self {
                grants: in_backup.to_vec(),
                owner: None,
            });
        };
        let mut found = grants(session, schema).await?;
        if found.is_empty() {
            found = in_backup.to_vec();
        }
        let owner = sqlx::query_scalar(OWNER).bind(schema).bind(MIGRATIONS);
        let owner = owner.fetch_optional(session).await;
        Ok(Self {
            grants: found,
            owner: owner.map_err(BackupError::sql("look whose the tables are"))?,
        })
    }

    /// Grants the rights on the tables of a schema, which is quoted. To be called in a transaction.
    pub(crate) async fn restore(
        &self,
        session: &mut PgConnection,
        place: &str,
        tables: &[&str],
    ) -> Result<RestoredRights, BackupError> {
        let mut restored = RestoredRights::default();
        if let Some(owner) = &self.owner {
            let owner = quoted(owner);
            for table in tables {
                let alter = format!("ALTER TABLE {place}.{table} OWNER TO {owner}");
                run(session, alter).await?;
            }
        }
        let roles: BTreeSet<_> = self.grants.iter().map(|grant| &grant.role).collect();
        for role in roles {
            let statements = self.statements(role, place, tables);
            let Some((ours, left)) = around(session, role, place, self.writes(role)).await? else {
                let create = format!("CREATE ROLE {}", quoted(role));
                let statements = statements.into_iter();
                let grants = statements.filter(|statement| !statement.starts_with("REVOKE"));
                restored.left.extend([create].into_iter().chain(grants));
                continue;
            };
            for statement in statements.into_iter().chain(ours) {
                run(session, statement).await?;
            }
            restored.left.extend(left);
            restored.granted.push(role.clone());
        }
        Ok(restored)
    }

    /// Returns the statements that give a role exactly the rights that it had, which its default privileges may exceed.
    fn statements(&self, role: &str, place: &str, tables: &[&str]) -> Vec<String> {
        let name = quoted(role);
        let mut statements = Vec::new();
        for grant in self.grants.iter().filter(|grant| grant.role == role) {
            let Some(rights) = grant.rights() else {
                continue;
            };
            match &grant.table {
                None => {
                    statements.push(format!(
                        "ALTER DEFAULT PRIVILEGES {}IN SCHEMA {place} GRANT {rights} ON TABLES TO {name}",
                        self.of_owner()
                    ));
                    // Migrations that the backup lacked have made them.
                    let new = tables.iter().filter(|table| !self.names(table));
                    statements.extend(
                        new.map(|table| format!("GRANT {rights} ON {place}.{table} TO {name}")),
                    );
                }
                Some(table) if tables.contains(&table.as_str()) => statements.extend([
                    format!("REVOKE ALL ON {place}.{table} FROM {name}"),
                    format!("GRANT {rights} ON {place}.{table} TO {name}"),
                ]),
                Some(_) => {}
            }
        }
        statements
    }

    fn names(&self, table: &str) -> bool {
        let mut grants = self.grants.iter();
        grants.any(|grant| grant.table.as_deref() == Some(table))
    }

    /// Returns whether a role may add rows, as the service does, which imports tasks by temporary tables.
    fn writes(&self, role: &str) -> bool {
        let mut grants = self.grants.iter().filter(|grant| grant.role == role);
        grants.any(|grant| grant.rights.split(", ").any(|right| right == "INSERT"))
    }

    fn of_owner(&self) -> String {
        let owner = self.owner.as_ref();
        owner.map_or_else(String::new, |owner| format!("FOR ROLE {} ", quoted(owner)))
    }
}

/// Returns the statements that let a role connect to the database, use the schema and, if it `writes`, make temporary
/// tables, where it may not: those that the session's role may run, and those that it may not. `None` if there is no
/// such role.
async fn around(
    session: &mut PgConnection,
    role: &str,
    place: &str,
    writes: bool,
) -> Result<Option<(Vec<String>, Vec<String>)>, BackupError> {
    const AROUND: &str = "
        SELECT format('GRANT CONNECT ON DATABASE %I TO %I', datname, rolname),
               has_database_privilege(rolname, datname, 'CONNECT'), pg_has_role(datdba, 'USAGE')
        FROM pg_roles, pg_database WHERE rolname = $1 AND datname = current_database()
        UNION ALL
        SELECT format('GRANT TEMPORARY ON DATABASE %I TO %I', datname, rolname),
               NOT $3 OR has_database_privilege(rolname, datname, 'TEMPORARY'), pg_has_role(datdba, 'USAGE')
        FROM pg_roles, pg_database WHERE rolname = $1 AND datname = current_database()
        UNION ALL
        SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, rolname),
               has_schema_privilege(rolname, pg_namespace.oid, 'USAGE'), pg_has_role(nspowner, 'USAGE')
        FROM pg_roles, pg_namespace WHERE rolname = $1 AND '\"' || replace(nspname, '\"', '\"\"') || '\"' = $2";
    let rows: Vec<(String, bool, bool)> = sqlx::query_as(AROUND)
        .bind(role)
        .bind(place)
        .bind(writes)
        .fetch_all(session)
        .await
        .map_err(BackupError::sql("look at the roles"))?;
    if rows.is_empty() {
        return Ok(None);
    }
    let lacking = rows.into_iter().filter(|(_, has, _)| !has);
    let (ours, left): (Vec<_>, Vec<_>) = lacking.partition(|(_, _, may_grant)| *may_grant);
    let texts = |rows: Vec<(String, bool, bool)>| rows.into_iter().map(|(text, ..)| text).collect();
    Ok(Some((texts(ours), texts(left))))
}

async fn run(session: &mut PgConnection, statement: String) -> Result<(), BackupError> {
    let done = session.execute(AssertSqlSafe(statement)).await;
    done.map(drop)
        .map_err(BackupError::sql("grant the rights on the restored tables"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_rights_are_granted_on_known_tables() {
        let grant = |table: Option<&str>, rights: &str| Grant {
            role: "a\"b".to_owned(),
            table: table.map(str::to_owned),
            rights: rights.to_owned(),
        };
        let rights = Rights {
            grants: vec![
                grant(None, "SELECT, EVERYTHING"),
                grant(Some("tasks"), "INSERT, SELECT"),
                grant(Some("tasks; DROP TABLE users"), "SELECT"),
                grant(Some("users"), "SELECT ON users TO x; DROP"),
            ],
            owner: None,
        };
        assert_eq!(
            rights.statements("a\"b", "\"public\"", &["tasks", "users", "new"]),
            [
                "ALTER DEFAULT PRIVILEGES IN SCHEMA \"public\" GRANT SELECT ON TABLES TO \"a\"\"b\"",
                "GRANT SELECT ON \"public\".new TO \"a\"\"b\"",
                "REVOKE ALL ON \"public\".tasks FROM \"a\"\"b\"",
                "GRANT INSERT, SELECT ON \"public\".tasks TO \"a\"\"b\"",
            ]
        );
    }
}
