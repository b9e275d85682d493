//! Checks of `Containerfile` and `compose.yaml` that need no container engine: names, commands,
//! settings, users and secrets.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;
use yaml_rust2::{Yaml, YamlLoader};

use crate::service::{Database, SECRET, run};

const CONTAINERFILE: &str = include_str!("../../Containerfile");
const COMPOSE: &str = include_str!("../../compose.yaml");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the instructions, with continued lines joined.
fn instructions() -> Vec<(&'static str, String)> {
    let lines = CONTAINERFILE.lines().filter(|line| !line.starts_with('#'));
    let mut instructions: Vec<(&str, String)> = Vec::new();
    let mut goes_on = false;
    for line in lines.filter(|line| !line.is_empty()) {
        let text = line.trim().trim_end_matches('\\').trim_end();
        if goes_on {
            let (_, last) = instructions.last_mut().expect("something goes on");
            last.push(' ');
            last.push_str(text);
        } else {
            let (name, rest) = text.split_once(' ').expect("an instruction");
            instructions.push((name, rest.to_owned()));
        }
        goes_on = line.ends_with('\\');
    }
    instructions
}

fn arguments_of(instructions: &[(&str, String)], name: &str) -> Vec<String> {
    let of = instructions
        .iter()
        .filter(|(instruction, _)| *instruction == name);
    of.map(|(_, rest)| rest.clone()).collect()
}

/// Asserts that an image has a short name and a version as its tag.
fn assert_pinned(image: &str) {
    let (name, tag) = image
        .split_once(':')
        .unwrap_or_else(|| panic!("{image} has no tag"));
    assert!(
        !name.contains(['.', '/']) && tag != "latest" && !tag.is_empty(),
        "{image}"
    );
}

/// Asserts that the program has this command.
fn assert_is_command(words: &[String]) {
    let folder = Database::sqlite().folder;
    let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = run(folder.path(), &[], &arguments);
    let usage = format!("Usage: taskhold {}", words.join(" "));
    let printed = String::from_utf8_lossy(&help.stdout);
    assert!(
        help.status.success() && printed.contains(&usage),
        "{words:?}: {help:?}"
    );
}

/// Parses a `CMD` in its JSON form.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// Asserts that the program accepts these settings.
pub fn assert_are_settings(variables: &[(String, String)]) {
    let folder = Database::sqlite().folder;
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let variables = [&[("JWT_SECRET", SECRET)], &variables[..]].concat();
    let output = run(folder.path(), &variables, &["doctor", "--json"]);
    assert_ne!(output.status.code(), Some(78), "{variables:?}: {output:?}");
}

#[test]
fn image_runs_the_program_as_an_unprivileged_user() {
    let instructions = instructions();
    let images = arguments_of(&instructions, "FROM");
    let [build, base] = images.as_slice() else {
        panic!("two stages, and not {images:?}");
    };
    let build = build
        .strip_suffix(" AS build")
        .expect("the stage that builds");
    assert_pinned(build);
    assert_pinned(base);
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).expect("a manifest");
    let (_, rust) = manifest.split_once("rust-version = \"").expect("a version");
    let rust = rust.split('"').next().expect("a version");
    assert!(
        build.starts_with(&format!("rust:{rust}-")),
        "{build} and {rust}"
    );

    let last = instructions
        .iter()
        .rposition(|(name, _)| *name == "FROM")
        .expect("a stage");
    let stage = &instructions[last..];
    let users = arguments_of(stage, "USER");
    let [user] = users.as_slice() else {
        panic!("one user, and not {users:?}");
    };
    for id in user.split(':') {
        assert!(id.parse::<u32>().expect("a number") >= 10_000, "{user}");
    }
    let user_at = stage.iter().position(|(name, _)| *name == "USER");
    assert!(
        stage
            .iter()
            .skip(user_at.expect("a user"))
            .all(|(name, _)| *name != "RUN")
    );
    assert_eq!(
        arguments_of(stage, "COPY"),
        ["--from=build /src/target/dist/taskhold /usr/local/bin/taskhold"]
    );
    assert!(
        arguments_of(&instructions, "RUN")
            .iter()
            .any(|run| run.ends_with("--bin taskhold"))
    );

    assert_eq!(arguments_of(stage, "ENTRYPOINT"), [r#"["taskhold"]"#]);
    assert_is_command(&words(&arguments_of(stage, "CMD")[0]));
    let health = &arguments_of(stage, "HEALTHCHECK")[0];
    let (_, command) = health.split_once(" CMD ").expect("a command");
    let command = words(command);
    assert_eq!(command[0], "taskhold");
    assert_is_command(&command[1..]);

    let variables = arguments_of(&instructions, "ENV");
    let variables: Vec<_> = variables
        .iter()
        .map(|variable| variable.split_once('=').expect("a value"))
        .collect();
    for (name, _) in &variables {
        assert!(
            ["SECRET", "PASSWORD", "URL"]
                .iter()
                .all(|secret| !name.contains(secret)),
            "{name}"
        );
    }
    assert!(arguments_of(&instructions, "ARG").is_empty());
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    assert_are_settings(&variables);
}

#[test]
fn secrets_and_data_are_excluded_from_the_image() {
    let ignored = |name: &str| fs::read_to_string(repository().join(name)).expect("a list");
    assert_eq!(ignored(".dockerignore"), ignored(".containerignore"));
    for name in [".env", ".git", "target", "data", "backups"] {
        assert!(
            ignored(".dockerignore").lines().any(|line| line == name),
            "{name}"
        );
    }
}

fn compose() -> Yaml {
    YamlLoader::load_from_str(COMPOSE).expect("YAML").remove(0)
}

/// Returns a member of a mapping or of the mappings merged into it.
fn member<'a>(mapping: &'a Yaml, name: &str) -> &'a Yaml {
    match &mapping[name] {
        Yaml::BadValue if !mapping["<<"].is_badvalue() => member(&mapping["<<"], name),
        found => found,
    }
}

fn texts(list: &Yaml) -> Vec<String> {
    let list = list
        .as_vec()
        .unwrap_or_else(|| panic!("a list, and not {list:?}"));
    list.iter()
        .map(|text| text.as_str().expect("a string").to_owned())
        .collect()
}

fn variables(mapping: &Yaml) -> Vec<(String, String)> {
    let mapping = mapping.as_hash().expect("variables");
    let mut all = Vec::new();
    for (name, value) in mapping {
        match name.as_str().expect("a name") {
            "<<" => all.extend(variables(value)),
            name => all.push((
                name.to_owned(),
                value.as_str().expect("a string").to_owned(),
            )),
        }
    }
    all
}

/// Replaces `${NAME:?…}` with an operator's value.
fn with_operator_values(text: &str) -> String {
    let mut parts = text.split("${");
    let mut text_with_values = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("its end");
        let (name, message) = name
            .split_once(":?")
            .unwrap_or_else(|| panic!("{text}: not required"));
        assert!(!message.is_empty(), "{text}");
        text_with_values += match name {
            "JWT_SECRET" => SECRET,
            "POSTGRES_PASSWORD" => "letters0and1digits",
            other => panic!("anonymous is told of {other}"),
        };
        text_with_values += rest;
    }
    text_with_values
}

#[test]
fn compose_services_start_in_order_without_capabilities() {
    let compose = compose();
    let services = &compose["services"];
    let condition = |service: &str, on: &str| {
        let condition = &services[service]["depends_on"][on]["condition"];
        condition.as_str().expect("a condition").to_owned()
    };
    assert_eq!(condition("migrate", "database"), "service_healthy");
    assert_eq!(condition("service", "database"), "service_healthy");
    assert_eq!(
        condition("service", "migrate"),
        "service_completed_successfully"
    );
    let database = &services["database"];
    assert_pinned(database["image"].as_str().expect("an image"));
    assert_eq!(
        texts(&database["healthcheck"]["test"])[..2],
        ["CMD", "pg_isready"]
    );

    for name in ["migrate", "service"] {
        let service = &services[name];
        assert_is_command(&texts(&service["command"]));
        let file = member(service, "build")["dockerfile"]
            .as_str()
            .expect("a file");
        assert!(repository().join(file).is_file(), "{file}");
        assert_eq!(member(service, "read_only").as_bool(), Some(true));
        assert_eq!(texts(member(service, "cap_drop")), ["ALL"]);
    }
    for (name, service) in services.as_hash().expect("services") {
        for volume in texts(member(service, "volumes")) {
            let volume = volume.split(':').next().expect("a volume");
            let declared = compose["volumes"].as_hash().expect("volumes");
            assert!(
                declared.contains_key(&Yaml::String(volume.to_owned())),
                "{name:?}: {volume}"
            );
        }
        if !service["ports"].is_badvalue() {
            let ports = texts(&service["ports"]);
            assert!(
                ports.iter().all(|port| port.starts_with("127.0.0.1:")),
                "{ports:?}"
            );
        }
    }
}

/// The test uses the file's URL and changes only the socket's folder and port.
#[tokio::test]
async fn compose_settings_are_valid_and_reach_the_database() {
    let compose = compose();
    let services = &compose["services"];
    for (name, value) in variables(&services["database"]["environment"]) {
        let is_secret = name.contains("PASSWORD");
        assert_eq!(
            with_operator_values(&value) != value,
            is_secret,
            "{name}: {value}"
        );
    }
    let server = PostgresServer::start().expect("a server");
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    for statement in [
        "CREATE ROLE taskhold LOGIN",
        "CREATE DATABASE taskhold OWNER taskhold",
    ] {
        admin.execute(statement).await.expect("done");
    }
    let (socket, port): (String, String) = sqlx::query_as(
        "SELECT current_setting('unix_socket_directories'), current_setting('port')",
    )
    .fetch_one(&mut admin)
    .await
    .expect("settings");
    for service in ["migrate", "service"] {
        let variables: Vec<_> = variables(member(&services[service], "environment"))
            .into_iter()
            .map(|(name, value)| {
                let here = with_operator_values(&value)
                    .replace("/var/run/postgresql", &format!("{socket}&port={port}"));
                (name, here)
            })
            .collect();
        assert_are_settings(&variables);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let command = texts(&services[service]["command"]);
        // `serve` does not end by itself, so another command reads the same store.
        let arguments = if service == "migrate" {
            command.iter().map(String::as_str).collect()
        } else {
            vec!["user", "list"]
        };
        let output = run(Database::sqlite().folder.path(), &variables, &arguments);
        assert!(output.status.success(), "{service}: {output:?}");
    }
}
