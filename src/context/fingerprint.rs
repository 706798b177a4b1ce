//! Fingerprints: what two equal settings, or two equal contents, have in common. SHA-256 over a clear encoding.

use openssl::sha::{Sha256, sha256};

/// A SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(pub(super) [u8; 32]);

impl Fingerprint {
    /// The fingerprint of some content.
    pub(super) fn of(content: &[u8]) -> Self {
        Self(sha256(content))
    }
}

/// Takes one piece after the other; each goes in with its length, so that no two lists of pieces look alike.
pub(super) struct Mixer(Sha256);

impl Mixer {
    /// Starts, with a word that says what is being described.
    pub(super) fn new(kind: &str) -> Self {
        let mut mixer = Self(Sha256::new());
        mixer.add(kind.as_bytes());
        mixer
    }

    /// Adds a piece.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.0.update(&(piece.len() as u64).to_le_bytes());
        self.0.update(piece);
    }

    /// Adds a piece that may be missing.
    pub(super) fn add_option(&mut self, piece: Option<&[u8]>) {
        self.add(&[u8::from(piece.is_some())]);
        self.add(piece.unwrap_or_default());
    }

    /// The fingerprint of all that was added.
    pub(super) fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_run_into_each_other() {
        let mixed = |pieces: &[&[u8]]| {
            let mut mixer = Mixer::new("test");
            pieces.iter().for_each(|piece| mixer.add(piece));
            mixer.finish()
        };
        assert_ne!(mixed(&[b"ab", b"c"]), mixed(&[b"a", b"bc"]));
        assert_eq!(mixed(&[b"ab", b"c"]), mixed(&[b"ab", b"c"]));
    }

    #[test]
    fn a_missing_piece_is_not_an_empty_one() {
        let mixed = |piece: Option<&[u8]>| {
            let mut mixer = Mixer::new("test");
            mixer.add_option(piece);
            mixer.finish()
        };
        assert_ne!(mixed(None), mixed(Some(b"")));
    }
}
