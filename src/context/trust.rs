//! Whom to trust: the system's store, or the certificates, folders and stores that the caller names, and only these.
//!
//! Safe OpenSSL only.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{HashDir, X509Lookup, X509Store, X509StoreBuilder, X509StoreBuilderRef};
use openssl::x509::{X509, X509Crl, X509Name};

use super::files::{Files, Stamp};
use super::fingerprint::Mixer;
use super::source::{Source, TRUST};
use super::{identity, pem};
use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::error::{entries, failed};
use crate::ossl::store::{Item, Store, file_path};
use crate::ossl::x509_store;
use crate::x509::chain::Checks;

/// Whom to trust, as options say it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// `-cafile`: certificates and revocation lists.
    cafile: Option<Source>,
    /// `-cadir`: a folder of them, named by hash.
    cadir: Option<String>,
    /// `-castore`: the URI of a store.
    castore: Option<String>,
}

impl Trust {
    /// Puts the options together. An empty one counts as not given; none at all means the system's store.
    pub(crate) fn new(cafile: Option<Source>, cadir: Option<&str>, castore: Option<&str>) -> Self {
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            cafile,
            cadir: given(cadir),
            castore: given(castore),
        }
    }

    /// The source of `-cafile`.
    pub(super) fn cafile(&self) -> Option<&Source> {
        self.cafile.as_ref()
    }

    /// Whether the system's store is meant.
    pub(super) fn is_system(&self) -> bool {
        self.cafile.is_none() && self.cadir.is_none() && self.castore.is_none()
    }

    /// Adds which trust this is.
    pub(super) fn mix(&self, mixer: &mut Mixer) {
        mixer.add(&[u8::from(self.cafile.is_some())]);
        if let Some(source) = &self.cafile {
            source.mix(mixer);
        }
        mixer.add_option(self.cadir.as_deref().map(str::as_bytes));
        mixer.add_option(self.castore.as_deref().map(str::as_bytes));
    }

    /// The stamps of all that a store is built from, `-cafile` apart: they tell whether it is still up to date.
    ///
    /// OpenSSL reads these places itself and when it needs them, so stamps have to do. That of a folder shows what
    /// was added, removed or replaced in it, but not a file that was overwritten in its place.
    ///
    /// Who may not see a folder or store gets an error here, so that he can't use what others built from it.
    pub(super) fn look(&self, files: &dyn Files) -> Result<Vec<(String, Option<Stamp>)>> {
        let mut stamps = Vec::new();
        if self.is_system() {
            stamps.extend(system_places().into_iter().map(|place| {
                // These are OpenSSL's own places: neither Tcl's file systems nor an interpreter's rights matter.
                let metadata = std::fs::metadata(&place).ok();
                (place, metadata.as_ref().map(Stamp::of))
            }));
        }
        if let Some(folder) = &self.cadir {
            native(files, "-cadir", folder, folder)?;
            stamps.push((folder.clone(), files.stamp(folder)));
        }
        if let Some(uri) = &self.castore {
            let path = file_path(uri).unwrap_or(uri);
            native(files, "-castore", uri, path)?;
            stamps.push((uri.clone(), files.stamp(path)));
        }
        Ok(stamps)
    }

    /// Builds the store. `content` is that of `-cafile`.
    pub(super) fn build(
        &self,
        content: Option<&[u8]>,
        files: &dyn Files,
        checks: Option<&Checks>,
    ) -> Result<X509Store> {
        let doing = "can't make a certificate store";
        let mut store = X509StoreBuilder::new().map_err(|stack| failed(doing, &stack))?;
        if self.is_system() {
            store
                .set_default_paths()
                .map_err(|stack| failed("can't load the system's trust store", &stack))?;
        }
        if let (Some(source), Some(content)) = (&self.cafile, content) {
            add_content(&mut store, content)
                .map_err(|why| source.refuse(Reason::ImportTrust, &TRUST, &why))?;
        }
        if let Some(folder) = &self.cadir {
            add_folder(&mut store, folder, files)?;
        }
        if let Some(uri) = &self.castore {
            add_uri(&mut store, uri, files)?;
        }
        if let Some(checks) = checks {
            let refuse =
                |why: String| Error::failed_with(Reason::ImportOption, ["-verification"], why);
            let parameters = checks.parameters();
            let parameters = parameters.map_err(|problem| refuse(problem.to_string()))?;
            store
                .set_param(&parameters)
                .map_err(|stack| failed(doing, &stack))?;
        }
        Ok(store.build())
    }
}

/// The file and folders that OpenSSL's default store is made of, from the environment or built in.
fn system_places() -> Vec<String> {
    let file = std::env::var("SSL_CERT_FILE").ok();
    let folders = std::env::var("SSL_CERT_DIR").ok();
    let defaults = x509_store::default_places();
    let mut places = vec![file.unwrap_or(defaults.file)];
    let folders = folders.unwrap_or(defaults.folder);
    places.extend(folders.split(LIST_SEPARATOR).map(str::to_owned));
    places
}

/// What stands between the folders of a list.
const LIST_SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// Adds the certificates and revocation lists of some PEM text or DER bytes.
fn add_content(store: &mut X509StoreBuilderRef, content: &[u8]) -> std::result::Result<(), String> {
    let text = |stack: ErrorStack| reasons_text(&entries(&stack));
    for certificate in identity::certificates(content)? {
        store.add_cert(certificate).map_err(text)?;
    }
    for block in pem::blocks(content).filter(|block| block.label == "X509 CRL") {
        let crl = X509Crl::from_pem(block.text).map_err(text)?;
        x509_store::add_crl(store, &crl).map_err(text)?;
    }
    Ok(())
}

/// An error about a folder or a store.
fn refuse(option: &str, value: &str, why: &str) -> Error {
    let what = match option {
        "-cadir" => "folder",
        _ => "store",
    };
    let message = format!("unable to set CA certificate {what} {value}: {why}");
    Error::failed_with(Reason::ImportTrust, [option, value], message).about_option(option)
}

/// The native path of what an option names; an error if there is none, or if the caller may not see it.
fn native(files: &dyn Files, option: &str, value: &str, path: &str) -> Result<PathBuf> {
    files
        .native(path)
        .map_err(|error| refuse(option, value, &error.message()))
}

/// Adds a folder whose files are named by hash; they are read when they are needed.
fn add_folder(store: &mut X509StoreBuilderRef, folder: &str, files: &dyn Files) -> Result<()> {
    let refuse = |why: &str| refuse("-cadir", folder, why);
    let path = native(files, "-cadir", folder, folder)?;
    if let Err(error) = std::fs::read_dir(&path) {
        return Err(refuse(&os_text(&error)));
    }
    let name = utf8(&path).ok_or_else(|| refuse("its name isn't UTF-8"))?;
    if name.contains(LIST_SEPARATOR) {
        return Err(refuse("OpenSSL would take its name for a list of folders"));
    }
    store
        .add_lookup(X509Lookup::<HashDir>::hash_dir())
        .and_then(|lookup| lookup.add_dir(name, SslFiletype::PEM))
        .map_err(|stack| refuse(&reasons_text(&entries(&stack))))
}

/// The text of an operating system error without the number that Rust adds.
fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    let mut letters = plain.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text,
    }
}

/// A path as UTF-8.
fn utf8(path: &Path) -> Option<&str> {
    path.to_str()
}

/// How deep a store may nest: a folder in a store has files, which hold certificates.
const DEPTH: usize = 3;

/// Adds what is behind a URI, or in a file or folder. A store that gives nothing away unasked (as that of Windows)
/// is asked each time a certificate is looked for.
fn add_uri(store: &mut X509StoreBuilderRef, uri: &str, files: &dyn Files) -> Result<()> {
    let refuse = |why: &str| refuse("-castore", uri, why);
    let path = match has_scheme(uri) {
        true => PathBuf::from(uri),
        false => native(files, "-castore", uri, uri)?,
    };
    let name = utf8(&path).ok_or_else(|| refuse("its name isn't UTF-8"))?;
    let name = CString::new(name).map_err(|_| refuse("there is a zero byte in its name"))?;
    let added =
        add_items(store, &name, DEPTH).map_err(|stack| refuse(&reasons_text(&entries(&stack))))?;
    if added == 0 {
        if !has_scheme(uri) || uri.starts_with("file:") {
            return Err(refuse("no certificate in it"));
        }
        x509_store::load_store(store, &name)
            .map_err(|stack| refuse(&reasons_text(&entries(&stack))))?;
    }
    Ok(())
}

/// Whether a text starts like a URI. One letter and a colon is a drive of Windows.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    })
}

/// Adds everything in a store; the number of certificates.
fn add_items(
    store: &mut X509StoreBuilderRef,
    uri: &CString,
    depth: usize,
) -> std::result::Result<usize, ErrorStack> {
    let mut added = 0;
    for item in Store::open(uri)? {
        match item? {
            Item::Certificate(certificate) => {
                store.add_cert(certificate)?;
                added += 1;
            }
            Item::Crl(crl) => x509_store::add_crl(store, &crl)?,
            Item::Name(name) if depth > 0 => {
                // A folder may hold anything; what can't be read as a certificate isn't meant.
                added += add_items(store, &name, depth - 1).unwrap_or_default();
            }
            Item::Name(_) | Item::Key(_) | Item::Other => {}
        }
    }
    Ok(added)
}

/// The longest list of names that still fits into a CertificateRequest with all else.
const NAMES_MAX: usize = 60_000;

/// The names that a server sends to tell clients whose certificates it takes; none if they are too many to send.
pub(super) fn names(content: &[u8]) -> Result<Stack<X509Name>> {
    let build = |certificates: &[X509]| {
        let mut names = Stack::new()?;
        let mut len = 0;
        for certificate in certificates {
            let name = certificate.subject_name().to_owned()?;
            len += name.to_der()?.len() + 2;
            names.push(name)?;
        }
        match len {
            0..NAMES_MAX => Ok(names),
            _ => Stack::new(),
        }
    };
    let certificates = identity::certificates(content).unwrap_or_default();
    build(&certificates)
        .map_err(|stack| failed("can't list the names of the CA certificates", &stack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_told_from_a_path() {
        assert!(
            has_scheme("file:/x")
                && has_scheme("org.openssl.winstore://")
                && has_scheme("pkcs11:a")
        );
        assert!(!has_scheme("/a:b") && !has_scheme("C:/x") && !has_scheme("x.pem"));
    }
}
