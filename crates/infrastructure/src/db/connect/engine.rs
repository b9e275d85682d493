//! The engine of a server that speaks PostgreSQL's protocol, and whether the service can trust it with tasks.
//!
//! A server says so itself, in the text of `version()` and by what its catalog has; reading that needs no rights.

use std::fmt;

/// The oldest PostgreSQL that has all that the program uses: `DROP DATABASE … WITH (FORCE)` is of 13, and
/// `plan_cache_mode` of 12.
const OLDEST_USABLE: u32 = 13;
/// The oldest PostgreSQL that the tests run on, and that still gets fixes.
const OLDEST_TRIED: u32 = 15;
/// The newest PostgreSQL that the tests run on.
const NEWEST_TRIED: u32 = 18;
/// The most characters of `version()` that a message shows.
const SHOWN: usize = 80;

/// Asks for all that identifies an engine, and for the encoding, in one round trip: rows of a kind and a value. An
/// engine that lacks what a later statement uses has answered the earlier ones.
pub(super) const QUESTIONS: &str = "
    SELECT 'version', version();
    SELECT 'mark', 'dsql' FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'sys' AND relname = 'iam_pg_role_mappings'
    UNION ALL SELECT 'mark', 'materialize' FROM pg_namespace WHERE nspname = 'mz_catalog';
    SELECT 'mark', mark FROM (VALUES
        ('neon', current_setting('neon.timeline_id', true) IS NOT NULL),
        ('aurora', to_regproc('aurora_version') IS NOT NULL),
        ('alloydb', current_setting('alloydb.iam_authentication', true) IS NOT NULL),
        ('citus', to_regclass('pg_dist_partition') IS NOT NULL)) AS marks (mark, is_there)
    WHERE is_there;
    SELECT 'encoding', current_setting('server_encoding')";

/// Finds those of the main tables that Citus distributes by a column. Tables that it keeps on every node or on one
/// (`partmethod` n) have all their keys.
pub(super) const DISTRIBUTED: &str = "
    SELECT logicalrelid::text FROM pg_dist_partition
    WHERE partmethod <> 'n' AND logicalrelid::oid IN (to_regclass('users')::oid, to_regclass('tasks')::oid)
    ORDER BY 1";

/// Engines that name themselves in `version()`, and what keeps them from being used.
const NAMED: [(&str, &str, &str); 9] = [
    ("-YB-", "YugabyteDB", YUGABYTE),
    ("CockroachDB", "CockroachDB", COCKROACH),
    ("Greenplum", "Greenplum", GREENPLUM),
    ("Cloudberry", "Apache Cloudberry", GREENPLUM),
    ("Greengage", "Greengage", GREENPLUM),
    ("Redshift", "Redshift", REDSHIFT),
    ("Materialize", "Materialize", MATERIALIZE),
    ("RisingWave", "RisingWave", RISINGWAVE),
    ("CrateDB", "CrateDB", CRATE),
];

const YUGABYTE: &str = "each change of a table is a transaction of its own there, so that a migration that fails or is \
                        cut off stays half applied";
const COCKROACH: &str = "a change of a table ends the transaction there, so that a migration that fails stays half \
                         applied; it lacks the temporary tables of imports and the exported snapshots of backups";
const GREENPLUM: &str = "it enforces no foreign keys, so that the rows of deleted users would stay";
const REDSHIFT: &str = "it enforces neither unique nor foreign keys, so that two users could have one address, and a \
                        repeated request could make two tasks";
const MATERIALIZE: &str = "it has no keys, and no transactions that read and write";
const RISINGWAVE: &str = "it has no transactions that read and write";
const CRATE: &str = "it has no transactions, so that a request that fails could be half done";
const DSQL: &str = "it has no foreign keys, so that the rows of deleted users would stay, and no temporary tables, \
                    which imports need";
const DISTRIBUTED_TABLES: &str = "a unique key must contain the column by which rows are distributed there, so that \
                                  neither ids of tasks nor addresses of users stay unique; undistribute_table undoes it";
const LOCAL_TABLES: &str = "Citus is there: leave the tables of Taskhold undistributed, or their keys are no longer \
                            unique and the service does not start";

/// A server that speaks PostgreSQL's protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The name and the version, for people.
    name: String,
    trust: Trust,
}

/// Whether tasks can be trusted to an engine, and otherwise why not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trust {
    Full,
    /// The service works, but an operator should know.
    Warned(String),
    Refused(String),
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Engine {
    /// Returns what an operator should know of an engine that can be used; `None` if there is nothing.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        match &self.trust {
            Trust::Warned(warning) => Some(warning),
            Trust::Full | Trust::Refused(_) => None,
        }
    }

    /// Returns why the engine cannot be used; `None` if it can.
    pub(super) fn refusal(&self) -> Option<&str> {
        match &self.trust {
            Trust::Refused(reason) => Some(reason),
            Trust::Full | Trust::Warned(_) => None,
        }
    }

    /// Identifies an engine by the text of `version()` and the marks that [`QUESTIONS`] found. `distributed` are the
    /// tables that [`DISTRIBUTED`] found.
    pub(super) fn identify(version: &str, marks: &[String], distributed: &[String]) -> Self {
        let has = |mark: &str| marks.iter().any(|found| found == mark);
        let named = NAMED.into_iter().find(|(text, ..)| version.contains(text));
        if let Some((_, name, reason)) = named {
            return Self::refused(name, version, reason);
        }
        if has("dsql") {
            return Self::refused("Aurora DSQL", version, DSQL);
        }
        if has("materialize") {
            return Self::refused("Materialize", version, MATERIALIZE);
        }
        let Some((number, major)) = number(version) else {
            return Self::unknown(version);
        };
        let name = if has("citus") {
            "Citus on PostgreSQL"
        } else if has("neon") {
            "Neon, PostgreSQL"
        } else if has("aurora") {
            "Aurora PostgreSQL"
        } else if has("alloydb") {
            "AlloyDB, PostgreSQL"
        } else {
            "PostgreSQL"
        };
        if major < OLDEST_USABLE {
            let reason = format!("the service needs what came with version {OLDEST_USABLE}");
            return Self::refused(&format!("{name} {number}"), version, &reason);
        }
        if !distributed.is_empty() {
            let reason = format!(
                "{} distributed by a column, and {DISTRIBUTED_TABLES}",
                match distributed {
                    [table] => format!("the table {table} is"),
                    tables => format!("the tables {} are", tables.join(" and ")),
                }
            );
            return Self::refused(&format!("{name} {number}"), version, &reason);
        }
        let trust = if has("citus") {
            Trust::Warned(LOCAL_TABLES.to_owned())
        } else if major < OLDEST_TRIED {
            Trust::Warned(format!(
                "PostgreSQL {major} no longer gets fixes, and the service was not tried on it: upgrade to a version \
                 that does ({OLDEST_TRIED} to {NEWEST_TRIED})"
            ))
        } else if major > NEWEST_TRIED {
            Trust::Warned(format!(
                "PostgreSQL {major} is newer than all that the service was tried on ({OLDEST_TRIED} to \
                 {NEWEST_TRIED}): look for a release of Taskhold that knows it"
            ))
        } else {
            Trust::Full
        };
        Self {
            name: format!("{name} {number}"),
            trust,
        }
    }

    /// Returns an engine that does not know what every PostgreSQL knows.
    pub(super) fn unknown(version: &str) -> Self {
        Self {
            name: "an unknown engine".to_owned(),
            trust: Trust::Refused(format!(
                "the server is no PostgreSQL but says that it is {}, and nothing is known of how that keeps tasks",
                shown(version)
            )),
        }
    }

    fn refused(name: &str, version: &str, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            trust: Trust::Refused(format!(
                "the server is {name}, on which tasks are not safe: {reason}; it says that it is {}",
                shown(version)
            )),
        }
    }
}

/// Returns the version in the text of every PostgreSQL, and its first number.
fn number(version: &str) -> Option<(&str, u32)> {
    let rest = version.strip_prefix("PostgreSQL ")?;
    let (number, _) = rest.split_once([' ', ',']).unwrap_or((rest, ""));
    let digits = number.find(|char: char| !char.is_ascii_digit());
    let major = number.get(..digits.unwrap_or(number.len()))?;
    Some((number, major.parse().ok()?))
}

/// Quotes the begin of a text that a server has made up.
fn shown(version: &str) -> String {
    match version.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", version.get(..end).unwrap_or(version)),
        None => format!("{version:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(version: &str, marks: &[&str]) -> Engine {
        let marks: Vec<_> = marks.iter().map(|mark| (*mark).to_owned()).collect();
        Engine::identify(version, &marks, &[])
    }

    #[test]
    fn engines_that_keep_every_guarantee_are_named_and_used() {
        for (version, marks, name) in [
            (
                "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) \
                 12.2.0, 64-bit",
                &[][..],
                "PostgreSQL 15.18",
            ),
            (
                "PostgreSQL 18.6 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 14.2.1, 64-bit",
                &[],
                "PostgreSQL 18.6",
            ),
            (
                "PostgreSQL 17.5 - Percona Server for PostgreSQL 17.5.2 on x86_64-pc-linux-gnu, compiled by gcc",
                &[],
                "PostgreSQL 17.5",
            ),
            (
                "PostgreSQL 17.5 (6bc9ef8) on aarch64-unknown-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit",
                &["neon"],
                "Neon, PostgreSQL 17.5",
            ),
            (
                "PostgreSQL 16.3 on x86_64-pc-linux-gnu, compiled by x86_64-pc-linux-gnu-gcc (GCC) 9.5.0, 64-bit",
                &["aurora"],
                "Aurora PostgreSQL 16.3",
            ),
            (
                "PostgreSQL 15.7 on x86_64-pc-linux-gnu, compiled by Debian clang version 12.0.1, 64-bit",
                &["alloydb"],
                "AlloyDB, PostgreSQL 15.7",
            ),
        ] {
            let engine = identify(version, marks);
            assert_eq!(engine.to_string(), name);
            assert_eq!(engine.trust, Trust::Full, "{version}");
        }
    }

    #[test]
    fn engines_on_which_a_guarantee_is_void_are_refused_by_name() {
        for (version, marks, name, reason) in [
            (
                "PostgreSQL 15.12-YB-2025.2.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 19.1.0, 64-bit",
                &[][..],
                "YugabyteDB",
                "half applied",
            ),
            (
                "PostgreSQL 11.2-YB-2024.2.8.0-b0 on x86_64-pc-linux-gnu",
                &[],
                "YugabyteDB",
                "half applied",
            ),
            (
                "CockroachDB CCL v25.4.0 (x86_64-pc-linux-gnu, built 2025/11/03 17:02:15, go1.25.1)",
                &[],
                "CockroachDB",
                "exported snapshots",
            ),
            (
                "PostgreSQL 12.12 (Greenplum Database 7.0.0 build commit:0a7a3566873325aca1789ae6f818c80f17a9402d) on \
                 x86_64-pc-linux-gnu, compiled by gcc",
                &[],
                "Greenplum",
                "foreign keys",
            ),
            (
                "PostgreSQL 14.4 (Apache Cloudberry 2.0.0-incubating build 1) on x86_64-pc-linux-gnu",
                &[],
                "Apache Cloudberry",
                "foreign keys",
            ),
            (
                "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat \
                 3.4.2-6.fc3), Redshift 1.0.77467",
                &[],
                "Redshift",
                "one address",
            ),
            (
                "PostgreSQL 13.14.0-RisingWave-2.6.0 (0c2d7b1)",
                &[],
                "RisingWave",
                "transactions",
            ),
            (
                "PostgreSQL 9.5.0 on x86_64-unknown-linux-gnu",
                &["materialize"],
                "Materialize",
                "no keys",
            ),
            (
                "CrateDB 6.0.1 (built 2a1b3c4/2025-08-01T09:00:00Z)",
                &[],
                "CrateDB",
                "no transactions",
            ),
            ("PostgreSQL 16", &["dsql"], "Aurora DSQL", "foreign keys"),
            (
                "PostgreSQL 9.6.24 on x86_64-pc-linux-gnu, compiled by gcc",
                &[],
                "PostgreSQL 9.6.24",
                "version 13",
            ),
        ] {
            let engine = identify(version, marks);
            assert_eq!(engine.to_string(), name);
            let refusal = engine.refusal().expect("refused");
            assert!(refusal.contains(&format!("is {name},")), "{refusal}");
            assert!(refusal.contains(reason), "{refusal}");
            assert_eq!(engine.warning(), None);
        }
    }

    #[test]
    fn texts_that_are_no_postgresql_are_refused_as_they_stand() {
        for version in [
            "",
            "Vertica Analytic Database v24",
            "PostgreSQL",
            "PostgreSQL x",
            "PostgreSQL 99999999999999",
        ] {
            let engine = identify(version, &["aurora"]);
            let refusal = engine.refusal().expect("refused");
            assert!(refusal.contains(&format!("{version:?}")), "{refusal}");
        }
        let long = identify(&"\u{1b}é".repeat(1_000), &[]);
        let refusal = long.refusal().expect("refused");
        assert!(
            refusal.len() < 1_000 && !refusal.contains('\u{1b}'),
            "{refusal}"
        );
    }

    #[test]
    fn versions_that_were_not_tried_are_warned_of() {
        for (version, warning) in [
            (
                "PostgreSQL 13.23 on x86_64-pc-linux-gnu",
                "no longer gets fixes",
            ),
            ("PostgreSQL 14.22", "no longer gets fixes"),
            (
                "PostgreSQL 19beta2 on x86_64-pc-linux-gnu",
                "newer than all",
            ),
        ] {
            let engine = identify(version, &[]);
            let text = engine.warning().expect("a warning");
            assert!(text.contains(warning), "{text}");
            assert_eq!(engine.refusal(), None);
        }
    }

    #[test]
    fn citus_is_warned_of_until_it_distributes_a_table() {
        let version = "PostgreSQL 17.5 on x86_64-pc-linux-gnu, compiled by gcc";
        let marks = ["citus".to_owned()];
        let local = Engine::identify(version, &marks, &[]);
        assert_eq!(local.to_string(), "Citus on PostgreSQL 17.5");
        assert!(
            local
                .warning()
                .is_some_and(|text| text.contains("undistributed"))
        );
        let distributed = Engine::identify(version, &marks, &["tasks".to_owned()]);
        let refusal = distributed.refusal().expect("refused");
        assert!(
            refusal.contains("the table tasks is distributed"),
            "{refusal}"
        );
    }
}
