//! New private keys of any kind that the library has, by name.
//!
//! The openssl crate makes keys of the kinds that it knows; those of later libraries it doesn't.

use std::ffi::CString;
use std::ptr;

use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl_sys as sys;

use super::error::{cvt, cvt_p};
use super::sign::Refused;
use crate::ffi::ossl;

/// A context that is freed when it goes.
struct Context(*mut sys::EVP_PKEY_CTX);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours.
        unsafe { sys::EVP_PKEY_CTX_free(self.0) };
    }
}

impl Context {
    /// The context of a kind of key, by its name (EVP_PKEY_CTX_new_from_name).
    fn new(kind: &str, properties: Option<&str>) -> Result<Self, ErrorStack> {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let (kind, properties) = (text(kind), properties.map(text));
        let properties = properties
            .as_ref()
            .map_or(ptr::null(), |properties| properties.as_ptr());
        // SAFETY: both texts end with a null byte, and null stands for the default library context.
        let context =
            unsafe { sys::EVP_PKEY_CTX_new_from_name(ptr::null_mut(), kind.as_ptr(), properties) };
        cvt_p(context).map(Self)
    }
}

/// Whether the library has this kind of key.
pub(crate) fn knows(kind: &str, properties: Option<&str>) -> bool {
    let known = Context::new(kind, properties).and_then(|context| {
        // SAFETY: the context is live.
        cvt(unsafe { sys::EVP_PKEY_keygen_init(context.0) })
    });
    known.is_ok()
}

/// Makes a key; the options are `name:value` (EVP_PKEY_keygen_init, EVP_PKEY_CTX_ctrl_str, EVP_PKEY_keygen).
pub(crate) fn generate(
    kind: &str,
    options: &[String],
    properties: Option<&str>,
) -> Result<PKey<Private>, Refused> {
    let context = Context::new(kind, properties)?;
    // SAFETY: the context is live.
    cvt(unsafe { sys::EVP_PKEY_keygen_init(context.0) })?;
    for option in options {
        let refused = || Refused::Option(option.clone());
        let (name, value) = option.split_once(':').ok_or_else(refused)?;
        let [Ok(name), Ok(value)] = [name, value].map(CString::new) else {
            return Err(refused());
        };
        // SAFETY: the context is live, the texts end with a null byte.
        let done =
            unsafe { ossl::EVP_PKEY_CTX_ctrl_str(context.0.cast(), name.as_ptr(), value.as_ptr()) };
        if done <= 0 {
            // The reasons say nothing that the option's name doesn't.
            ErrorStack::get();
            return Err(refused());
        }
    }
    let mut key = ptr::null_mut();
    // SAFETY: the context is ready for it, and `key` is a place for a pointer.
    cvt(unsafe { sys::EVP_PKEY_keygen(context.0, &raw mut key) })?;
    // SAFETY: a new key that belongs to the caller.
    Ok(unsafe { PKey::from_ptr(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_by_name_and_options() {
        let curve = ["ec_paramgen_curve:P-384".to_owned()];
        assert_eq!(generate("EC", &curve, None).unwrap().bits(), 384);
        assert_eq!(generate("ED25519", &[], None).unwrap().bits(), 256);
        assert!(knows("RSA", None) && !knows("boredom", None) && !knows("a\0b", None));
    }

    #[test]
    fn a_wrong_option_is_named() {
        for wrong in ["nothing", "a:b", "a\0:b"] {
            match generate("EC", &[wrong.to_owned()], None) {
                Err(Refused::Option(option)) => assert_eq!(option, wrong),
                _ => panic!("{wrong} was taken"),
            }
        }
        assert!(matches!(
            generate("boredom", &[], None),
            Err(Refused::Stack(_))
        ));
    }
}
