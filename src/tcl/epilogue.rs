//! What is done as soon as the Tcl command that runs now has ended, before the next one begins. One of the kinds of way in.
//!
//! Tcl's asynchronous handlers are for this: the interpreter calls those that are marked behind each command, and the
//! event loop before each event.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use libc::c_int;

use crate::error::Result;
use crate::ffi::tcl as c;

use super::Interp;

/// Something to do behind a command. It is cancelled when this is dropped, which must happen in the same thread.
pub(crate) struct Epilogue {
    /// Shared with Tcl for as long as it is to be done.
    end: Rc<End>,
}

/// What Tcl calls back with.
struct End {
    /// Tcl's token while it is to be done.
    token: Cell<Option<c::Tcl_AsyncHandler>>,
    /// What to do. An error becomes that of the command, unless it has one.
    action: Box<dyn Fn() -> Result<()>>,
}

impl Epilogue {
    /// Something that isn't to be done yet. The action must not own what owns this, or neither is ever freed.
    pub(crate) fn new(action: impl Fn() -> Result<()> + 'static) -> Self {
        Self {
            end: Rc::new(End {
                token: Cell::new(None),
                action: Box::new(action),
            }),
        }
    }

    /// Has it done behind this command, once.
    pub(crate) fn arm(&self) {
        if self.end.token.get().is_some() {
            return;
        }
        let data = Rc::as_ptr(&self.end).cast_mut().cast();
        // SAFETY: what the data points to lives until the handler is deleted, which `drop` does first.
        let token = unsafe { c::Tcl_AsyncCreate(Some(trampoline), data) };
        self.end.token.set(Some(token));
        // SAFETY: the handler was just made.
        unsafe { c::Tcl_AsyncMark(token) };
    }

    /// Whether it is to be done.
    pub(crate) fn is_armed(&self) -> bool {
        self.end.token.get().is_some()
    }

    /// Has it not done.
    pub(crate) fn cancel(&self) {
        self.end.cancel();
    }
}

impl End {
    /// Deletes the handler.
    fn cancel(&self) {
        if let Some(token) = self.token.take() {
            // SAFETY: the handler was made in this thread and not deleted yet. Tcl allows that in the handler too.
            unsafe { c::Tcl_AsyncDelete(token) };
        }
    }
}

impl Drop for Epilogue {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Epilogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epilogue")
            .field("armed", &self.is_armed())
            .finish()
    }
}

/// A command has ended with this code, or the event loop goes on (no interpreter then); the code that counts.
unsafe extern "C" fn trampoline(
    data: c::ClientData,
    interp: *mut c::Tcl_Interp,
    code: c_int,
) -> c_int {
    let end: *const End = data.cast_const().cast();
    // SAFETY: a handler that is called hasn't been deleted, so its owner still has what the data points to.
    unsafe { Rc::increment_strong_count(end) };
    // SAFETY: takes over the count of the line above; it now outlives the action, which may drop the owner.
    let end = unsafe { Rc::from_raw(end) };
    end.cancel();
    // A panic mustn't cross into C; the next operation finds the channel's state.
    let outcome = catch_unwind(AssertUnwindSafe(|| (end.action)()));
    match outcome {
        Ok(Err(error)) if code == 0 && !interp.is_null() => {
            // SAFETY: Tcl gives the interpreter of the command that has just ended.
            unsafe { Interp::from_raw(interp) }.set_error(&error);
            c::TCL_ERROR.cast_signed()
        }
        _ => code,
    }
}
