//! The secrets of connections, written where `SSLKEYLOGFILE` in the environment says, for tools that look into
//! recorded traffic. A file that can't be written does no harm.
//!
//! std only.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// The file that is open, or that could not be opened, by the name it was asked for.
static OPEN: Mutex<Option<(OsString, Option<File>)>> = Mutex::new(None);

/// The file that the environment names.
pub(super) fn target() -> Option<OsString> {
    std::env::var_os("SSLKEYLOGFILE").filter(|name| !name.is_empty())
}

/// Writes a line. It goes out in one piece at the end of the file, since other processes may write there too.
pub(super) fn write(line: &str) {
    if let Some(name) = target() {
        write_to(name, line);
    }
}

/// Writes a line to a file, which stays open for the next one.
fn write_to(name: OsString, line: &str) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if open.as_ref().is_none_or(|(known, _)| *known != name) {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&name).ok();
        *open = Some((name, file));
    }
    if let Some((_, Some(file))) = open.as_mut() {
        // There is nobody to tell, and nothing that depends on it.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_a_bad_file_is_harmless() {
        let file = std::env::temp_dir().join(format!("tls-keylog-{}", std::process::id()));
        write_to(file.clone().into(), "CLIENT_RANDOM 1 2");
        write_to("/none/such".into(), "lost");
        write_to("/none/such".into(), "lost");
        write_to(file.clone().into(), "CLIENT_RANDOM 3 4");
        let metadata = std::fs::metadata(&file).unwrap();
        assert_eq!(metadata.len(), 36);
        std::fs::remove_file(&file).unwrap();
    }
}
