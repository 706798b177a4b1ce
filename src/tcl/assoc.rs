//! State of ours that belongs to an interpreter and goes with it.

use std::any::Any;
use std::ffi::CString;
use std::rc::Rc;

use crate::ffi::tcl as c;

use super::Interp;

/// State that each interpreter has one of.
pub(crate) trait State: Default + Any {
    /// The key, unique in the process.
    const KEY: &'static str;
}

impl Interp<'_> {
    /// This interpreter's state, made when first asked for.
    pub(crate) fn state<S: State>(self) -> Rc<S> {
        let key = CString::new(S::KEY).unwrap_or_default();
        // SAFETY: the interpreter is alive; null is fine for the function.
        let data =
            unsafe { c::Tcl_GetAssocData(self.as_ptr(), key.as_ptr(), std::ptr::null_mut()) };
        if data.is_null() {
            let state = Rc::new(S::default());
            let data = Rc::into_raw(Rc::clone(&state)).cast_mut().cast();
            // SAFETY: the interpreter is alive, and gives the count that it gets now back through `delete`.
            unsafe { c::Tcl_SetAssocData(self.as_ptr(), key.as_ptr(), Some(delete::<S>), data) };
            return state;
        }
        let data: *const S = data.cast_const().cast();
        // SAFETY: this key's data is always a counted `S`, and the interpreter holds one count.
        unsafe { Rc::increment_strong_count(data) };
        // SAFETY: takes over the count of the line above.
        unsafe { Rc::from_raw(data) }
    }
}

/// The interpreter is being deleted. There is nothing to catch here: states drop plain data.
unsafe extern "C" fn delete<S: State>(data: c::ClientData, _interp: *mut c::Tcl_Interp) {
    // SAFETY: takes back the count that the interpreter got.
    drop(unsafe { Rc::from_raw(data.cast_const().cast::<S>()) });
}
