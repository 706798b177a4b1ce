//! Scripts of the caller: a command prefix, called at the top level of its interpreter with words appended.

use libc::c_int;

use crate::error::{Error, Result};
use crate::ffi::tcl as c;

use super::interp::{Interp, Keeper, SavedState};
use super::obj::Obj;

/// A command prefix and the interpreter it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Where it runs.
    interp: Keeper,
    /// The words of the prefix.
    prefix: Vec<Obj>,
}

impl Script {
    /// The script of an option's value; `None` where that is empty, which means that none is given.
    pub(crate) fn new(interp: Interp<'_>, prefix: &Obj) -> Option<Self> {
        let prefix = prefix.as_list().filter(|words| !words.is_empty())?;
        Some(Self {
            interp: interp.keep(),
            prefix,
        })
    }

    /// Calls the prefix with `words` appended, at level #0. The interpreter's own result and error state stay as they
    /// were. `None`: the interpreter is gone.
    pub(crate) fn call(&self, words: &[Obj]) -> Option<Result<Obj>> {
        self.interp.with(|interp| {
            let _saved = SavedState::new(interp);
            self.call_here(interp, words)
        })
    }

    /// Calls like [`Script::call`], and hands an error to the interpreter's background error handler as well.
    pub(crate) fn call_reporting(&self, words: &[Obj]) -> Option<Result<Obj>> {
        self.interp.with(|interp| {
            let _saved = SavedState::new(interp);
            let outcome = self.call_here(interp, words);
            if outcome.is_err() {
                interp.report_state();
            }
            outcome
        })
    }

    /// Calls like [`Script::call_reporting`]; a command that doesn't take the words is called without them.
    pub(crate) fn call_fitting(&self, words: &[Obj]) -> Option<Result<Obj>> {
        match self.call(words)? {
            Err(Error::Script { code, .. }) if code == ["TCL", "WRONGARGS"] => {
                self.call_reporting(&[])
            }
            Err(error) => {
                self.report(&error);
                Some(Err(error))
            }
            done => Some(done),
        }
    }

    /// Reports an error to the background error handler of the script's interpreter.
    pub(crate) fn report(&self, error: &Error) {
        self.interp.with(|interp| interp.report(error));
    }

    /// The words of the prefix as a list.
    pub(crate) fn prefix(&self) -> Obj {
        Obj::list(self.prefix.iter().cloned())
    }

    /// Evaluates prefix and words.
    fn call_here(&self, interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
        // Own references: the script may replace what holds this prefix while it runs.
        let words: Vec<Obj> = self.prefix.iter().chain(words).cloned().collect();
        let raw: Vec<*mut c::Tcl_Obj> = words.iter().map(Obj::as_ptr).collect();
        let flags = c::TCL_EVAL_GLOBAL.cast_signed();
        // SAFETY: interpreter and words are alive for the whole call, by the keeper's reference and by ours.
        let status: c_int = unsafe {
            c::Tcl_EvalObjv(
                interp.as_ptr(),
                raw.len().cast_signed(),
                raw.as_ptr(),
                flags,
            )
        };
        match status {
            // `return` at the top of a callback is as good as its end.
            0 | 2 => Ok(interp.result()),
            1 => Err(interp.script_error(status)),
            other => Err(Error::Script {
                code: vec!["TCL".to_owned(), "UNEXPECTED_RESULT_CODE".to_owned()],
                message: format!("the callback returned code {other}"),
            }),
        }
    }
}

impl Interp<'_> {
    /// Reports an error in the background, as if a script of the event loop had raised it.
    pub(crate) fn report(self, error: &Error) {
        let _saved = SavedState::new(self);
        self.set_error(error);
        self.report_state();
    }

    /// Hands the error that the interpreter's state tells of to its background error handler. An interpreter that its
    /// own script has deleted has none any more.
    fn report_state(self) {
        if !self.is_deleted() {
            // SAFETY: the interpreter is alive, and its state is that of an error.
            unsafe { c::Tcl_BackgroundException(self.as_ptr(), 1) };
        }
    }
}
