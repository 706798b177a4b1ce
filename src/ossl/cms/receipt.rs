//! Requests for signed receipts: `CMS_ReceiptRequest`.

use std::ptr::{self, NonNull};

use libc::{c_void, size_t};
use openssl::error::ErrorStack;
use openssl_sys::OPENSSL_STACK;

use crate::ffi::ossl as raw;
use crate::ossl::error::{cvt, cvt_p, stack as queued};

/// A request for a signed receipt. `CMS_ReceiptRequest`
#[derive(Debug)]
pub(crate) struct ReceiptRequest(NonNull<raw::CMS_ReceiptRequest>);

impl Drop for ReceiptRequest {
    fn drop(&mut self) {
        // SAFETY: the request is ours.
        unsafe { raw::CMS_ReceiptRequest_free(self.as_ptr()) };
    }
}

/// Who is to send a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReceiptsFrom {
    /// All recipients.
    All,
    /// Those who got the message directly.
    FirstTier,
    /// These addresses.
    List(Vec<Vec<u8>>),
}

impl ReceiptRequest {
    /// A request for receipts from some to some. `CMS_ReceiptRequest_create0`
    pub(crate) fn new(from: &ReceiptsFrom, to: &[Vec<u8>]) -> Result<Self, ErrorStack> {
        let (all_or_first, list) = match from {
            ReceiptsFrom::All => (0, ptr::null_mut()),
            ReceiptsFrom::FirstTier => (1, ptr::null_mut()),
            ReceiptsFrom::List(list) => (-1, address_stack(list)?),
        };
        let to = address_stack(to)?;
        // SAFETY: both lists are stacks of address lists, which the request owns on success; there is no identifier,
        // so that a random one is made.
        let request = unsafe {
            raw::CMS_ReceiptRequest_create0(
                ptr::null_mut(),
                -1,
                all_or_first,
                list.cast(),
                to.cast(),
            )
        };
        NonNull::new(request).map(Self).ok_or_else(queued)
    }

    /// Takes over a request that a function has returned with its ownership; `None` for null.
    pub(super) fn owned(pointer: *mut raw::CMS_ReceiptRequest) -> Option<Self> {
        NonNull::new(pointer).map(Self)
    }

    /// The raw pointer, valid as long as this value lives.
    pub(super) const fn as_ptr(&self) -> *mut raw::CMS_ReceiptRequest {
        self.0.as_ptr()
    }

    /// Its encoding. `i2d_CMS_ReceiptRequest`
    pub(crate) fn to_der(&self) -> Result<Vec<u8>, ErrorStack> {
        // SAFETY: the request is valid; without a buffer the length is told.
        let length = cvt(unsafe { raw::i2d_CMS_ReceiptRequest(self.as_ptr(), ptr::null_mut()) })?;
        let mut der = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut start = der.as_mut_ptr();
        // SAFETY: the buffer has the length that was just told.
        cvt(unsafe { raw::i2d_CMS_ReceiptRequest(self.as_ptr(), &raw mut start) })?;
        Ok(der)
    }
}

/// A stack of address lists of one address each, as a request for a receipt holds them.
fn address_stack(addresses: &[Vec<u8>]) -> Result<*mut OPENSSL_STACK, ErrorStack> {
    // SAFETY: no precondition.
    let stack = cvt_p(unsafe { openssl_sys::OPENSSL_sk_new_null() })?;
    for address in addresses {
        let length: size_t = address.len();
        // SAFETY: the address has this many readable bytes.
        let names = unsafe { raw::tls_email_names(address.as_ptr().cast(), length) };
        let names = cvt_p(names)?;
        // SAFETY: the stack is ours, and takes the list.
        cvt(unsafe { openssl_sys::OPENSSL_sk_push(stack, names.cast::<c_void>()) })?;
    }
    Ok(stack)
}
