//! The corpora of the targets in `fuzz/`, for tests that run them.
//!
//! Pure: std only.

#![expect(clippy::disallowed_methods, reason = "seeds are plain files")]

use std::path::Path;

/// The seeds of a target, with their names.
pub(crate) fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    assert!(seeds.len() >= 10, "there is hardly a corpus of {target}");
    seeds
}

/// Gives the seeds of a target to `take`, each whole, cut off at some places, and with bits flipped here and there.
pub(crate) fn run(target: &str, take: fn(&[u8])) {
    for (_, bytes) in seeds(target) {
        take(&bytes);
        for step in 1..8 {
            let place = bytes.len() * step / 8;
            take(&bytes[..place]);
            let mut flipped = bytes.clone();
            if let Some(byte) = flipped.get_mut(place) {
                *byte ^= 1 << step;
            }
            take(&flipped);
        }
    }
}
