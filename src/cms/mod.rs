//! Floor 2: cryptographic messages (CMS, S/MIME), one file per verb, each from a stream to a stream.
//!
//! OpenSSL does the cryptography, but never sees a whole message: `ber` cuts the content out of it, and the content
//! passes through digests and ciphers piece by piece, so that messages of any size take the same memory.
//! Safe Rust; may use `ossl`, the openssl crate, `x509` and the pure ground; knows no Tcl.

#![forbid(unsafe_code)]

mod base64;
pub(crate) mod ber;
pub(crate) mod book;
pub(crate) mod compress;
pub(crate) mod content;
pub(crate) mod decrypt;
pub(crate) mod digest;
pub(crate) mod encrypt;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod inspect;
mod lines;
mod mime;
pub(crate) mod output;
mod quoted;
pub(crate) mod receipt;
pub(crate) mod recipients;
pub(crate) mod resign;
pub(crate) mod sign;
pub(crate) mod source;
mod translate;
pub(crate) mod verify;

use std::io::{self, Read};

use openssl::error::ErrorStack;

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::cms::CertificateId;
use crate::ossl::error::entries;
use crate::ossl::library::has_provider;

/// How much passes through digests and ciphers at once.
const PIECE: usize = 128 << 10;

/// The error for a failed OpenSSL call.
pub(crate) fn refused(reason: Reason, doing: &str, stack: &ErrorStack) -> Error {
    let mut message = format!("{doing}: {}", reasons_text(&entries(stack)));
    // What decodes keys is theirs, and where that is missing OpenSSL only says that a key can't be decoded.
    if ![c"default", c"base"].into_iter().any(has_provider) {
        message.push_str("; neither of the providers \"default\" and \"base\" is loaded");
    }
    Error::failed(reason, message)
}

/// The error for a stream that failed; an error of ours that passed through the stream comes out as it was.
pub(crate) fn stream_failed(reason: Reason, doing: &str, error: io::Error) -> Error {
    let text = error.to_string();
    error
        .into_inner()
        .and_then(|inner| inner.downcast::<Error>().ok())
        .map_or_else(
            || Error::failed(reason, format!("{doing}: {text}")),
            |inner| *inner,
        )
}

/// The error for a message that can't be read.
pub(crate) fn unreadable(error: io::Error) -> Error {
    stream_failed(Reason::CmsRead, "can't read the message", error)
}

/// The error for a result that can't be written.
pub(crate) fn unwritable(error: io::Error) -> Error {
    stream_failed(Reason::CmsWrite, "can't write the result", error)
}

/// Gives everything that a source has to `take`, piece by piece.
fn pump(source: &mut dyn Read, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(size) => take(&buffer[..size])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

/// The library's number for the content of an encoded object identifier.
fn oid_nid(content: &[u8]) -> openssl::nid::Nid {
    let text = crate::x509::der::oid(content).unwrap_or_default();
    openssl::asn1::Asn1Object::from_str(&text)
        .map_or(openssl::nid::Nid::UNDEF, |object| object.nid())
}

/// The name of an encoded object identifier's content: the library's long name, else the dotted numbers.
pub(crate) fn encoded_oid_name(content: &[u8]) -> String {
    crate::x509::oid::long_name(&crate::x509::der::oid(content).unwrap_or_default())
}

/// How a message names a certificate, or a key.
pub(crate) enum Named {
    /// By issuer and serial number, both as text.
    Issuer(String, String),
    /// By an identifier.
    Id(Vec<u8>),
}

impl Named {
    /// From the name in a message.
    fn new(id: CertificateId<'_>) -> Self {
        match id {
            CertificateId::KeyId(id) => Self::Id(id.as_slice().to_vec()),
            CertificateId::Issuer(issuer, serial) => {
                let serial = serial
                    .to_bn()
                    .and_then(|number| number.to_hex_str().map(|text| text.to_string()))
                    .unwrap_or_default();
                Self::Issuer(crate::x509::name::rfc_2253(issuer), serial)
            }
        }
    }
}
