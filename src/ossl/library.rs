//! The library as a whole: its configuration and its random numbers.

use std::ffi::CStr;

use libc::{c_char, c_int, c_void};
use openssl::error::ErrorStack;

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

/// Whether a provider is there, because it was loaded or because none was. `OSSL_PROVIDER_available`
pub(crate) fn has_provider(name: &CStr) -> bool {
    // The configuration says which are there, and this function alone doesn't read it.
    openssl_sys::init();
    // SAFETY: the name is a C string, and without a context the usual one is meant.
    unsafe { raw::OSSL_PROVIDER_available(std::ptr::null_mut(), name.as_ptr()) == 1 }
}

/// Sets a parameter of the providers that are there, or of the one of a name, and tells how many have it now; `None` if
/// the library can't, as those before 3.5. `OSSL_PROVIDER_add_conf_parameter`
pub(crate) fn set_provider_parameter(
    only: Option<&CStr>,
    name: &CStr,
    value: &CStr,
) -> Option<Result<usize, ErrorStack>> {
    let mut setting = Setting {
        add: optional!(c"OSSL_PROVIDER_add_conf_parameter", Add)?,
        only,
        name,
        value,
        count: 0,
    };
    openssl_sys::init();
    let argument: *mut Setting<'_> = &raw mut setting;
    // SAFETY: without a context the usual one is meant; the function gets its setting, which nobody else holds meanwhile.
    let outcome = cvt(unsafe {
        raw::OSSL_PROVIDER_do_all(std::ptr::null_mut(), Some(set), argument.cast::<c_void>())
    });
    Some(outcome.map(|_| setting.count))
}

/// The type of `OSSL_PROVIDER_add_conf_parameter`.
type Add =
    unsafe extern "C" fn(*mut openssl_sys::OSSL_PROVIDER, *const c_char, *const c_char) -> c_int;

/// A parameter on its way to the providers.
struct Setting<'a> {
    /// The function that sets it.
    add: Add,
    /// The name of the one provider that gets it.
    only: Option<&'a CStr>,
    /// The parameter's name.
    name: &'a CStr,
    /// Its value.
    value: &'a CStr,
    /// How many providers have it.
    count: usize,
}

/// Sets a parameter of a provider; 0 if that fails.
///
/// # Safety
///
/// `provider` must be there, and `setting` be a [`Setting`] that nobody else holds.
unsafe extern "C" fn set(provider: *mut openssl_sys::OSSL_PROVIDER, setting: *mut c_void) -> c_int {
    // SAFETY: the caller says so.
    let setting = unsafe { &mut *setting.cast::<Setting<'_>>() };
    // SAFETY: the provider is there, and has a name as long as it is.
    let own = unsafe { raw::OSSL_PROVIDER_get0_name(provider) };
    // SAFETY: the name is a C string.
    let own = unsafe { CStr::from_ptr(own) };
    if setting.only.is_some_and(|only| only != own) {
        return 1;
    }
    setting.count += 1;
    // SAFETY: the provider is there, and both texts, which are copied, are C strings.
    unsafe { (setting.add)(provider, setting.name.as_ptr(), setting.value.as_ptr()) }
}
