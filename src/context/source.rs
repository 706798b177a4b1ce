//! Where a certificate, key or list of them comes from: bytes in an option's value, or a file.
//!
//! Also how failures to use one are worded, so that each names its option and file. No Tcl; files through [`Files`](super::Files).

use std::sync::Arc;

use super::fingerprint::{Fingerprint, Mixer};
use super::pem;
use crate::error::{Error, Reason};
use crate::ossl::secret::Secret;

/// The value of an option such as `-certfile` or `-key`.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The option, for messages.
    option: &'static str,
    /// What it gives.
    content: Content,
}

/// What a source gives.
#[derive(Clone, Debug)]
enum Content {
    /// The thing itself, PEM or DER, and its fingerprint.
    Bytes(Arc<Secret>, Fingerprint),
    /// The name of a file that holds it.
    File(String),
}

impl Content {
    /// The thing itself.
    fn bytes(bytes: Secret) -> Self {
        let fingerprint = Fingerprint::of(&bytes);
        Self::Bytes(Arc::new(bytes), fingerprint)
    }
}

impl Source {
    /// The thing itself, PEM text or DER bytes. Empty counts as not given.
    pub(crate) fn bytes(option: &'static str, bytes: Secret) -> Option<Self> {
        let content = Content::bytes(bytes);
        let source = Self { option, content };
        (!source.is_empty()).then_some(source)
    }

    /// The name of a file, or PEM text, which starts with `-----BEGIN `. Empty counts as not given.
    pub(crate) fn file(option: &'static str, value: &str) -> Option<Self> {
        let content = match value.trim_start().starts_with("-----BEGIN ") {
            true => Content::bytes(Secret::from(value.as_bytes())),
            false => Content::File(value.to_owned()),
        };
        let source = Self { option, content };
        (!source.is_empty()).then_some(source)
    }

    /// Whether bytes are DER rather than PEM or a file's name: ASN.1 sequences that end where the bytes end.
    pub(crate) fn is_der(bytes: &[u8]) -> bool {
        !bytes.is_empty() && pem::der_pieces(bytes).is_some()
    }

    /// Whether the value is empty.
    fn is_empty(&self) -> bool {
        match &self.content {
            Content::Bytes(bytes, _) => bytes.is_empty(),
            Content::File(name) => name.is_empty(),
        }
    }

    /// The option's name.
    pub(crate) fn option(&self) -> &'static str {
        self.option
    }

    /// The file's name, if it is a file.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.content {
            Content::Bytes(..) => None,
            Content::File(name) => Some(name),
        }
    }

    /// The bytes and their fingerprint, if it is no file.
    pub(super) fn value(&self) -> Option<(&Arc<Secret>, Fingerprint)> {
        match &self.content {
            Content::Bytes(bytes, fingerprint) => Some((bytes, *fingerprint)),
            Content::File(_) => None,
        }
    }

    /// Adds which source this is: the file's name, or the bytes themselves.
    pub(super) fn mix(&self, mixer: &mut Mixer) {
        match &self.content {
            Content::Bytes(_, fingerprint) => {
                mixer.add(b"bytes");
                mixer.add(&fingerprint.0);
            }
            Content::File(name) => {
                mixer.add(b"file");
                mixer.add(name.as_bytes());
            }
        }
    }

    /// An error about this source. `what` is put before the file's name, `why` is the reason.
    pub(super) fn refuse(&self, reason: Reason, what: &Wording, why: &str) -> Error {
        let message = self.sentence(what, why);
        let error = match self.name() {
            Some(name) => Error::failed_with(reason, [self.option, name], message),
            None => Error::failed_with(reason, [self.option], message),
        };
        error.about_option(self.option)
    }

    /// The sentence of such an error.
    fn sentence(&self, what: &Wording, why: &str) -> String {
        match self.name() {
            Some(name) => format!("{} {name}{} {why}", what.file, what.colon),
            None => format!("{}: {why}", what.bytes),
        }
    }

    /// An error from reading the file, with its own code and this source's sentence.
    pub(super) fn unreadable(&self, what: &Wording, error: Error) -> Error {
        match error {
            Error::Io {
                errno, name, text, ..
            } => Error::Io {
                message: self.sentence(what, &text),
                errno,
                name,
                text,
            }
            .about_option(self.option),
            other => other,
        }
    }
}

/// How errors about one kind of source begin. The sentences about certificates and keys are those of TclTLS.
#[derive(Debug)]
pub(super) struct Wording {
    /// Before a file's name.
    pub(super) file: &'static str,
    /// Between the file's name and the reason.
    pub(super) colon: &'static str,
    /// Before the reason where there is no file.
    pub(super) bytes: &'static str,
}

/// About the own certificate.
pub(super) const CERTIFICATE: Wording = Wording {
    file: "unable to set certificate file",
    colon: ":",
    bytes: "unable to set certificate",
};

/// About the own private key.
pub(super) const KEY: Wording = Wording {
    file: "unable to set public key file",
    colon: "",
    bytes: "unable to set public key",
};

/// About trusted certificates.
pub(super) const TRUST: Wording = Wording {
    file: "unable to set CA certificate file",
    colon: ":",
    bytes: "unable to set CA certificates",
};

/// About Diffie-Hellman parameters.
pub(super) const DH: Wording = Wording {
    file: "Could not read DH parameters from file",
    colon: ":",
    bytes: "Could not read DH parameters",
};
