//! What the role may do on PostgreSQL.

use taskhold_backup::table::{MIGRATIONS, TABLES};

use super::finding::Finding;
use super::store::Look;
use super::{OrNotChecked as _, Seen};
use crate::settings::Settings;

/// Whether it may read and write rows: to serve.
pub async fn rows(look: &mut Look) -> Finding {
    rows_seen(look).await.or_not_checked("rights")
}

async fn rows_seen(look: &mut Look) -> Seen {
    const CHECK: &str = "rights";
    let (role, is_superuser, schema): (String, bool, Option<String>) = look
        .read_one(
            "SELECT current_user::text, rolsuper, current_schema()::text
             FROM pg_roles WHERE rolname = current_user",
        )
        .await?;
    let Some(schema) = schema else {
        return Ok(Finding::problem(
            CHECK,
            format!("the role {role} may use no schema of its search_path"),
            format!("GRANT USAGE ON SCHEMA public TO {role}"),
        ));
    };
    let tables = TABLES.map(|table| format!("'{table}'")).join(", ");
    let missing: Vec<(String, String)> = look
        .read(&format!(
            "SELECT name, string_agg(\"right\", ', ' ORDER BY \"right\")
             FROM (SELECT name, \"right\"
                   FROM unnest(ARRAY[{tables}]) AS name,
                        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS \"right\"
                   UNION ALL SELECT '{MIGRATIONS}', 'SELECT') AS needed
             WHERE to_regclass(name) IS NOT NULL
               AND NOT has_table_privilege(to_regclass(name)::oid, \"right\")
             GROUP BY name ORDER BY name"
        ))
        .await?;
    if !missing.is_empty() {
        let lacks: Vec<_> = missing
            .iter()
            .map(|(table, rights)| format!("{rights} on {table}"))
            .collect();
        let grants: Vec<_> = missing
            .iter()
            .map(|(table, rights)| format!("GRANT {rights} ON {schema}.{table} TO {role};"))
            .collect();
        return Ok(Finding::problem(
            CHECK,
            format!("the role {role} lacks {}", lacks.join(", ")),
            grants.join(" "),
        ));
    }
    if is_superuser {
        return Ok(Finding::warning(
            CHECK,
            format!(
                "the role {role} is a superuser: whoever has its password has the whole server"
            ),
            "serve as a role of its own (docs/operations/postgresql.md)",
        ));
    }
    Ok(Finding::ok(
        CHECK,
        format!("the role {role} may read and write the tables in {schema}"),
    ))
}

/// Whether it may change tables, where migrations are run by it.
pub async fn tables(settings: &Settings, look: &mut Look) -> Finding {
    tables_seen(settings, look)
        .await
        .or_not_checked("migrating")
}

async fn tables_seen(settings: &Settings, look: &mut Look) -> Seen {
    const CHECK: &str = "migrating";
    let tables = TABLES.map(|table| format!("'{table}'")).join(", ");
    let (role, may_create, owns): (String, bool, bool) = look
        .read_one(&format!(
            "SELECT current_user::text,
                    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
                    coalesce((SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class
                              WHERE oid = ANY (SELECT to_regclass(name)::oid
                                               FROM unnest(ARRAY[{tables}, '{MIGRATIONS}']) AS name)), true)"
        ))
        .await?;
    Ok(match (settings.auto_migrate, may_create && owns) {
        (true, true) => Finding::ok(
            CHECK,
            format!("the role {role} may change the tables, and does at the start"),
        ),
        (true, false) => Finding::problem(
            CHECK,
            format!(
                "the role {role} may not change the tables, which the start of the service does where it must"
            ),
            "set database.auto_migrate to false, and have another role run `taskhold migrate up` (docs/operations/postgresql.md)",
        ),
        (false, true) => Finding::ok(
            CHECK,
            format!("the role {role} may change the tables; the start of the service does not"),
        ),
        (false, false) => Finding::ok(
            CHECK,
            format!("the role {role} may not change the tables, nor does the start of the service"),
        ),
    })
}
