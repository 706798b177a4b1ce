//! The client side of CMP: a context with its settings, the transactions, and what came of them.

use std::ffi::CStr;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::{c_int, c_void};
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private};
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509Extension, X509NameRef, X509Ref, X509ReqRef};
use openssl_sys as sys;

use super::cmp_exchange::{Hook, transfer};
use super::cmp_message::{Entries, Itav, Message, OctetString, length_of, octets};
use super::cmp_notes::{note, without_notes};
use super::error::{checked, checked_p, clear, queue};
use super::secret::Secret;
use crate::ffi::ossl as ffi;

pub(crate) use ffi::{
    OSSL_CMP_OPT_DIGEST_ALGNID as OPT_DIGEST, OSSL_CMP_OPT_DISABLE_CONFIRM as OPT_DISABLE_CONFIRM,
    OSSL_CMP_OPT_IGNORE_KEYUSAGE as OPT_IGNORE_KEYUSAGE,
    OSSL_CMP_OPT_IMPLICIT_CONFIRM as OPT_IMPLICIT_CONFIRM,
    OSSL_CMP_OPT_LOG_VERBOSITY as OPT_LOG_VERBOSITY, OSSL_CMP_OPT_MAC_ALGNID as OPT_MAC,
    OSSL_CMP_OPT_OWF_ALGNID as OPT_OWF, OSSL_CMP_OPT_POLICIES_CRITICAL as OPT_POLICIES_CRITICAL,
    OSSL_CMP_OPT_POPO_METHOD as OPT_POPO, OSSL_CMP_OPT_REVOCATION_REASON as OPT_REVOCATION_REASON,
    OSSL_CMP_OPT_SUBJECTALTNAME_CRITICAL as OPT_SAN_CRITICAL,
    OSSL_CMP_OPT_SUBJECTALTNAME_NODEFAULT as OPT_SAN_NODEFAULT,
    OSSL_CMP_OPT_TOTAL_TIMEOUT as OPT_TOTAL_TIMEOUT,
    OSSL_CMP_OPT_UNPROTECTED_ERRORS as OPT_UNPROTECTED_ERRORS,
    OSSL_CMP_OPT_UNPROTECTED_SEND as OPT_UNPROTECTED_SEND,
    OSSL_CMP_OPT_VALIDITY_DAYS as OPT_VALIDITY_DAYS,
};

/// OSSL_CMP_OPT_NO_CACHE_EXTRACERTS, which the headers have from 3.3 on.
pub(crate) const OPT_NO_CACHE_EXTRACERTS: c_int = 37;

/// Which certificate request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertRequest {
    /// Initialization request.
    Ir,
    /// Certification request.
    Cr,
    /// Certification request with PKCS#10.
    P10cr,
    /// Key update request.
    Kur,
}

/// What became of a certificate request for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The certificate is there.
    Done,
    /// The server wants to be asked again after so many seconds.
    Later(c_int),
}

/// A CMP context (OSSL_CMP_CTX).
pub(crate) struct Context {
    /// OpenSSL's context.
    raw: *mut ffi::OSSL_CMP_CTX,
    /// What carries messages; OpenSSL keeps a pointer to it.
    hook: Option<Box<Hook>>,
    /// Whom to trust for new certificates; OpenSSL keeps a pointer to it.
    out_trusted: Option<X509Store>,
    /// The turn in which the server makes a key.
    turn: Option<Turn>,
}

// SAFETY: OpenSSL's context has no ties to a thread, and this type is its only owner, as of all that it points to.
unsafe impl Send for Context {}

impl Drop for Context {
    #[doc(alias = "OSSL_CMP_CTX_free")]
    fn drop(&mut self) {
        // SAFETY: the context is ours, and what it points to is dropped after this.
        unsafe { ffi::OSSL_CMP_CTX_free(self.raw) };
    }
}

/// Defines methods that hand something of which OpenSSL takes a copy or counts a reference.
macro_rules! setters {
    ($($(#[doc = $doc:literal])+ $name:ident($type:ty) = $function:ident;)+) => {
        $(
            $(#[doc = $doc])+
            pub(crate) fn $name(&mut self, value: &$type) -> Result<(), Entries> {
                // SAFETY: both are alive during the call, and OpenSSL copies the value or counts a reference.
                checked(unsafe { ffi::$function(self.raw, value.as_ptr()) })?;
                Ok(())
            }
        )+
    };
}

impl Context {
    /// An empty context, whose algorithms must have certain properties.
    #[doc(alias = "OSSL_CMP_CTX_new")]
    pub(crate) fn new(properties: Option<&CStr>) -> Result<Self, Entries> {
        let properties = properties.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: null stands for the default library context; the properties are null or a C string, which is copied.
        let raw = checked_p(unsafe { ffi::OSSL_CMP_CTX_new(ptr::null_mut(), properties) })?;
        let mut context = Self {
            raw,
            hook: None,
            out_trusted: None,
            turn: None,
        };
        context.listen()?;
        Ok(context)
    }

    /// Notes what OpenSSL has to say, which would go to standard error otherwise (OSSL_CMP_CTX_set_log_cb).
    pub(super) fn listen(&mut self) -> Result<(), Entries> {
        // SAFETY: the context is alive, and the callback is of the right type.
        checked(unsafe { ffi::OSSL_CMP_CTX_set_log_cb(self.raw, Some(note)) })?;
        Ok(())
    }

    setters! {
        /// The server's certificate, trusted directly.
        set_server_certificate(X509Ref) = OSSL_CMP_CTX_set1_srvCert;
        /// Who must be the sender of answers.
        set_expected_sender(X509NameRef) = OSSL_CMP_CTX_set1_expected_sender;
        /// Whom requests are addressed to.
        set_recipient(X509NameRef) = OSSL_CMP_CTX_set1_recipient;
        /// Certificates for building chains.
        set_untrusted(StackRef<X509>) = OSSL_CMP_CTX_set1_untrusted;
        /// Certificates to send along.
        set_extra_certificates(StackRef<X509>) = OSSL_CMP_CTX_set1_extraCertsOut;
        /// The own certificate.
        set_certificate(X509Ref) = OSSL_CMP_CTX_set1_cert;
        /// The wanted subject.
        set_subject(X509NameRef) = OSSL_CMP_CTX_set1_subjectName;
        /// The wanted issuer.
        set_issuer(X509NameRef) = OSSL_CMP_CTX_set1_issuer;
        /// The certificate that is updated, revoked or referred to.
        set_old_certificate(X509Ref) = OSSL_CMP_CTX_set1_oldCert;
        /// The PKCS#10 request.
        set_request(X509ReqRef) = OSSL_CMP_CTX_set1_p10CSR;
    }

    /// A context that somebody else owns.
    ///
    /// # Safety
    ///
    /// `raw` must be alive as long as `work` runs, and nobody else may use it meanwhile.
    pub(super) unsafe fn with_borrowed<T>(
        raw: *mut ffi::OSSL_CMP_CTX,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut context = std::mem::ManuallyDrop::new(Self {
            raw,
            hook: None,
            out_trusted: None,
            turn: None,
        });
        work(&mut context)
    }

    /// Sets a number (OSSL_CMP_CTX_set_option).
    pub(crate) fn set_option(&mut self, option: c_int, value: c_int) -> Result<(), Entries> {
        // SAFETY: the context is alive; OpenSSL checks both numbers.
        checked(unsafe { ffi::OSSL_CMP_CTX_set_option(self.raw, option, value) })?;
        Ok(())
    }

    /// Has the server make the key, as far as that wants preparation.
    pub(crate) fn let_server_make_key(&mut self) {
        self.turn = Some(Turn::begin());
    }

    /// Sets the own private key (OSSL_CMP_CTX_set1_pkey).
    pub(crate) fn set_key<T: HasPublic>(&mut self, key: &PKeyRef<T>) -> Result<(), Entries> {
        // SAFETY: both are alive, and OpenSSL counts a reference of its own.
        checked(unsafe { ffi::OSSL_CMP_CTX_set1_pkey(self.raw, key.as_ptr()) })?;
        Ok(())
    }

    /// Sets the key to be certified (OSSL_CMP_CTX_set0_newPkey).
    pub(crate) fn set_new_key<T: HasPublic>(
        &mut self,
        key: &PKeyRef<T>,
        private: bool,
    ) -> Result<(), Entries> {
        // SAFETY: the key is alive; the count is for the context.
        checked(unsafe { sys::EVP_PKEY_up_ref(key.as_ptr()) })?;
        let pointer = key.as_ptr();
        // SAFETY: the context is alive, and takes over the reference that was just counted.
        checked(unsafe {
            ffi::OSSL_CMP_CTX_set0_newPkey(self.raw, c_int::from(private), pointer)
        })?;
        Ok(())
    }

    /// Sets the reference that goes with the shared secret (OSSL_CMP_CTX_set1_referenceValue).
    pub(crate) fn set_reference(&mut self, reference: &[u8]) -> Result<(), Entries> {
        let length = c_int::try_from(reference.len()).unwrap_or(c_int::MAX);
        // SAFETY: `length` bytes can be read, and OpenSSL copies them.
        checked(unsafe {
            ffi::OSSL_CMP_CTX_set1_referenceValue(self.raw, reference.as_ptr(), length)
        })?;
        Ok(())
    }

    /// Sets the shared secret (OSSL_CMP_CTX_set1_secretValue). OpenSSL wipes its copy.
    pub(crate) fn set_secret(&mut self, secret: &Secret) -> Result<(), Entries> {
        let length = c_int::try_from(secret.len()).unwrap_or(c_int::MAX);
        // SAFETY: `length` bytes can be read, and OpenSSL copies them.
        checked(unsafe { ffi::OSSL_CMP_CTX_set1_secretValue(self.raw, secret.as_ptr(), length) })?;
        Ok(())
    }

    /// Sets whom to trust for signatures over answers (OSSL_CMP_CTX_set0_trustedStore).
    pub(crate) fn set_trusted(&mut self, store: X509Store) -> Result<(), Entries> {
        // SAFETY: both are alive; the context takes the store over if the call succeeds.
        checked(unsafe { ffi::OSSL_CMP_CTX_set0_trustedStore(self.raw, store.as_ptr()) })?;
        std::mem::forget(store);
        Ok(())
    }

    /// Builds the chain of the own certificate, and checks it if somebody is trusted (OSSL_CMP_CTX_build_cert_chain).
    pub(crate) fn build_chain(
        &mut self,
        trusted: Option<&X509Store>,
        candidates: &StackRef<X509>,
    ) -> Result<(), Entries> {
        let trusted = trusted.map_or(ptr::null_mut(), |store| store.as_ptr());
        // SAFETY: all are alive or null, and OpenSSL counts references of its own.
        checked(unsafe {
            ffi::OSSL_CMP_CTX_build_cert_chain(self.raw, trusted, candidates.as_ptr())
        })?;
        Ok(())
    }

    /// Has new certificates confirmed only if somebody of these vouches for them, or, without any, in any case
    /// (OSSL_CMP_certConf_cb).
    pub(crate) fn check_new_certificates(
        &mut self,
        trusted: Option<X509Store>,
    ) -> Result<(), Entries> {
        // SAFETY: the context is alive, and the callback is OpenSSL's own.
        checked(unsafe {
            ffi::OSSL_CMP_CTX_set_certConf_cb(self.raw, Some(ffi::OSSL_CMP_certConf_cb))
        })?;
        let pointer = trusted
            .as_ref()
            .map_or(ptr::null_mut(), |store| store.as_ptr());
        // SAFETY: the callback takes a store or null; `self` keeps the store as long as the context.
        checked(unsafe { ffi::OSSL_CMP_CTX_set_certConf_cb_arg(self.raw, pointer.cast()) })?;
        self.out_trusted = trusted;
        Ok(())
    }

    /// Adds a wanted alternative name, an encoded GeneralName (OSSL_CMP_CTX_push1_subjectAltName).
    pub(crate) fn add_alternative_name(&mut self, encoded: &[u8]) -> Result<(), Entries> {
        let mut at = encoded.as_ptr();
        let length = length_of(encoded);
        // SAFETY: `length` bytes can be read.
        let name =
            checked_p(unsafe { ffi::d2i_GENERAL_NAME(ptr::null_mut(), &raw mut at, length) })?;
        // SAFETY: both are alive, and OpenSSL copies the name.
        let added = unsafe { ffi::OSSL_CMP_CTX_push1_subjectAltName(self.raw, name) };
        // SAFETY: the name is ours, and nobody else refers to it.
        unsafe { sys::GENERAL_NAME_free(name) };
        checked(added)?;
        Ok(())
    }

    /// Adds a wanted policy, an encoded PolicyInformation (OSSL_CMP_CTX_push0_policy).
    pub(crate) fn add_policy(&mut self, encoded: &[u8]) -> Result<(), Entries> {
        let mut at = encoded.as_ptr();
        let length = length_of(encoded);
        // SAFETY: `length` bytes can be read.
        let policy =
            checked_p(unsafe { ffi::d2i_POLICYINFO(ptr::null_mut(), &raw mut at, length) })?;
        // SAFETY: both are alive, and the context takes the policy over if the call succeeds.
        let added = checked(unsafe { ffi::OSSL_CMP_CTX_push0_policy(self.raw, policy) });
        if added.is_err() {
            // SAFETY: the context didn't take it, so it is still ours.
            unsafe { ffi::POLICYINFO_free(policy) };
        }
        added.map(|_| ())
    }

    /// Sets the wanted extensions (OSSL_CMP_CTX_set0_reqExtensions).
    pub(crate) fn set_extensions(
        &mut self,
        extensions: Stack<X509Extension>,
    ) -> Result<(), Entries> {
        let pointer = extensions.as_ptr();
        // SAFETY: both are alive, and the context takes the extensions over if the call succeeds.
        checked(unsafe { ffi::OSSL_CMP_CTX_set0_reqExtensions(self.raw, pointer) })?;
        std::mem::forget(extensions);
        Ok(())
    }

    /// Whether alternative names are among the wanted extensions (OSSL_CMP_CTX_reqExtensions_have_SAN).
    pub(crate) fn extensions_have_names(&self) -> bool {
        // SAFETY: the context is alive.
        unsafe { ffi::OSSL_CMP_CTX_reqExtensions_have_SAN(self.raw) == 1 }
    }

    /// Sets the nonce that the next message must answer to (OSSL_CMP_CTX_set1_senderNonce).
    pub(crate) fn set_last_nonce(&mut self, nonce: &[u8]) -> Result<(), Entries> {
        let nonce = OctetString::new(nonce)?;
        // SAFETY: both are alive, and OpenSSL copies the nonce.
        checked(unsafe { ffi::OSSL_CMP_CTX_set1_senderNonce(self.raw, nonce.as_ptr()) })?;
        Ok(())
    }

    /// Whether the protection of the other side's message is right (OSSL_CMP_validate_msg).
    pub(crate) fn validates(&mut self, message: &Message) -> bool {
        // SAFETY: both are alive.
        let right = unsafe { ffi::OSSL_CMP_validate_msg(self.raw, message.as_ptr()) };
        clear();
        right == 1
    }

    /// Protects a message of this side anew if it was protected.
    #[doc(alias = "OSSL_CMP_CTX_set1_transactionID")]
    #[doc(alias = "OSSL_CMP_MSG_update_transactionID")]
    pub(crate) fn protect(&mut self, message: &Message) -> Result<(), Entries> {
        let id = OctetString::new(&message.transaction())?;
        // SAFETY: both are alive, and OpenSSL copies the id.
        checked(unsafe { ffi::OSSL_CMP_CTX_set1_transactionID(self.raw, id.as_ptr()) })?;
        // SAFETY: both are alive. The id is the one that the message has, so that only the protection changes.
        checked(unsafe { ffi::OSSL_CMP_MSG_update_transactionID(self.raw, message.as_ptr()) })?;
        Ok(())
    }

    /// Adds what a general message asks for (OSSL_CMP_CTX_push0_genm_ITAV).
    pub(crate) fn add_question(&mut self, itav: Itav) -> Result<(), Entries> {
        // SAFETY: both are alive, and the context takes the question over if the call succeeds.
        checked(unsafe { ffi::OSSL_CMP_CTX_push0_genm_ITAV(self.raw, itav.as_ptr()) })?;
        std::mem::forget(itav);
        Ok(())
    }

    /// Sets what carries messages (OSSL_CMP_CTX_set_transfer_cb).
    pub(crate) fn set_hook(&mut self, hook: Hook) -> Result<(), Entries> {
        let hook = self.hook.insert(Box::new(hook));
        let pointer: *mut Hook = &raw mut **hook;
        // SAFETY: the box keeps the hook in its place as long as the context lives.
        checked(unsafe { ffi::OSSL_CMP_CTX_set_transfer_cb_arg(self.raw, pointer.cast()) })?;
        // SAFETY: the callback is of the right type, and finds the hook that was just set.
        checked(unsafe { ffi::OSSL_CMP_CTX_set_transfer_cb(self.raw, Some(transfer)) })?;
        Ok(())
    }

    /// Forgets the last transaction, but not the settings (OSSL_CMP_CTX_reinit).
    pub(crate) fn begin_anew(&mut self) -> Result<(), Entries> {
        // SAFETY: the context is alive.
        checked(unsafe { ffi::OSSL_CMP_CTX_reinit(self.raw) })?;
        Ok(())
    }

    /// Begins a certificate request, or asks again for its outcome (OSSL_CMP_try_certreq).
    pub(crate) fn request_certificate(
        &mut self,
        request: CertRequest,
    ) -> Result<Progress, Entries> {
        let kind = match request {
            CertRequest::Ir => ffi::OSSL_CMP_IR,
            CertRequest::Cr => ffi::OSSL_CMP_CR,
            CertRequest::P10cr => ffi::OSSL_CMP_P10CR,
            CertRequest::Kur => ffi::OSSL_CMP_KUR,
        };
        let mut wait: c_int = 0;
        // SAFETY: the context is alive, its hook is in place, and `wait` can take a number.
        let done = unsafe { ffi::OSSL_CMP_try_certreq(self.raw, kind, ptr::null(), &raw mut wait) };
        match done {
            -1 => Ok(Progress::Later(wait)),
            _ => checked(done).map(|_| Progress::Done),
        }
    }

    /// Asks for a revocation (OSSL_CMP_exec_RR_ses).
    pub(crate) fn request_revocation(&mut self) -> Result<(), Entries> {
        // SAFETY: the context is alive, and its hook is in place.
        checked(unsafe { ffi::OSSL_CMP_exec_RR_ses(self.raw) })?;
        Ok(())
    }

    /// Sends a general message (OSSL_CMP_exec_GENM_ses). What is answered is in the message that the hook saw.
    pub(crate) fn send_general_message(&mut self) -> Result<(), Entries> {
        // SAFETY: the context is alive, and its hook is in place.
        let answers = unsafe { ffi::OSSL_CMP_exec_GENM_ses(self.raw) };
        // An answer without any content is null as a failure is.
        if answers.is_null() && self.status() != 0 {
            return Err(queue());
        }
        let stack: *mut sys::OPENSSL_STACK = answers.cast();
        // SAFETY: the stack is ours or null, and its elements are of the type that this function frees.
        unsafe { sys::OPENSSL_sk_pop_free(stack, Some(free_itav)) };
        Ok(())
    }

    /// The last PKIStatus; negative where there is none (OSSL_CMP_CTX_get_status).
    pub(crate) fn status(&self) -> c_int {
        // SAFETY: the context is alive.
        unsafe { ffi::OSSL_CMP_CTX_get_status(self.raw) }
    }

    /// The bits of the last failure information (OSSL_CMP_CTX_get_failInfoCode).
    pub(crate) fn failure(&self) -> u32 {
        // SAFETY: the context is alive.
        let bits = unsafe { ffi::OSSL_CMP_CTX_get_failInfoCode(self.raw) };
        u32::try_from(bits).unwrap_or(0)
    }

    /// The texts of the last status (OSSL_CMP_CTX_get0_statusString).
    pub(crate) fn status_texts(&self) -> Vec<String> {
        // SAFETY: the context is alive.
        let stack = unsafe { ffi::OSSL_CMP_CTX_get0_statusString(self.raw) };
        let stack: *mut sys::OPENSSL_STACK = stack.cast();
        // SAFETY: the stack is null, for which -1 is returned, or belongs to the context.
        let count = unsafe { sys::OPENSSL_sk_num(stack) };
        (0..count)
            .map(|index| {
                // SAFETY: the index is one that the stack has.
                let text = unsafe { sys::OPENSSL_sk_value(stack, index) };
                // SAFETY: the elements of this stack are ASN.1 strings.
                let bytes = unsafe { octets(text.cast::<sys::ASN1_STRING>()) };
                String::from_utf8_lossy(bytes).into_owned()
            })
            .collect()
    }

    /// The new certificate (OSSL_CMP_CTX_get0_newCert).
    pub(crate) fn new_certificate(&self) -> Option<X509> {
        // SAFETY: the context is alive.
        let certificate = unsafe { ffi::OSSL_CMP_CTX_get0_newCert(self.raw) };
        if certificate.is_null() {
            return None;
        }
        // SAFETY: the certificate belongs to the context, and a reference of its own is counted at once.
        Some(unsafe { X509Ref::from_ptr(certificate) }.to_owned())
    }

    /// The private key that was certified (OSSL_CMP_CTX_get0_newPkey).
    pub(crate) fn new_key(&self) -> Option<PKey<Private>> {
        // SAFETY: the context is alive.
        let key = unsafe { ffi::OSSL_CMP_CTX_get0_newPkey(self.raw, 1) };
        if key.is_null() {
            drop(queue());
            return None;
        }
        // SAFETY: the key belongs to the context; a reference of its own is counted for what is returned.
        checked(unsafe { sys::EVP_PKEY_up_ref(key) }).ok()?;
        // SAFETY: that reference is ours.
        Some(unsafe { PKey::from_ptr(key) })
    }

    /// The chain of the new certificate (OSSL_CMP_CTX_get1_newChain).
    pub(crate) fn new_chain(&self) -> Vec<X509> {
        // SAFETY: the context is alive.
        let stack = unsafe { ffi::OSSL_CMP_CTX_get1_newChain(self.raw) };
        // SAFETY: the stack that was returned is the caller's.
        unsafe { certificates(stack) }
    }

    /// The CA certificates of the last answer (OSSL_CMP_CTX_get1_caPubs).
    pub(crate) fn ca_certificates(&self) -> Vec<X509> {
        // SAFETY: the context is alive.
        let stack = unsafe { ffi::OSSL_CMP_CTX_get1_caPubs(self.raw) };
        // SAFETY: the stack that was returned is the caller's.
        unsafe { certificates(stack) }
    }

    /// The further certificates of the last answer (OSSL_CMP_CTX_get1_extraCertsIn).
    pub(crate) fn extra_certificates(&self) -> Vec<X509> {
        // SAFETY: the context is alive.
        let stack = unsafe { ffi::OSSL_CMP_CTX_get1_extraCertsIn(self.raw) };
        // SAFETY: the stack that was returned is the caller's.
        unsafe { certificates(stack) }
    }
}

/// How many transactions are under way in which the server makes a key.
static TURNS: Mutex<usize> = Mutex::new(0);

/// A transaction in which the server makes a key. OpenSSL 3.5 registers the purpose of certificates that vouch for such a
/// key with each answer anew, and takes only the first of them for what it is; so what earlier ones have left is removed.
struct Turn;

impl Turn {
    /// Begins a turn.
    #[doc(alias = "X509_PURPOSE_cleanup")]
    fn begin() -> Self {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        if *turns == 0 {
            // SAFETY: only purposes that were added are removed, which are those of earlier turns; none is under way.
            unsafe { ffi::X509_PURPOSE_cleanup() };
        }
        *turns += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURNS.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

/// Whether the signature of an encoded message is that of a certificate (OSSL_CMP_validate_msg).
pub(crate) fn is_signed_by(message: &[u8], certificate: &X509Ref) -> bool {
    let check = || {
        let message = Message::decode(message)?;
        let mut context = Context::new(None)?;
        context.set_server_certificate(certificate)?;
        // What it may be used for was looked at before.
        context.set_option(OPT_IGNORE_KEYUSAGE, 1)?;
        // SAFETY: both are alive.
        checked(unsafe { ffi::OSSL_CMP_validate_msg(context.raw, message.as_ptr()) })?;
        Ok::<_, Entries>(())
    };
    let signed = without_notes(check).is_ok();
    drop(queue());
    signed
}

/// The certificates of a stack that is ours, or null.
///
/// # Safety
///
/// `stack` must be null, or a stack that the caller owns together with references to its elements.
unsafe fn certificates(stack: *mut sys::stack_st_X509) -> Vec<X509> {
    if stack.is_null() {
        drop(queue());
        return Vec::new();
    }
    // SAFETY: the caller says that the stack is his to give.
    let stack: Stack<X509> = unsafe { Stack::from_ptr(stack) };
    stack.into_iter().collect()
}

/// Frees an element of a stack of ITAVs.
unsafe extern "C" fn free_itav(itav: *mut c_void) {
    // SAFETY: the stack owned its elements, which are of this type.
    unsafe { ffi::OSSL_CMP_ITAV_free(itav.cast()) };
}
