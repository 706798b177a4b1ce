//! The own certificate, its chain and its private key, from the content of whatever source they come from.
//!
//! Safe OpenSSL only.

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslContextBuilder;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreRef;
use openssl::x509::{X509, X509StoreContext, X509VerifyResult};

use super::pem;
use super::source::{CERTIFICATE, KEY, Source, Wording};
use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::error::entries;
use crate::ossl::pkcs12;
use crate::ossl::secret::Secret;
use crate::ossl::x509_store::read_certificate;

/// The longest password that OpenSSL takes.
pub(super) const PASSWORD_MAX: usize = 1024;

/// Asks for the password of a private key. The number is the longest that is of use.
pub(crate) type AskPassword<'a> = dyn FnMut(usize) -> Result<Secret> + 'a;

/// The own certificate and key, as options give them.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The certificate, followed by its intermediates.
    pub(crate) certificate: Source,
    /// The private key; `None` means that it stands where the certificate stands.
    pub(crate) key: Option<Source>,
}

impl Identity {
    /// Puts the two options together. A key alone is an error.
    pub(crate) fn new(certificate: Option<Source>, key: Option<Source>) -> Result<Option<Self>> {
        match (certificate, key) {
            (Some(certificate), key) => Ok(Some(Self { certificate, key })),
            (None, None) => Ok(None),
            (None, Some(key)) => {
                let why = "there is no certificate for it";
                Err(key.refuse(Reason::ImportKey, &KEY, why))
            }
        }
    }

    /// Where the key is.
    pub(super) fn key_source(&self) -> &Source {
        self.key.as_ref().unwrap_or(&self.certificate)
    }
}

/// A certificate with its chain and key, ready for a context.
pub(super) struct Loaded {
    /// The own certificate, then the intermediates in the order of the source.
    certificates: Vec<X509>,
    /// The key.
    key: PKey<Private>,
    /// Whether a password had to be asked for.
    pub(super) locked: bool,
}

impl Loaded {
    /// Reads both from their sources' contents.
    pub(super) fn read(
        identity: &Identity,
        certificate: &[u8],
        key: &[u8],
        password: &mut AskPassword<'_>,
    ) -> Result<Self> {
        let source = &identity.certificate;
        let refuse = |why: &str| source.refuse(Reason::ImportCertificate, &CERTIFICATE, why);
        let loaded = if pem::is_pkcs12(certificate) {
            if identity.key.is_some() {
                return Err(refuse("a PKCS#12 archive brings its own key along"));
            }
            Self::from_pkcs12(certificate, source, password)?
        } else {
            let certificates = certificates(certificate).map_err(|why| refuse(&why))?;
            let (key, locked) = private_key(key, identity.key_source(), password)?;
            Self {
                certificates,
                key,
                locked,
            }
        };
        loaded.fits(identity)?;
        Ok(loaded)
    }

    /// Reads all from a PKCS#12 archive. Many have no password, or an empty one; that is tried first.
    fn from_pkcs12(
        content: &[u8],
        source: &Source,
        password: &mut AskPassword<'_>,
    ) -> Result<Self> {
        let refuse =
            |stack: ErrorStack| refused(source, Reason::ImportCertificate, &CERTIFICATE, &stack);
        let archive = Pkcs12::from_der(content).map_err(refuse)?;
        let (parsed, locked) = match pkcs12::parse(&archive, &Secret::default()) {
            Ok(parsed) => (parsed, false),
            Err(_) => {
                let password = ask(source, &CERTIFICATE, password)?;
                (pkcs12::parse(&archive, &password).map_err(refuse)?, true)
            }
        };
        let (Some(leaf), Some(key)) = (parsed.cert, parsed.pkey) else {
            let why = "the PKCS#12 archive doesn't hold a private key and its certificate";
            return Err(source.refuse(Reason::ImportCertificate, &CERTIFICATE, why));
        };
        let chain = parsed.ca.into_iter().flatten();
        Ok(Self {
            certificates: std::iter::once(leaf).chain(chain).collect(),
            key,
            locked,
        })
    }

    /// Completes the chain of a certificate that came alone, as far as intermediates are among the trusted ones.
    /// A root isn't sent: who doesn't have it gains nothing by getting it.
    pub(super) fn complete(&mut self, store: &X509StoreRef) {
        let [leaf] = self.certificates.as_slice() else {
            return;
        };
        let found = X509StoreContext::new().and_then(|mut context| {
            let none = Stack::new()?;
            context.init(store, leaf, &none, |context| {
                // Whether the chain is good is for the peer to say.
                context.verify_cert()?;
                let chain = context.chain().into_iter().flatten();
                Ok(chain.skip(1).map(ToOwned::to_owned).collect::<Vec<_>>())
            })
        });
        let root = |certificate: &X509| certificate.issued(certificate) == X509VerifyResult::OK;
        let found = found.unwrap_or_default();
        self.certificates
            .extend(found.into_iter().filter(|certificate| !root(certificate)));
    }

    /// Checks that the key belongs to the certificate.
    fn fits(&self, identity: &Identity) -> Result<()> {
        let public = self.certificates.first().map(|leaf| leaf.public_key());
        match public {
            Some(Ok(public)) if public.public_eq(&self.key) => Ok(()),
            Some(Err(stack)) => Err(refused(
                &identity.certificate,
                Reason::ImportCertificate,
                &CERTIFICATE,
                &stack,
            )),
            _ => {
                // What the comparison left in the error queue is told by the sentence already.
                drop(ErrorStack::get());
                let source = identity.key_source();
                let what = "private key does not match the certificate public key";
                let place = match source.name() {
                    Some(name) => format!("{}, file {name}", source.option()),
                    None => source.option().to_owned(),
                };
                let details = [source.option(), source.name().unwrap_or_default()];
                Err(Error::failed_with(Reason::ImportKey, details, what).about_option(&place))
            }
        }
    }

    /// Gives certificate, chain and key to a context. The library may find the key too weak for its security level.
    pub(super) fn install(
        self,
        identity: &Identity,
        context: &mut SslContextBuilder,
    ) -> Result<()> {
        let source = &identity.certificate;
        let refuse =
            |stack: ErrorStack| refused(source, Reason::ImportCertificate, &CERTIFICATE, &stack);
        let mut certificates = self.certificates.into_iter();
        if let Some(leaf) = certificates.next() {
            context.set_certificate(&leaf).map_err(refuse)?;
        }
        for intermediate in certificates {
            context.add_extra_chain_cert(intermediate).map_err(refuse)?;
        }
        context
            .set_private_key(&self.key)
            .map_err(|stack| refused(identity.key_source(), Reason::ImportKey, &KEY, &stack))
    }
}

/// An error with OpenSSL's reasons.
fn refused(source: &Source, reason: Reason, what: &Wording, stack: &ErrorStack) -> Error {
    source.refuse(reason, what, &reasons_text(&entries(stack)))
}

/// What PEM blocks with certificates are labelled.
const LABELS: [&str; 3] = ["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"];

/// All certificates in some PEM text or DER bytes, in order; at least one.
pub(super) fn certificates(content: &[u8]) -> std::result::Result<Vec<X509>, String> {
    let text = |stack: ErrorStack| reasons_text(&entries(&stack));
    if content.is_empty() {
        return Err("it is empty".to_owned());
    }
    if !pem::looks_like(content) {
        let pieces = pem::der_pieces(content).ok_or("it is neither PEM nor DER")?;
        return pieces
            .into_iter()
            .map(|piece| X509::from_der(piece).map_err(text))
            .collect();
    }
    let found: Vec<X509> = pem::blocks(content)
        .filter(|block| LABELS.contains(&block.label))
        .map(|block| read_certificate(block.text).map_err(text))
        .collect::<std::result::Result<_, _>>()?;
    match found.is_empty() {
        true => Err(pem::holds_instead(content, "certificate")),
        false => Ok(found),
    }
}

/// Asks for the password of what a source holds. That there is none is told with the source's name.
fn ask(source: &Source, what: &Wording, password: &mut AskPassword<'_>) -> Result<Secret> {
    password(PASSWORD_MAX).map_err(|error| match error {
        Error::Failed {
            reason, message, ..
        } if reason == Reason::Password => source.refuse(reason, what, &message),
        other => other,
    })
}

/// The private key in some PEM text or DER bytes, and whether it was encrypted.
fn private_key(
    content: &[u8],
    source: &Source,
    password: &mut AskPassword<'_>,
) -> Result<(PKey<Private>, bool)> {
    let refuse = |why: &str| source.refuse(Reason::ImportKey, &KEY, why);
    if content.is_empty() {
        return Err(refuse("it is empty"));
    }
    let is_pem = pem::looks_like(content);
    let (key, encrypted) = match is_pem {
        true => {
            let block = pem::blocks(content)
                .find(|block| block.label.ends_with("PRIVATE KEY"))
                .ok_or_else(|| refuse(&pem::holds_instead(content, "private key")))?;
            (block.text, block.encrypted())
        }
        false => match pem::der_pieces(content) {
            Some(_) => (content, pem::der_encrypted(content)),
            None => return Err(refuse("it is neither PEM nor DER")),
        },
    };
    if !encrypted {
        let read = match is_pem {
            true => PKey::private_key_from_pem(key),
            false => PKey::private_key_from_der(key),
        };
        return match read {
            Ok(key) => Ok((key, false)),
            Err(stack) => Err(refused(source, Reason::ImportKey, &KEY, &stack)),
        };
    }
    let password = ask(source, &KEY, password)?;
    let fill = |buffer: &mut [u8]| match buffer.get_mut(..password.len()) {
        Some(place) => {
            place.copy_from_slice(&password);
            Ok(password.len())
        }
        None => Err(ErrorStack::get()),
    };
    let read = match is_pem {
        true => PKey::private_key_from_pem_callback(key, fill),
        false => PKey::private_key_from_pkcs8_callback(key, fill),
    };
    read.map(|key| (key, true)).map_err(|stack| {
        let why = match reasons_text(&entries(&stack)) {
            _ if password.len() > PASSWORD_MAX => "the password is too long".to_owned(),
            why if why.contains("bad decrypt") => why,
            // A wrong password may also end in padding that looks good by chance, and a key that makes no sense.
            why => format!("bad decrypt; {why}"),
        };
        refuse(&why)
    })
}
