//! Import cycles between the modules of a crate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use cargo_metadata::MetadataCommand;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names that lead from the root of a crate to a module or an item.
type ItemPath = Vec<String>;

/// The modules of a crate.
struct Modules(BTreeMap<ItemPath, Module>);

#[derive(Default)]
struct Module {
    /// The items of the crate that the module refers to.
    references: BTreeSet<ItemPath>,
    /// The items behind imported names, since others may use them through this module.
    imports: BTreeMap<String, ItemPath>,
}

/// In each folder, a file and the folder of its submodules are one node. References between a module and
/// its submodules do not count.
#[test]
fn modules_have_no_import_cycles() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo knows the workspace");
    let mut cycles = Vec::new();
    for package in &metadata.packages {
        let manifest = package.manifest_path.as_std_path();
        let modules = Modules::parse(&source_files(&manifest.with_file_name("src")));
        for cycle in modules.cycles() {
            cycles.push(format!("{}: {cycle}", package.name));
        }
    }
    assert!(cycles.is_empty(), "import cycles:\n{}", cycles.join("\n"));
}

#[test]
fn cycles_are_found_in_every_folder_and_through_imports() {
    let files = [
        ("", "mod a; pub mod b; pub use b::Thing as Other;"),
        ("a", "mod x; use crate::Other; // crate::c"),
        (
            "b",
            "use super::{c::{self, Name}, d}; fn f() { crate::a::g::<u8>() }",
        ),
        ("c", "/// As [`crate::a`].\nfn f() { \"crate::b\"; }"),
        ("d", "#[cfg(test)] mod tests { use crate::b; }"),
        ("a::x", "use super::y::Y; use super::super::c;"),
        ("a::y", "mod z; fn f() { self::z::h(); super::x::g() }"),
        ("a::y::z", "use super::Y; use crate::a::y;"),
    ];
    let path = |names: &str| {
        let names = names.split("::").filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let files = files.map(|(module, text)| (path(module), text.to_owned()));
    let cycles = Modules::parse(&files.into()).cycles();
    assert_eq!(cycles, ["a -> b -> a", "a::x -> a::y -> a::x"]);
}

/// Returns the text of each module in a `src` folder, without tests and binaries.
fn source_files(src: &Path) -> BTreeMap<ItemPath, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(src.to_owned(), ItemPath::new())];
    while let Some((folder, parent)) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let file = entry.expect("an entry").path();
            let name = file.file_stem().expect("a name").to_string_lossy();
            let module = match &*name {
                "lib" | "main" if parent.is_empty() => ItemPath::new(),
                "bin" | "tests" => continue,
                name => [parent.as_slice(), &[name.to_owned()]].concat(),
            };
            if file.is_dir() {
                folders.push((file, module));
            } else if file.extension().is_some_and(|ending| ending == "rs") {
                files.insert(module, fs::read_to_string(&file).expect("text"));
            }
        }
    }
    files
}

impl Modules {
    fn parse(files: &BTreeMap<ItemPath, String>) -> Self {
        let modules = files.iter().map(|(path, text)| {
            let mut module = Module::default();
            module.read(path, files, text.parse().expect("Rust"));
            (path.clone(), module)
        });
        Self(modules.collect())
    }

    /// Returns the module of an item, through the imports that lead to it.
    fn resolve(&self, item: &[String]) -> ItemPath {
        let lengths = (0..=item.len()).rev();
        let length = lengths
            .into_iter()
            .find(|length| self.0.contains_key(&item[..*length]));
        let (path, rest) = item.split_at(length.expect("a root"));
        let import = rest.split_first().and_then(|(name, rest)| {
            let import = self.0[path].imports.get(name)?;
            Some([import.as_slice(), rest].concat())
        });
        match import {
            Some(import) if import != item => self.resolve(&import),
            _ => path.to_vec(),
        }
    }

    /// Returns the shortest cycle of each folder.
    fn cycles(&self) -> Vec<String> {
        let mut folders = BTreeMap::<&[String], BTreeMap<String, BTreeSet<String>>>::new();
        for (path, module) in &self.0 {
            for target in module.references.iter().map(|item| self.resolve(item)) {
                let shared = path
                    .iter()
                    .zip(&target)
                    .take_while(|(one, other)| one == other);
                let shared = shared.count();
                if shared < path.len().min(target.len()) {
                    let graph = folders.entry(&path[..shared]).or_default();
                    let uses = graph.entry(path[..=shared].join("::")).or_default();
                    uses.insert(target[..=shared].join("::"));
                }
            }
        }
        let shortest = folders.values().filter_map(|graph| {
            let cycles = graph.keys().filter_map(|start| cycle_from(graph, start));
            cycles.min_by_key(Vec::len)
        });
        shortest.map(|cycle| cycle.join(" -> ")).collect()
    }
}

fn cycle_from(graph: &BTreeMap<String, BTreeSet<String>>, start: &String) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut walks = VecDeque::from([vec![start.clone()]]);
    while let Some(walk) = walks.pop_front() {
        for next in graph.get(walk.last()?).into_iter().flatten() {
            let walk = [walk.as_slice(), std::slice::from_ref(next)].concat();
            if next == start {
                return Some(walk);
            }
            if seen.insert(next) {
                walks.push_back(walk);
            }
        }
    }
    None
}

impl Module {
    /// Adds the paths in `tokens`. Inline modules, which are tests, are skipped.
    fn read(&mut self, path: &[String], files: &BTreeMap<ItemPath, String>, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let (mut rest, mut is_import) = (tokens.as_slice(), false);
        while let [token, after @ ..] = rest {
            rest = match (token, after) {
                (TokenTree::Ident(name), [_, TokenTree::Group(_), after @ ..]) if name == "mod" => {
                    after
                }
                // A macro's `$crate` may be another crate.
                (TokenTree::Punct(dollar), [_, after @ ..]) if dollar.as_char() == '$' => after,
                (TokenTree::Ident(name), _) if name == "use" => {
                    is_import = true;
                    after
                }
                (TokenTree::Ident(_), _) => {
                    let mut found = Vec::new();
                    let after = read_paths(rest, &[], &mut found);
                    for (name, names) in found {
                        self.add(path, files, is_import.then_some(name), &names);
                    }
                    is_import = false;
                    after
                }
                (TokenTree::Group(group), _) => {
                    self.read(path, files, group.stream());
                    after
                }
                _ => after,
            }
        }
    }

    fn add(
        &mut self,
        path: &[String],
        files: &BTreeMap<ItemPath, String>,
        import: Option<String>,
        names: &[String],
    ) {
        let is_keyword = |name: &&String| ["crate", "self", "super"].contains(&name.as_str());
        let (keywords, rest) = names.split_at(names.iter().take_while(is_keyword).count());
        let mut item = path.to_vec();
        for keyword in keywords {
            match keyword.as_str() {
                "crate" => item.clear(),
                "super" => drop(item.pop()),
                _ => {}
            }
        }
        item.extend_from_slice(rest);
        let is_of_this_crate = !keywords.is_empty()
            || item
                .get(..=path.len())
                .is_some_and(|item| files.contains_key(item));
        if is_of_this_crate {
            self.imports.extend(import.map(|name| (name, item.clone())));
            self.references.insert(item);
        }
    }
}

/// Reads paths such as `a::{b, c as d}`, adds each with its name in the module, and returns the tokens
/// after them.
fn read_paths<'a>(
    mut tokens: &'a [TokenTree],
    parent: &[String],
    found: &mut Vec<(String, Vec<String>)>,
) -> &'a [TokenTree] {
    let is = |token: &TokenTree, text: &str| token.to_string() == text;
    let mut names = parent.to_vec();
    loop {
        tokens = match tokens {
            [TokenTree::Ident(name), after @ ..] => {
                // In `a::{self}`, the path is that of the parent.
                if names.is_empty() || name != "self" {
                    names.push(name.to_string());
                }
                after
            }
            [TokenTree::Group(group), after @ ..] if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for tree in inner.split(|token| is(token, ",")) {
                    read_paths(tree, &names, found);
                }
                return after;
            }
            _ => break,
        };
        match tokens {
            [one, two, after @ ..] if is(one, ":") && is(two, ":") => tokens = after,
            [keyword, alias, after @ ..] if is(keyword, "as") => {
                found.push((alias.to_string(), names));
                return after;
            }
            _ => break,
        }
    }
    found.extend(names.last().cloned().map(|name| (name, names)));
    tokens
}
