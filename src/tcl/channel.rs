//! Channels: finding, stacking, and the raw ways to the channel below.

use std::ffi::CStr;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use libc::{c_char, c_int, c_void};

use crate::error::Error;
use crate::ffi::tcl as c;

use super::driver::{self, Driver};
use super::{Interp, Obj, timer, utf};

/// A set of directions or events: readable, writable, exceptional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask(u32);

impl Mask {
    /// None.
    pub(crate) const NONE: Self = Self(0);
    /// Reading.
    pub(crate) const READABLE: Self = Self(c::TCL_READABLE);
    /// Writing.
    pub(crate) const WRITABLE: Self = Self(c::TCL_WRITABLE);
    /// Both.
    pub(crate) const BOTH: Self = Self(c::TCL_READABLE | c::TCL_WRITABLE);

    /// From Tcl's bits.
    pub(super) fn from_raw(raw: c_int) -> Self {
        Self(raw.cast_unsigned() & (c::TCL_READABLE | c::TCL_WRITABLE | c::TCL_EXCEPTION))
    }

    /// As Tcl's bits.
    pub(super) fn as_raw(self) -> c_int {
        self.0.cast_signed()
    }

    /// Whether all of `other` is in here.
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of `other` only if `condition`.
    pub(crate) fn with_if(self, other: Self, condition: bool) -> Self {
        if condition { self | other } else { self }
    }

    /// Whether nothing is in here.
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for Mask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An open channel of this thread, one layer of a stack.
///
/// Nothing keeps the channel open: a driver forgets its handles when it is closed, a command uses one for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channel(c::Tcl_Channel);

impl Channel {
    /// The top of the stack that a script calls `name`.
    pub(crate) fn find(interp: Interp<'_>, name: &Obj) -> Option<Self> {
        let name = utf::to_c(&name.as_text());
        // SAFETY: the interpreter is alive; null is fine for the mode.
        let found =
            unsafe { c::Tcl_GetChannel(interp.as_ptr(), name.as_ptr(), std::ptr::null_mut()) };
        if found.is_null() {
            return None;
        }
        // SAFETY: the channel was just found, so it is open.
        Some(Self(unsafe { c::Tcl_GetTopChannel(found) }))
    }

    /// The pointer.
    pub(super) fn as_ptr(self) -> c::Tcl_Channel {
        self.0
    }

    /// The name.
    pub(crate) fn name(self) -> String {
        // SAFETY: the channel is open.
        let name = unsafe { c::Tcl_GetChannelName(self.0) };
        // SAFETY: every channel has a name.
        unsafe { driver::c_text(name) }
    }

    /// The directions in which the channel is open.
    pub(crate) fn mode(self) -> Mask {
        // SAFETY: the channel is open.
        Mask::from_raw(unsafe { c::Tcl_GetChannelMode(self.0) })
    }

    /// The layer below this one.
    pub(crate) fn below(self) -> Option<Self> {
        // SAFETY: the channel is open.
        let below = unsafe { c::Tcl_GetStackedChannel(self.0) };
        (!below.is_null()).then_some(Self(below))
    }

    /// This layer's driver, where it is a `D`.
    pub(crate) fn driver<D: Driver>(self) -> Option<Rc<D>> {
        // SAFETY: the channel is open.
        let kind = unsafe { c::Tcl_GetChannelType(self.0) };
        if kind != D::kind().as_ptr() {
            return None;
        }
        // SAFETY: the type says that the data is that of a `D`, and the channel is open.
        Some(unsafe { driver::instance::<D>(self.data()) })
    }

    /// Puts a driver on top of this stack; its channel, or the error that Tcl reports.
    pub(crate) fn stack<D: Driver>(self, interp: Interp<'_>, driver: Rc<D>) -> Result<Self, Error> {
        let data = Rc::into_raw(driver);
        let mask = Mask::BOTH.as_raw();
        let data_pointer = data.cast_mut().cast::<c_void>();
        // SAFETY: the channel is open, the type is static, and the data is a counted instance that Tcl now holds.
        let stacked = unsafe {
            c::Tcl_StackChannel(
                interp.as_ptr(),
                D::kind().as_ptr(),
                data_pointer,
                mask,
                self.0,
            )
        };
        if stacked.is_null() {
            // SAFETY: Tcl didn't take the count over.
            drop(unsafe { Rc::from_raw(data) });
            return Err(interp.script_error(1));
        }
        Ok(Self(stacked))
    }

    /// Has Tcl tell the top layer which events the scripts wait for. It tells a layer of its own accord only when that
    /// changes, so that a new one would never hear of handlers that were there before.
    pub(crate) fn announce_interest(self) {
        // SAFETY: the channel is open, and the handler is gone before anything can call it.
        unsafe {
            c::Tcl_CreateChannelHandler(self.0, 0, Some(ignore_events), std::ptr::null_mut());
        }
        // SAFETY: the channel is open.
        unsafe {
            c::Tcl_DeleteChannelHandler(self.0, Some(ignore_events), std::ptr::null_mut());
        }
    }

    /// Takes the top layer off this stack. Tcl closes its driver.
    pub(crate) fn unstack(self, interp: Interp<'_>) -> Result<(), Error> {
        // SAFETY: the channel is open.
        match unsafe { c::Tcl_UnstackChannel(interp.as_ptr(), self.0) } {
            0 => Ok(()),
            code => Err(interp.script_error(code)),
        }
    }

    /// Reads what the layer has, without translation; 0 is the end of the data.
    pub(crate) fn read_raw(self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = buffer.len().cast_signed();
        // SAFETY: the channel is open; the buffer is ours and has that size.
        counted(unsafe { c::Tcl_ReadRaw(self.0, buffer.as_mut_ptr().cast(), size) })
    }

    /// Writes to the layer, without translation.
    pub(crate) fn write_raw(self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the channel is open; the bytes are there for the call.
        counted(unsafe {
            c::Tcl_WriteRaw(self.0, bytes.as_ptr().cast(), bytes.len().cast_signed())
        })
    }

    /// Reads as a script would, but bytes. Only for a channel whose translation and encoding are binary.
    pub(crate) fn read(self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the channel is open; the buffer is ours and has that size.
        counted(unsafe {
            c::Tcl_Read(
                self.0,
                buffer.as_mut_ptr().cast(),
                buffer.len().cast_signed(),
            )
        })
    }

    /// Puts bytes in front of what will be read next.
    pub(crate) fn unread(self, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: the channel is open, and Tcl copies the bytes.
        counted(unsafe {
            c::Tcl_Ungets(self.0, bytes.as_ptr().cast(), bytes.len().cast_signed(), 0)
        })
        .map(|_| ())
    }

    /// Writes out what is buffered; in a non-blocking channel perhaps in the background.
    pub(crate) fn flush(self) -> io::Result<()> {
        // SAFETY: the channel is open.
        counted(isize::try_from(unsafe { c::Tcl_Flush(self.0) }).unwrap_or(-1)).map(|_| ())
    }

    /// How many bytes of input Tcl holds for this stack.
    pub(crate) fn input_buffered(self) -> usize {
        // SAFETY: the channel is open.
        usize::try_from(unsafe { c::Tcl_InputBuffered(self.0) }).unwrap_or(0)
    }

    /// Whether this layer gives input that was read before another was put on top of it: no event tells of that.
    pub(crate) fn has_pushed_back(self) -> bool {
        // SAFETY: the channel is open.
        unsafe { c::Tcl_ChannelBuffered(self.0) > 0 }
    }

    /// How many bytes of output Tcl holds for this stack.
    pub(crate) fn output_buffered(self) -> usize {
        // SAFETY: the channel is open.
        usize::try_from(unsafe { c::Tcl_OutputBuffered(self.0) }).unwrap_or(0)
    }

    /// The size of the stack's buffers.
    pub(crate) fn buffer_size(self) -> usize {
        // SAFETY: the channel is open.
        usize::try_from(unsafe { c::Tcl_GetChannelBufferSize(self.0) }).unwrap_or(0)
    }

    /// Sets the size of buffers that are made from now on. Not while the driver reads: Tcl frees the buffer that it
    /// reads into, if that is empty.
    pub(crate) fn set_buffer_size(self, size: usize) {
        // SAFETY: the channel is open.
        unsafe { c::Tcl_SetChannelBufferSize(self.0, size.cast_signed()) };
    }

    /// Has a TCP socket send what it is given at once. What isn't one has no such setting, and needs none.
    pub(crate) fn send_at_once(self) {
        self.set_tcp_flag(libc::TCP_NODELAY);
    }

    /// Switches on a setting of TCP sockets.
    fn set_tcp_flag(self, flag: c_int) {
        let Some(Ok(descriptor)) = self
            .os_handle(Mask::WRITABLE)
            .map(|handle| c_int::try_from(handle.addr()))
        else {
            return;
        };
        let on: c_int = 1;
        // SAFETY: the value is an int that lives during the call; for what is no socket the call fails.
        unsafe {
            libc::setsockopt(
                descriptor,
                libc::IPPROTO_TCP,
                flag,
                (&raw const on).cast(),
                libc::socklen_t::try_from(size_of::<c_int>()).unwrap_or(0),
            );
        }
    }

    /// Has a TCP socket acknowledge what comes next at once, not after a moment in which something else may be sent. What
    /// isn't one has no such setting, and needs none.
    pub(crate) fn acknowledge_at_once(self) {
        self.set_tcp_flag(libc::TCP_QUICKACK);
    }

    /// Ends a socket's connection in both directions: what waits to be written won't be. What is no socket stays.
    pub(crate) fn sever(self) {
        let handle = self.os_handle(Mask::WRITABLE);
        if let Some(Ok(descriptor)) = handle.map(|handle| c_int::try_from(handle.addr())) {
            // SAFETY: touches no memory; for what is no socket the call fails.
            unsafe { libc::shutdown(descriptor, libc::SHUT_RDWR) };
        }
    }

    /// The address that a TCP socket is connected to; `None` for what is no such socket or not connected yet.
    pub(crate) fn peer_address(self) -> Option<SocketAddr> {
        let descriptor = c_int::try_from(self.os_handle(Mask::WRITABLE)?.addr()).ok()?;
        let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut size = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>()).unwrap_or(0);
        // SAFETY: there is as much room as `size` says; for what is no socket the call fails.
        if unsafe { libc::getpeername(descriptor, address.as_mut_ptr().cast(), &raw mut size) } != 0
        {
            return None;
        }
        let start = address.as_ptr();
        // SAFETY: zeros are a valid address, of no family, and the call only wrote a valid one over it.
        match c_int::from(unsafe { (*start).ss_family }) {
            libc::AF_INET => {
                // SAFETY: the family says which address it is, and there is room for any.
                let address = unsafe { start.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
                Some(SocketAddr::from((ip, u16::from_be(address.sin_port))))
            }
            libc::AF_INET6 => {
                // SAFETY: the family says which address it is, and there is room for any.
                let address = unsafe { start.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
                Some(SocketAddr::from((ip, u16::from_be(address.sin6_port))))
            }
            _ => None,
        }
    }

    /// Tells this layer and those above that events have come.
    pub(crate) fn notify(self, mask: Mask) {
        // SAFETY: the channel is open.
        unsafe { c::Tcl_NotifyChannel(self.0, mask.as_raw()) };
    }

    /// Tells this layer's driver which events to watch for.
    pub(crate) fn watch(self, mask: Mask) {
        // SAFETY: the channel is open.
        let kind = unsafe { c::Tcl_GetChannelType(self.0) };
        // SAFETY: an open channel's type is valid, and channel types don't change.
        let watch = unsafe { (*kind).watchProc };
        if let Some(watch) = watch {
            // SAFETY: the driver's own function with the driver's own data.
            unsafe { watch(self.data(), mask.as_raw()) };
        }
    }

    /// The operating system's handle of this layer for a direction.
    pub(crate) fn os_handle(self, direction: Mask) -> Option<*mut c_void> {
        // Asked for a handle that isn't there, Tcl leaves an error behind, which the next operation would raise.
        let bottom = std::iter::successors(Some(self), |layer| layer.below()).last()?;
        // SAFETY: the channel is open.
        let kind = unsafe { c::Tcl_GetChannelType(bottom.0) };
        // SAFETY: an open channel's type is valid, and channel types don't change.
        unsafe { (*kind).getHandleProc }?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the channel is open, and the place for the handle is valid.
        let code = unsafe { c::Tcl_GetChannelHandle(self.0, direction.as_raw(), &raw mut handle) };
        (code == 0).then_some(handle)
    }

    /// Waits until the layer is ready for a direction, or until the deadline; `false` then. A layer that the operating
    /// system doesn't know is a script's, and makes progress in the event loop only: that is run once.
    pub(crate) fn wait(self, direction: Mask, deadline: Option<Instant>) -> io::Result<bool> {
        if direction.has(Mask::READABLE) && self.input_buffered() > 0 {
            return Ok(true);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        let Some(handle) = self.os_handle(direction) else {
            // SAFETY: runs one event of this thread, whatever it is; no borrow of ours is held across it.
            unsafe { c::Tcl_DoOneEvent(0) };
            return Ok(true);
        };
        let left = left.map_or(-1, |left| {
            c_int::try_from(left.as_millis() + 1).unwrap_or(c_int::MAX)
        });
        poll(handle, direction, left)
    }

    /// The error that a driver which is a script, or a layer of TLS, has left to be told in the place of the operating
    /// system's. It is told once, so that this takes it.
    pub(crate) fn take_error(self) -> Option<Error> {
        let mut message = std::ptr::null_mut();
        // SAFETY: the channel is open, and the place for the message is valid.
        unsafe { c::Tcl_GetChannelError(self.0, &raw mut message) };
        // SAFETY: null, or a value whose count Tcl has handed over.
        let message = unsafe { Obj::from_counted(message) }?;
        Some(driver::channel_error(&message))
    }

    /// Makes this layer alone block or not; `false` if its driver can't.
    pub(crate) fn set_layer_blocking(self, blocking: bool) -> bool {
        // SAFETY: the channel is open.
        let kind = unsafe { c::Tcl_GetChannelType(self.0) };
        // SAFETY: an open channel's type is valid.
        let Some(set) = (unsafe { (*kind).blockModeProc }) else {
            return false;
        };
        let mode = match blocking {
            true => c::TCL_MODE_BLOCKING,
            false => c::TCL_MODE_NONBLOCKING,
        };
        // SAFETY: the driver's own function with the driver's own data.
        unsafe { set(self.data(), mode.cast_signed()) == 0 }
    }

    /// Whether a read of this layer wouldn't wait, as far as the operating system knows.
    pub(crate) fn is_readable(self) -> bool {
        self.os_handle(Mask::READABLE)
            .is_some_and(|handle| poll(handle, Mask::READABLE, 0).unwrap_or(false))
    }

    /// The value of an option.
    pub(crate) fn option(self, name: &CStr) -> Option<String> {
        let mut string = DString::new();
        // SAFETY: the channel is open; without an interpreter an error is only a return code.
        let code = unsafe {
            c::Tcl_GetChannelOption(std::ptr::null_mut(), self.0, name.as_ptr(), string.as_ptr())
        };
        (code == 0).then(|| string.text())
    }

    /// Sets an option.
    pub(crate) fn set_option(self, name: &CStr, value: &str) -> bool {
        let value = utf::to_c(value);
        // SAFETY: the channel is open, the strings are valid; without an interpreter an error is only a return code.
        unsafe {
            c::Tcl_SetChannelOption(std::ptr::null_mut(), self.0, name.as_ptr(), value.as_ptr())
                == 0
        }
    }

    /// Whether the channel is in blocking mode.
    pub(crate) fn is_blocking(self) -> bool {
        self.option(c"-blocking").is_none_or(|value| value != "0")
    }

    /// Whether something is being copied from or to this channel: its options can't be set meanwhile, not even to what they
    /// are. Each small write asks, so that the text is made without allocating.
    pub(crate) fn is_copying(self) -> bool {
        let mut size = [0; 24];
        // There is room for the longest number, and for the zero byte behind it.
        let _ = write!(&mut size[..23], "{}", self.buffer_size());
        // SAFETY: the channel is open, and the text ends with a zero byte; without an interpreter an error is only a
        // return code.
        let code = unsafe {
            c::Tcl_SetChannelOption(
                std::ptr::null_mut(),
                self.0,
                c"-buffersize".as_ptr(),
                size.as_ptr().cast(),
            )
        };
        code != 0
    }

    /// Closes a channel that no interpreter knows.
    pub(crate) fn close(self) -> io::Result<()> {
        // SAFETY: the channel is open and registered nowhere, so that this is its end.
        counted(
            isize::try_from(unsafe { c::Tcl_CloseEx(std::ptr::null_mut(), self.0, 0) })
                .unwrap_or(-1),
        )
        .map(|_| ())
    }

    /// Keeps the channel from being closed until the result is dropped, as Tcl needs it while it calls the driver. A
    /// script that closes the channel meanwhile, or an interpreter that is deleted, loses it nevertheless; Tcl then
    /// closes it in the event loop.
    pub(crate) fn hold(self) -> Hold {
        let lowest = self.lowest();
        // SAFETY: the channel is open; without an interpreter this only counts.
        unsafe { c::Tcl_RegisterChannel(std::ptr::null_mut(), lowest.0) };
        Hold {
            lowest,
            registered: lowest.is_shared(),
        }
    }

    /// The lowest layer, which is there as long as the stack is.
    fn lowest(self) -> Self {
        let mut layer = self;
        while let Some(below) = layer.below() {
            layer = below;
        }
        layer
    }

    /// Keeps the channel while `script` runs. If every other owner has closed it by then, that is done right behind the
    /// script.
    pub(crate) fn keep_during<R>(self, script: impl FnOnce() -> R) -> R {
        let hold = self.hold();
        let outcome = script();
        if hold.is_orphaned() {
            let lowest = hold.lowest;
            // It would close the channel later.
            std::mem::forget(hold);
            // SAFETY: our count has kept the channel open, and this gives it back.
            unsafe { c::Tcl_UnregisterChannel(std::ptr::null_mut(), lowest.0) };
        }
        outcome
    }

    /// Whether scripts of an interpreter have the channel.
    pub(super) fn is_registered(self, interp: Interp<'_>) -> bool {
        // SAFETY: the interpreter is alive, and the channel is open or just being closed.
        unsafe { c::Tcl_IsChannelRegistered(interp.as_ptr(), self.0) != 0 }
    }

    /// Whether more than one owner has the channel.
    fn is_shared(self) -> bool {
        // SAFETY: the channel is open.
        unsafe { c::Tcl_IsChannelShared(self.0) != 0 }
    }

    /// The data of this layer's driver.
    fn data(self) -> c::ClientData {
        // SAFETY: the channel is open.
        unsafe { c::Tcl_GetChannelInstanceData(self.0) }
    }

    /// A channel from Tcl's pointer.
    pub(super) fn from_raw(raw: c::Tcl_Channel) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    /// Sets an option of this layer's driver, with Tcl's own arguments.
    ///
    /// # Safety
    ///
    /// `interp` must be null or alive, `name` and `value` valid C strings.
    pub(super) unsafe fn pass_set_option(
        self,
        interp: *mut c::Tcl_Interp,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int {
        // SAFETY: the channel is open.
        let kind = unsafe { c::Tcl_GetChannelType(self.0) };
        // SAFETY: an open channel's type is valid.
        match unsafe { (*kind).setOptionProc } {
            // SAFETY: the driver's own function with the driver's own data, and the caller's arguments.
            Some(set) => unsafe { set(self.data(), interp, name, value) },
            // SAFETY: the caller's arguments; a null list names the general options alone.
            None => unsafe { c::Tcl_BadChannelOption(interp, name, c"".as_ptr()) },
        }
    }

    /// Asks this layer's driver for an option, or for all where `name` is null, with Tcl's own arguments.
    ///
    /// # Safety
    ///
    /// `interp` must be null or alive, `name` null or a valid C string, `string` a valid string of Tcl.
    pub(super) unsafe fn pass_get_option(
        self,
        interp: *mut c::Tcl_Interp,
        name: *const c_char,
        string: *mut c::Tcl_DString,
    ) -> c_int {
        // SAFETY: the channel is open.
        let kind = unsafe { c::Tcl_GetChannelType(self.0) };
        // SAFETY: an open channel's type is valid.
        match unsafe { (*kind).getOptionProc } {
            // SAFETY: the driver's own function with the driver's own data, and the caller's arguments.
            Some(get) => unsafe { get(self.data(), interp, name, string) },
            None if name.is_null() => 0,
            // SAFETY: the caller's arguments.
            None => unsafe { c::Tcl_BadChannelOption(interp, name, c"".as_ptr()) },
        }
    }
}

/// Keeps a channel open; see [`Channel::hold`].
#[derive(Debug)]
pub(crate) struct Hold {
    /// The channel's lowest layer: a script may take the others off meanwhile, and all layers have the same owners.
    lowest: Channel,
    /// Whether somebody else had it as well.
    registered: bool,
}

impl Hold {
    /// Whether nobody else has the channel any more.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.registered && !self.lowest.is_shared()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let channel = self.lowest;
        if self.is_orphaned() {
            timer::soon(move || {
                // SAFETY: our count has kept the channel open, and this gives it back.
                unsafe { c::Tcl_UnregisterChannel(std::ptr::null_mut(), channel.0) };
            });
        } else {
            // SAFETY: the channel is open; gives our count back, and doesn't close what others have or are closing.
            unsafe { c::Tcl_DetachChannel(std::ptr::null_mut(), channel.0) };
        }
    }
}

/// Waits until a descriptor is ready for a direction, at most so many milliseconds; `false` when they are over.
fn poll(handle: *mut c_void, direction: Mask, milliseconds: c_int) -> io::Result<bool> {
    let events = if direction.has(Mask::READABLE) {
        libc::POLLIN
    } else {
        libc::POLLOUT
    };
    let mut poll = libc::pollfd {
        fd: c_int::try_from(handle.addr()).map_err(|_| io::ErrorKind::InvalidInput)?,
        events,
        revents: 0,
    };
    // SAFETY: one record is given, and lives during the call.
    match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
        0 => Ok(false),
        1.. => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            error => Err(error),
        },
    }
}

/// The result of a transfer: a negative count means that errno says why.
fn counted(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| {
        // SAFETY: reads Tcl's copy of this thread's errno.
        io::Error::from_raw_os_error(unsafe { c::Tcl_GetErrno() })
    })
}

/// One of Tcl's growing strings. Its size differs between versions, so there is room for either.
struct DString(Box<[u64; 64]>);

impl DString {
    /// An empty one.
    fn new() -> Self {
        let mut string = Self(Box::new([0; 64]));
        // SAFETY: the room is larger than the structure of either version, and stays where it is.
        unsafe { c::Tcl_DStringInit(string.as_ptr()) };
        string
    }

    /// The pointer for Tcl.
    fn as_ptr(&mut self) -> *mut c::Tcl_DString {
        self.0.as_mut_ptr().cast()
    }

    /// The text.
    fn text(&mut self) -> String {
        // SAFETY: the first field of the structure, in both versions, points to the text.
        let text = unsafe { self.0.as_ptr().cast::<*const c_char>().read() };
        // SAFETY: Tcl ends the text with a zero byte.
        unsafe { driver::c_text(text) }
    }
}

impl Drop for DString {
    fn drop(&mut self) {
        // SAFETY: the string was initialised and is freed once.
        unsafe { c::Tcl_DStringFree(self.as_ptr()) };
    }
}

/// A channel handler that does nothing.
unsafe extern "C" fn ignore_events(_: *mut c_void, _: c_int) {}
