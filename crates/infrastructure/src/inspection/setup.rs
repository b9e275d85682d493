//! The setup of a PostgreSQL server: its writes to disk, the owners of its tables, and the role that verifies backups.

use std::path::PathBuf;

use super::{InspectionError, Inspector};

/// The owners of the tables.
#[derive(Debug)]
pub struct Ownership {
    /// The role that has to own them: the session's if it migrates, else the owner of the database.
    pub expected: String,
    /// The tables of roles whose rights the expected one does not have, with these roles, as SQL.
    pub strangers: Vec<(String, String)>,
    /// The owner of the history of migrations; `None` if there are no tables.
    pub owner: Option<String>,
    /// `true` if the session's role or that owner may create databases.
    pub creates_databases: bool,
}

impl Inspector {
    /// Returns the settings that are off and without which a server that crashes loses what it has acknowledged; `None`
    /// for a SQLite file. Neon and Aurora keep their data in storage of their own, so that only one counts there.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn settings_off(&mut self) -> Result<Option<Vec<String>>, InspectionError> {
        const OFF: &str = "
            SELECT name FROM unnest(ARRAY['fsync', 'full_page_writes', 'synchronous_commit']) AS name
            WHERE current_setting(name) = 'off'
              AND (name = 'synchronous_commit'
                   OR current_setting('neon.timeline_id', true) IS NULL
                      AND NOT EXISTS (SELECT FROM pg_proc WHERE proname = 'aurora_version'))";
        if self.is_sqlite() {
            return Ok(None);
        }
        let off = self.read(OFF).await?.into_iter();
        Ok(Some(off.map(|(name,)| name).collect()))
    }

    /// Asks whose these tables are; `None` for a SQLite file. A table of another role counts if it is a superuser's,
    /// or if the tables have several owners, unless the session's role itself migrates.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn ownership(
        &mut self,
        tables: &[&str],
        migrates: bool,
    ) -> Result<Option<Ownership>, InspectionError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let expected = if migrates {
            "current_user"
        } else {
            "(SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database())"
        };
        let (expected, owner, creates_databases): (String, Option<String>, bool) = self
            .read_one(&format!(
                "WITH history AS (SELECT relowner FROM pg_class WHERE oid = to_regclass('seaql_migrations'))
                 SELECT quote_ident({expected}), (SELECT relowner::regrole::text FROM history),
                        (SELECT bool_or(rolcreatedb OR rolsuper) FROM pg_roles
                         WHERE rolname = current_user OR oid = (SELECT relowner FROM history))"
            ))
            .await?;
        let found: Vec<(String, String, bool, bool)> = self
            .read(&format!(
                "SELECT pg_class.oid::regclass::text, relowner::regrole::text, rolsuper,
                        pg_has_role({expected_name}, relowner, 'USAGE')
                 FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
                 WHERE pg_class.oid = ANY (SELECT to_regclass(name)::oid FROM unnest(ARRAY[{names}]) AS name)
                 ORDER BY 1",
                expected_name = if migrates { "current_user" } else {
                    "(SELECT datdba FROM pg_database WHERE datname = current_database())"
                },
                names = list(tables),
            ))
            .await?;
        let first = found.first().map(|(_, owner, ..)| owner.clone());
        let has_several = found
            .iter()
            .any(|(_, owner, ..)| Some(owner) != first.as_ref());
        let strangers = found.into_iter().filter(|(_, _, is_superuser, is_ours)| {
            !is_ours && (migrates || has_several || *is_superuser)
        });
        Ok(Some(Ownership {
            expected,
            strangers: strangers.map(|(table, owner, ..)| (table, owner)).collect(),
            owner,
            creates_databases,
        }))
    }

    /// Returns those of the names of these tables that something else has where migrations would create them. Call it
    /// only while the store has none of its tables.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn taken_names(&mut self, tables: &[&str]) -> Result<Vec<String>, InspectionError> {
        let names = list(tables);
        let sql = if self.is_sqlite() {
            format!("SELECT name FROM sqlite_master WHERE name IN ({names}) ORDER BY name")
        } else {
            format!(
                "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                 WHERE nspname = current_schema() AND relname IN ({names}) ORDER BY relname"
            )
        };
        let taken = self.read(&sql).await?.into_iter();
        Ok(taken.map(|(name,)| name).collect())
    }

    /// Returns the folder of the server's data, if the role may see it.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn data_folder(&mut self) -> Result<Option<PathBuf>, InspectionError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let sql = "SELECT setting FROM pg_settings WHERE name = 'data_directory'";
        let found: Vec<(String,)> = self.read(sql).await?;
        Ok(found.into_iter().next().map(|(folder,)| folder.into()))
    }

    /// Returns the first number of a PostgreSQL server's version; `None` for a SQLite file.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn server_version(&mut self) -> Result<Option<u32>, InspectionError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let sql = "SELECT current_setting('server_version_num')::int8 / 10000";
        let (major,): (i64,) = self.read_one(sql).await?;
        Ok(u32::try_from(major).ok())
    }
}

/// Returns names as a list of SQL texts.
fn list(names: &[&str]) -> String {
    let texts = names.iter().map(|name| format!("'{name}'"));
    texts.collect::<Vec<_>>().join(", ")
}
