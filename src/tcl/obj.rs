//! Tcl's values: a counted handle, and the conversions between them and Rust's.

use std::borrow::Cow;
use std::fmt;
use std::ptr::NonNull;

use libc::{c_int, c_void};

use crate::ffi::{self, tcl as c};
use crate::opts::Word;

use super::utf;

/// A counted reference to a Tcl value. Not `Send`: values belong to their thread.
pub(crate) struct Obj(NonNull<c::Tcl_Obj>);

/// The file that Tcl's counting functions are told, of use in Tcl's own memory debugging only.
const FILE: &std::ffi::CStr = c"tls";

/// How many values this library has made, for the command that debug builds have.
#[cfg(debug_assertions)]
pub(crate) static MADE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Obj {
    /// Takes a reference to a value that Tcl gave; `None` for null.
    ///
    /// # Safety
    ///
    /// A pointer that isn't null must be a live value of this thread.
    pub(super) unsafe fn from_raw(raw: *mut c::Tcl_Obj) -> Option<Self> {
        let raw = NonNull::new(raw)?;
        // SAFETY: the caller says that the value is alive.
        unsafe { c::Tcl_DbIncrRefCount(raw.as_ptr(), FILE.as_ptr(), 0) };
        Some(Self(raw))
    }

    /// Takes over a reference that Tcl has handed over; `None` for null.
    ///
    /// # Safety
    ///
    /// A pointer that isn't null must be a live value of this thread, with a count that is nobody else's.
    pub(super) unsafe fn from_counted(raw: *mut c::Tcl_Obj) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// Takes a reference to a value that one of Tcl's constructors has just made.
    fn made(raw: *mut c::Tcl_Obj) -> Self {
        #[cfg(debug_assertions)]
        MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // SAFETY: constructors return a new value of this thread, and end the process where there is no memory.
        match unsafe { Self::from_raw(raw) } {
            Some(object) => object,
            None => unreachable!("Tcl's constructors never return null"),
        }
    }

    /// The pointer, good while this reference lives.
    pub(super) fn as_ptr(&self) -> *mut c::Tcl_Obj {
        self.0.as_ptr()
    }

    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        let bytes = utf::to_tcl(text);
        // SAFETY: Tcl copies the bytes; a Rust slice is never longer than isize::MAX.
        Self::made(unsafe { c::Tcl_NewStringObj(bytes.as_ptr().cast(), bytes.len().cast_signed()) })
    }

    /// A byte array.
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        // SAFETY: Tcl copies the bytes; a Rust slice is never longer than isize::MAX.
        Self::made(unsafe { c::Tcl_NewByteArrayObj(bytes.as_ptr(), bytes.len().cast_signed()) })
    }

    /// An integer.
    pub(crate) fn int(value: i64) -> Self {
        // SAFETY: there is no precondition.
        Self::made(unsafe { c::Tcl_NewWideIntObj(value) })
    }

    /// A boolean, `0` or `1`.
    pub(crate) fn bool(value: bool) -> Self {
        Self::int(i64::from(value))
    }

    /// The empty text.
    pub(crate) fn empty() -> Self {
        Self::text("")
    }

    /// A list.
    pub(crate) fn list<I: IntoIterator<Item = Self>>(items: I) -> Self {
        let items: Vec<Self> = items.into_iter().collect();
        let raw: Vec<*mut c::Tcl_Obj> = items.iter().map(Self::as_ptr).collect();
        // SAFETY: the elements are alive, and the list takes references of its own.
        Self::made(unsafe { c::Tcl_NewListObj(raw.len().cast_signed(), raw.as_ptr()) })
    }

    /// A dict whose keys keep this order.
    pub(crate) fn dict<'a, I: IntoIterator<Item = (&'a str, Self)>>(entries: I) -> Self {
        // SAFETY: there is no precondition.
        let dict = Self::made(unsafe { c::Tcl_NewDictObj() });
        for (key, value) in entries {
            let key = Self::text(key);
            // SAFETY: all three are alive, the dict is unshared as it was just made, and it takes its own references.
            unsafe {
                c::Tcl_DictObjPut(
                    std::ptr::null_mut(),
                    dict.as_ptr(),
                    key.as_ptr(),
                    value.as_ptr(),
                )
            };
        }
        dict
    }

    /// The value of a key, where this is a dict that has it.
    pub(crate) fn dict_value(&self, key: &str) -> Option<Self> {
        let key = Self::text(key);
        let mut value = std::ptr::null_mut();
        // SAFETY: both values are alive; without an interpreter an error is only a return code.
        let code = unsafe {
            c::Tcl_DictObjGet(
                std::ptr::null_mut(),
                self.as_ptr(),
                key.as_ptr(),
                &raw mut value,
            )
        };
        match code {
            // SAFETY: null, or a value that the dict keeps alive.
            0 => unsafe { Self::from_raw(value) },
            _ => None,
        }
    }

    /// The text of the value.
    pub(crate) fn as_text(&self) -> Cow<'_, str> {
        utf::from_tcl(self.raw_text())
    }

    /// The text in Tcl's own encoding.
    fn raw_text(&self) -> &[u8] {
        let mut length = c::SizeOut::default();
        // SAFETY: the value is alive; the text lives until the value changes, and nothing changes a value that we hold
        // while a `&self` borrow of it is in use, since conversions keep the text.
        let text = unsafe { c::Tcl_GetStringFromObj(self.as_ptr(), &raw mut length) };
        // SAFETY: Tcl says that so many bytes are there.
        unsafe { ffi::bytes(text.cast::<c_void>(), length.value()) }
    }

    /// The bytes of the value, where it is a byte array or its characters are all below 256.
    pub(crate) fn as_bytes(&self) -> Option<Vec<u8>> {
        if c::is_tcl8()
            && !self.is_pure()
            && !self
                .as_text()
                .chars()
                .all(|character| u32::from(character) < 256)
        {
            // Tcl 8 would drop the upper half of such characters without a word.
            return None;
        }
        let mut length = c::SizeOut::default();
        let bytes = match c::is_tcl8() {
            // SAFETY: the value is alive; the result is the byte array inside it.
            true => unsafe { c::Tcl_GetByteArrayFromObj(self.as_ptr(), &raw mut length) },
            // A Tcl 9 that was built without deprecated functions, as Debian's is, lacks the one of Tcl 8.
            // SAFETY: the value is alive, and this is Tcl 9; the result is null (no bytes) or the byte array inside it.
            false => unsafe {
                c::Tcl_GetBytesFromObj(std::ptr::null_mut(), self.as_ptr(), &raw mut length)
            },
        };
        if bytes.is_null() {
            return None;
        }
        // SAFETY: Tcl says that so many bytes are there, and they are copied before anything else happens.
        Some(unsafe { ffi::bytes(bytes.cast::<c_void>(), length.value()) }.to_vec())
    }

    /// Whether the value has no text yet: then it can't be text with large characters.
    fn is_pure(&self) -> bool {
        // SAFETY: the pointer to the text is at this place in both versions on 64-bit machines (ffi::tcl asserts it).
        unsafe { (*self.as_ptr()).bytes.is_null() }
    }

    /// The elements, where the value is a list.
    pub(crate) fn as_list(&self) -> Option<Vec<Self>> {
        let mut count = c::SizeOut::default();
        let mut elements: *mut *mut c::Tcl_Obj = std::ptr::null_mut();
        // SAFETY: the value is alive; without an interpreter an error is only a return code.
        let code = unsafe {
            c::Tcl_ListObjGetElements(
                std::ptr::null_mut(),
                self.as_ptr(),
                &raw mut count,
                &raw mut elements,
            )
        };
        if code != 0 {
            return None;
        }
        (0..count.value())
            .map(|index| {
                // SAFETY: Tcl says that so many elements are there.
                let element = unsafe { elements.wrapping_add(index).read() };
                // SAFETY: the list keeps its elements alive.
                unsafe { Self::from_raw(element) }
            })
            .collect()
    }

    /// Whether the value can be a number or a boolean at all, by its length. Tcl would read a text of any length, and
    /// digits take it the time of their number's square: minutes for a megabyte.
    fn is_brief(&self) -> bool {
        /// Binary digits of the widest number, with room for leading zeros and spaces.
        const LONGEST: usize = 256;
        self.is_pure() || self.as_text().len() <= LONGEST
    }

    /// The truth, where the value is a boolean in one of Tcl's spellings.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        if !self.is_brief() {
            return None;
        }
        let mut value: c_int = 0;
        // SAFETY: the value is alive; without an interpreter an error is only a return code.
        let code = unsafe {
            c::Tcl_GetBooleanFromObj(std::ptr::null_mut(), self.as_ptr(), &raw mut value)
        };
        (code == 0).then_some(value != 0)
    }

    /// The number, where the value is an integer that fits.
    pub(crate) fn as_int(&self) -> Option<i64> {
        if !self.is_brief() {
            return None;
        }
        let mut value = 0;
        // SAFETY: the value is alive; without an interpreter an error is only a return code.
        let code = unsafe {
            c::Tcl_GetWideIntFromObj(std::ptr::null_mut(), self.as_ptr(), &raw mut value)
        };
        (code == 0).then_some(value)
    }
}

impl Clone for Obj {
    fn clone(&self) -> Self {
        // SAFETY: our own reference keeps the value alive.
        unsafe { c::Tcl_DbIncrRefCount(self.as_ptr(), FILE.as_ptr(), 0) };
        Self(self.0)
    }
}

impl Drop for Obj {
    fn drop(&mut self) {
        // SAFETY: gives back the one reference that this handle took.
        unsafe { c::Tcl_DbDecrRefCount(self.as_ptr(), FILE.as_ptr(), 0) };
    }
}

impl fmt::Debug for Obj {
    /// Shows no content: it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Obj")
    }
}

impl Word for Obj {
    fn text(&self) -> Cow<'_, str> {
        self.as_text()
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        self.as_bytes()
    }

    fn list(&self) -> Option<Vec<Self>> {
        self.as_list()
    }

    fn boolean(&self) -> Option<bool> {
        self.as_bool()
    }

    fn integer(&self) -> Option<i64> {
        self.as_int()
    }
}
