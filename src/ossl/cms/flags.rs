//! Flags of the message functions.

use libc::c_uint;

/// Flags of the message functions, with the values of `CMS_…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(pub(crate) c_uint);

/// Names some of the flags.
macro_rules! flags {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr;)+) => {
        impl Flags {
            $($(#[doc = $doc])+ pub(crate) const $name: Self = Self($value);)+

            /// These flags and others.
            pub(crate) const fn and(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// These flags, and others where a condition holds.
            pub(crate) const fn and_if(self, condition: bool, other: Self) -> Self {
                match condition {
                    true => self.and(other),
                    false => self,
                }
            }

            /// Whether all of these flags are set.
            pub(crate) const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }
    };
}

flags! {
    /// No flags.
    NONE = 0;
    /// Leave the signer's certificate out.
    NOCERTS = 0x2;
    /// Don't check the content.
    NO_CONTENT_VERIFY = 0x4;
    /// Don't check the signatures over attributes.
    NO_ATTR_VERIFY = 0x8;
    /// Don't check the signers' certificates.
    NO_SIGNER_CERT_VERIFY = 0x20;
    /// Don't look for signers' certificates in the message.
    NOINTERN = 0x10;
    /// The content isn't in the message.
    DETACHED = 0x40;
    /// Don't translate the content.
    BINARY = 0x80;
    /// No signed attributes.
    NOATTR = 0x100;
    /// No list of ciphers among the signed attributes.
    NOSMIMECAP = 0x200;
    /// The content follows later.
    STREAM = 0x1000;
    /// Don't finish the message yet.
    PARTIAL = 0x4000;
    /// Take the content's digest from another signer.
    REUSE_DIGEST = 0x8000;
    /// Name certificates by key identifier.
    USE_KEYID = 0x10000;
    /// Tell when no recipient fits.
    DEBUG_DECRYPT = 0x20000;
    /// Parameters of the key follow, so don't sign or encrypt yet.
    KEY_PARAM = 0x40000;
    /// Canonical text for signing.
    ASCIICRLF = 0x80000;
    /// With the attribute that names the signer's certificate.
    CADES = 0x100000;
    /// Without the attribute that tells the time. OpenSSL before 3.5 ignores it.
    NO_SIGNING_TIME = 0x400000;
}
