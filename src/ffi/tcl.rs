//! Tcl's C API: one function per stub slot in use, under its C name, for Tcl 8.6 and Tcl 9 alike.
//!
//! Types come from tcl-sys; none of its functions is called, so that the library doesn't depend on libtcl. What the
//! two major versions see differently is handled here and nowhere else: sizes are `int` in 8.6 and pointer-wide in 9.
//! As arguments they are always passed pointer-wide (8.6 looks at the lower half), as results and out-parameters
//! they are read by the version that is there. The list below is the coverage of the Tcl API.

#![expect(non_snake_case, reason = "the names are C's")]

use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::{c_char, c_int, c_uchar, c_void};

pub(crate) use tcl_sys::{
    ClientData, TCL_CHANNEL_THREAD_REMOVE, TCL_ERROR, TCL_EVAL_GLOBAL, TCL_EXCEPTION,
    TCL_MODE_BLOCKING, TCL_MODE_NONBLOCKING, TCL_READABLE, TCL_WRITABLE, Tcl_AsyncHandler,
    Tcl_AsyncProc, Tcl_Channel, Tcl_ChannelProc, Tcl_ChannelType, Tcl_CmdDeleteProc, Tcl_Command,
    Tcl_DString, Tcl_Event, Tcl_FileProc, Tcl_Interp, Tcl_InterpDeleteProc, Tcl_InterpState,
    Tcl_Namespace, Tcl_Obj, Tcl_ObjCmdProc, Tcl_TimerProc, Tcl_TimerToken,
};

use tcl_sys::TclStubs;

/// Tcl's size type: pointer-wide as in Tcl 9.
pub(crate) type Size = isize;

/// The stub table of the Tcl that loaded this library; the same for every interpreter of the process.
static STUBS: AtomicPtr<TclStubs> = AtomicPtr::new(std::ptr::null_mut());

/// Whether that is Tcl 8.
static TCL8: AtomicBool = AtomicBool::new(false);

/// The mark of a Tcl 8 stub table.
const MAGIC_8: u32 = 0xFCA3_BACF;

/// The mark of a Tcl 9 stub table where pointers have 8 bytes.
const MAGIC_9: u32 = 0xFCA3_BACB + 8;

// The sizes as arguments, the magic number and the head of Tcl_Obj are right on such machines only.
const _: () = assert!(size_of::<*const ()>() == 8, "a 64-bit machine is needed");

/// The beginning of an interpreter, which is public and the same in both versions.
#[repr(C)]
struct InterpHead {
    /// Formerly the result.
    result: *const c_void,
    /// Formerly the result's free function.
    free_proc: *const c_void,
    /// The line of the last error.
    error_line: c_int,
    /// The stub table.
    stubs: *mut TclStubs,
}

/// Takes the stub table from an interpreter. `false`: it isn't that of a Tcl 8.6 or 9.
///
/// # Safety
///
/// `interp` must be a live interpreter, and the calling thread its own.
pub(crate) unsafe fn init_stubs(interp: *mut Tcl_Interp) -> bool {
    // SAFETY: every interpreter begins with these fields, and the caller says that this one is alive.
    let stubs = unsafe { (*interp.cast::<InterpHead>()).stubs };
    if stubs.is_null() {
        return false;
    }
    // SAFETY: the magic number is the first field of every stub table of every version.
    let magic = unsafe { (*stubs).magic }.cast_unsigned();
    if magic != MAGIC_8 && magic != MAGIC_9 {
        return false;
    }
    TCL8.store(magic == MAGIC_8, Ordering::Relaxed);
    STUBS.store(stubs, Ordering::Release);
    let (mut major, mut minor) = (0, 0);
    // SAFETY: Tcl_GetVersion writes to the pointers that aren't null.
    unsafe {
        Tcl_GetVersion(
            &raw mut major,
            &raw mut minor,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
    }
    major == 9 || (major == 8 && minor >= 6)
}

/// Whether the Tcl that loaded us is Tcl 8, where a string's characters end at U+FFFF and channels know no profiles.
pub(crate) fn is_tcl8() -> bool {
    TCL8.load(Ordering::Relaxed)
}

/// The function in the slot at `offset` of the stub table.
fn slot(offset: usize) -> *const c_void {
    let stubs = STUBS.load(Ordering::Acquire);
    assert!(
        !stubs.is_null(),
        "Tcl's stub table was used before it was taken"
    );
    let place = stubs.wrapping_byte_add(offset).cast::<*const c_void>();
    // SAFETY: `offset` is that of a slot (the macro below computes it), and tables of both versions have all of them.
    let slot = unsafe { place.read() };
    assert!(
        !slot.is_null(),
        "this Tcl has an empty slot at offset {offset}"
    );
    slot
}

/// The offset of a slot that only Tcl 9 has, by its number.
const fn offset_9(number: usize) -> usize {
    2 * size_of::<*const c_void>() + number * size_of::<*const c_void>()
}

/// A size that Tcl stores through a pointer: 8.6 writes an `int`, 9 a pointer-wide integer.
#[repr(transparent)]
#[derive(Debug, Default)]
pub(crate) struct SizeOut(isize);

impl SizeOut {
    /// What was stored; never negative.
    pub(crate) fn value(&self) -> usize {
        let value = match is_tcl8() {
            // SAFETY: an isize is larger than an int and at least as strictly aligned.
            true => unsafe {
                isize::try_from((&raw const self.0).cast::<c_int>().read()).unwrap_or(0)
            },
            false => self.0,
        };
        usize::try_from(value).unwrap_or(0)
    }
}

/// What a result of C type `int` (8.6) or `Tcl_Size` (9) is.
fn size_result(raw: isize) -> isize {
    match is_tcl8() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "8.6 sets the lower half alone"
        )]
        true => raw as c_int as isize,
        false => raw,
    }
}

/// Declares functions by slot. `-> Size` marks a result that is an `int` in 8.6; `| N` names the slot of Tcl 9
/// where that is another one, and a number alone is the slot of a function that only Tcl 9 has.
macro_rules! slots {
    () => {};
    (fn $name:ident($($arg:ident: $type:ty),*) -> Size = $slot:ident; $($rest:tt)*) => {
        #[doc = concat!("The C function of this name, slot `", stringify!($slot), "`.\n\n# Safety\n\nAs Tcl's manual says.")]
        pub(crate) unsafe fn $name($($arg: $type),*) -> Size {
            type Slot = unsafe extern "C" fn($($type),*) -> Size;
            let slot = slot(offset_of!(TclStubs, $slot));
            // SAFETY: the slot holds a function of this type, up to the width of sizes (see the file's head).
            let function = unsafe { std::mem::transmute::<*const c_void, Slot>(slot) };
            // SAFETY: the caller keeps the conditions of Tcl's manual.
            size_result(unsafe { function($($arg),*) })
        }
        slots! { $($rest)* }
    };
    (fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty = $nine:literal; $($rest:tt)*) => {
        #[doc = concat!("The C function of this name, slot ", stringify!($nine), ".\n\n# Safety\n\nAs Tcl's manual says. In Tcl 9 alone.")]
        pub(crate) unsafe fn $name($($arg: $type),*) -> $result {
            type Slot = unsafe extern "C" fn($($type),*) -> $result;
            let slot = slot(offset_9($nine));
            // SAFETY: the caller says that this is Tcl 9, whose slot holds a function of this type.
            let function = unsafe { std::mem::transmute::<*const c_void, Slot>(slot) };
            // SAFETY: the caller keeps the conditions of Tcl's manual.
            unsafe { function($($arg),*) }
        }
        slots! { $($rest)* }
    };
    (fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $slot:ident $(| $nine:literal)?; $($rest:tt)*) => {
        #[doc = concat!("The C function of this name, slot `", stringify!($slot), "`.\n\n# Safety\n\nAs Tcl's manual says.")]
        pub(crate) unsafe fn $name($($arg: $type),*) $(-> $result)? {
            type Slot = unsafe extern "C" fn($($type),*) $(-> $result)?;
            let offset = offset_of!(TclStubs, $slot);
            $(let offset = if is_tcl8() { offset } else { offset_9($nine) };)?
            // SAFETY: the slot holds a function of this type, up to the width of sizes (see the file's head).
            let function = unsafe { std::mem::transmute::<*const c_void, Slot>(slot(offset)) };
            // SAFETY: the caller keeps the conditions of Tcl's manual.
            unsafe { function($($arg),*) }
        }
        slots! { $($rest)* }
    };
}

/// `TCL_QUEUE_TAIL`: behind the events that wait already.
pub(crate) const TCL_QUEUE_TAIL: c_int = 0;

slots! {
    fn Tcl_Alloc(size: usize) -> *mut c_char = tcl_Alloc;
    fn Tcl_AsyncCreate(function: Tcl_AsyncProc, data: ClientData) -> Tcl_AsyncHandler = tcl_AsyncCreate;
    fn Tcl_AsyncDelete(handler: Tcl_AsyncHandler) = tcl_AsyncDelete;
    fn Tcl_AsyncMark(handler: Tcl_AsyncHandler) = tcl_AsyncMark;
    fn Tcl_BackgroundException(interp: *mut Tcl_Interp, code: c_int) = tcl_BackgroundException;
    fn Tcl_BadChannelOption(interp: *mut Tcl_Interp, option: *const c_char, list: *const c_char) -> c_int = tcl_BadChannelOption;
    fn Tcl_ChannelBuffered(chan: Tcl_Channel) -> c_int = tcl_ChannelBuffered;
    fn Tcl_CloseEx(interp: *mut Tcl_Interp, chan: Tcl_Channel, flags: c_int) -> c_int = tcl_CloseEx;
    fn Tcl_CreateChannelHandler(chan: Tcl_Channel, mask: c_int, function: Tcl_ChannelProc, data: ClientData) = tcl_CreateChannelHandler;
    fn Tcl_CreateFileHandler(descriptor: c_int, mask: c_int, function: Tcl_FileProc, data: ClientData) = tcl_CreateFileHandler;
    fn Tcl_CreateNamespace(interp: *mut Tcl_Interp, name: *const c_char, data: ClientData, delete: *const c_void) -> *mut Tcl_Namespace = tcl_CreateNamespace;
    fn Tcl_CreateObjCommand(interp: *mut Tcl_Interp, name: *const c_char, function: Tcl_ObjCmdProc, data: ClientData, delete: Tcl_CmdDeleteProc) -> Tcl_Command = tcl_CreateObjCommand;
    fn Tcl_CreateTimerHandler(milliseconds: c_int, function: Tcl_TimerProc, data: ClientData) -> Tcl_TimerToken = tcl_CreateTimerHandler;
    fn Tcl_DStringAppendElement(string: *mut Tcl_DString, element: *const c_char) -> *mut c_char = tcl_DStringAppendElement;
    fn Tcl_DStringAppend(string: *mut Tcl_DString, bytes: *const c_char, length: Size) -> *mut c_char = tcl_DStringAppend;
    fn Tcl_DStringFree(string: *mut Tcl_DString) = tcl_DStringFree;
    fn Tcl_DStringInit(string: *mut Tcl_DString) = tcl_DStringInit;
    fn Tcl_DbDecrRefCount(object: *mut Tcl_Obj, file: *const c_char, line: c_int) = tcl_DbDecrRefCount;
    fn Tcl_DbIncrRefCount(object: *mut Tcl_Obj, file: *const c_char, line: c_int) = tcl_DbIncrRefCount;
    fn Tcl_DeleteChannelHandler(chan: Tcl_Channel, function: Tcl_ChannelProc, data: ClientData) = tcl_DeleteChannelHandler;
    fn Tcl_DeleteFileHandler(descriptor: c_int) = tcl_DeleteFileHandler;
    fn Tcl_DeleteTimerHandler(token: Tcl_TimerToken) = tcl_DeleteTimerHandler;
    fn Tcl_DictObjPut(interp: *mut Tcl_Interp, dict: *mut Tcl_Obj, key: *mut Tcl_Obj, value: *mut Tcl_Obj) -> c_int = tcl_DictObjPut;
    fn Tcl_DetachChannel(interp: *mut Tcl_Interp, chan: Tcl_Channel) -> c_int = tcl_DetachChannel;
    fn Tcl_DoOneEvent(flags: c_int) -> c_int = tcl_DoOneEvent;
    fn Tcl_ErrnoId() -> *const c_char = tcl_ErrnoId;
    fn Tcl_ErrnoMsg(errno: c_int) -> *const c_char = tcl_ErrnoMsg;
    fn Tcl_EvalObjv(interp: *mut Tcl_Interp, objc: Size, objv: *const *mut Tcl_Obj, flags: c_int) -> c_int = tcl_EvalObjv;
    fn Tcl_FSGetNativePath(path: *mut Tcl_Obj) -> *const c_void = tcl_FSGetNativePath;
    fn Tcl_FSOpenFileChannel(interp: *mut Tcl_Interp, path: *mut Tcl_Obj, mode: *const c_char, permissions: c_int) -> Tcl_Channel = tcl_FSOpenFileChannel;
    fn Tcl_Flush(chan: Tcl_Channel) -> c_int = tcl_Flush;
    fn Tcl_GetAssocData(interp: *mut Tcl_Interp, name: *const c_char, function: *mut Tcl_InterpDeleteProc) -> ClientData = tcl_GetAssocData;
    fn Tcl_GetBooleanFromObj(interp: *mut Tcl_Interp, object: *mut Tcl_Obj, value: *mut c_int) -> c_int = tcl_GetBooleanFromObj;
    fn Tcl_GetByteArrayFromObj(object: *mut Tcl_Obj, length: *mut SizeOut) -> *mut c_uchar = tcl_GetByteArrayFromObj;
    fn Tcl_GetBytesFromObj(interp: *mut Tcl_Interp, object: *mut Tcl_Obj, length: *mut SizeOut) -> *mut c_uchar = 650;
    fn Tcl_GetChannel(interp: *mut Tcl_Interp, name: *const c_char, mode: *mut c_int) -> Tcl_Channel = tcl_GetChannel;
    fn Tcl_GetChannelBufferSize(chan: Tcl_Channel) -> c_int = tcl_GetChannelBufferSize;
    fn Tcl_GetChannelError(chan: Tcl_Channel, message: *mut *mut Tcl_Obj) = tcl_GetChannelError;
    fn Tcl_GetChannelHandle(chan: Tcl_Channel, direction: c_int, handle: *mut ClientData) -> c_int = tcl_GetChannelHandle;
    fn Tcl_GetChannelInstanceData(chan: Tcl_Channel) -> ClientData = tcl_GetChannelInstanceData;
    fn Tcl_GetChannelMode(chan: Tcl_Channel) -> c_int = tcl_GetChannelMode;
    fn Tcl_GetChannelName(chan: Tcl_Channel) -> *const c_char = tcl_GetChannelName;
    fn Tcl_GetChannelOption(interp: *mut Tcl_Interp, chan: Tcl_Channel, option: *const c_char, string: *mut Tcl_DString) -> c_int = tcl_GetChannelOption;
    fn Tcl_GetChannelType(chan: Tcl_Channel) -> *const Tcl_ChannelType = tcl_GetChannelType;
    fn Tcl_GetCurrentThread() -> *mut c_void = tcl_GetCurrentThread;
    fn Tcl_GetErrno() -> c_int = tcl_GetErrno;
    fn Tcl_GetObjResult(interp: *mut Tcl_Interp) -> *mut Tcl_Obj = tcl_GetObjResult;
    fn Tcl_GetReturnOptions(interp: *mut Tcl_Interp, code: c_int) -> *mut Tcl_Obj = tcl_GetReturnOptions;
    fn Tcl_DictObjGet(interp: *mut Tcl_Interp, dict: *mut Tcl_Obj, key: *mut Tcl_Obj, value: *mut *mut Tcl_Obj) -> c_int = tcl_DictObjGet;
    fn Tcl_GetStackedChannel(chan: Tcl_Channel) -> Tcl_Channel = tcl_GetStackedChannel;
    fn Tcl_GetStringFromObj(object: *mut Tcl_Obj, length: *mut SizeOut) -> *mut c_char = tcl_GetStringFromObj | 651;
    fn Tcl_GetTopChannel(chan: Tcl_Channel) -> Tcl_Channel = tcl_GetTopChannel;
    fn Tcl_GetVersion(major: *mut c_int, minor: *mut c_int, patch: *mut c_int, kind: *mut c_int) = tcl_GetVersion;
    fn Tcl_GetWideIntFromObj(interp: *mut Tcl_Interp, object: *mut Tcl_Obj, value: *mut i64) -> c_int = tcl_GetWideIntFromObj;
    fn Tcl_InputBuffered(chan: Tcl_Channel) -> c_int = tcl_InputBuffered;
    fn Tcl_InterpDeleted(interp: *mut Tcl_Interp) -> c_int = tcl_InterpDeleted;
    fn Tcl_IsChannelRegistered(interp: *mut Tcl_Interp, chan: Tcl_Channel) -> c_int = tcl_IsChannelRegistered;
    fn Tcl_IsChannelShared(chan: Tcl_Channel) -> c_int = tcl_IsChannelShared;
    fn Tcl_IsSafe(interp: *mut Tcl_Interp) -> c_int = tcl_IsSafe;
    fn Tcl_ListObjGetElements(interp: *mut Tcl_Interp, list: *mut Tcl_Obj, count: *mut SizeOut, elements: *mut *mut *mut Tcl_Obj) -> c_int = tcl_ListObjGetElements | 661;
    fn Tcl_NewByteArrayObj(bytes: *const c_uchar, length: Size) -> *mut Tcl_Obj = tcl_NewByteArrayObj;
    fn Tcl_NewDictObj() -> *mut Tcl_Obj = tcl_NewDictObj;
    fn Tcl_NewListObj(count: Size, elements: *const *mut Tcl_Obj) -> *mut Tcl_Obj = tcl_NewListObj;
    fn Tcl_NewStringObj(bytes: *const c_char, length: Size) -> *mut Tcl_Obj = tcl_NewStringObj;
    fn Tcl_NewWideIntObj(value: i64) -> *mut Tcl_Obj = tcl_NewWideIntObj;
    fn Tcl_NotifyChannel(chan: Tcl_Channel, mask: c_int) = tcl_NotifyChannel;
    fn Tcl_ObjSetVar2(interp: *mut Tcl_Interp, name: *mut Tcl_Obj, key: *mut Tcl_Obj, value: *mut Tcl_Obj, flags: c_int) -> *mut Tcl_Obj = tcl_ObjSetVar2;
    fn Tcl_OutputBuffered(chan: Tcl_Channel) -> c_int = tcl_OutputBuffered;
    fn Tcl_Preserve(data: ClientData) = tcl_Preserve;
    fn Tcl_Read(chan: Tcl_Channel, buffer: *mut c_char, length: Size) -> Size = tcl_Read;
    fn Tcl_ReadRaw(chan: Tcl_Channel, buffer: *mut c_char, length: Size) -> Size = tcl_ReadRaw;
    fn Tcl_RegisterChannel(interp: *mut Tcl_Interp, chan: Tcl_Channel) = tcl_RegisterChannel;
    fn Tcl_Release(data: ClientData) = tcl_Release;
    fn Tcl_RestoreInterpState(interp: *mut Tcl_Interp, state: Tcl_InterpState) -> c_int = tcl_RestoreInterpState;
    fn Tcl_SaveInterpState(interp: *mut Tcl_Interp, status: c_int) -> Tcl_InterpState = tcl_SaveInterpState;
    fn Tcl_SetAssocData(interp: *mut Tcl_Interp, name: *const c_char, function: Tcl_InterpDeleteProc, data: ClientData) = tcl_SetAssocData;
    fn Tcl_SetChannelBufferSize(chan: Tcl_Channel, size: Size) = tcl_SetChannelBufferSize;
    fn Tcl_SetChannelError(chan: Tcl_Channel, message: *mut Tcl_Obj) = tcl_SetChannelError;
    fn Tcl_SetChannelOption(interp: *mut Tcl_Interp, chan: Tcl_Channel, option: *const c_char, value: *const c_char) -> c_int = tcl_SetChannelOption;
    fn Tcl_SetErrno(errno: c_int) = tcl_SetErrno;
    fn Tcl_SetObjErrorCode(interp: *mut Tcl_Interp, code: *mut Tcl_Obj) = tcl_SetObjErrorCode;
    fn Tcl_SetObjResult(interp: *mut Tcl_Interp, result: *mut Tcl_Obj) = tcl_SetObjResult;
    fn Tcl_StackChannel(interp: *mut Tcl_Interp, kind: *const Tcl_ChannelType, data: ClientData, mask: c_int, below: Tcl_Channel) -> Tcl_Channel = tcl_StackChannel;
    fn Tcl_ThreadAlert(thread: *mut c_void) = tcl_ThreadAlert;
    fn Tcl_ThreadQueueEvent(thread: *mut c_void, event: *mut Tcl_Event, position: c_int) = tcl_ThreadQueueEvent;
    fn Tcl_Ungets(chan: Tcl_Channel, bytes: *const c_char, length: Size, at_end: c_int) -> Size = tcl_Ungets;
    fn Tcl_UnregisterChannel(interp: *mut Tcl_Interp, chan: Tcl_Channel) -> c_int = tcl_UnregisterChannel;
    fn Tcl_UnstackChannel(interp: *mut Tcl_Interp, chan: Tcl_Channel) -> c_int = tcl_UnstackChannel;
    fn Tcl_WriteRaw(chan: Tcl_Channel, bytes: *const c_char, length: Size) -> Size = tcl_WriteRaw;
}
