//! Cryptographic messages: `CMS_ContentInfo`, its signers, recipients and the chain that its content passes through.
//!
//! The content itself never goes through here: messages are handled without it, and the caller feeds it to a
//! [`Chain`] or to the cipher context that a chain holds.

mod properties;
mod receipt;
mod recipient;
mod signer;

use std::ffi::CString;
use std::ptr::{self, NonNull};

use foreign_types::{ForeignType, ForeignTypeRef};
use libc::{c_int, c_long, c_uint, c_void};
use openssl::asn1::{Asn1IntegerRef, Asn1Object, Asn1OctetStringRef};
use openssl::cipher::CipherRef;
use openssl::cipher_ctx::CipherCtxRef;
use openssl::error::ErrorStack;
use openssl::md::MdRef;
use openssl::pkey::{PKeyRef, Private};
use openssl::stack::{Stack, StackRef};
use openssl::x509::{X509, X509Crl, X509NameRef, X509Ref};
use openssl_sys::{BIO, OPENSSL_STACK};

use super::bio::MemBio;
use super::error::{cvt, cvt_p, stack as queued};
use crate::ffi::ossl as raw;

pub(crate) use properties::Properties;
pub(crate) use receipt::{ReceiptRequest, ReceiptsFrom};
pub(crate) use recipient::{RecipientInfo, RecipientKind, transported_key};
pub(crate) use signer::SignerInfo;

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

/// Whether a cipher authenticates what it encrypts. `EVP_CIPHER_get_flags`
pub(crate) fn authenticates(cipher: &CipherRef) -> bool {
    /// `EVP_CIPH_FLAG_AEAD_CIPHER`
    const AUTHENTICATES: u64 = 0x20_0000;
    // SAFETY: the cipher is valid.
    unsafe { raw::EVP_CIPHER_get_flags(cipher.as_ptr()) & AUTHENTICATES != 0 }
}

/// The null pointer for "none", the pointer otherwise.
fn maybe<T: ForeignTypeRef>(value: Option<&T>) -> *mut T::CType {
    value.map_or(ptr::null_mut(), ForeignTypeRef::as_ptr)
}

/// The elements of a stack that OpenSSL keeps.
fn stack_elements<S, T>(stack: *mut S) -> Vec<NonNull<T>> {
    let stack = stack.cast::<OPENSSL_STACK>();
    // SAFETY: every typed stack is an `OPENSSL_STACK`, and a null pointer has -1 elements.
    let count = unsafe { openssl_sys::OPENSSL_sk_num(stack) };
    (0..count)
        .filter_map(|index| {
            // SAFETY: the index is within the stack.
            let element = unsafe { openssl_sys::OPENSSL_sk_value(stack, index) };
            NonNull::new(element.cast())
        })
        .collect()
}

/// A copy of bytes in OpenSSL's memory, for functions that take ownership; freed unless it is given away.
struct Owned {
    /// The memory.
    pointer: *mut u8,
    /// Its length.
    length: usize,
}

impl Owned {
    /// Copies bytes. `CRYPTO_malloc`
    fn new(bytes: &[u8]) -> Result<Self, ErrorStack> {
        // SAFETY: a length of at least 1, and no file name to tell.
        let pointer =
            cvt_p(unsafe { openssl_sys::CRYPTO_malloc(bytes.len().max(1), c"cms".as_ptr(), 0) })?
                .cast::<u8>();
        // SAFETY: the memory was just made, for at least so many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, bytes.len()) };
        Ok(Self {
            pointer,
            length: bytes.len(),
        })
    }

    /// Gives the memory away.
    fn release(self) {
        std::mem::forget(self);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the memory is ours, came from `CRYPTO_malloc` and has this length.
        unsafe {
            raw::tls_clear_free(self.pointer.cast::<c_void>(), self.length);
        }
    }
}

/// A message, or what stands around its content. `CMS_ContentInfo`
#[derive(Debug)]
pub(crate) struct ContentInfo(NonNull<raw::CMS_ContentInfo>);

impl Drop for ContentInfo {
    fn drop(&mut self) {
        // SAFETY: the message is ours.
        unsafe { raw::CMS_ContentInfo_free(self.as_ptr()) };
    }
}

impl ContentInfo {
    /// Takes a pointer that a function has returned with its ownership.
    fn owned(pointer: *mut raw::CMS_ContentInfo) -> Result<Self, ErrorStack> {
        NonNull::new(pointer).map(Self).ok_or_else(queued)
    }

    /// The raw pointer, valid as long as this value lives.
    const fn as_ptr(&self) -> *mut raw::CMS_ContentInfo {
        self.0.as_ptr()
    }

    /// A message that is going to be something. `CMS_ContentInfo_new_ex`
    fn new() -> Result<Self, ErrorStack> {
        // SAFETY: the text is null or ends with a null byte, and is copied.
        let pointer = properties::with(|properties| unsafe {
            raw::CMS_ContentInfo_new_ex(ptr::null_mut(), properties)
        });
        Self::owned(pointer)
    }

    /// Reads a message. `d2i_CMS_ContentInfo`
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, ErrorStack> {
        let mut start = der.as_ptr();
        let length = c_long::try_from(der.len()).unwrap_or(0);
        let blank = Self::new()?;
        let mut pointer = blank.as_ptr();
        std::mem::forget(blank);
        // SAFETY: `start` points to `length` readable bytes; the message that is given is filled, or freed with an error.
        Self::owned(unsafe { raw::d2i_CMS_ContentInfo(&raw mut pointer, &raw mut start, length) })
    }

    /// A message to be signed, with certificates to put into it. `CMS_sign_ex`
    pub(crate) fn sign(
        certificates: Option<&StackRef<X509>>,
        flags: Flags,
    ) -> Result<Self, ErrorStack> {
        let certificates = maybe(certificates);
        // SAFETY: no signer and no content are given, the certificates, if any, are a valid stack, and the text is null or
        // ends with a null byte.
        let pointer = properties::with(|properties| unsafe {
            raw::CMS_sign_ex(
                ptr::null_mut(),
                ptr::null_mut(),
                certificates,
                ptr::null_mut(),
                flags.and(Flags::PARTIAL).and(Flags::STREAM).0,
                ptr::null_mut(),
                properties,
            )
        });
        Self::owned(pointer)
    }

    /// A message to be encrypted for recipients, with or without authentication as the cipher is.
    /// `CMS_EnvelopedData_create_ex`, `CMS_AuthEnvelopedData_create_ex`
    pub(crate) fn envelope(cipher: &CipherRef, authenticated: bool) -> Result<Self, ErrorStack> {
        let cipher = cipher.as_ptr().cast_const();
        let create = match authenticated {
            true => raw::CMS_AuthEnvelopedData_create_ex,
            false => raw::CMS_EnvelopedData_create_ex,
        };
        // SAFETY: the cipher is valid, the text is null or ends with a null byte.
        let pointer =
            properties::with(|properties| unsafe { create(cipher, ptr::null_mut(), properties) });
        Self::owned(pointer)
    }

    /// A message to be encrypted with a key of its own. `CMS_EncryptedData_set1_key`
    pub(crate) fn encrypted(cipher: &CipherRef, key: &[u8]) -> Result<Self, ErrorStack> {
        let message = Self::new()?;
        message.set_encrypted_key(Some(cipher), key)?;
        Ok(message)
    }

    /// The message as it is. `i2d_CMS_ContentInfo`
    pub(crate) fn to_der(&self) -> Result<Vec<u8>, ErrorStack> {
        // SAFETY: the message is valid; without a buffer the length is told.
        let length = cvt(unsafe { raw::i2d_CMS_ContentInfo(self.as_ptr(), ptr::null_mut()) })?;
        let mut der = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut start = der.as_mut_ptr();
        // SAFETY: the buffer has the length that was just told.
        cvt(unsafe { raw::i2d_CMS_ContentInfo(self.as_ptr(), &raw mut start) })?;
        Ok(der)
    }

    /// Sets the type of what is inside. `CMS_set1_eContentType`
    pub(crate) fn set_inner_type(&self, object: &Asn1Object) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the object is copied.
        cvt(unsafe { raw::CMS_set1_eContentType(self.as_ptr(), object.as_ptr()) })?;
        Ok(())
    }

    /// Adds a signer. `CMS_add1_signer`
    pub(crate) fn add_signer(
        &self,
        certificate: &X509Ref,
        key: &PKeyRef<Private>,
        digest: Option<&MdRef>,
        flags: Flags,
    ) -> Result<SignerInfo<'_>, ErrorStack> {
        let digest = digest.map_or(ptr::null(), |digest| digest.as_ptr().cast_const());
        // SAFETY: all are valid; certificate and key are counted, not taken.
        let signer = cvt_p(unsafe {
            raw::CMS_add1_signer(
                self.as_ptr(),
                certificate.as_ptr(),
                key.as_ptr(),
                digest,
                flags.0,
            )
        })?;
        Ok(SignerInfo::new(signer))
    }

    /// The signers. `CMS_get0_SignerInfos`
    pub(crate) fn signers(&self) -> Vec<SignerInfo<'_>> {
        // SAFETY: the message is valid; for another type than SignedData the result is null.
        let stack = unsafe { raw::CMS_get0_SignerInfos(self.as_ptr()) };
        stack_elements(stack)
            .into_iter()
            .map(|signer: NonNull<raw::CMS_SignerInfo>| SignerInfo::new(signer.as_ptr()))
            .collect()
    }

    /// Finds the signers' certificates, and tells how many were found. `CMS_set1_signers_certs`
    pub(crate) fn find_signers(
        &self,
        certificates: Option<&StackRef<X509>>,
        flags: Flags,
    ) -> usize {
        let certificates = maybe(certificates);
        // SAFETY: the message and the stack, if there is one, are valid.
        let found = unsafe { raw::CMS_set1_signers_certs(self.as_ptr(), certificates, flags.0) };
        usize::try_from(found).unwrap_or(0)
    }

    /// The certificates inside. `CMS_get1_certs`
    pub(crate) fn certificates(&self) -> Result<Stack<X509>, ErrorStack> {
        // SAFETY: the message is valid.
        let stack = unsafe { raw::CMS_get1_certs(self.as_ptr()) };
        match stack.is_null() {
            true => Stack::new(),
            // SAFETY: the stack and its counted elements are the caller's.
            false => Ok(unsafe { Stack::from_ptr(stack) }),
        }
    }

    /// The revocation lists inside. `CMS_get1_crls`
    pub(crate) fn revocation_lists(&self) -> Result<Vec<X509Crl>, ErrorStack> {
        // SAFETY: the message is valid.
        let stack = unsafe { raw::CMS_get1_crls(self.as_ptr()) };
        let lists = stack_elements(stack)
            .into_iter()
            .map(|list: NonNull<openssl_sys::X509_CRL>| {
                // SAFETY: the list's count was raised for us, and the stack's own memory alone is freed below.
                unsafe { X509Crl::from_ptr(list.as_ptr()) }
            })
            .collect();
        // SAFETY: the stack is ours; its elements now belong to `lists`.
        unsafe { openssl_sys::OPENSSL_sk_free(stack.cast::<OPENSSL_STACK>()) };
        Ok(lists)
    }

    /// Puts a certificate into the message. `CMS_add1_cert`
    pub(crate) fn add_certificate(&self, certificate: &X509Ref) -> Result<(), ErrorStack> {
        // SAFETY: both are valid; the certificate is counted.
        cvt(unsafe { raw::CMS_add1_cert(self.as_ptr(), certificate.as_ptr()) })?;
        Ok(())
    }

    /// Makes the chain that the content passes through: digests, or a cipher; at its end everything is dropped.
    /// `CMS_dataInit`
    pub(crate) fn chain(&self) -> Result<Chain, ErrorStack> {
        // SAFETY: the method is a constant of the library.
        let method = unsafe { raw::BIO_s_null() };
        // SAFETY: the method is valid.
        let end = cvt_p(unsafe { openssl_sys::BIO_new(method) })?;
        // SAFETY: both are valid; on success the chain that is returned owns `end`.
        let chain = unsafe { raw::CMS_dataInit(self.as_ptr(), end) };
        match NonNull::new(chain) {
            Some(chain) => Ok(Chain(chain)),
            None => {
                let errors = queued();
                // SAFETY: on failure `end` is still ours.
                unsafe { openssl_sys::BIO_free_all(end) };
                Err(errors)
            }
        }
    }

    /// Finishes the message after its content has passed: signs, or stores the digest or tag. `CMS_dataFinal`
    pub(crate) fn finish(&self, chain: &Chain) -> Result<(), ErrorStack> {
        // SAFETY: both are valid, and the chain was made for this message or one with the same digests.
        cvt(unsafe { raw::CMS_dataFinal(self.as_ptr(), chain.0.as_ptr()) })?;
        Ok(())
    }

    /// Adds a recipient by certificate. `CMS_add1_recipient`
    pub(crate) fn add_recipient(
        &self,
        certificate: &X509Ref,
        originator: Option<(&X509Ref, &PKeyRef<Private>)>,
        flags: Flags,
    ) -> Result<RecipientInfo<'_>, ErrorStack> {
        let (originator, key) = match originator {
            Some((certificate, key)) => (certificate.as_ptr(), key.as_ptr()),
            None => (ptr::null_mut(), ptr::null_mut()),
        };
        // SAFETY: all are valid or null, and are counted, not taken.
        let recipient = cvt_p(unsafe {
            raw::CMS_add1_recipient(
                self.as_ptr(),
                certificate.as_ptr(),
                key,
                originator,
                flags.0,
            )
        })?;
        Ok(RecipientInfo::new(recipient))
    }

    /// Adds a recipient by a key that both sides have. `CMS_add0_recipient_key`
    pub(crate) fn add_recipient_key(&self, key: &[u8], id: &[u8]) -> Result<(), ErrorStack> {
        let key = Owned::new(key)?;
        let id = Owned::new(id)?;
        // SAFETY: key and identifier are memory of OpenSSL's, which the message owns on success.
        cvt_p(unsafe {
            raw::CMS_add0_recipient_key(
                self.as_ptr(),
                0,
                key.pointer,
                key.length,
                id.pointer,
                id.length,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        key.release();
        id.release();
        Ok(())
    }

    /// Adds a recipient by password. `CMS_add0_recipient_password`
    pub(crate) fn add_recipient_password(
        &self,
        password: &[u8],
        wrap: Option<&CipherRef>,
    ) -> Result<(), ErrorStack> {
        let password = Owned::new(password)?;
        let wrap = wrap.map_or(ptr::null(), |cipher| cipher.as_ptr().cast_const());
        let length = isize::try_from(password.length).unwrap_or(0);
        // SAFETY: the password is memory of OpenSSL's, which the message owns on success.
        cvt_p(unsafe {
            raw::CMS_add0_recipient_password(
                self.as_ptr(),
                -1,
                0,
                0,
                password.pointer,
                length,
                wrap,
            )
        })?;
        password.release();
        Ok(())
    }

    /// The recipients. `CMS_get0_RecipientInfos`
    pub(crate) fn recipients(&self) -> Vec<RecipientInfo<'_>> {
        // SAFETY: the message is valid; for a type without recipients the result is null.
        let stack = unsafe { raw::CMS_get0_RecipientInfos(self.as_ptr()) };
        stack_elements(stack)
            .into_iter()
            .map(|recipient: NonNull<raw::CMS_RecipientInfo>| {
                RecipientInfo::new(recipient.as_ptr())
            })
            .collect()
    }

    /// Tells how keys are going to be looked for: whether a certificate is known, and whether a failure shows.
    /// `CMS_decrypt`
    pub(crate) fn prepare_decryption(&self, flags: Flags) -> Result<(), ErrorStack> {
        // SAFETY: with nothing but the message and flags the function only stores the flags.
        cvt(unsafe {
            raw::CMS_decrypt(
                self.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                flags.0,
            )
        })?;
        Ok(())
    }

    /// Opens the content key with a private key. `CMS_decrypt_set1_pkey_and_peer`
    pub(crate) fn decrypt_with_key(
        &self,
        key: &PKeyRef<Private>,
        certificate: Option<&X509Ref>,
        originator: Option<&X509Ref>,
    ) -> Result<(), ErrorStack> {
        // SAFETY: all are valid or null, and are counted, not taken.
        cvt(unsafe {
            raw::CMS_decrypt_set1_pkey_and_peer(
                self.as_ptr(),
                key.as_ptr(),
                maybe(certificate),
                maybe(originator),
            )
        })?;
        Ok(())
    }

    /// Opens the content key with a key that both sides have. `CMS_decrypt_set1_key`
    pub(crate) fn decrypt_with_secret(
        &self,
        key: &[u8],
        id: Option<&[u8]>,
    ) -> Result<(), ErrorStack> {
        let key = Owned::new(key)?;
        let (id, length) = id.map_or((ptr::null(), 0), |id| (id.as_ptr(), id.len()));
        // SAFETY: the key is only read, and forgotten before the function returns.
        cvt(unsafe {
            raw::CMS_decrypt_set1_key(self.as_ptr(), key.pointer, key.length, id, length)
        })?;
        Ok(())
    }

    /// Opens the content key with a password. `CMS_decrypt_set1_password`
    pub(crate) fn decrypt_with_password(&self, password: &[u8]) -> Result<(), ErrorStack> {
        let password = Owned::new(password)?;
        let length = isize::try_from(password.length).unwrap_or(0);
        // SAFETY: the password is only read, and forgotten before the function returns.
        cvt(unsafe { raw::CMS_decrypt_set1_password(self.as_ptr(), password.pointer, length) })?;
        Ok(())
    }

    /// Sets the key of encrypted content. `CMS_EncryptedData_set1_key`
    pub(crate) fn set_encrypted_key(
        &self,
        cipher: Option<&CipherRef>,
        key: &[u8],
    ) -> Result<(), ErrorStack> {
        let cipher = cipher.map_or(ptr::null(), |cipher| cipher.as_ptr().cast_const());
        // SAFETY: all are valid or null; the key is copied.
        cvt(unsafe {
            raw::CMS_EncryptedData_set1_key(self.as_ptr(), cipher, key.as_ptr(), key.len())
        })?;
        Ok(())
    }

    /// All fields, for people; names in the library's usual way unless flags for them are given.
    /// `CMS_ContentInfo_print_ctx`
    pub(crate) fn print(&self, name_flags: Option<u64>) -> Result<Vec<u8>, ErrorStack> {
        /// `ASN1_PCTX_FLAGS_SHOW_ABSENT`
        const SHOW_ABSENT: u64 = 1;
        let out = MemBio::new()?;
        let mut context = ptr::null_mut();
        if let Some(flags) = name_flags {
            // SAFETY: no precondition.
            context = cvt_p(unsafe { raw::ASN1_PCTX_new() })?;
            // SAFETY: the context was just made.
            unsafe { raw::ASN1_PCTX_set_flags(context, SHOW_ABSENT) };
            // SAFETY: the same.
            unsafe { raw::ASN1_PCTX_set_str_flags(context, flags) };
            // SAFETY: the same.
            unsafe { raw::ASN1_PCTX_set_nm_flags(context, flags) };
        }
        // SAFETY: message and output are valid, and the context is or is null.
        let result =
            unsafe { raw::CMS_ContentInfo_print_ctx(out.as_ptr(), self.as_ptr(), 0, context) };
        // SAFETY: the context is ours or null.
        unsafe { raw::ASN1_PCTX_free(context) };
        cvt(result)?;
        Ok(out.contents().to_vec())
    }

    /// Verifies this message as a receipt for another one. `CMS_verify_receipt`
    pub(crate) fn check_receipt(
        &self,
        original: &Self,
        certificates: Option<&StackRef<X509>>,
        store: &openssl::x509::store::X509StoreRef,
        flags: Flags,
    ) -> Result<(), ErrorStack> {
        // SAFETY: all are valid.
        cvt(unsafe {
            raw::CMS_verify_receipt(
                self.as_ptr(),
                original.as_ptr(),
                maybe(certificates),
                store.as_ptr(),
                flags.0,
            )
        })?;
        Ok(())
    }
}

/// The filters that a content passes through.
#[derive(Debug)]
pub(crate) struct Chain(NonNull<BIO>);

impl Chain {
    /// Lets content pass. `BIO_write`
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), ErrorStack> {
        for part in bytes.chunks(1 << 20) {
            let length = c_int::try_from(part.len()).unwrap_or(0);
            // SAFETY: the chain is valid, and `part` has `length` readable bytes.
            let written = unsafe {
                openssl_sys::BIO_write(self.0.as_ptr(), part.as_ptr().cast::<c_void>(), length)
            };
            if written != length {
                return Err(queued());
            }
        }
        Ok(())
    }

    /// The context of the cipher in the chain. `BIO_get_cipher_ctx`
    pub(crate) fn cipher(&mut self) -> Option<&mut CipherCtxRef> {
        /// `BIO_TYPE_CIPHER`
        const TYPE: c_int = 0x020a;
        /// `BIO_C_GET_CIPHER_CTX`
        const GET_CONTEXT: c_int = 129;
        // SAFETY: the chain is valid.
        let filter = unsafe { raw::BIO_find_type(self.0.as_ptr(), TYPE) };
        if filter.is_null() {
            return None;
        }
        let mut context: *mut openssl_sys::EVP_CIPHER_CTX = ptr::null_mut();
        let out: *mut *mut openssl_sys::EVP_CIPHER_CTX = &raw mut context;
        // SAFETY: the filter is a cipher's, and `out` can take the pointer that this command stores.
        unsafe { openssl_sys::BIO_ctrl(filter, GET_CONTEXT, 0, out.cast::<c_void>()) };
        // SAFETY: the context, if there is one, lives as long as the chain, which stays borrowed.
        (!context.is_null()).then(|| unsafe { CipherCtxRef::from_ptr_mut(context) })
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // SAFETY: the chain is ours.
        unsafe { openssl_sys::BIO_free_all(self.0.as_ptr()) };
    }
}

/// How a certificate is named in a message.
#[derive(Clone, Copy)]
pub(crate) enum CertificateId<'a> {
    /// By issuer and serial number.
    Issuer(&'a X509NameRef, &'a Asn1IntegerRef),
    /// By key identifier.
    KeyId(&'a Asn1OctetStringRef),
}

/// The way in which a certificate is named.
fn certificate_id<'a>(
    key_id: *mut openssl_sys::ASN1_OCTET_STRING,
    issuer: *mut openssl_sys::X509_NAME,
    serial: *mut openssl_sys::ASN1_INTEGER,
) -> Option<CertificateId<'a>> {
    if !key_id.is_null() {
        // SAFETY: the string is part of a message that outlives the result.
        return Some(CertificateId::KeyId(unsafe {
            Asn1OctetStringRef::from_ptr(key_id)
        }));
    }
    if issuer.is_null() || serial.is_null() {
        return None;
    }
    // SAFETY: the name is part of a message that outlives the result.
    let issuer = unsafe { X509NameRef::from_ptr(issuer) };
    // SAFETY: the number likewise.
    let serial = unsafe { Asn1IntegerRef::from_ptr(serial) };
    Some(CertificateId::Issuer(issuer, serial))
}

/// Sets a parameter of a key's operation. `EVP_PKEY_CTX_ctrl_str`
fn set_key_option(
    context: *mut openssl_sys::EVP_PKEY_CTX,
    name: &str,
    value: &str,
) -> Result<(), ErrorStack> {
    let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else {
        return Err(queued());
    };
    if context.is_null() {
        return Err(queued());
    }
    // SAFETY: the context is valid, and both texts are.
    cvt(unsafe { raw::EVP_PKEY_CTX_ctrl_str(context, name.as_ptr(), value.as_ptr()) })?;
    Ok(())
}
