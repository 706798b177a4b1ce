//! The exchange of CMP messages by a hook.
//!
//! OpenSSL's client is synchronous: it calls the hook in the middle of a transaction and waits for the answer. What the
//! hook sees are encoded messages, so that the caller can carry them in any way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use super::cmp_message::{Entries, Message};
use super::error::checked;
use crate::ffi::ossl as ffi;

/// What carries messages: gets an encoded request and gives the encoded answer, or `None` where there is none.
pub(crate) type Hook = Box<dyn FnMut(&mut Exchange, &[u8]) -> Option<Vec<u8>> + Send>;

/// What a hook may do with the context that called it.
pub(crate) struct Exchange(*mut ffi::OSSL_CMP_CTX);

impl Exchange {
    /// Protects an encoded request anew if it was protected, under the transaction id that the context has.
    #[doc(alias = "OSSL_CMP_MSG_update_transactionID")]
    pub(crate) fn protect(&mut self, request: &[u8]) -> Result<Vec<u8>, Entries> {
        let message = Message::decode(request)?;
        // SAFETY: both are alive.
        checked(unsafe { ffi::OSSL_CMP_MSG_update_transactionID(self.0, message.as_ptr()) })?;
        message.encode()
    }

    /// Gives a prepared request the nonce, and on demand a fresh transaction id, that the server will accept, and
    /// protects it anew if it was protected.
    #[doc(alias = "OSSL_CMP_MSG_update_transactionID")]
    #[doc(alias = "OSSL_CMP_MSG_update_recipNonce")]
    pub(crate) fn refresh(
        &mut self,
        request: &[u8],
        new_transaction: bool,
    ) -> Result<Vec<u8>, Entries> {
        let message = Message::decode(request)?;
        if new_transaction {
            // SAFETY: both are alive.
            checked(unsafe { ffi::OSSL_CMP_MSG_update_transactionID(self.0, message.as_ptr()) })?;
        }
        // SAFETY: both are alive.
        checked(unsafe { ffi::OSSL_CMP_MSG_update_recipNonce(self.0, message.as_ptr()) })?;
        message.encode()
    }

    /// Has the context expect the transaction and the nonce of a prepared answer.
    #[doc(alias = "OSSL_CMP_CTX_set1_senderNonce")]
    #[doc(alias = "OSSL_CMP_CTX_set1_transactionID")]
    pub(crate) fn expect(&mut self, answer: &[u8]) -> Result<(), Entries> {
        let message = Message::decode(answer)?;
        // SAFETY: the message is alive.
        let header = unsafe { ffi::OSSL_CMP_MSG_get0_header(message.as_ptr()) };
        // SAFETY: the header belongs to the message.
        let nonce = unsafe { ffi::OSSL_CMP_HDR_get0_recipNonce(header) };
        // SAFETY: both are alive or null, and OpenSSL copies the nonce.
        checked(unsafe { ffi::OSSL_CMP_CTX_set1_senderNonce(self.0, nonce) })?;
        // SAFETY: the header belongs to the message.
        let id = unsafe { ffi::OSSL_CMP_HDR_get0_transactionID(header) };
        // SAFETY: both are alive or null, and OpenSSL copies the id.
        checked(unsafe { ffi::OSSL_CMP_CTX_set1_transactionID(self.0, id) })?;
        Ok(())
    }
}

/// Carries a message: OpenSSL calls this in the middle of a transaction.
pub(super) unsafe extern "C" fn transfer(
    raw: *mut ffi::OSSL_CMP_CTX,
    request: *const ffi::OSSL_CMP_MSG,
) -> *mut ffi::OSSL_CMP_MSG {
    // SAFETY: OpenSSL hands its live context.
    let hook: *mut Hook = unsafe { ffi::OSSL_CMP_CTX_get_transfer_cb_arg(raw) }.cast();
    let answer = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: OpenSSL hands a live message.
        let request = unsafe { Message::encode_raw(request) }.ok()?;
        // SAFETY: the context was given a pointer to the hook, which lives as long as itself; transactions don't nest.
        let hook = unsafe { &mut *hook };
        let answer = hook(&mut Exchange(raw), &request)?;
        Message::decode(&answer).ok()
    }));
    match answer {
        Ok(Some(message)) => message.into_raw(),
        _ => ptr::null_mut(),
    }
}
