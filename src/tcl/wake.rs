//! Waking a thread's event loop from another thread. One of the kinds of way in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use libc::c_int;

use crate::ffi::tcl as c;

thread_local! {
    /// What this thread does when it is woken, by number.
    static ACTIONS: RefCell<HashMap<u64, Rc<dyn Fn()>>> = RefCell::new(HashMap::new());
    /// The last number.
    static LAST: RefCell<u64> = const { RefCell::new(0) };
}

/// What a thread does when it is woken. When this is dropped it isn't done any more.
#[derive(Debug)]
pub(crate) struct Sleeper(u64);

impl Sleeper {
    /// In this thread, `action` is to be called from the event loop whenever a [`Waker`] is used.
    pub(crate) fn new(action: impl Fn() + 'static) -> Self {
        let number = LAST.with_borrow_mut(|last| {
            *last += 1;
            *last
        });
        ACTIONS.with_borrow_mut(|actions| actions.insert(number, Rc::new(action)));
        Self(number)
    }

    /// What wakes it.
    pub(crate) fn waker(&self) -> Waker {
        Waker {
            // SAFETY: there is no precondition.
            thread: unsafe { c::Tcl_GetCurrentThread() }.expose_provenance(),
            number: self.0,
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let action = ACTIONS.try_with(|actions| {
            let mut actions = actions.try_borrow_mut().ok()?;
            actions.remove(&self.0)
        });
        // Dropped outside the borrow, since what it holds may have a sleeper of its own.
        drop(action);
    }
}

/// Wakes a [`Sleeper`] from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Waker {
    /// The thread that sleeps. Tcl looks it up in a list, so that one that has ended does no harm.
    thread: usize,
    /// What it does then.
    number: u64,
}

impl Waker {
    /// Wakes the thread.
    pub(crate) fn wake(&self) {
        // SAFETY: there is no precondition; Tcl ends the process where there is no memory.
        let memory = unsafe { c::Tcl_Alloc(size_of::<Alarm>()) }.cast::<Alarm>();
        let alarm = Alarm {
            head: c::Tcl_Event {
                proc_: Some(ring),
                nextPtr: std::ptr::null_mut(),
            },
            number: self.number,
        };
        // SAFETY: the memory is large enough, and Tcl aligns what it allocates for any type.
        unsafe { memory.write(alarm) };
        let thread = std::ptr::with_exposed_provenance_mut(self.thread);
        // SAFETY: Tcl takes the event over, and knows a thread that isn't there any more.
        unsafe { c::Tcl_ThreadQueueEvent(thread, memory.cast(), c::TCL_QUEUE_TAIL) };
        // SAFETY: as above.
        unsafe { c::Tcl_ThreadAlert(thread) };
    }
}

/// The event that wakes.
#[repr(C)]
struct Alarm {
    /// What Tcl sees.
    head: c::Tcl_Event,
    /// Which action it is about.
    number: u64,
}

/// Tcl's event loop has come to an event.
unsafe extern "C" fn ring(event: *mut c::Tcl_Event, _flags: c_int) -> c_int {
    // SAFETY: this function stands in events of ours alone.
    let number = unsafe { (*event.cast::<Alarm>()).number };
    let action = ACTIONS.with_borrow(|actions| actions.get(&number).cloned());
    if let Some(action) = action {
        // A panic has nobody to be reported to here, and mustn't cross into C.
        let _ = catch_unwind(AssertUnwindSafe(|| action()));
    }
    1
}
