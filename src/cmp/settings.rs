//! What a client is told: everything about a transaction but how its messages travel.

use std::ffi::CString;

use openssl::pkey::{PKey, Private, Public};
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509Extension, X509Name, X509Req};

use super::names::Information;
use crate::ossl::secret::Secret;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Initialization request.
    Ir,
    /// Certification request.
    Cr,
    /// Key update request.
    Kur,
    /// Certification request with PKCS#10.
    P10cr,
    /// Revocation request.
    Rr,
    /// General message.
    Genm,
}

impl Command {
    /// The command of a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ir" => Self::Ir,
            "cr" => Self::Cr,
            "kur" => Self::Kur,
            "p10cr" => Self::P10cr,
            "rr" => Self::Rr,
            "genm" => Self::Genm,
            _ => return None,
        })
    }

    /// Whether it asks for a certificate by CRMF.
    pub(crate) fn is_crmf(self) -> bool {
        matches!(self, Self::Ir | Self::Cr | Self::Kur)
    }
}

/// A key to be certified.
pub(crate) enum NewKey {
    /// With its private half, by which its possession is proven.
    Private(PKey<Private>),
    /// The public half alone.
    Public(PKey<Public>),
}

/// How one side protects its messages.
#[derive(Default)]
pub(crate) struct Credentials {
    /// The properties that algorithms must have.
    pub(crate) properties: Option<CString>,
    /// The reference of a shared secret.
    pub(crate) reference: Option<String>,
    /// The shared secret.
    pub(crate) secret: Option<Secret>,
    /// The own certificate.
    pub(crate) certificate: Option<X509>,
    /// Certificates that came with it.
    pub(crate) chain: Vec<X509>,
    /// The own private key.
    pub(crate) key: Option<PKey<Private>>,
    /// The digest, by name.
    pub(crate) digest: Option<String>,
    /// The message authentication code, by name.
    pub(crate) mac: Option<String>,
    /// Whom to trust for signatures of the other side.
    pub(crate) trusted: Option<X509Store>,
    /// Certificates for building chains.
    pub(crate) untrusted: Vec<X509>,
    /// Whether messages are sent without protection.
    pub(crate) unprotected: bool,
    /// Whether errors of the other side are taken without protection.
    pub(crate) unprotected_errors: bool,
    /// Whether the certificates that come along with an answer are forgotten.
    pub(crate) forgets: bool,
    /// Whether a signer's certificate needn't be meant for signatures.
    pub(crate) ignore_key_usage: bool,
}

/// What is asked for.
#[derive(Default)]
pub(crate) struct Wish {
    /// The key to be certified.
    pub(crate) key: Option<NewKey>,
    /// Whether the server makes the key.
    pub(crate) central: bool,
    /// The subject.
    pub(crate) subject: Option<X509Name>,
    /// The issuer.
    pub(crate) issuer: Option<X509Name>,
    /// The days of validity.
    pub(crate) days: Option<i32>,
    /// Extensions.
    pub(crate) extensions: Option<Stack<X509Extension>>,
    /// Encoded alternative names.
    pub(crate) names: Vec<Vec<u8>>,
    /// Whether those are critical.
    pub(crate) names_critical: bool,
    /// Whether names aren't taken from the reference certificate.
    pub(crate) no_default_names: bool,
    /// Encoded policies.
    pub(crate) policies: Vec<Vec<u8>>,
    /// Whether those are critical.
    pub(crate) policies_critical: bool,
    /// How the possession of the key is proven.
    pub(crate) popo: Option<i32>,
    /// A PKCS#10 request.
    pub(crate) request: Option<X509Req>,
    /// The certificate that is updated, revoked or referred to.
    pub(crate) old: Option<X509>,
    /// Why it is revoked.
    pub(crate) reason: Option<i32>,
    /// Whether implicit confirmation is asked for.
    pub(crate) implicit_confirmation: bool,
    /// Whether the confirmation is left out.
    pub(crate) no_confirmation: bool,
    /// Who must vouch for the new certificate.
    pub(crate) out_trusted: Option<X509Store>,
    /// What a general message asks for.
    pub(crate) questions: Vec<Information>,
}

/// Everything.
pub(crate) struct Settings {
    /// What is asked of the server.
    pub(crate) command: Command,
    /// How messages are protected.
    pub(crate) credentials: Credentials,
    /// Who must vouch for the own certificate.
    pub(crate) own_trusted: Option<X509Store>,
    /// Certificates to send along.
    pub(crate) extra: Vec<X509>,
    /// The certificate of the server.
    pub(crate) server: Option<X509>,
    /// Who must be the sender of answers.
    pub(crate) expected_sender: Option<X509Name>,
    /// Whom requests are addressed to.
    pub(crate) recipient: Option<X509Name>,
    /// General information for the header.
    pub(crate) information: Vec<Information>,
    /// The root whose update is asked for.
    pub(crate) old_root: Option<X509>,
    /// How many seconds a transaction may take; 0 for any.
    pub(crate) total_timeout: u64,
    /// How much is told: 0 to 8.
    pub(crate) verbosity: i32,
    /// How many transactions there are.
    pub(crate) repeat: u64,
    /// What is asked for.
    pub(crate) wish: Wish,
}
