//! Cipher lists: setting them, and listing what there is.
//!
//! Safe OpenSSL only.

use openssl::ssl::{Ssl, SslCipherRef, SslContext, SslContextBuilder, SslMethod};

use super::protocols::{Protocol, ProtocolSet};
use crate::error::{Error, Reason, Result};
use crate::ossl::error::failed;
use crate::ossl::ssl::{configured_ciphers, supported_ciphers};

/// The version that OpenSSL names for the cipher suites of TLS 1.3, which fit no other version.
const TLS1_3: &str = "TLSv1.3";

/// Sets the cipher list of TLS 1.2 and earlier.
pub(super) fn set_list(context: &mut SslContextBuilder, list: &str) -> Result<()> {
    let refuse = || {
        let message = "Set ciphers failed: No valid ciphers";
        Error::failed_with(Reason::ImportCipher, ["-cipher", list], message).about_option("-cipher")
    };
    if list.contains('\0') {
        return Err(refuse());
    }
    context.set_cipher_list(list).map_err(|_| refuse())
}

/// Sets the cipher suites of TLS 1.3. Names that the library doesn't know are an error, or are passed over,
/// depending on its version; that none is left is an error always.
pub(super) fn set_suites(context: &mut SslContextBuilder, suites: &str) -> Result<()> {
    let refuse = || {
        let details = ["-ciphersuites", suites];
        let message = "Set cipher suites failed: No valid cipher suites";
        Error::failed_with(Reason::ImportCipher, details, message).about_option("-ciphersuites")
    };
    if suites.contains('\0') || !knows_one(suites) {
        return Err(refuse());
    }
    context.set_ciphersuites(suites).map_err(|_| refuse())
}

/// Whether the library knows any of these cipher suites.
fn knows_one(suites: &str) -> bool {
    let known = SslContext::builder(SslMethod::tls()).and_then(|mut context| {
        context.set_ciphersuites(suites)?;
        let versions = configured_ciphers(&context.build(), SslCipherRef::version);
        Ok(versions.contains(&TLS1_3))
    });
    known.unwrap_or(false)
}

/// A cipher in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cipher {
    /// OpenSSL's name.
    pub(crate) name: &'static str,
    /// OpenSSL's description in one line, with its end of line.
    pub(crate) description: String,
}

impl Cipher {
    /// Copies what a listing needs.
    fn of(cipher: &SslCipherRef) -> Self {
        Self {
            name: cipher.name(),
            description: cipher.description(),
        }
    }
}

/// The ciphers that a connection of the given version (of any version, without one) can use by default.
///
/// Not `supported`: those of the default lists that belong to the version. `supported`: those among them that a
/// ClientHello would carry, so without the ones that the security level or other policy forbids.
pub(crate) fn list(protocol: Option<Protocol>, supported: bool) -> Result<Vec<Cipher>> {
    let doing = "can't list the ciphers";
    let mut context =
        SslContext::builder(SslMethod::tls()).map_err(|stack| failed(doing, &stack))?;
    if let Some(protocol) = protocol {
        let set = ProtocolSet::EMPTY.with(protocol, true);
        let usable = set.usable().map_err(|_| {
            let name = protocol.name();
            Error::failed(
                Reason::ImportProtocol,
                format!("{name}: protocol not supported"),
            )
        })?;
        usable.apply(&mut context)?;
    }
    let context = context.build();
    if supported {
        return Ssl::new(&context)
            .and_then(|mut ssl| {
                ssl.set_connect_state();
                supported_ciphers(&mut ssl, Cipher::of)
            })
            .map_err(|stack| failed(doing, &stack));
    }
    let ciphers = configured_ciphers(&context, |cipher| {
        fits(cipher.version(), protocol).then(|| Cipher::of(cipher))
    });
    Ok(ciphers.into_iter().flatten().collect())
}

/// Whether a cipher that OpenSSL says to belong to some version can be used in a protocol version.
fn fits(version: &str, protocol: Option<Protocol>) -> bool {
    match protocol {
        None => true,
        Some(Protocol::Tls1_3) => version == TLS1_3,
        Some(Protocol::Tls1_2) => version != TLS1_3,
        Some(Protocol::Tls1 | Protocol::Tls1_1) => !matches!(version, TLS1_3 | "TLSv1.2"),
        Some(Protocol::Ssl2 | Protocol::Ssl3) => version == "SSLv3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(protocol: Option<Protocol>, supported: bool) -> Vec<&'static str> {
        let list = list(protocol, supported).unwrap();
        list.iter().map(|cipher| cipher.name).collect()
    }

    #[test]
    fn each_protocol_has_its_own_ciphers() {
        let (aes, chacha) = ("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-CHACHA20-POLY1305");
        for supported in [false, true] {
            let tls1_3 = names(Some(Protocol::Tls1_3), supported);
            assert!(tls1_3.contains(&aes) && tls1_3.iter().all(|name| name.starts_with("TLS_")));
            let tls1_2 = names(Some(Protocol::Tls1_2), supported);
            assert!(tls1_2.contains(&chacha) && !tls1_2.contains(&aes));
            let any = names(None, supported);
            assert!(any.contains(&aes) && any.contains(&chacha));
        }
        let tls1 = names(Some(Protocol::Tls1), false);
        assert!(tls1.contains(&"ECDHE-RSA-AES256-SHA") && !tls1.contains(&chacha));
    }

    #[test]
    fn a_protocol_that_is_not_there_is_an_error() {
        let error = list(Some(Protocol::Ssl2), false).unwrap_err();
        assert_eq!(error.message(), "ssl2: protocol not supported");
    }

    #[test]
    fn descriptions_are_lines() {
        let all = list(None, true).unwrap();
        assert!(all.iter().all(|cipher| {
            cipher.description.starts_with(cipher.name) && cipher.description.ends_with('\n')
        }));
    }

    #[test]
    fn unknown_ciphers_are_refused() {
        let mut context = SslContext::builder(SslMethod::tls()).unwrap();
        for list in ["", "NOPE", "NOPE:NADA", "a\0b"] {
            let error = set_list(&mut context, list).unwrap_err();
            assert_eq!(
                error.message(),
                "Set ciphers failed: No valid ciphers (option -cipher)"
            );
            let error = set_suites(&mut context, list).unwrap_err();
            assert_eq!(
                error.message(),
                "Set cipher suites failed: No valid cipher suites (option -ciphersuites)"
            );
        }
        set_list(&mut context, "HIGH:!aNULL").unwrap();
        set_suites(&mut context, "TLS_AES_256_GCM_SHA384").unwrap();
    }
}
