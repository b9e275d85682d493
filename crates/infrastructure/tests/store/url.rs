//! The accepted spellings of a database URL.

use std::path::Path;

use sea_orm::sqlx::postgres::PgSslMode;
use taskhold_infrastructure::url::{
    DatabaseKind, DatabaseUrl, DatabaseUrlError, revealed, tls_files,
};

#[track_caller]
fn sqlite(raw: &str) -> std::path::PathBuf {
    match DatabaseUrl::parse(raw) {
        Ok(url) => url.sqlite_path().expect("SQLite").to_owned(),
        other => panic!("{raw}: {other:?}"),
    }
}

#[track_caller]
fn postgres(raw: &str) -> sea_orm::sqlx::postgres::PgConnectOptions {
    match DatabaseUrl::parse(raw) {
        Ok(url) => match url.kind() {
            DatabaseKind::Postgres(options) => options.clone(),
            DatabaseKind::Sqlite(path) => panic!("{}", path.display()),
        },
        other => panic!("{raw}: {other:?}"),
    }
}

#[test]
fn sqlite_urls_give_their_paths() {
    for (raw, path) in [
        ("sqlite://data/taskhold.db", "data/taskhold.db"),
        ("sqlite://taskhold.db?mode=rwc", "taskhold.db"),
        ("SQLite://t.db", "t.db"),
        ("sqlite:///var/lib/t.db", "/var/lib/t.db"),
        ("sqlite:////var/lib/t.db", "//var/lib/t.db"),
        ("sqlite:///./t.db", "./t.db"),
        ("sqlite://with%20space/t%25.db", "with space/t%.db"),
        ("sqlite+aiosqlite:///t.db", "t.db"),
        ("sqlite+aiosqlite:///./t.db", "./t.db"),
        ("sqlite+aiosqlite:////var/lib/t.db", "/var/lib/t.db"),
        ("sqlite+pysqlite:///data/t.db", "data/t.db"),
    ] {
        assert_eq!(sqlite(raw), Path::new(path), "{raw}");
    }
}

#[test]
fn rust_and_python_postgres_schemes_are_accepted() {
    for scheme in [
        "postgres",
        "postgresql",
        "PostgreSQL",
        "postgresql+asyncpg",
        "postgresql+psycopg",
        "postgresql+psycopg2",
        "postgres+asyncpg",
    ] {
        let options = postgres(&format!("{scheme}://user:secret@db.example:6543/tasks"));
        assert_eq!(options.get_host(), "db.example");
        assert_eq!(options.get_port(), 6543);
        assert_eq!(options.get_username(), "user");
        assert_eq!(options.get_database(), Some("tasks"));
    }
}

#[test]
fn remote_certificates_are_always_verified() {
    for parameters in [
        "",
        "?sslmode=require&channel_binding=prefer",
        "?ssl=require",
        "?ssl=true",
        "?sslmode=disable",
        "?sslmode=prefer",
        "?sslmode=allow",
        "?sslmode=verify-ca",
        "?sslmode=verify-full&sslrootcert=system",
        "?sslmode=require&options=endpoint%3Dep-cool-name-123456",
        "?sslmode=require&pgbouncer=true&connect_timeout=15&sslnegotiation=postgres&gssencmode=disable",
    ] {
        let raw = format!(
            "postgresql://neondb_owner:npg_secret@ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/neondb{parameters}"
        );
        let options = postgres(&raw);
        assert!(
            matches!(options.get_ssl_mode(), PgSslMode::VerifyFull),
            "{parameters}"
        );
        assert_eq!(options.get_database(), Some("neondb"), "{parameters}");
        assert_eq!(options.get_options(), None, "{parameters}");
    }
}

#[test]
fn local_server_may_skip_tls() {
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        let options = postgres(&format!("postgres://u@{host}/d"));
        assert!(
            matches!(options.get_ssl_mode(), PgSslMode::Prefer),
            "{host}"
        );
        let options = postgres(&format!("postgres://u@{host}/d?sslmode=disable"));
        assert!(
            matches!(options.get_ssl_mode(), PgSslMode::Disable),
            "{host}"
        );
    }
    for raw in [
        "postgres://u@%2Fvar%2Frun%2Fpostgresql/d",
        "postgresql:///d?host=/var/run/postgresql&user=u",
    ] {
        let options = postgres(raw);
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Prefer), "{raw}");
        assert_eq!(
            options.get_socket().map(std::path::PathBuf::as_path),
            Some(Path::new("/var/run/postgresql"))
        );
        assert_eq!(options.get_database(), Some("d"), "{raw}");
    }
    assert!(matches!(
        postgres("postgres://u@localhost.example/d").get_ssl_mode(),
        PgSslMode::VerifyFull
    ));
}

#[test]
fn ipv6_hosts_lose_their_brackets() {
    for raw in [
        "postgres://u@[::1]:5433/d",
        "postgres://u@/d?host=::1&port=5433",
        "postgres://u@:5433/d?host=[::1]",
        "postgres:///d?user=u&hostaddr=::1&port=5433",
    ] {
        let options = postgres(raw);
        assert_eq!(
            (options.get_host(), options.get_port()),
            ("::1", 5433),
            "{raw}"
        );
        assert_eq!(options.get_username(), "u", "{raw}");
        let shown = DatabaseUrl::parse(raw).expect("a URL").to_string();
        assert_eq!(shown, "PostgreSQL at [::1]:5433, database d", "{raw}");
    }
    let remote = postgres("postgres://u@[2001:db8::1]/d");
    assert!(matches!(remote.get_ssl_mode(), PgSslMode::VerifyFull));
}

/// libpq allows a user and a port without a host.
#[test]
fn host_may_be_a_parameter() {
    for raw in [
        "postgres://u:p%40ss@/d?host=/run/pg&port=6000",
        "postgres://u:p%40ss@:6000/d?host=%2Frun%2Fpg",
        "postgres://u:p%40ss@/?dbname=d&host=/run/pg&port=6000",
        "postgresql+asyncpg://u:p%40ss@/d?host=/run/pg&port=6000",
    ] {
        let options = postgres(raw);
        let socket = options.get_socket().map(std::path::PathBuf::as_path);
        assert_eq!(socket, Some(Path::new("/run/pg")), "{raw}");
        assert_eq!(
            (options.get_port(), options.get_username()),
            (6000, "u"),
            "{raw}"
        );
        assert_eq!(options.get_database(), Some("d"), "{raw}");
        assert_eq!(revealed(&options).password(), Some("p%40ss"), "{raw}");
    }
}

#[test]
fn schema_and_names_are_options_of_the_session() {
    for (parameters, expected) in [
        ("schema=Ours", "-c search_path=\"Ours\""),
        ("options=-csearch_path%3Dours", "-csearch_path=ours"),
        ("options=endpoint%3Dep-1%20-c%20a%3Db", "-c a=b"),
        ("options[geqo]=off", "-c geqo=off"),
        (
            "options=-c%20a%3Db&schema=ours",
            "-c a=b -c search_path=\"ours\"",
        ),
    ] {
        let options = postgres(&format!("postgres://u@localhost/d?{parameters}"));
        assert_eq!(options.get_options(), Some(expected), "{parameters}");
    }
    for (parameters, name) in [
        ("fallback_application_name=mine", "mine"),
        (
            "fallback_application_name=theirs&application_name=mine",
            "mine",
        ),
    ] {
        let options = postgres(&format!("postgres://u@localhost/d?{parameters}"));
        assert_eq!(options.get_application_name(), Some(name), "{parameters}");
    }
    let url =
        DatabaseUrl::parse("postgres://u@h/d?pgbouncer=true&connect_timeout=7").expect("a URL");
    assert!(url.is_pooled());
    assert_eq!(
        url.connect_timeout(),
        Some(std::time::Duration::from_secs(7))
    );
}

#[test]
fn certificate_authority_is_used_if_it_is_named() {
    for (parameters, expected) in [
        ("sslrootcert=/ca.pem", "VerifyFull"),
        ("sslrootcert=/ca.pem&sslmode=require", "VerifyCa"),
        ("sslrootcert=/ca.pem&sslmode=verify-ca", "VerifyCa"),
        ("sslrootcert=/ca.pem&sslmode=prefer", "Prefer"),
    ] {
        let options = postgres(&format!("postgres://u@localhost/d?{parameters}"));
        assert_eq!(
            format!("{:?}", options.get_ssl_mode()),
            expected,
            "{parameters}"
        );
        let files = tls_files(&options);
        assert_eq!(files, [("sslrootcert".to_owned(), "/ca.pem".to_owned())]);
    }
}

#[test]
fn parameters_without_effect_are_refused_by_name() {
    for parameter in [
        "channel_binding=require",
        "client_encoding=latin1",
        "command_timeout=5",
        "connect_timeout=0",
        "connection_limit=5",
        "gssencmode=require",
        "keepalives=1",
        "krbsrvname=x",
        "load_balance_hosts=random",
        "pgbouncer=maybe",
        "pool_timeout=5",
        "prepared_statement_cache_size=0",
        "requirepeer=postgres",
        "sslcrl=x",
        "sslnegotiation=direct",
        "sslpassword=hunter2",
        "statement-cache-capacity=0",
        "target_session_attrs=primary",
        "tcp_user_timeout=5",
        "unknown=hunter2",
        "hostaddr=127.0.0.1",
    ] {
        let raw = format!("postgres://u@localhost/d?{parameter}");
        let error = DatabaseUrl::parse(&raw).expect_err(&raw).to_string();
        let (name, _) = parameter.split_once('=').expect("a name");
        assert!(
            error.contains(&format!("parameter {name} is not supported")),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = DatabaseUrl::parse("sqlite://t.db?mode=ro").expect_err("refused");
    assert!(error.to_string().contains("parameter mode"), "{error}");
}

#[test]
fn supported_parameters_are_kept() {
    let options =
        postgres("postgres://u@localhost/d?application_name=mine&options=-c%20work_mem%3D4MB");
    assert_eq!(options.get_application_name(), Some("mine"));
    assert_eq!(options.get_options(), Some("-c work_mem=4MB"));
}

#[test]
fn url_errors_do_not_repeat_the_url() {
    for (raw, expected) in [
        ("", DatabaseUrlError::Malformed),
        ("hunter2", DatabaseUrlError::Malformed),
        ("postgres:u:hunter2@h/d", DatabaseUrlError::Malformed),
        ("postgres:/u:hunter2@h/d", DatabaseUrlError::Malformed),
        ("mysql://u:hunter2@h/d", DatabaseUrlError::UnknownScheme),
        ("http://u:hunter2@h/d", DatabaseUrlError::UnknownScheme),
        (
            "postgres://u:hunter2@h:notaport/d",
            DatabaseUrlError::Malformed,
        ),
        (
            "postgres://u:hunter2@h:99999/d",
            DatabaseUrlError::Malformed,
        ),
        (
            "postgres://u:hunter2@h/d?sslmode=hunter2",
            DatabaseUrlError::UnknownSslMode,
        ),
        ("sqlite::memory:", DatabaseUrlError::InMemory),
        ("sqlite://:memory:", DatabaseUrlError::InMemory),
        ("sqlite://x?mode=memory", DatabaseUrlError::InMemory),
        ("sqlite+aiosqlite:///:memory:", DatabaseUrlError::InMemory),
        ("sqlite://", DatabaseUrlError::NoPath),
        ("sqlite:///", DatabaseUrlError::NoPath),
        ("sqlite:hunter2.db", DatabaseUrlError::BarePath),
        ("sqlite://%ff.db", DatabaseUrlError::Malformed),
    ] {
        let error = DatabaseUrl::parse(raw).expect_err(raw);
        assert_eq!(error, expected, "{raw}");
        assert!(!error.to_string().contains("hunter2"), "{raw}");
    }
}

/// Each password has a character that ends it early if it is not percent-encoded. The words are what a reader
/// could take for a host, a port, a database or a parameter.
#[test]
fn password_that_is_not_encoded_is_refused_and_not_repeated() {
    for password in [
        "12/hunter2",
        "hunter2/12",
        "12?hunter2",
        "12#hunter2",
        "/hunter2",
        "?hunter2",
        "#hunter2",
        "hunter2/",
        "hunter2?",
        "hunter2#",
        "a@hunter2/b",
        "a@hunter2?b",
        "a@hunter2#b",
        "@/hunter2",
        "12/a@hunter2",
        "12?a=hunter2&b",
        "12?password=hunter2",
        "12//hunter2",
        "12/%2Fhunter2",
        "1%hunter2",
        "hunter2%",
        "hunter2%4",
        "hunter2%zz",
        "hunter2%00",
        "a\thunter2",
        "a\nhunter2",
        "[/hunter2]",
        "12/hunter2:5432",
        "\\/hunter2",
        "12/../hunter2",
    ] {
        for rest in [
            "@db.example/tasks",
            "@db.example:6543/tasks?sslmode=require",
            "@127.0.0.1/tasks",
            "@/tasks?host=db.example",
        ] {
            let raw = format!("postgres://user:{password}{rest}");
            let error = DatabaseUrl::parse(&raw).expect_err(&raw);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{raw}: {shown}");
            assert!(shown.contains("percent-encoded"), "{raw}: {shown}");
        }
    }
    for raw in [
        "postgres://db.example/tasks?user=u&password=a&hunter2",
        "postgres://db.example/tasks?user=u&password=a&hunter2=b",
        "postgres://db.example/tasks?password=a#hunter2",
        "postgres://u:p@one.example,hunter2/tasks",
        "postgres://u:p@hunter2$/tasks",
        "postgres://u:p@h\u{fc}nter2/tasks",
        "postgres://u@db.example/tasks?host=hunter2!",
        "postgres://u:p@db.example/tasks/hunter2",
        "postgres:///u:hunter2@db.example/tasks",
    ] {
        let error = DatabaseUrl::parse(raw).expect_err(raw);
        assert_eq!(error, DatabaseUrlError::Ambiguous, "{raw}");
    }
}

/// In these there is one way only to read the password.
#[test]
fn unambiguous_password_is_taken_as_it_is() {
    for (given, password) in [
        ("p%40ss%2Fw%3Frd%23%25", "p@ss/w?rd#%"),
        ("a:b", "a:b"),
        ("a@b", "a@b"),
        ("a!$&'()*+,;=b", "a!$&'()*+,;=b"),
        ("a b", "a b"),
        ("h\u{fc}nter", "h\u{fc}nter"),
    ] {
        let options = postgres(&format!("postgres://user:{given}@db.example/tasks"));
        assert_eq!(
            (options.get_host(), options.get_username()),
            ("db.example", "user"),
            "{given}"
        );
        assert_eq!(options.get_database(), Some("tasks"), "{given}");
        assert!(
            format!("{options:?}").contains(&format!("{password:?}")),
            "{given}: {options:?}"
        );
    }
}

#[test]
fn display_hides_passwords() {
    for raw in [
        "postgres://user:hunter2@db.example/tasks",
        "postgres://user@db.example/tasks?password=hunter2",
    ] {
        let url = DatabaseUrl::parse(raw).expect("a URL");
        assert!(!format!("{url:?} {url:#?} {url}").contains("hunter2"));
        assert_eq!(
            url.to_string(),
            "PostgreSQL at db.example:5432, database tasks"
        );
    }
}
