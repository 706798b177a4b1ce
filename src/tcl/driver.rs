//! Channel drivers: the trait that a stacked channel implements, and the trampolines from Tcl. One of the kinds of way in.
//!
//! An instance is a counted pointer that Tcl holds from stacking to closing. Every trampoline takes a count of its own
//! for the time of the call, so that an instance outlives a script that closes its channel in the middle.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use libc::{c_char, c_int, c_void};

use crate::error::Error;
use crate::ffi::{self, tcl as c};

use super::channel::{Channel, Mask};
use super::utf;
use super::{Interp, Obj};

/// Why a driver's read or write failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The errno value; EAGAIN means "try again later" and nothing else.
    pub(crate) errno: c_int,
    /// What a script is told instead of the operating system's text.
    pub(crate) error: Option<Error>,
}

impl Failure {
    /// Nothing can be read or written right now.
    pub(crate) const AGAIN: Self = Self {
        errno: libc::EAGAIN,
        error: None,
    };
}

/// A channel's move between threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadAction {
    /// The channel comes into this thread.
    Insert,
    /// The channel leaves this thread.
    Remove,
}

/// What a stacked channel does. All calls are on the thread that has the channel.
pub(crate) trait Driver: Sized + 'static {
    /// Its type, one static per driver, by whose address Tcl and we know it.
    fn kind() -> &'static Kind<Self>;
    /// The channel, to which errors are attached.
    fn channel(&self) -> Option<Channel>;
    /// Reads into `buffer`; 0 is the end of the data.
    fn input(&self, buffer: &mut [u8]) -> Result<usize, Failure>;
    /// Writes some of `bytes`.
    fn output(&self, bytes: &[u8]) -> Result<usize, Failure>;
    /// The channel is closed, or `popped`: the channel below stays. Tcl never calls again.
    fn close(&self, popped: bool) -> Result<(), Failure>;
    /// Which events the channel above wants.
    fn watch(&self, mask: Mask);
    /// Events of the channel below; returns those to pass up.
    fn handle(&self, mask: Mask) -> Mask;
    /// The channel was made blocking or non-blocking.
    fn set_blocking(&self, blocking: bool);
    /// Sets an option; `None`: it isn't one of ours.
    fn set_option(
        &self,
        interp: Option<Interp<'_>>,
        name: &str,
        value: &str,
    ) -> Option<Result<(), Error>>;
    /// The names of all own options that a listing shows.
    fn option_names(&self) -> &'static [&'static str];
    /// The names of those among them that can be set.
    fn settable_names(&self) -> &'static [&'static str];
    /// The value of an own option; `None`: it isn't one of ours.
    fn option(&self, name: &str) -> Option<Result<String, Error>>;
    /// The operating system's handle for a direction.
    fn os_handle(&self, direction: Mask) -> Option<*mut c_void>;
    /// The channel moves between threads.
    fn thread(&self, action: ThreadAction);
    /// One of these functions panicked: from now on every operation fails with `error`.
    fn poison(&self, error: Error);
}

/// Tcl's record of a channel type, with `closeProc` as the number that Tcl wants to see in it.
#[repr(C)]
struct Record {
    /// The name of the type.
    name: *const c_char,
    /// The version of this record, a small number.
    version: *const c_void,
    /// A marker: `close2` is to be called.
    close: *const c_void,
    /// Reads.
    input: unsafe extern "C" fn(c::ClientData, *mut c_char, c_int, *mut c_int) -> c_int,
    /// Writes.
    output: unsafe extern "C" fn(c::ClientData, *const c_char, c_int, *mut c_int) -> c_int,
    /// Never set: Tcl 9 has none.
    seek: *const c_void,
    /// Sets an option.
    set_option: unsafe extern "C" fn(
        c::ClientData,
        *mut c::Tcl_Interp,
        *const c_char,
        *const c_char,
    ) -> c_int,
    /// Tells options.
    get_option: unsafe extern "C" fn(
        c::ClientData,
        *mut c::Tcl_Interp,
        *const c_char,
        *mut c::Tcl_DString,
    ) -> c_int,
    /// Says what to watch.
    watch: unsafe extern "C" fn(c::ClientData, c_int),
    /// Tells the operating system's handle.
    get_handle: unsafe extern "C" fn(c::ClientData, c_int, *mut c::ClientData) -> c_int,
    /// Closes.
    close2: unsafe extern "C" fn(c::ClientData, *mut c::Tcl_Interp, c_int) -> c_int,
    /// Sets blocking or non-blocking.
    block_mode: unsafe extern "C" fn(c::ClientData, c_int) -> c_int,
    /// Not set.
    flush: *const c_void,
    /// Takes events from below.
    handler: unsafe extern "C" fn(c::ClientData, c_int) -> c_int,
    /// Not set.
    wide_seek: *const c_void,
    /// Hears of a move between threads.
    thread_action: unsafe extern "C" fn(c::ClientData, c_int),
    /// Not set.
    truncate: *const c_void,
}

/// The type of a driver's channels.
#[repr(transparent)]
pub(crate) struct Kind<D> {
    /// What Tcl reads.
    record: Record,
    /// Whose.
    driver: PhantomData<fn(D)>,
}

// SAFETY: the record is never written, and what it points to is static.
unsafe impl<D> Sync for Kind<D> {}

impl<D: Driver> Kind<D> {
    /// The type named `name`.
    pub(crate) const fn new(name: &'static CStr) -> Self {
        let record = Record {
            name: name.as_ptr(),
            version: std::ptr::without_provenance(5),
            close: std::ptr::without_provenance(1),
            input: input::<D>,
            output: output::<D>,
            seek: std::ptr::null(),
            set_option: set_option::<D>,
            get_option: get_option::<D>,
            watch: watch::<D>,
            get_handle: get_handle::<D>,
            close2: close2::<D>,
            block_mode: block_mode::<D>,
            flush: std::ptr::null(),
            handler: handler::<D>,
            wide_seek: std::ptr::null(),
            thread_action: thread_action::<D>,
            truncate: std::ptr::null(),
        };
        Self {
            record,
            driver: PhantomData,
        }
    }

    /// The record, for Tcl.
    pub(super) fn as_ptr(&'static self) -> *const c::Tcl_ChannelType {
        (&raw const self.record).cast()
    }
}

/// The instance behind a channel's data, with a count of its own.
///
/// # Safety
///
/// `data` must be the data of a channel of driver `D` that isn't closed.
pub(super) unsafe fn instance<D: Driver>(data: c::ClientData) -> Rc<D> {
    let instance: *const D = data.cast_const().cast();
    // SAFETY: the caller says so, and Tcl holds one count until the channel is closed.
    unsafe { Rc::increment_strong_count(instance) };
    // SAFETY: takes over the count of the line above.
    unsafe { Rc::from_raw(instance) }
}

/// Runs a driver call; a panic becomes `fallback` and is remembered as the channel's error.
fn guarded<D: Driver, R>(data: c::ClientData, fallback: R, call: impl FnOnce(&D) -> R) -> R {
    // SAFETY: Tcl calls the trampolines with the data of a channel that isn't closed.
    let driver = unsafe { instance::<D>(data) };
    catch_unwind(AssertUnwindSafe(|| call(&driver))).unwrap_or_else(|_| {
        let error = Error::panic("a channel driver");
        if let Some(channel) = driver.channel() {
            set_channel_error(channel, &error);
        }
        driver.poison(error);
        fallback
    })
}

/// Attaches an error to a channel: what the script's read, write or close raises instead of the operating system's text.
fn set_channel_error(channel: Channel, error: &Error) {
    let code = Obj::list(error.code().iter().map(|word| Obj::text(word)));
    let message = Obj::list([
        Obj::text("-code"),
        Obj::text("error"),
        Obj::text("-level"),
        Obj::text("0"),
        Obj::text("-errorcode"),
        code,
        Obj::text(&error.message()),
    ]);
    // SAFETY: the channel is alive, as its driver is being called; Tcl takes its own reference to the message.
    unsafe { c::Tcl_SetChannelError(channel.as_ptr(), message.as_ptr()) };
}

/// The error in what a driver has attached to its channel: return options with their values, and behind them the message.
pub(super) fn channel_error(attached: &Obj) -> Error {
    let words = attached.as_list().unwrap_or_default();
    let (options, message) = match words.split_last() {
        Some((message, options)) if options.len().is_multiple_of(2) => (options, message),
        _ => (&[][..], attached),
    };
    let code = options
        .chunks_exact(2)
        .find(|pair| pair[0].as_text() == "-errorcode");
    Error::Script {
        code: super::interp::code_words(code.map(|pair| &pair[1])),
        message: message.as_text().into_owned(),
    }
}

/// Runs a read or write; the C result, with errno and channel error set if it failed, and untouched if it didn't.
fn transferred<D: Driver>(
    data: c::ClientData,
    errno: *mut c_int,
    transfer: impl FnOnce(&D) -> Result<usize, Failure>,
) -> c_int {
    let outcome = guarded(data, Err(libc::EIO), |driver| {
        transfer(driver).map_err(|failure| {
            if let (Some(error), Some(channel)) = (&failure.error, driver.channel()) {
                set_channel_error(channel, error);
            }
            failure.errno
        })
    });
    match outcome {
        Ok(count) => c_int::try_from(count).unwrap_or(c_int::MAX),
        Err(number) => {
            // SAFETY: Tcl gives a valid place for the error number.
            unsafe { errno.write(number) };
            -1
        }
    }
}

/// Tcl wants to read.
unsafe extern "C" fn input<D: Driver>(
    data: c::ClientData,
    buffer: *mut c_char,
    size: c_int,
    errno: *mut c_int,
) -> c_int {
    transferred(data, errno, |driver: &D| {
        let size = usize::try_from(size).unwrap_or(0);
        // SAFETY: Tcl gives a buffer of that size to the driver alone; it was initialised or is only written to.
        driver.input(unsafe { ffi::bytes_mut(buffer.cast(), size) })
    })
}

/// Tcl wants to write.
unsafe extern "C" fn output<D: Driver>(
    data: c::ClientData,
    bytes: *const c_char,
    size: c_int,
    errno: *mut c_int,
) -> c_int {
    transferred(data, errno, |driver: &D| {
        let size = usize::try_from(size).unwrap_or(0);
        // SAFETY: Tcl gives so many bytes for the time of the call.
        driver.output(unsafe { ffi::bytes(bytes.cast(), size) })
    })
}

/// Tcl closes the channel, or one direction of it, which a stacked channel doesn't support.
unsafe extern "C" fn close2<D: Driver>(
    data: c::ClientData,
    interp: *mut c::Tcl_Interp,
    flags: c_int,
) -> c_int {
    if flags != 0 {
        return libc::EINVAL;
    }
    let outcome = guarded::<D, _>(data, libc::EIO, |driver| {
        // The driver forgets it, while Tcl has it until this returns.
        let channel = driver.channel();
        // A channel that is about to be closed is in no interpreter any more.
        let popped = call_interp(interp)
            .zip(channel)
            .is_some_and(|(interp, channel)| channel.is_registered(interp));
        match driver.close(popped) {
            Ok(()) => 0,
            Err(failure) => {
                if let (Some(error), Some(channel)) = (&failure.error, channel) {
                    set_channel_error(channel, error);
                }
                failure.errno
            }
        }
    });
    // SAFETY: this is the count that `Channel::stack` gave to Tcl, which never calls with this data again.
    drop(unsafe { Rc::from_raw(data.cast_const().cast::<D>()) });
    outcome
}

/// Tcl says which events are wanted.
unsafe extern "C" fn watch<D: Driver>(data: c::ClientData, mask: c_int) {
    guarded::<D, _>(data, (), |driver| driver.watch(Mask::from_raw(mask)));
}

/// Events of the channel below; what is returned goes up.
unsafe extern "C" fn handler<D: Driver>(data: c::ClientData, mask: c_int) -> c_int {
    guarded::<D, _>(data, mask, |driver| {
        driver.handle(Mask::from_raw(mask)).as_raw()
    })
}

/// Tcl makes the channel blocking or non-blocking.
unsafe extern "C" fn block_mode<D: Driver>(data: c::ClientData, mode: c_int) -> c_int {
    guarded::<D, _>(data, libc::EIO, |driver| {
        driver.set_blocking(mode == c::TCL_MODE_BLOCKING.cast_signed());
        0
    })
}

/// Tcl moves the channel between threads.
unsafe extern "C" fn thread_action<D: Driver>(data: c::ClientData, action: c_int) {
    let action = match action == c::TCL_CHANNEL_THREAD_REMOVE.cast_signed() {
        true => ThreadAction::Remove,
        false => ThreadAction::Insert,
    };
    guarded::<D, _>(data, (), |driver| driver.thread(action));
}

/// Tcl asks for the operating system's handle.
unsafe extern "C" fn get_handle<D: Driver>(
    data: c::ClientData,
    direction: c_int,
    handle: *mut c::ClientData,
) -> c_int {
    guarded::<D, _>(data, 1, |driver| {
        match driver.os_handle(Mask::from_raw(direction)) {
            Some(value) if !handle.is_null() => {
                // SAFETY: Tcl gives a valid place for the handle.
                unsafe { handle.write(value) };
                0
            }
            _ => 1,
        }
    })
}

/// The text of a C string in Tcl's encoding.
///
/// # Safety
///
/// `text` must be a valid C string.
pub(super) unsafe fn c_text(text: *const c_char) -> String {
    // SAFETY: the caller says so.
    let text = unsafe { CStr::from_ptr(text) };
    utf::from_tcl(text.to_bytes()).into_owned()
}

/// The interpreter of a call, which may be absent.
fn call_interp<'a>(interp: *mut c::Tcl_Interp) -> Option<Interp<'a>> {
    // SAFETY: null, or an interpreter that Tcl keeps alive for the call.
    (!interp.is_null()).then(|| unsafe { Interp::from_raw(interp) })
}

/// Reports an error of an option call, if there is somebody to hear it.
fn option_failed(interp: Option<Interp<'_>>, error: &Error) -> c_int {
    if let Some(interp) = interp {
        interp.set_error(error);
    }
    c::TCL_ERROR.cast_signed()
}

/// The script sets an option: one of ours, or else of the channel below.
unsafe extern "C" fn set_option<D: Driver>(
    data: c::ClientData,
    interp: *mut c::Tcl_Interp,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    guarded::<D, _>(data, c::TCL_ERROR.cast_signed(), |driver| {
        let owner = call_interp(interp);
        // SAFETY: Tcl gives valid C strings.
        let name_text = unsafe { c_text(name) };
        // SAFETY: Tcl gives valid C strings.
        let value_text = unsafe { c_text(value) };
        match driver.set_option(owner, &name_text, &value_text) {
            Some(Ok(())) => 0,
            Some(Err(error)) => option_failed(owner, &error),
            None => match driver.channel().and_then(Channel::below) {
                Some(below) => {
                    // SAFETY: the strings are those that Tcl gave, the channel below is alive while ours is.
                    let status = unsafe { below.pass_set_option(interp, name, value) };
                    add_names(status, owner, &name_text, driver.settable_names())
                }
                None => c::TCL_ERROR.cast_signed(),
            },
        }
    })
}

/// The script asks for an option or for all: ours, and those of the channel below.
unsafe extern "C" fn get_option<D: Driver>(
    data: c::ClientData,
    interp: *mut c::Tcl_Interp,
    name: *const c_char,
    string: *mut c::Tcl_DString,
) -> c_int {
    guarded::<D, _>(data, c::TCL_ERROR.cast_signed(), |driver| {
        let below = driver.channel().and_then(Channel::below);
        let pass = |layer: Option<Channel>| match layer {
            // SAFETY: the arguments are those that Tcl gave, and the channels below are alive while ours is.
            Some(layer) => unsafe { layer.pass_get_option(interp, name, string) },
            None => 0,
        };
        if name.is_null() {
            for own in driver.option_names() {
                if let Some(Ok(value)) = driver.option(own) {
                    append(string, own);
                    append(string, &value);
                }
            }
            // Of two layers of a kind, the options of the lower one would be taken for those of the upper one.
            let mut layers = std::iter::successors(below, |layer| layer.below());
            return pass(layers.find(|layer| layer.driver::<D>().is_none()));
        }
        // SAFETY: Tcl gives a valid C string.
        let name_text = unsafe { c_text(name) };
        match driver.option(&name_text) {
            Some(Ok(value)) => {
                let value = utf::to_c(&value);
                // SAFETY: Tcl gives a valid string to append to; a single value isn't quoted as an element.
                unsafe { c::Tcl_DStringAppend(string, value.as_ptr(), -1) };
                0
            }
            Some(Err(error)) => option_failed(call_interp(interp), &error),
            None => add_names(
                pass(below),
                call_interp(interp),
                &name_text,
                driver.option_names(),
            ),
        }
    })
}

/// Where the channel below refused an option that it doesn't know, puts `names` before those that it names, unless they
/// are there already. Returns its status.
fn add_names(
    status: c_int,
    interp: Option<Interp<'_>>,
    option: &str,
    names: &'static [&'static str],
) -> c_int {
    let Some(interp) = interp.filter(|_| status != 0) else {
        return status;
    };
    let message = interp.result();
    let message = message.as_text();
    let start = format!("bad option \"{option}\": should be one of ");
    let names = names.join(", ");
    if let Some(rest) = message.strip_prefix(&start)
        && !rest.starts_with(&names)
    {
        interp.set_result(&Obj::text(&format!("{start}{names}, {rest}")));
    }
    status
}

/// Appends an element to Tcl's string.
fn append(string: *mut c::Tcl_DString, element: &str) {
    let element: CString = utf::to_c(element);
    // SAFETY: Tcl gave the string, and copies the element.
    unsafe { c::Tcl_DStringAppendElement(string, element.as_ptr()) };
}
