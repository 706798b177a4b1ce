//! The server side of CMP: OpenSSL checks and makes the messages of one transaction, a [`Responder`] decides.

use std::ffi::{CStr, CString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::{c_int, c_void};
use openssl::stack::Stack;
use openssl::x509::{X509, X509NameRef, X509Ref};
use openssl_sys as sys;

use super::cmp::Context;
use super::cmp_message::{Entries, Message, octets};
use super::error::{checked, checked_p, queue};
use crate::ffi::ossl as ffi;

/// A status that is sent to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The number of the PKIStatus.
    pub(crate) status: c_int,
    /// The bits of the failure information.
    pub(crate) failure: u32,
    /// A text.
    pub(crate) text: Option<String>,
}

/// A certificate request.
pub(crate) struct Request<'a> {
    /// Issuer and serial number of the certificate to be updated.
    pub(crate) old: Option<(&'a X509NameRef, &'a [u8])>,
}

/// The answer to a certificate request.
pub(crate) struct Issued {
    /// The status.
    pub(crate) status: Status,
    /// The certificate, if there is one now.
    pub(crate) certificate: Option<X509>,
    /// Certificates to send along.
    pub(crate) extra: Vec<X509>,
    /// Certificates of authorities.
    pub(crate) authorities: Vec<X509>,
}

/// What a request that has to wait gets when the client asks again.
pub(crate) enum Poll {
    /// It has to wait so many seconds more.
    Later(i64),
    /// It is to be answered now: [`Responder::certificate`] is asked again.
    Ready,
}

/// A client's confirmation of a certificate.
pub(crate) struct Confirmation<'a> {
    /// The number of the request.
    pub(crate) request: c_int,
    /// The hash of the certificate.
    pub(crate) hash: &'a [u8],
}

/// Why a responder answers with an error message: a reason of OpenSSL's CMP library, which chooses the message by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) c_int);

/// Decides what a server answers. OpenSSL has checked the messages before.
pub(crate) trait Responder: Send {
    /// A certificate is asked for. A status of 3 makes the client ask again later.
    fn certificate(&mut self, request: &Request<'_>) -> Result<Issued, Refusal>;
    /// A client asks again.
    fn poll(&mut self) -> Result<Poll, Refusal>;
    /// A certificate is confirmed.
    fn confirm(&mut self, confirmation: &Confirmation<'_>) -> Result<(), Refusal>;
    /// A certificate is to be revoked.
    fn revoke(
        &mut self,
        issuer: Option<&X509NameRef>,
        serial: Option<&[u8]>,
    ) -> Result<Status, Refusal>;
    /// General questions are asked.
    fn general(&mut self) -> Result<General, Refusal>;
}

/// How general questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum General {
    /// With what was asked.
    Echo,
    /// With nothing.
    Nothing,
}

/// What OpenSSL's callbacks find.
struct Custom {
    /// Who decides.
    responder: Box<dyn Responder>,
    /// The request that waits.
    waiting: Option<Message>,
}

/// The server of one transaction (OSSL_CMP_SRV_CTX).
pub(crate) struct Server {
    /// OpenSSL's context.
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    /// What OpenSSL's callbacks find; it keeps a pointer.
    custom: Box<Custom>,
}

// SAFETY: OpenSSL's context has no ties to a thread; this type owns it alone, and a responder is Send.
unsafe impl Send for Server {}

impl Drop for Server {
    #[doc(alias = "OSSL_CMP_SRV_CTX_free")]
    fn drop(&mut self) {
        // SAFETY: the context is ours; what it points to is dropped after this.
        unsafe { ffi::OSSL_CMP_SRV_CTX_free(self.raw) };
    }
}

impl Server {
    /// A server without settings (OSSL_CMP_SRV_CTX_new, OSSL_CMP_SRV_CTX_init).
    pub(crate) fn new(
        responder: Box<dyn Responder>,
        properties: Option<&CStr>,
    ) -> Result<Self, Entries> {
        let properties = properties.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: null stands for the default library context; the properties are null or a C string, which is copied.
        let raw = checked_p(unsafe { ffi::OSSL_CMP_SRV_CTX_new(ptr::null_mut(), properties) })?;
        let mut server = Self {
            raw,
            custom: Box::new(Custom {
                responder,
                waiting: None,
            }),
        };
        let custom: *mut Custom = &raw mut *server.custom;
        // SAFETY: the context is alive, the callbacks are of the right types, and the box keeps what they find in place.
        checked(unsafe {
            ffi::OSSL_CMP_SRV_CTX_init(
                raw,
                custom.cast(),
                Some(on_request),
                Some(on_revocation),
                Some(on_general),
                Some(on_error),
                Some(on_confirmation),
                Some(on_poll),
            )
        })?;
        server.with_context(Context::listen)?;
        Ok(server)
    }

    /// Works on the settings that a server shares with a client (OSSL_CMP_SRV_CTX_get0_cmp_ctx).
    pub(crate) fn with_context<T>(&mut self, work: impl FnOnce(&mut Context) -> T) -> T {
        // SAFETY: the context is alive.
        let context = unsafe { ffi::OSSL_CMP_SRV_CTX_get0_cmp_ctx(self.raw) };
        // SAFETY: it belongs to the server, which is borrowed for the whole call.
        unsafe { Context::with_borrowed(context, work) }
    }

    /// Sends negative answers without protection (OSSL_CMP_SRV_CTX_set_send_unprotected_errors).
    pub(crate) fn send_unprotected_errors(&mut self) {
        // SAFETY: the context is alive; this can't fail then.
        unsafe { ffi::OSSL_CMP_SRV_CTX_set_send_unprotected_errors(self.raw, 1) };
    }

    /// Takes requests without protection, or with a wrong one (OSSL_CMP_SRV_CTX_set_accept_unprotected).
    pub(crate) fn accept_unprotected(&mut self) {
        // SAFETY: the context is alive; this can't fail then.
        unsafe { ffi::OSSL_CMP_SRV_CTX_set_accept_unprotected(self.raw, 1) };
    }

    /// Takes the word of a registration authority for the possession of keys (OSSL_CMP_SRV_CTX_set_accept_raverified).
    pub(crate) fn accept_ra_verified(&mut self) {
        // SAFETY: the context is alive; this can't fail then.
        unsafe { ffi::OSSL_CMP_SRV_CTX_set_accept_raverified(self.raw, 1) };
    }

    /// Spares clients that ask for it the confirmation (OSSL_CMP_SRV_CTX_set_grant_implicit_confirm).
    pub(crate) fn grant_implicit_confirmation(&mut self) {
        // SAFETY: the context is alive; this can't fail then.
        unsafe { ffi::OSSL_CMP_SRV_CTX_set_grant_implicit_confirm(self.raw, 1) };
    }

    /// Answers a message (OSSL_CMP_SRV_process_request). Mostly even a failure is a message for the client.
    pub(crate) fn answer(&mut self, request: &Message) -> Result<Message, Entries> {
        // SAFETY: both are alive.
        let answer = unsafe { ffi::OSSL_CMP_SRV_process_request(self.raw, request.as_ptr()) };
        // SAFETY: the answer is the caller's.
        unsafe { Message::from_raw(answer) }.ok_or_else(queue)
    }
}

/// Calls `work` with what belongs to a server context. A panic is a refusal.
///
/// # Safety
///
/// `raw` must be the context of a [`Server`], in the middle of [`Server::answer`].
unsafe fn with_custom<T>(
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    work: impl FnOnce(&mut Custom) -> Result<T, Refusal>,
) -> Option<T> {
    // SAFETY: the caller says that the context is alive.
    let custom = unsafe { ffi::OSSL_CMP_SRV_CTX_get0_custom_ctx(raw) }.cast::<Custom>();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the server owns it and doesn't touch it while it answers; callbacks don't nest.
        work(unsafe { &mut *custom })
    }));
    match outcome.unwrap_or(Err(Refusal(PROCESSING))) {
        Ok(value) => Some(value),
        Err(Refusal(reason)) => {
            raise(reason);
            None
        }
    }
}

/// The server fails for reasons of its own.
pub(crate) const PROCESSING: c_int = ffi::CMP_R_ERROR_PROCESSING_MESSAGE;
/// The request is about another certificate.
pub(crate) const NOT_ACCEPTED: c_int = ffi::CMP_R_REQUEST_NOT_ACCEPTED;
/// There is no request with this number.
pub(crate) const BAD_REQUEST_ID: c_int = ffi::CMP_R_BAD_REQUEST_ID;
/// The message is of a version that the library doesn't know.
pub(crate) const UNEXPECTED_VERSION: c_int = ffi::CMP_R_UNEXPECTED_PVNO;
/// The message doesn't answer to the last one.
pub(crate) const NONCE_UNMATCHED: c_int = ffi::CMP_R_RECIPNONCE_UNMATCHED;
/// The certificate that is confirmed isn't the one that was issued.
pub(crate) const HASH_UNMATCHED: c_int = ffi::CMP_R_CERTHASH_UNMATCHED;

/// Puts a reason of the CMP library into the error queue; the error message is made from it.
fn raise(reason: c_int) {
    /// `ERR_LIB_CMP`
    const LIBRARY: c_int = 58;
    // SAFETY: works on the calling thread's own queue.
    unsafe { sys::ERR_new() };
    // SAFETY: no format means no further arguments.
    unsafe { sys::ERR_set_error(LIBRARY, reason, ptr::null()) };
}

/// A status as OpenSSL's, or null (OSSL_CMP_STATUSINFO_new).
fn status_info(status: &Status) -> *mut ffi::OSSL_CMP_PKISI {
    let text = status
        .text
        .as_ref()
        .and_then(|text| CString::new(text.as_bytes()).ok());
    let text = text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
    let failure = c_int::try_from(status.failure).unwrap_or(0);
    // SAFETY: the text is null or ends with a null byte.
    unsafe { ffi::OSSL_CMP_STATUSINFO_new(status.status, failure, text) }
}

/// A stack of certificates that is given away; null for none.
fn stack_of(certificates: Vec<X509>) -> Option<*mut sys::stack_st_X509> {
    if certificates.is_empty() {
        return Some(ptr::null_mut());
    }
    let mut stack = Stack::new().ok()?;
    for certificate in certificates {
        stack.push(certificate).ok()?;
    }
    let raw = stack.as_ptr();
    std::mem::forget(stack);
    Some(raw)
}

/// Issuer and serial number of the certificate that a CRMF request wants to have updated.
///
/// # Safety
///
/// `message` must be null, or alive and unchanged for the lifetime the caller picks.
unsafe fn old_certificate<'a>(
    message: *const ffi::OSSL_CRMF_MSG,
) -> Option<(&'a X509NameRef, &'a [u8])> {
    if message.is_null() {
        return None;
    }
    // SAFETY: the message is alive.
    let id = unsafe { ffi::OSSL_CRMF_MSG_get0_regCtrl_oldCertID(message) };
    if id.is_null() {
        return None;
    }
    // SAFETY: the id belongs to the message.
    let issuer = unsafe { ffi::OSSL_CRMF_CERTID_get0_issuer(id) };
    // SAFETY: as above.
    let serial = unsafe { ffi::OSSL_CRMF_CERTID_get0_serialNumber(id) };
    if issuer.is_null() {
        return None;
    }
    // SAFETY: both belong to the id.
    let serial = unsafe { octets(serial.cast::<sys::ASN1_STRING>()) };
    // SAFETY: as above.
    Some((unsafe { X509NameRef::from_ptr(issuer.cast_mut()) }, serial))
}

/// OpenSSL has a certificate request.
unsafe extern "C" fn on_request(
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    message: *const ffi::OSSL_CMP_MSG,
    _id: c_int,
    crmf: *const ffi::OSSL_CRMF_MSG,
    _pkcs10: *const sys::X509_REQ,
    certificate: *mut *mut sys::X509,
    extra: *mut *mut sys::stack_st_X509,
    authorities: *mut *mut sys::stack_st_X509,
) -> *mut ffi::OSSL_CMP_PKISI {
    // SAFETY: OpenSSL hands a live message.
    let copy = unsafe { Message::encode_raw(message) };
    // SAFETY: OpenSSL hands a live request or null, and it is alive as long as what is taken from it here.
    let old = unsafe { old_certificate(crmf) };
    let request = Request { old };
    // SAFETY: OpenSSL calls this for a server of ours, in the middle of an answer.
    let issued = unsafe {
        with_custom(raw, |custom| {
            let issued = custom.responder.certificate(&request)?;
            if issued.status.status == ffi::OSSL_CMP_PKISTATUS_waiting {
                let copy = copy.and_then(|copy| Message::decode(&copy));
                custom.waiting = Some(copy.map_err(|_| Refusal(PROCESSING))?);
            }
            Ok(issued)
        })
    };
    let Some(issued) = issued else {
        return ptr::null_mut();
    };
    let stacks = (stack_of(issued.extra), stack_of(issued.authorities));
    let (Some(first), Some(second)) = stacks else {
        return ptr::null_mut();
    };
    // SAFETY: OpenSSL gives places for its results, and becomes the owner of what is put there.
    unsafe { extra.write(first) };
    // SAFETY: as above.
    unsafe { authorities.write(second) };
    if let Some(issued) = issued.certificate {
        let raw = issued.as_ptr();
        std::mem::forget(issued);
        // SAFETY: as above.
        unsafe { certificate.write(raw) };
    }
    status_info(&issued.status)
}

/// OpenSSL has a revocation request.
unsafe extern "C" fn on_revocation(
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    _message: *const ffi::OSSL_CMP_MSG,
    issuer: *const sys::X509_NAME,
    serial: *const sys::ASN1_INTEGER,
) -> *mut ffi::OSSL_CMP_PKISI {
    let issuer = match issuer.is_null() {
        true => None,
        // SAFETY: the name is alive during this call.
        false => Some(unsafe { X509NameRef::from_ptr(issuer.cast_mut()) }),
    };
    let serial = match serial.is_null() {
        true => None,
        // SAFETY: the number is alive during this call.
        false => Some(unsafe { octets(serial.cast::<sys::ASN1_STRING>()) }),
    };
    // SAFETY: OpenSSL calls this for a server of ours, in the middle of an answer.
    let status = unsafe { with_custom(raw, |custom| custom.responder.revoke(issuer, serial)) };
    status.map_or(ptr::null_mut(), |status| status_info(&status))
}

/// OpenSSL has a general message.
unsafe extern "C" fn on_general(
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    _message: *const ffi::OSSL_CMP_MSG,
    questions: *const ffi::stack_st_OSSL_CMP_ITAV,
    answers: *mut *mut ffi::stack_st_OSSL_CMP_ITAV,
) -> c_int {
    // SAFETY: OpenSSL calls this for a server of ours, in the middle of an answer.
    let agreed = unsafe { with_custom(raw, |custom| custom.responder.general()) };
    match agreed {
        None => return 0,
        Some(General::Nothing) => {
            // SAFETY: OpenSSL gives a place for the answers, where null stands for none.
            unsafe { answers.write(ptr::null_mut()) };
            return 1;
        }
        Some(General::Echo) => {}
    }
    let stack: *const sys::OPENSSL_STACK = questions.cast();
    // SAFETY: the stack is alive, its elements are of the type that the two functions take.
    let copy = unsafe { ffi::OPENSSL_sk_deep_copy(stack, Some(copy_itav), Some(free_itav)) };
    // SAFETY: OpenSSL gives a place for the answers, and becomes the owner of what is put there.
    unsafe { answers.write(copy.cast()) };
    c_int::from(!copy.is_null())
}

/// Copies an element of a stack of ITAVs.
unsafe extern "C" fn copy_itav(itav: *const c_void) -> *mut c_void {
    // SAFETY: the elements of the stack are of this type.
    unsafe { ffi::OSSL_CMP_ITAV_dup(itav.cast()) }.cast()
}

/// Frees an element of a stack of ITAVs.
unsafe extern "C" fn free_itav(itav: *mut c_void) {
    // SAFETY: the elements of the stack are of this type, and the caller owns this one.
    unsafe { ffi::OSSL_CMP_ITAV_free(itav.cast()) };
}

/// OpenSSL has an error message of the client, to which there is nothing to decide.
unsafe extern "C" fn on_error(
    _raw: *mut ffi::OSSL_CMP_SRV_CTX,
    _message: *const ffi::OSSL_CMP_MSG,
    _status: *const ffi::OSSL_CMP_PKISI,
    _code: *const sys::ASN1_INTEGER,
    _details: *const ffi::OSSL_CMP_PKIFREETEXT,
) {
}

/// OpenSSL has a confirmation.
unsafe extern "C" fn on_confirmation(
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    _message: *const ffi::OSSL_CMP_MSG,
    id: c_int,
    hash: *const sys::ASN1_OCTET_STRING,
    _status: *const ffi::OSSL_CMP_PKISI,
) -> c_int {
    let confirmation = Confirmation {
        request: id,
        // SAFETY: the hash is alive during this call, or null.
        hash: unsafe { octets(hash.cast::<sys::ASN1_STRING>()) },
    };
    // SAFETY: OpenSSL calls this for a server of ours, in the middle of an answer.
    let agreed = unsafe { with_custom(raw, |custom| custom.responder.confirm(&confirmation)) };
    c_int::from(agreed.is_some())
}

/// OpenSSL has a client that asks again.
unsafe extern "C" fn on_poll(
    raw: *mut ffi::OSSL_CMP_SRV_CTX,
    _message: *const ffi::OSSL_CMP_MSG,
    _id: c_int,
    request: *mut *mut ffi::OSSL_CMP_MSG,
    check_after: *mut i64,
) -> c_int {
    // SAFETY: OpenSSL calls this for a server of ours, in the middle of an answer.
    let answer = unsafe {
        with_custom(raw, |custom| {
            if custom.waiting.is_none() {
                return Err(Refusal(BAD_REQUEST_ID));
            }
            Ok(match custom.responder.poll()? {
                Poll::Later(seconds) => (ptr::null_mut(), seconds),
                Poll::Ready => {
                    let waiting = custom.waiting.take();
                    (waiting.map_or(ptr::null_mut(), Message::into_raw), 0)
                }
            })
        })
    };
    let Some((message, seconds)) = answer else {
        return 0;
    };
    // SAFETY: OpenSSL gives places for both, and becomes the owner of the message.
    unsafe { request.write(message) };
    // SAFETY: as above.
    unsafe { check_after.write(seconds) };
    1
}

/// The hash by which a certificate is confirmed: that of its own signature (X509_digest_sig).
pub(crate) fn confirmation_hash(certificate: &X509Ref) -> Option<Vec<u8>> {
    let mut digest = ptr::null_mut();
    let mut fallback = 0;
    // SAFETY: the certificate is alive, and both out-parameters have their places.
    let hash =
        unsafe { ffi::X509_digest_sig(certificate.as_ptr(), &raw mut digest, &raw mut fallback) };
    // SAFETY: the digest is the caller's or null.
    unsafe { sys::EVP_MD_free(digest) };
    if hash.is_null() {
        queue();
        return None;
    }
    // SAFETY: the hash is the caller's.
    let bytes = unsafe { octets(hash.cast::<sys::ASN1_STRING>()) }.to_vec();
    // SAFETY: the hash is the caller's, and its bytes were copied.
    unsafe { sys::ASN1_STRING_free(hash.cast()) };
    Some(bytes)
}
