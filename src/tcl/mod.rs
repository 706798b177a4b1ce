//! Floor 1: a small safe Tcl.
//!
//! A stranger to OpenSSL. May use `ffi::tcl` and the pure ground. Tcl's values, interpreters and channels belong to
//! the thread that made them, so nothing here is `Send`. Every way in from Tcl (command, driver, timer, file, deletion)
//! has its trampoline in one file, which catches panics and maps them by kind.

pub(crate) mod assoc;
pub(crate) mod channel;
pub(crate) mod command;
pub(crate) mod driver;
pub(crate) mod epilogue;
mod farewell;
pub(crate) mod files;
pub(crate) mod interp;
pub(crate) mod obj;
pub(crate) mod script;
pub(crate) mod timer;
mod utf;
pub(crate) mod wake;

/// What Tcl hands to the entry symbols.
pub(crate) use crate::ffi::tcl::Tcl_Interp as RawInterp;
pub(crate) use command::entry;
pub(crate) use interp::Interp;
pub(crate) use obj::Obj;
