//! The size of Tcl's buffers: that of a record.
//!
//! Tcl makes buffers of 4 KiB, which would make records of a quarter of their size, each with the work of a whole one. A
//! buffer is made when there is something to put into it, and of a large one only the pages in use take memory, so that
//! quiet connections have them too. A size that the script has chosen stays, whether before or after.

use crate::tcl::channel::Channel;

/// The size of the buffers that Tcl makes unasked.
const TCLS_SIZE: usize = 4096;

/// As much as fits into a record.
pub(super) const RECORD: usize = 16 * 1024;

/// Gives a layer that was just put on top buffers of a record's size, unless the script has set one.
pub(super) fn fit(layer: Channel) {
    if layer.buffer_size() == TCLS_SIZE {
        layer.set_buffer_size(RECORD);
    }
}
