//! Connections and contexts: the callbacks, switches and lists that the openssl crate leaves out.
//!
//! The callbacks here carry no data: they are types with functions, so a context or connection that has them can be
//! shared and moved between threads at will.

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::{c_int, c_void};
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslCipherRef, SslContextBuilder, SslContextRef, SslRef, SslSession};
use openssl_sys as sys;

use super::error::{cvt, cvt_p};
use crate::ffi::{self as floor, ossl as ffi};

/// What is told while a connection changes its state.
pub(crate) trait InfoCallback {
    /// `kind` is a combination of `SSL_CB_` and `SSL_ST_` bits, `value` an alert or a return code. Mustn't panic.
    fn info(ssl: &SslRef, kind: c_int, value: c_int);
}

/// What is told about each protocol message.
pub(crate) trait MessageCallback {
    /// `content_type` is a record type of TLS or one of OpenSSL's pseudo types from 256 on. Mustn't panic.
    fn message(ssl: &SslRef, sent: bool, version: c_int, content_type: c_int, message: &[u8]);
}

/// Has `T` called on each change of state.
#[doc(alias = "SSL_set_info_callback")]
pub(crate) fn set_info_callback<T: InfoCallback>(ssl: &mut SslRef) {
    /// What OpenSSL calls.
    extern "C" fn raw<T: InfoCallback>(ssl: *const sys::SSL, kind: c_int, value: c_int) {
        // SAFETY: OpenSSL passes the connection that the callback was set on, alive during the call.
        let ssl = unsafe { SslRef::from_ptr(ssl.cast_mut()) };
        T::info(ssl, kind, value);
    }
    // SAFETY: the connection is alive, and the function has the type that OpenSSL asks for and needs no data.
    unsafe { ffi::SSL_set_info_callback(ssl.as_ptr(), Some(raw::<T>)) };
}

/// Has `T` called for each protocol message.
#[doc(alias = "SSL_set_msg_callback")]
pub(crate) fn set_message_callback<T: MessageCallback>(ssl: &mut SslRef) {
    /// What OpenSSL calls.
    extern "C" fn raw<T: MessageCallback>(
        sent: c_int,
        version: c_int,
        content_type: c_int,
        message: *const c_void,
        len: usize,
        ssl: *mut sys::SSL,
        _data: *mut c_void,
    ) {
        // SAFETY: OpenSSL passes `len` readable bytes, or null with 0, for the time of the call.
        let message = unsafe { floor::bytes(message, len) };
        // SAFETY: OpenSSL passes the connection that the callback was set on, alive during the call.
        let ssl = unsafe { SslRef::from_ptr(ssl) };
        T::message(ssl, sent != 0, version, content_type, message);
    }
    // SAFETY: the connection is alive, and the function has the type that OpenSSL asks for and needs no data.
    unsafe { ffi::SSL_set_msg_callback(ssl.as_ptr(), Some(raw::<T>)) };
}

/// Called from within a verify callback of a client: suspends the handshake, and the same question comes again.
#[doc(alias = "SSL_set_retry_verify")]
pub(crate) fn set_retry_verify(ssl: &SslRef) {
    // SAFETY: the connection is alive; the call sets a field of it and nothing else.
    unsafe { ffi::tls_SSL_set_retry_verify(ssl.as_ptr()) };
}

/// Whether a client is ready to be asked for a certificate after the handshake.
#[doc(alias = "SSL_set_post_handshake_auth")]
pub(crate) fn set_post_handshake_auth(ssl: &mut SslRef, willing: bool) {
    // SAFETY: the connection is alive; the call sets a field of it and nothing else.
    unsafe { ffi::SSL_set_post_handshake_auth(ssl.as_ptr(), c_int::from(willing)) };
}

/// Makes a server ask for a certificate now; the request goes out with the next handshake call or write.
///
/// The connection may be shared: this is called by the operation that has it.
#[doc(alias = "SSL_verify_client_post_handshake")]
pub(crate) fn verify_client_post_handshake(ssl: &SslRef) -> Result<(), ErrorStack> {
    // SAFETY: the connection is alive during the call.
    cvt(unsafe { ffi::SSL_verify_client_post_handshake(ssl.as_ptr()) })?;
    Ok(())
}

/// Has a client offer a session.
///
/// The openssl crate's own function is unsafe because a session may lie in the cache of another context; one that is
/// the caller's alone, as one made out of bytes is, doesn't lie in any.
#[doc(alias = "SSL_set_session")]
pub(crate) fn set_session(ssl: &mut SslRef, session: &SslSession) -> Result<(), ErrorStack> {
    // SAFETY: both are alive, the connection counts its own reference, and the session's memory doesn't depend on
    // the context it was made under.
    unsafe { ssl.set_session(session) }
}

/// Has a client that hasn't begun its handshake offer no session after all.
#[doc(alias = "SSL_set_session")]
pub(crate) fn forget_session(ssl: &SslRef) {
    // SAFETY: the connection is alive; null is allowed and drops the reference to the session.
    unsafe { sys::SSL_set_session(ssl.as_ptr(), std::ptr::null_mut()) };
}

/// The body of an extension of the ClientHello. Only within a client-hello callback.
#[doc(alias = "SSL_client_hello_get0_ext")]
pub(crate) fn client_hello_extension(ssl: &SslRef, kind: u16) -> Option<&[u8]> {
    let mut body = std::ptr::null();
    let mut len = 0;
    // SAFETY: the connection is alive, and both out-parameters live during the call.
    let found = unsafe {
        sys::SSL_client_hello_get0_ext(ssl.as_ptr(), u32::from(kind), &raw mut body, &raw mut len)
    };
    if found != 1 {
        return None;
    }
    // SAFETY: OpenSSL set both to bytes of the message, which stay as long as the callback runs, hence the reference.
    Some(unsafe { floor::bytes(body.cast(), len) })
}

/// Lets a server pick Diffie-Hellman parameters as strong as its certificate.
#[doc(alias = "SSL_CTX_set_dh_auto")]
pub(crate) fn set_dh_auto(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // SAFETY: the context is alive; the call sets a field of it and nothing else.
    cvt(unsafe { ffi::tls_SSL_CTX_set_dh_auto(context.as_ptr()) })?;
    Ok(())
}

/// Every cipher of a context's lists, in order of preference, whether it can be negotiated or not.
#[doc(alias = "SSL_CTX_get_ciphers")]
pub(crate) fn configured_ciphers<T>(
    context: &SslContextRef,
    each: impl FnMut(&SslCipherRef) -> T,
) -> Vec<T> {
    // SAFETY: the context is alive; the stack belongs to it and is only read while the reference holds.
    let stack = unsafe { ffi::SSL_CTX_get_ciphers(context.as_ptr()) };
    // SAFETY: the stack comes from the context, which the caller's reference keeps alive and unchanged.
    unsafe { read_ciphers(stack, each) }
}

/// The ciphers that a ClientHello of this connection would carry, in order of preference.
#[doc(alias = "SSL_get1_supported_ciphers")]
pub(crate) fn supported_ciphers<T>(
    ssl: &mut SslRef,
    each: impl FnMut(&SslCipherRef) -> T,
) -> Result<Vec<T>, ErrorStack> {
    // SAFETY: the connection is alive during the call.
    let stack = unsafe { ffi::SSL_get1_supported_ciphers(ssl.as_ptr()) };
    let stack = match stack.is_null() {
        // Null stands for the empty list as well as for a failure; only the latter leaves an error.
        true => {
            let errors = ErrorStack::get();
            return match errors.errors().is_empty() {
                true => Ok(Vec::new()),
                false => Err(errors),
            };
        }
        false => cvt_p(stack)?,
    };
    // SAFETY: the stack is ours, and it is freed only after the last read; its ciphers are static.
    let ciphers = unsafe { read_ciphers(stack, each) };
    // SAFETY: the stack was made for us, without references to its elements.
    unsafe { sys::OPENSSL_sk_free(stack.cast()) };
    Ok(ciphers)
}

/// Maps the ciphers of a stack.
///
/// # Safety
///
/// `stack` must be null or valid, and must not change during the call.
unsafe fn read_ciphers<T>(
    stack: *const sys::stack_st_SSL_CIPHER,
    mut each: impl FnMut(&SslCipherRef) -> T,
) -> Vec<T> {
    // SAFETY: the caller says that the stack is null or valid; the function takes both.
    let len = unsafe { sys::OPENSSL_sk_num(stack.cast()) };
    let mut result = Vec::new();
    for index in 0..len {
        // SAFETY: the index is within the stack.
        let cipher = unsafe { sys::OPENSSL_sk_value(stack.cast(), index) };
        // SAFETY: the elements of such a stack are ciphers, which are static.
        let cipher = unsafe { SslCipherRef::from_ptr(cipher.cast()) };
        result.push(each(cipher));
    }
    result
}

/// A second handle to the same connection, for asking it about itself while an operation has the first.
///
/// Corresponds to `SSL_up_ref`. The caller keeps both in one thread and uses this one for questions only.
pub(crate) fn share(ssl: &SslRef) -> Ssl {
    // SAFETY: the connection is alive, so that its count can be raised.
    unsafe { ffi::SSL_up_ref(ssl.as_ptr()) };
    // SAFETY: takes over the count of the line above.
    unsafe { Ssl::from_ptr(ssl.as_ptr()) }
}
