//! Runs the tcltest suite, so that `cargo test` is everything: puts the package together from the library that
//! cargo has just built, and runs `tests/all.tcl` in each Tcl that is there.
//!
//! What the suite prints goes straight to the terminal; its last line says how many tests passed, failed and were
//! skipped.

#![expect(clippy::explicit_write, clippy::unwrap_used, reason = "this is a test")]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Held while a suite runs: two at a time would mix their output.
static TURN: Mutex<()> = Mutex::new(());

/// The root of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Puts the package together and tells its folder.
fn package() -> PathBuf {
    let name = format!(
        "{}tls{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let library = std::env::current_exe().unwrap().with_file_name(name);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls");
    let status = Command::new("tclsh8.6")
        .arg(root().join("tools/package.tcl"))
        .args([&library, &folder])
        .status()
        .expect("tclsh8.6 can be run");
    assert!(status.success(), "the package can't be put together");
    folder
}

/// Says something past the test runner, which keeps what a test prints to itself.
fn announce(text: &str) {
    writeln!(io::stdout(), "\n{text}").unwrap();
}

/// Runs a command that runs the suite.
fn suite(title: &str, command: &mut Command) {
    announce(&format!("---- tcltest, {title}"));
    let status = command.current_dir(root()).status().unwrap();
    assert!(status.success(), "the suite failed: {title}");
}

#[test]
fn in_tcl_8_6() {
    let _turn = TURN.lock();
    let package = package();
    suite(
        "Tcl 8.6",
        Command::new("tclsh8.6")
            .args(["tests/all.tcl", "-package"])
            .arg(package),
    );
}

#[test]
fn in_tcl_9() {
    let _turn = TURN.lock();
    let tool = root().join("tools/tcl9");
    if !Command::new(&tool).arg("found").status().unwrap().success() {
        announce("---- tcltest, Tcl 9: skipped, there is none (make test-tcl9 makes one)");
        return;
    }
    let package = package();
    suite(
        "Tcl 9",
        Command::new(&tool).arg("test").arg(package).arg("tclsh9.0"),
    );
}
