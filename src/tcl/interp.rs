//! Interpreters: one borrowed for the time of a call, and one kept for later.

use std::marker::PhantomData;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::ffi::tcl as c;

use super::Obj;
use super::assoc::State;
use super::utf;

/// An interpreter, borrowed for one call: it can't be kept. Who must come back later uses [`Interp::keep`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interp<'a> {
    /// The live interpreter.
    raw: *mut c::Tcl_Interp,
    /// It lives as long as the call that it was handed to.
    call: PhantomData<&'a c::Tcl_Interp>,
}

impl<'a> Interp<'a> {
    /// Borrows an interpreter that Tcl handed us.
    ///
    /// # Safety
    ///
    /// `raw` must be an interpreter of this thread that lives at least as long as `'a`.
    pub(crate) unsafe fn from_raw(raw: *mut c::Tcl_Interp) -> Self {
        Self {
            raw,
            call: PhantomData,
        }
    }

    /// The pointer.
    pub(super) fn as_ptr(self) -> *mut c::Tcl_Interp {
        self.raw
    }

    /// Sets the result.
    pub(crate) fn set_result(self, result: &Obj) {
        // SAFETY: both are alive, and the interpreter takes its own reference.
        unsafe { c::Tcl_SetObjResult(self.raw, result.as_ptr()) };
    }

    /// The result.
    pub(crate) fn result(self) -> Obj {
        // SAFETY: the interpreter is alive.
        let raw = unsafe { c::Tcl_GetObjResult(self.raw) };
        // SAFETY: an interpreter always has a result, which lives at least until the next one is set.
        unsafe { Obj::from_raw(raw) }.unwrap_or_else(Obj::empty)
    }

    /// Sets result and errorCode from an error; the one place that does.
    pub(crate) fn set_error(self, error: &Error) {
        self.set_result(&Obj::text(&error.message()));
        let code = Obj::list(error.code().iter().map(|word| Obj::text(word)));
        // SAFETY: both are alive, and the interpreter takes its own reference.
        unsafe { c::Tcl_SetObjErrorCode(self.raw, code.as_ptr()) };
    }

    /// Sets a variable of the procedure that called the command.
    pub(crate) fn set_variable(self, name: &Obj, value: &Obj) -> Result<()> {
        /// `TCL_LEAVE_ERR_MSG`
        const LEAVE_MESSAGE: i32 = 0x200;
        let (name, value) = (name.as_ptr(), value.as_ptr());
        let no_key = std::ptr::null_mut();
        // SAFETY: all are alive, and the interpreter takes its own reference to the value.
        let set = unsafe { c::Tcl_ObjSetVar2(self.raw, name, no_key, value, LEAVE_MESSAGE) };
        match set.is_null() {
            true => Err(self.script_error(1)),
            false => Ok(()),
        }
    }

    /// The error that a script has just raised here, with its own errorCode.
    pub(super) fn script_error(self, status: i32) -> Error {
        let message = self.result().as_text().into_owned();
        // SAFETY: the interpreter is alive.
        let options = unsafe { c::Tcl_GetReturnOptions(self.raw, status) };
        // SAFETY: that is a new dict, which nobody else refers to.
        let options = unsafe { Obj::from_raw(options) };
        let code = options.and_then(|options| options.dict_value("-errorcode"));
        let code = code_words(code.as_ref());
        Error::Script { code, message }
    }

    /// A number that no other interpreter of the process has or will have.
    pub(crate) fn number(self) -> u64 {
        self.state::<Number>().0
    }

    /// Whether the interpreter has been deleted; what is left of it stays until nobody refers to it any more.
    pub(super) fn is_deleted(self) -> bool {
        // SAFETY: the interpreter's memory is there.
        unsafe { c::Tcl_InterpDeleted(self.raw) != 0 }
    }

    /// Whether this is a safe interpreter, which mustn't reach files.
    pub(crate) fn is_safe(self) -> bool {
        // SAFETY: the interpreter is alive.
        unsafe { c::Tcl_IsSafe(self.raw) != 0 }
    }

    /// Makes a namespace; that it is there already is fine.
    pub(crate) fn create_namespace(self, name: &str) {
        let name = utf::to_c(name);
        // A failure leaves a message in the result, which the next result replaces.
        // SAFETY: the interpreter is alive, the name is copied, and no data or delete function is given.
        unsafe {
            c::Tcl_CreateNamespace(
                self.raw,
                name.as_ptr(),
                std::ptr::null_mut(),
                std::ptr::null(),
            )
        };
    }

    /// The full name of the command that a word stands for in the procedure that called us.
    pub(crate) fn command_name(self, word: &str) -> Option<String> {
        let _saved = SavedState::new(self);
        let words = ["::namespace", "which", "-command", word].map(Obj::text);
        let raw = words.each_ref().map(Obj::as_ptr);
        // SAFETY: interpreter and words are alive for the whole call. Without a flag it runs in the caller's frame.
        let status = unsafe { c::Tcl_EvalObjv(self.raw, raw.len().cast_signed(), raw.as_ptr(), 0) };
        let name = self.result().as_text().into_owned();
        (status == 0 && !name.is_empty()).then_some(name)
    }

    /// A handle that can be kept beyond this call.
    pub(crate) fn keep(self) -> Keeper {
        Keeper {
            raw: self.raw,
            life: Rc::downgrade(&self.state::<Life>()),
        }
    }
}

/// An interpreter kept for later, which doesn't keep it from being deleted: a channel that kept the interpreter that it
/// is open in would never be closed by that interpreter's end.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    /// The interpreter, while it has its life.
    raw: *mut c::Tcl_Interp,
    /// What goes with the interpreter.
    life: Weak<Life>,
}

/// The state by which it is known whether an interpreter is still there. It has a size so that the interpreter's pointer
/// points into the allocation: behind it, a leak checker takes a shell's main interpreter for one that lost its life.
#[derive(Debug, Default)]
struct Life(#[expect(dead_code, reason = "it is there to have a size")] u8);

impl State for Life {
    const KEY: &'static str = "tls life";
}

impl Keeper {
    /// Calls `function` with the interpreter, unless that has been deleted.
    pub(crate) fn with<R>(&self, function: impl FnOnce(Interp<'_>) -> R) -> Option<R> {
        if self.life.strong_count() == 0 {
            return None;
        }
        // The interpreter drops its life when it is freed and not before, so that it is there. It must be there until
        // the call is over, whatever becomes of it in the call.
        let preserved = Preserved::new(self.raw);
        // SAFETY: `preserved` keeps its memory until the call is over.
        let interp = unsafe { Interp::from_raw(preserved.0) };
        (!interp.is_deleted()).then(|| function(interp))
    }
}

/// One Tcl_Preserve, undone when dropped.
#[derive(Debug)]
struct Preserved(*mut c::Tcl_Interp);

impl Preserved {
    /// Preserves an interpreter that is alive or preserved already.
    fn new(raw: *mut c::Tcl_Interp) -> Self {
        // SAFETY: only counts the pointer.
        unsafe { c::Tcl_Preserve(raw.cast()) };
        Self(raw)
    }
}

impl Drop for Preserved {
    fn drop(&mut self) {
        // SAFETY: undoes the one Tcl_Preserve of `new`.
        unsafe { c::Tcl_Release(self.0.cast()) };
    }
}

/// The words of an errorCode, which may be missing or no list.
pub(super) fn code_words(code: Option<&Obj>) -> Vec<String> {
    let words = code.and_then(Obj::as_list);
    let texts = words.map(|words| {
        words
            .iter()
            .map(|word| word.as_text().into_owned())
            .collect()
    });
    texts.unwrap_or_else(|| vec!["NONE".to_owned()])
}

/// The result and error state of an interpreter, put back when dropped: callbacks leave no trace in a result.
#[derive(Debug)]
pub(crate) struct SavedState<'a> {
    /// Whose.
    interp: Interp<'a>,
    /// The state.
    state: c::Tcl_InterpState,
}

impl<'a> SavedState<'a> {
    /// Saves the state.
    pub(crate) fn new(interp: Interp<'a>) -> Self {
        // SAFETY: the interpreter is alive.
        let state = unsafe { c::Tcl_SaveInterpState(interp.raw, 0) };
        Self { interp, state }
    }
}

impl Drop for SavedState<'_> {
    fn drop(&mut self) {
        // SAFETY: the interpreter's memory outlives `'a`, and the state is restored once.
        unsafe { c::Tcl_RestoreInterpState(self.interp.raw, self.state) };
    }
}

/// An interpreter's number.
#[derive(Debug)]
struct Number(u64);

impl Default for Number {
    fn default() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

impl State for Number {
    const KEY: &'static str = "tls number";
}
