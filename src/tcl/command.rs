//! Commands: the trampoline from Tcl into a Rust function, and its way back. One of the kinds of way in.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::{c_int, c_void};

use crate::error::{Error, Result};
use crate::ffi::tcl as c;

use super::utf;
use super::{Interp, Obj};

/// A command's function: the words after its name in, a result out.
pub(crate) type Function = fn(Interp<'_>, &[Obj]) -> Result<Obj>;

/// A command: its name, and what it runs.
#[derive(Debug)]
pub(crate) struct Command {
    /// The full name, e.g. `tls::import`.
    pub(crate) name: &'static str,
    /// What it runs.
    pub(crate) function: Function,
}

impl Interp<'_> {
    /// Creates a command.
    pub(crate) fn create_command(self, command: &'static Command) {
        let name = utf::to_c(&format!("::{}", command.name));
        let data = (&raw const *command).cast_mut().cast::<c_void>();
        // SAFETY: the interpreter is alive; the name is copied; the data is static, and the trampoline knows its type.
        unsafe {
            c::Tcl_CreateObjCommand(self.as_ptr(), name.as_ptr(), Some(trampoline), data, None)
        };
    }
}

/// Calls a command's function. Tcl calls this with the data given to Tcl_CreateObjCommand.
unsafe extern "C" fn trampoline(
    data: c::ClientData,
    interp: *mut c::Tcl_Interp,
    objc: c_int,
    objv: *const *mut c::Tcl_Obj,
) -> c_int {
    // SAFETY: the data is the `&'static Command` of `create_command`.
    let command = unsafe { &*data.cast::<Command>() };
    // SAFETY: Tcl keeps the interpreter alive for the call.
    let interp = unsafe { Interp::from_raw(interp) };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let words: Vec<Obj> = (1..usize::try_from(objc).unwrap_or(0))
            .filter_map(|index| {
                // SAFETY: Tcl gives objc words.
                let word = unsafe { objv.wrapping_add(index).read() };
                // SAFETY: Tcl keeps the words alive for the call.
                unsafe { Obj::from_raw(word) }
            })
            .collect();
        (command.function)(interp, &words)
    }));
    match outcome.unwrap_or_else(|_| Err(Error::panic(command.name))) {
        Ok(result) => {
            interp.set_result(&result);
            0
        }
        Err(error) => {
            interp.set_error(&error);
            1
        }
    }
}

/// Sets up the package in an interpreter that loads it: takes Tcl's stub table, then calls `register`.
///
/// # Safety
///
/// `interp` must be a live interpreter of the calling thread.
pub(crate) unsafe fn entry(interp: *mut c::Tcl_Interp, register: fn(Interp<'_>)) -> c_int {
    // SAFETY: the caller says that the interpreter is alive.
    if !unsafe { c::init_stubs(interp) } {
        return 1;
    }
    // SAFETY: the caller says that the interpreter is alive.
    let interp = unsafe { Interp::from_raw(interp) };
    match catch_unwind(AssertUnwindSafe(|| register(interp))) {
        Ok(()) => 0,
        Err(_) => {
            interp.set_error(&Error::panic("the package's initialisation"));
            1
        }
    }
}
