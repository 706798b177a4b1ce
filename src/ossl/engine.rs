//! Engines, where the loaded OpenSSL has them: releases before 4.0, unless they were built without.
//!
//! The functions are looked up rather than linked, so that the library loads where they are missing.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use foreign_types::ForeignType;
use libc::{c_char, c_int, c_uint, c_void};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl_sys as sys;

use super::error::{cvt, cvt_p, stack as queued};

/// Looks a function of the loaded libraries up. The type must be that of the function of this name, in every release
/// that has it.
macro_rules! optional {
    ($name:literal, $type:ty) => {{
        // SAFETY: the name is a C string, and the lookup has no other precondition.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, $name.as_ptr()) };
        // SAFETY: where the library has this function, it has this type.
        (!symbol.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, $type>(symbol) })
    }};
}
pub(super) use optional;

/// The functions.
#[derive(Clone, Copy)]
struct Functions {
    /// `ENGINE_by_id`
    by_id: unsafe extern "C" fn(*const c_char) -> *mut sys::ENGINE,
    /// `ENGINE_free`
    free: unsafe extern "C" fn(*mut sys::ENGINE) -> c_int,
    /// `ENGINE_init`
    init: unsafe extern "C" fn(*mut sys::ENGINE) -> c_int,
    /// `ENGINE_finish`
    finish: unsafe extern "C" fn(*mut sys::ENGINE) -> c_int,
    /// `ENGINE_set_default`
    set_default: unsafe extern "C" fn(*mut sys::ENGINE, c_uint) -> c_int,
    /// `ENGINE_ctrl_cmd_string`
    control: unsafe extern "C" fn(*mut sys::ENGINE, *const c_char, *const c_char, c_int) -> c_int,
    /// `ENGINE_load_private_key`
    load_key: unsafe extern "C" fn(
        *mut sys::ENGINE,
        *const c_char,
        *mut c_void,
        *mut c_void,
    ) -> *mut sys::EVP_PKEY,
}

/// The functions, if the library has them.
fn functions() -> Option<Functions> {
    static FOUND: OnceLock<Option<Functions>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        Some(Functions {
            by_id: optional!(
                c"ENGINE_by_id",
                unsafe extern "C" fn(*const c_char) -> *mut sys::ENGINE
            )?,
            free: optional!(
                c"ENGINE_free",
                unsafe extern "C" fn(*mut sys::ENGINE) -> c_int
            )?,
            init: optional!(
                c"ENGINE_init",
                unsafe extern "C" fn(*mut sys::ENGINE) -> c_int
            )?,
            finish: optional!(
                c"ENGINE_finish",
                unsafe extern "C" fn(*mut sys::ENGINE) -> c_int
            )?,
            set_default: optional!(
                c"ENGINE_set_default",
                unsafe extern "C" fn(*mut sys::ENGINE, c_uint) -> c_int
            )?,
            control: optional!(
                c"ENGINE_ctrl_cmd_string",
                unsafe extern "C" fn(
                    *mut sys::ENGINE,
                    *const c_char,
                    *const c_char,
                    c_int,
                ) -> c_int
            )?,
            load_key: optional!(
                c"ENGINE_load_private_key",
                unsafe extern "C" fn(
                    *mut sys::ENGINE,
                    *const c_char,
                    *mut c_void,
                    *mut c_void,
                ) -> *mut sys::EVP_PKEY
            )?,
        })
    })
}

impl Functions {
    /// Loads the engine that is in a file; the reference is the caller's. `ENGINE_ctrl_cmd_string`
    fn load(self, path: &CStr) -> Result<*mut sys::ENGINE, ErrorStack> {
        // SAFETY: the name is a C string.
        let pointer = cvt_p(unsafe { (self.by_id)(c"dynamic".as_ptr()) })?;
        let control = |command: &CStr, value: *const c_char| {
            // SAFETY: the engine was just found, the command is a C string, the value is one or null.
            cvt(unsafe { (self.control)(pointer, command.as_ptr(), value, 0) })
        };
        let loaded =
            control(c"SO_PATH", path.as_ptr()).and_then(|_| control(c"LOAD", std::ptr::null()));
        if loaded.is_err() {
            // SAFETY: the reference is ours.
            unsafe { (self.free)(pointer) };
        }
        loaded.map(|_| pointer)
    }
}

/// An engine that was started.
pub(crate) struct Engine {
    /// The engine.
    pointer: *mut sys::ENGINE,
    /// The functions.
    functions: Functions,
}

impl Engine {
    /// Starts an engine, named or by its file, and makes it the default for all that it can do, in the whole process.
    /// `None` if the library has no engines. `ENGINE_by_id`, `ENGINE_set_default`, `ENGINE_init`
    pub(crate) fn start(id: &CStr) -> Result<Option<Self>, ErrorStack> {
        /// `ENGINE_METHOD_ALL`
        const ALL: c_uint = 0xffff;
        let Some(functions) = functions() else {
            return Ok(None);
        };
        // SAFETY: the name is a C string.
        let named = cvt_p(unsafe { (functions.by_id)(id.as_ptr()) });
        let pointer = named.or_else(|stack| functions.load(id).map_err(|_| stack))?;
        // SAFETY: the engine was just found.
        let started = cvt(unsafe { (functions.set_default)(pointer, ALL) })
            // SAFETY: the same.
            .and_then(|_| cvt(unsafe { (functions.init)(pointer) }));
        // SAFETY: the reference of the search is ours; the one of the start keeps the engine.
        unsafe { (functions.free)(pointer) };
        started?;
        Ok(Some(Self { pointer, functions }))
    }

    /// A private key that the engine keeps. `ENGINE_load_private_key`
    pub(crate) fn key(&self, id: &str) -> Result<PKey<Private>, ErrorStack> {
        let id = CString::new(id).map_err(|_| queued())?;
        let null = std::ptr::null_mut();
        // SAFETY: the engine is started, the name a C string; nobody is asked for anything.
        let key =
            cvt_p(unsafe { (self.functions.load_key)(self.pointer, id.as_ptr(), null, null) })?;
        // SAFETY: the key is the caller's.
        Ok(unsafe { PKey::from_ptr(key) })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: the engine was started once by us.
        unsafe { (self.functions.finish)(self.pointer) };
    }
}
