//! The library as a whole: its configuration and its random numbers.

use std::ffi::CStr;

use foreign_types::ForeignTypeRef;
use libc::{c_char, c_int, c_void};
use openssl::error::ErrorStack;
use openssl::provider::Provider;

use super::engine::optional;
use super::error::cvt;
use crate::ffi::ossl as raw;

/// Adds bytes to what random numbers are made of; they aren't counted upon. `RAND_add`
pub(crate) fn add_random(bytes: &[u8]) {
    for part in bytes.chunks(1 << 20) {
        let length = c_int::try_from(part.len()).unwrap_or(0);
        // SAFETY: `part` has `length` readable bytes.
        unsafe { openssl_sys::RAND_add(part.as_ptr().cast::<c_void>(), length, 0.0) };
    }
}

/// Carries out a configuration file, which may load modules into the process. `CONF_modules_load_file`
pub(crate) fn configure(path: &CStr) -> Result<(), ErrorStack> {
    // SAFETY: the path is a C string, and without a name the library's usual section is taken.
    cvt(unsafe { raw::CONF_modules_load_file(path.as_ptr(), std::ptr::null(), 0) })?;
    Ok(())
}

/// Sets a parameter of a loaded provider; `None` if the library can't, as those before 3.5.
/// `OSSL_PROVIDER_add_conf_parameter`
pub(crate) fn set_provider_parameter(
    provider: &Provider,
    name: &CStr,
    value: &CStr,
) -> Option<Result<(), ErrorStack>> {
    /// The function's type.
    type Add = unsafe extern "C" fn(
        *mut openssl_sys::OSSL_PROVIDER,
        *const c_char,
        *const c_char,
    ) -> c_int;
    let add = optional!(c"OSSL_PROVIDER_add_conf_parameter", Add)?;
    // SAFETY: the provider is loaded, and both texts, which are copied, are C strings.
    Some(cvt(unsafe { add(provider.as_ptr(), name.as_ptr(), value.as_ptr()) }).map(|_| ()))
}
