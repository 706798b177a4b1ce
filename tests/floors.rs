//! Holds the code against the map in `src/lib.rs`: who may import whom, who may be unsafe, who catches panics, and
//! what the library that comes out needs and shows.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "this is a test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every floor may use.
const PURE: &[&str] = &["error", "value", "opts", "corpus"];

/// Each room, the rooms it may import besides [`PURE`] and its own, and the crates it may use.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("error", &[], &[]),
    ("value", &[], &[]),
    ("opts", &[], &[]),
    // For unit tests alone.
    ("corpus", &[], &[]),
    ("ffi", &[], &["libc"]),
    ("ffi::tcl", &["ffi"], &["libc", "tcl_sys"]),
    ("ffi::ossl", &["ffi"], &["libc", "openssl_sys"]),
    ("tcl", &["ffi", "ffi::tcl"], &["libc", "once_cell"]),
    (
        "ossl",
        &["ffi", "ffi::ossl"],
        &[
            "foreign_types",
            "libc",
            "once_cell",
            "openssl",
            "openssl_sys",
        ],
    ),
    ("x509", &["ossl"], &["memchr", "openssl"]),
    ("context", &["ossl", "x509"], &["once_cell", "openssl"]),
    ("ca", &["ossl", "x509"], &["memchr", "openssl", "rustix"]),
    ("cmp", &["ossl", "x509"], &["openssl"]),
    (
        "cms",
        &["ossl", "x509"],
        &["base64_simd", "flate2", "memchr", "openssl", "tempfile"],
    ),
    // Of libc, these two use the values of errno.
    (
        "channel",
        &["context", "ossl", "tcl", "x509"],
        &["libc", "openssl"],
    ),
    (
        "cmd",
        &[
            "ca", "channel", "cmp", "cms", "context", "ossl", "tcl", "x509",
        ],
        &["libc", "openssl", "tempfile"],
    ),
    ("lib", &["cmd", "tcl"], &[]),
];

/// The crates that [`ROOMS`] speaks of.
const CRATES: &[&str] = &[
    "base64_simd",
    "flate2",
    "foreign_types",
    "libc",
    "memchr",
    "once_cell",
    "openssl",
    "openssl_sys",
    "tcl_sys",
    "tempfile",
];

/// Where `unsafe` may stand: in these rooms.
const UNSAFE: &[&str] = &["ffi", "ffi::tcl", "ffi::ossl", "tcl", "ossl", "lib"];

/// Where panics may be caught: one file per way into the library.
const BOUNDARIES: &[&str] = &[
    "tcl/command.rs",
    "tcl/driver.rs",
    "tcl/epilogue.rs",
    "tcl/farewell.rs",
    "tcl/timer.rs",
    "tcl/wake.rs",
    "context/hooks.rs",
];

/// One file of the crate.
struct Source {
    /// Its path below `src`.
    path: String,
    /// Its text without comments.
    code: String,
}

impl Source {
    /// The room that it belongs to.
    fn room(&self) -> String {
        let name = self.path.trim_end_matches(".rs");
        let mut parts = name.split('/').filter(|part| *part != "mod");
        match (parts.next(), parts.next()) {
            (Some("ffi"), Some(side)) => format!("ffi::{side}"),
            (Some(room), _) => room.to_owned(),
            (None, _) => unreachable!("a path has a part"),
        }
    }

    /// The rooms whose names stand behind `crate::`.
    fn imports(&self) -> BTreeSet<String> {
        let mut rooms = BTreeSet::new();
        for path in behind(&self.code, "crate::") {
            let mut heads = Vec::new();
            expand(path, "", &mut heads);
            for head in heads {
                let mut parts = head.split("::");
                let room = match (parts.next(), parts.next()) {
                    (Some("ffi"), Some(side @ ("tcl" | "ossl"))) => format!("ffi::{side}"),
                    (Some(room), _) => room.to_owned(),
                    (None, _) => continue,
                };
                rooms.insert(room);
            }
        }
        rooms
    }

    /// Whether a word stands in the code.
    fn has(&self, word: &str) -> bool {
        behind(&self.code, word).any(|rest| !rest.starts_with(is_name))
    }
}

/// Whether a character can belong to a Rust name.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The rests of a text behind each place where a word begins.
fn behind<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(word)
        .filter(|(at, _)| !text[..*at].ends_with(is_name))
        .map(|(at, _)| &text[at + word.len()..])
}

/// Adds the paths that a `use` tree at the start of a text stands for, each with the prefix before it.
fn expand(tree: &str, prefix: &str, paths: &mut Vec<String>) {
    let end = tree.find(|c| !is_name(c) && c != ':').unwrap_or(tree.len());
    let path = format!("{prefix}{}", &tree[..end]);
    let Some(group) = tree[end..].strip_prefix('{') else {
        paths.push(path);
        return;
    };
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            ',' | '}' => {
                expand(group[start..at].trim(), &path, paths);
                start = at + 1;
                if c == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// All files of the crate.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code: String = text
                    .lines()
                    .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
                    .flat_map(|line| [line, "\n"])
                    .collect();
                let path = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                sources.push(Source { path, code });
            }
        }
    }
    assert!(!sources.is_empty());
    sources
}

/// The library that cargo has built together with this test.
fn library() -> PathBuf {
    let name = format!(
        "{}tls{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    std::env::current_exe().unwrap().with_file_name(name)
}

/// What a program prints about the library.
fn ask(program: &str, option: &str) -> String {
    let output = Command::new(program)
        .arg(option)
        .arg(library())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {option} failed");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn arrows_point_downwards() {
    for source in sources() {
        let room = source.room();
        let (_, below, crates) = ROOMS
            .iter()
            .find(|(name, ..)| *name == room)
            .unwrap_or_else(|| panic!("{} is in a room that this test doesn't know", source.path));
        for import in source.imports() {
            let fine = import == room || PURE.contains(&&*import) || below.contains(&&*import);
            assert!(fine, "{} must not import crate::{import}", source.path);
        }
        for name in CRATES.iter().filter(|name| !crates.contains(name)) {
            let used = behind(&source.code, name).any(|rest| rest.starts_with("::"));
            assert!(!used, "{} must not use the crate {name}", source.path);
        }
    }
}

#[test]
fn unsafe_stands_on_the_two_lowest_floors() {
    for source in sources() {
        let fine = UNSAFE.contains(&&*source.room()) || !source.has("unsafe");
        assert!(fine, "{} must not be unsafe", source.path);
    }
}

#[test]
fn panics_are_caught_at_the_boundaries() {
    for source in sources() {
        let boundary = BOUNDARIES.contains(&&*source.path) || source.path.starts_with("ossl/");
        assert!(
            boundary || !source.has("catch_unwind"),
            "{} must not catch panics",
            source.path
        );
    }
}

#[test]
fn the_library_does_not_need_libtcl() {
    let needed = ask("readelf", "--dynamic");
    assert!(
        needed.contains("libssl.so.3"),
        "this is no list of needed libraries: {needed}"
    );
    assert!(!needed.contains("libtcl"), "{needed}");
}

#[test]
fn the_library_shows_its_entry_symbols_and_nothing_else() {
    let symbols = ask("readelf", "--dyn-syms");
    let mut shown: Vec<&str> = symbols
        .lines()
        .filter(|line| line.contains(" GLOBAL ") && !line.contains(" UND "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, ["Tls_Init", "Tls_SafeInit"]);
}

#[test]
fn use_trees_are_taken_apart() {
    let source = Source {
        path: "tcl/obj.rs".to_owned(),
        code: "use crate::ffi::{self, tcl as c};\nuse crate::{error::{Error, Result}, value};"
            .to_owned(),
    };
    let found: Vec<String> = source.imports().into_iter().collect();
    assert_eq!(found, ["error", "ffi", "ffi::tcl", "value"]);
    assert_eq!(source.room(), "tcl");
}
