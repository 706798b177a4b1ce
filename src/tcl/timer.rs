//! A one-shot timer that is cancelled when it is dropped. One of the kinds of way in.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use libc::c_int;

use crate::ffi::tcl as c;

/// A timer and what it calls. At most one shot is outstanding.
pub(crate) struct Timer {
    /// Shared with Tcl for as long as a shot is outstanding.
    shot: Rc<Shot>,
}

/// What Tcl's timer calls back with.
struct Shot {
    /// Tcl's token while a shot is outstanding.
    token: Cell<Option<c::Tcl_TimerToken>>,
    /// What to do.
    action: Box<dyn Fn()>,
}

impl Timer {
    /// A timer that isn't armed. The action must not own what owns the timer, or neither is ever freed.
    pub(crate) fn new(action: impl Fn() + 'static) -> Self {
        Self {
            shot: Rc::new(Shot {
                token: Cell::new(None),
                action: Box::new(action),
            }),
        }
    }

    /// Arms it, unless it is.
    pub(crate) fn arm(&self, milliseconds: u32) {
        if self.shot.token.get().is_some() {
            return;
        }
        let milliseconds = c_int::try_from(milliseconds).unwrap_or(c_int::MAX);
        let data = Rc::as_ptr(&self.shot).cast_mut().cast();
        // SAFETY: the shot lives until the timer fired or is deleted, since `drop` deletes it first.
        let token = unsafe { c::Tcl_CreateTimerHandler(milliseconds, Some(trampoline), data) };
        self.shot.token.set(Some(token));
    }

    /// Cancels an outstanding shot.
    pub(crate) fn cancel(&self) {
        if let Some(token) = self.shot.token.take() {
            // SAFETY: the token is that of a shot that hasn't been fired, in this thread.
            unsafe { c::Tcl_DeleteTimerHandler(token) };
        }
    }

    /// Whether a shot is outstanding.
    pub(crate) fn is_armed(&self) -> bool {
        self.shot.token.get().is_some()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Does something in the next turn of this thread's event loop.
pub(crate) fn soon(action: impl FnOnce() + 'static) {
    let action: Box<Soon> = Box::new(Box::new(action));
    // SAFETY: the action lives until the timer has fired, which takes it over.
    unsafe { c::Tcl_CreateTimerHandler(0, Some(once), Box::into_raw(action).cast()) };
}

/// What [`soon`] does.
type Soon = Box<dyn FnOnce()>;

/// The timer of [`soon`] fired.
unsafe extern "C" fn once(data: c::ClientData) {
    // SAFETY: `soon` gave the action away for this one call.
    let action = unsafe { Box::from_raw(data.cast::<Soon>()) };
    // A panic has nobody to be reported to here, and mustn't cross into C.
    let _ = catch_unwind(AssertUnwindSafe(action));
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("armed", &self.is_armed())
            .finish()
    }
}

/// Tcl's timer fired.
unsafe extern "C" fn trampoline(data: c::ClientData) {
    let shot: *const Shot = data.cast_const().cast();
    // SAFETY: a timer that fires hasn't been deleted, so its owner still has the shot.
    unsafe { Rc::increment_strong_count(shot) };
    // SAFETY: takes over the count of the line above; the shot now outlives the action, which may drop the timer.
    let shot = unsafe { Rc::from_raw(shot) };
    shot.token.set(None);
    // A panic has nobody to be reported to here, and mustn't cross into C; the next operation finds the channel's state.
    let _ = catch_unwind(AssertUnwindSafe(|| (shot.action)()));
}
