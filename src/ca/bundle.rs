//! PKCS#12: a certificate with its key and its authority's certificate, in one file under a password.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509;

use crate::error::{Error, Reason, Result};
use crate::ossl::error::failed;
use crate::ossl::secret::Secret;

use super::request::same_key;

/// What goes into one file.
pub(crate) struct Bundle<'a> {
    /// What programs show for it.
    pub(crate) name: &'a str,
    /// The certificate.
    pub(crate) certificate: &'a X509,
    /// Its key.
    pub(crate) key: &'a PKey<Private>,
    /// The authority's certificate.
    pub(crate) authority: &'a X509,
}

/// Makes the file's content, DER.
pub(crate) fn make(bundle: &Bundle<'_>, password: &Secret) -> Result<Secret> {
    let own = bundle.certificate.public_key();
    if !own.is_ok_and(|own| same_key(&own, bundle.key)) {
        return Err(Error::failed_with(
            Reason::CaVerify,
            ["-inkey"],
            "the certificate and the private key don't belong together",
        ));
    }
    let text = |text: &[u8], option: &str, what: &str| {
        let text = std::str::from_utf8(text).ok();
        let text = text.filter(|text| !text.contains('\0'));
        text.map(str::to_owned).ok_or_else(|| {
            Error::failed_with(
                Reason::CaOption,
                [option],
                format!("{what} must be text without a zero byte"),
            )
        })
    };
    let name = text(
        bundle.name.as_bytes(),
        "-pkcs12",
        "the name of the certificate",
    )?;
    let password = Secret::from(text(password, "-passout", "the password")?.into_bytes());
    let made = Stack::new().and_then(|mut chain| {
        chain.push(bundle.authority.clone())?;
        let mut builder = Pkcs12::builder();
        builder
            .name(&name)
            .pkey(bundle.key)
            .cert(bundle.certificate)
            .ca(chain);
        let password = std::str::from_utf8(&password).unwrap_or_default();
        builder.build2(password)?.to_der()
    });
    made.map(Secret::from)
        .map_err(|stack| failed("can't make the PKCS#12 file", &stack))
}
