//! The tables of `docs/reference` and `.env.example`, compared with the program: names and values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::requirements::read;
use crate::service::{Database, Service, endpoints, run};

const COMMANDS: &str = "docs/reference/commands.md";
const SETTINGS: &str = "docs/reference/settings.md";
const HTTP: &str = "docs/reference/http.md";

/// The cells of each row of each table in a text.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix('|'));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The same of the table under a heading, without the names of its columns.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(page);
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("{page} has no section {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    rows(section).split_off(2)
}

/// The code at the beginning of a cell.
fn code(cell: &str) -> String {
    let code = cell
        .strip_prefix('`')
        .and_then(|rest| rest.split_once('`'))
        .unwrap_or_else(|| panic!("{cell} begins with no code"));
    code.0.to_owned()
}

/// The values of a configuration file, by `section.key`.
fn configured(file: &str) -> BTreeMap<String, String> {
    let mut section = "";
    let mut values = BTreeMap::new();
    let text = read(file);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once(" = ") {
            let value = value.trim_matches('"').to_owned();
            values.insert(format!("{section}.{key}"), value);
        }
    }
    values
}

#[test]
fn settings_and_their_defaults_are_those_of_the_configuration_files() {
    let defaults = configured("config/default.toml");
    let profiles = ["development", "production", "test"]
        .map(|profile| (profile, configured(&format!("config/{profile}.toml"))));
    let shown = |value: &str| match value {
        "" => "empty".to_owned(),
        value => format!("`{value}`"),
    };
    let expected: BTreeMap<_, _> = defaults
        .iter()
        .map(|(setting, value)| {
            let overridden = profiles.iter().filter_map(|(profile, values)| {
                let value = values.get(setting)?;
                Some(format!(" ({profile}: {})", shown(value)))
            });
            let default = shown(value) + &overridden.collect::<String>();
            (setting.clone(), default)
        })
        .collect();
    let documented: BTreeMap<_, _> = table(SETTINGS, "All settings")
        .iter()
        .map(|row| (code(&row[0]), row[1].clone()))
        .collect();
    assert_eq!(documented, expected);
}

/// The settings that variables with names of their own set, and what these show if it is not the default.
const WELL_KNOWN: [(&str, &str, Option<&str>); 4] = [
    (
        "DATABASE_URL",
        "database.url",
        Some("sqlite://data/taskhold.db"),
    ),
    ("NEON_DATABASE_URL", "database.url", None),
    ("DIRECT_URL", "database.direct_url", None),
    ("PORT", "server.port", None),
];
/// Variables that set no setting of the configuration files.
const OTHERS: [(&str, &str); 3] = [
    ("TASKHOLD_PROFILE", "development"),
    ("JWT_SECRET", ""),
    ("JWT_SECRET_PREVIOUS", ""),
];

#[test]
fn env_example_shows_every_setting_with_its_default() {
    let mut expected: BTreeMap<_, _> = configured("config/default.toml")
        .into_iter()
        .map(|(setting, value)| {
            let name = setting.to_uppercase().replace('.', "__");
            (format!("TASKHOLD__{name}"), value)
        })
        .collect();
    for (name, setting, shown) in WELL_KNOWN {
        let ours = format!("TASKHOLD__{}", setting.to_uppercase().replace('.', "__"));
        let default = configured("config/default.toml").remove(setting);
        let default = default.unwrap_or_else(|| panic!("there is no setting {setting}"));
        expected.remove(&ours);
        expected.insert(name.to_owned(), shown.map_or(default, str::to_owned));
    }
    expected.extend(OTHERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let text = read(".env.example");
    let lines = text.lines().filter_map(|line| line.strip_prefix('#'));
    let shown: Vec<_> = lines
        .filter(|line| !line.starts_with(' ') && !line.is_empty())
        .map(super::variable)
        .collect();
    let names: BTreeSet<_> = shown.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), shown.len(), "a variable is shown twice");
    assert_eq!(shown.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn variables_with_names_of_their_own_are_all_documented() {
    let documented: BTreeSet<_> = table(SETTINGS, "Variables with names of their own")
        .iter()
        .map(|row| code(&row[0]))
        .collect();
    let names = WELL_KNOWN.map(|(name, ..)| name).into_iter();
    let names = names.chain(OTHERS.map(|(name, _)| name));
    assert_eq!(documented, names.map(str::to_owned).collect());
    let help = help(&[]);
    for name in documented {
        assert!(help.contains(&format!("`{name}`")), "{name}: {help}");
    }
}

#[test]
fn routes_are_those_of_the_route_table() {
    let routes: BTreeSet<_> = endpoints()
        .iter()
        // The files of the page `/docs` are of use to that page only.
        .filter(|endpoint| endpoint.path != "/docs/{name}")
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .chain(taskhold_web::PATHS.map(|path| format!("GET {}", path.replace(":.*", ""))))
        .collect();
    let documented: BTreeSet<_> = table(HTTP, "Routes")
        .iter()
        .map(|row| code(&row[0]))
        .collect();
    assert_eq!(documented, routes);
}

#[test]
fn error_codes_are_those_of_the_openapi_document() {
    let document: Value = serde_json::from_str(&read("docs/openapi.json")).expect("JSON");
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["error_code"];
    let codes: BTreeSet<_> = codes["examples"]
        .as_array()
        .expect("a list of codes")
        .iter()
        .filter_map(|code| code.as_str().map(str::to_owned))
        .collect();
    let documented: BTreeSet<_> = table(HTTP, "Errors")
        .iter()
        .map(|row| code(&row[1]))
        .collect();
    assert_eq!(documented, codes);
}

/// What `taskhold COMMAND --help` prints, each paragraph on one line.
fn help(command: &[&str]) -> String {
    let folder = Database::sqlite().folder;
    let output = run(folder.path(), &[], &[command, &["--help"]].concat());
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The names of the subcommands that a help lists.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, commands)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let commands = commands.split("\n\n").next().unwrap_or_default();
    let names = commands.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        let is_name = name.starts_with(|first: char| first.is_ascii_lowercase());
        is_name.then(|| name.split(' ').next().unwrap_or_default().to_owned())
    });
    names.filter(|name| name != "help").collect()
}

/// The options that a help lists, with their defaults.
fn options(help: &str) -> Vec<(String, String)> {
    let Some((_, options)) = help.split_once("\nOptions:\n") else {
        return Vec::new();
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for line in options.lines().map(str::trim) {
        let name = line.split_once("--").filter(|(short, _)| short.len() <= 4);
        if let Some((_, name)) = name.filter(|_| line.starts_with('-')) {
            let end = name.find([' ', '=']).unwrap_or(name.len());
            found.push((name[..end].to_owned(), String::new()));
        }
        if let Some((_, text)) = found.last_mut() {
            text.push_str(line);
            text.push(' ');
        }
    }
    let default = |text: &str| {
        let (_, after) = text.split_once("[default: ")?;
        Some(after.split_once(']')?.0.to_owned())
    };
    let found = found.into_iter();
    found
        .filter(|(name, _)| !["help", "version"].contains(&name.as_str()))
        .map(|(name, text)| (name, default(&text).unwrap_or_default()))
        .collect()
}

#[test]
fn commands_options_and_defaults_are_those_of_the_program() {
    let mut commands = BTreeSet::new();
    let mut listed = BTreeMap::new();
    let mut next = vec![Vec::new()];
    while let Some(command) = next.pop() {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let help = help(&words);
        let name = [&["taskhold"], &words[..]].concat().join(" ");
        let is_group = help.contains("<COMMAND>") && !help.contains(&format!("{name} [OPTIONS]\n"));
        if !is_group {
            commands.insert(name.clone());
        }
        for (option, default) in options(&help) {
            if option != "config" || words.is_empty() {
                listed.insert(format!("{name} --{option}"), default);
            }
        }
        for sub in subcommands(&help) {
            next.push([command.clone(), vec![sub]].concat());
        }
    }
    let is_argument = |word: &&str| word.chars().any(|letter| letter.is_ascii_uppercase());
    let documented: BTreeSet<_> = table(COMMANDS, "Commands")
        .iter()
        .map(|row| {
            let command = code(&row[0]);
            let words = command.split(' ').filter(|word| !is_argument(word));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(documented, commands);
    let documented: BTreeMap<_, _> = table(COMMANDS, "Options")
        .iter()
        .map(|row| (code(&row[0]), row[1].trim_matches('`').to_owned()))
        .collect();
    assert_eq!(documented, listed);
}

#[test]
fn exit_statuses_are_those_of_the_help() {
    let help = help(&[]);
    let (_, sentence) = help.split_once("Exit status: ").expect("a sentence");
    let sentence = sentence.split("\n\n").next().unwrap_or_default();
    let numbers = |text: &str| -> BTreeSet<String> {
        text.split(|letter: char| !letter.is_ascii_digit())
            .filter(|number| !number.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let documented: BTreeSet<_> = table(COMMANDS, "Exit status")
        .iter()
        .map(|row| code(&row[0]))
        .collect();
    assert_eq!(documented, numbers(sentence));
}

/// The metrics in a text of Prometheus: the type and the labels of each.
fn metrics(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut metrics = BTreeMap::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a type");
            metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((series, rest)) = line.split_once('{') {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| series.strip_suffix(part))
                .unwrap_or(series);
            let labels = rest.rsplit_once('}').expect("the end of the labels").0;
            let names = labels
                .split("\",")
                .filter_map(|label| label.split_once('='));
            let names = names.map(|(name, _)| name.to_owned());
            let known = metrics.get_mut(name).expect("declared before");
            known.1.extend(names.filter(|name| name != "le"));
        }
    }
    metrics
}

#[tokio::test]
async fn metrics_with_types_and_labels_are_those_of_the_service() {
    let database = Database::sqlite();
    let variables = [("DATABASE_URL", database.url.as_str())];
    for arguments in [&["migrate", "up"][..], &["backup"], &["backup", "verify"]] {
        let done = crate::service::run(database.folder.path(), &variables, arguments);
        assert!(done.status.success(), "{done:?}");
    }
    let service = Service::start(&database).await;
    service.client("anna").create(json!({"title": "One"})).await;
    let documented: BTreeMap<String, (String, BTreeSet<String>)> =
        rows(&read("docs/reference/metrics.md"))
            .split_off(2)
            .iter()
            .map(|row| {
                let labels = row[2].split(", ").filter(|label| !label.is_empty());
                let labels = labels.map(|label| label.trim_matches('`').to_owned());
                (code(&row[0]), (row[1].clone(), labels.collect()))
            })
            .collect();
    // Jobs of their own measure the disks and the backups, after the service has started.
    let there = crate::service::eventually("every documented metric is there", async || {
        let there = metrics(&service.text("/metrics").await);
        let has_all = documented.keys().all(|name| there.contains_key(name));
        has_all.then_some(there)
    })
    .await;
    assert_eq!(documented, there);
}

/// A number or a span of time in the code, in each way that a page may write it.
fn spellings(name: &str, value: &str) -> Vec<String> {
    let number = |text: &str| -> u64 {
        let factors = text.split('*').map(|factor| {
            let digits = factor.trim().replace('_', "");
            digits
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is {value}"))
        });
        factors.product()
    };
    let millis = |unit: u64, rest: &str| number(rest.trim_end_matches(')')) * unit;
    let units = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
    let named = [
        ("hours", 3_600_000),
        ("mins", 60_000),
        ("secs", 1_000),
        ("millis", 1),
    ];
    let duration = named.iter().find_map(|(unit, length)| {
        let rest = value.strip_prefix(&format!("Duration::from_{unit}("))?;
        Some(millis(*length, rest))
    });
    let duration = duration.or_else(|| name.ends_with("_SECONDS").then(|| millis(1_000, value)));
    if let Some(duration) = duration {
        let whole = units.iter().filter(|(_, unit)| duration % unit == 0);
        return whole
            .map(|(unit, length)| format!("{} {unit}", duration / length))
            .collect();
    }
    let number = number(value);
    let mut spellings = vec![number.to_string()];
    if number >= 1_000 {
        spellings.push(format!("{} ,{:03}", number / 1_000, number % 1_000));
    }
    if number % 1_024 == 0 {
        spellings.push(format!("{} KiB", number / 1_024));
    }
    if number % 1_048_576 == 0 {
        spellings.push(format!("{} MiB", number / 1_048_576));
    }
    spellings
}

/// The value of a constant, or of a field that is set, as it stands in the code.
fn value(path: &str, name: &str) -> String {
    let text = read(path);
    let constant = text
        .split_once(&format!("const {name}: "))
        .and_then(|(_, rest)| rest.split_once(" = ")?.1.split_once(';'));
    let field = || {
        let at = text.find(&format!(" {name}: Duration::"))?;
        text[at..].split_once(": ")?.1.split_once(',')
    };
    let (value, _) = constant
        .or_else(field)
        .unwrap_or_else(|| panic!("{path} has no {name}"));
    value.to_owned()
}

#[test]
fn limits_and_intervals_are_those_of_the_code() {
    let mut compared = 0;
    for page in ["docs/reference/limits.md", "docs/reference/jobs.md"] {
        for row in rows(&read(page)) {
            let Some((path, name)) = row[2].trim_matches('`').split_once("::") else {
                continue;
            };
            let spellings = spellings(name, &value(path, name));
            let told = format!(" {} ", row[1].replace(',', " ,"));
            let is_told = spellings
                .iter()
                .any(|one| told.contains(&format!(" {one} ")));
            assert!(is_told, "{page}: {row:?}\nit is {spellings:?}");
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared} values");
}
