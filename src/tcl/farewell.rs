//! Last bytes of a channel that can't be sent before it is closed: they are sent in the event loop, over a second
//! descriptor of the same socket. One of the kinds of way in.
//!
//! So it is with what a script writes to a non-blocking channel and Tcl sends after `close`; these bytes come into being
//! only when Tcl has sent everything.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::c_int;

use crate::ffi::tcl as c;

use super::channel::{Channel, Mask};

/// Bytes on their way.
struct Farewell {
    /// The second descriptor.
    descriptor: OwnedFd,
    /// What is still to be sent.
    bytes: Vec<u8>,
}

impl Channel {
    /// Sends bytes when there is room for them, even if the channel is closed by then. Only for the bottom of a stack; a
    /// channel that isn't a socket loses them.
    pub(crate) fn send_later(self, bytes: Vec<u8>) {
        let descriptor = self
            .os_handle(Mask::WRITABLE)
            .and_then(|handle| c_int::try_from(handle.addr()).ok());
        let Some(descriptor) = descriptor else { return };
        // SAFETY: the channel is open, and so is its descriptor.
        let open = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let Ok(descriptor) = open.try_clone_to_owned() else {
            return;
        };
        let raw = descriptor.as_raw_fd();
        let data = Box::into_raw(Box::new(Farewell { descriptor, bytes }));
        // SAFETY: the descriptor is open and the data there until the handler deletes itself.
        unsafe {
            c::Tcl_CreateFileHandler(raw, Mask::WRITABLE.as_raw(), Some(trampoline), data.cast());
        }
    }
}

impl Farewell {
    /// Sends what can be sent; whether that was all, or all that ever can be.
    fn send(&mut self) -> bool {
        while !self.bytes.is_empty() {
            let (start, size) = (self.bytes.as_ptr(), self.bytes.len());
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the descriptor is open, and the bytes are there for the call.
            let sent =
                unsafe { libc::send(self.descriptor.as_raw_fd(), start.cast(), size, flags) };
            match usize::try_from(sent) {
                Ok(sent) => drop(self.bytes.drain(..sent)),
                Err(_) => match io::Error::last_os_error().kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return false,
                    // The peer is gone: nobody waits for these bytes.
                    _ => return true,
                },
            }
        }
        true
    }
}

/// There is room.
unsafe extern "C" fn trampoline(data: c::ClientData, _mask: c_int) {
    let farewell: *mut Farewell = data.cast();
    // SAFETY: the data is there as long as the handler, and this thread alone uses it.
    let current = unsafe { &mut *farewell };
    let done = catch_unwind(AssertUnwindSafe(|| current.send())).unwrap_or(true);
    if done {
        // SAFETY: deletes the handler that is running, which Tcl allows.
        unsafe { c::Tcl_DeleteFileHandler(current.descriptor.as_raw_fd()) };
        // SAFETY: the handler is gone, so that the data is ours again.
        drop(unsafe { Box::from_raw(farewell) });
    }
}
