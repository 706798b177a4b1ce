//! The size of Tcl's buffers: that of a record, but for the first ones.
//!
//! Tcl makes buffers of 4 KiB, which would make records of a quarter of their size, each with the work of a whole one. It
//! makes a buffer when there is something to put into it, and keeps it. So a connection on which one thing was said and
//! then nothing would keep large ones for it: it has small ones for that, which Tcl throws away when the size changes
//! behind it. They are a little smaller than Tcl's, by which they are known: a size that the script has set stays,
//! whether it was set before or later.

use crate::tcl::channel::Channel;

/// The size of the buffers that Tcl makes unasked.
const TCLS_SIZE: usize = 4096;

/// The size of the first ones: with what Tcl's allocator adds, they fit into 4 KiB.
const FIRST: usize = 4000;

/// As much as fits into a record.
pub(super) const RECORD: usize = 16 * 1024;

/// A layer was just put on top.
pub(super) fn begin(layer: Channel) {
    change(layer, TCLS_SIZE, FIRST);
}

/// Whether the layer has the first ones still.
pub(super) fn are_first(layer: Channel) -> bool {
    layer.buffer_size() == FIRST
}

/// Something was read or written. Not to be called in a read; see [`Channel::set_buffer_size`].
pub(super) fn grow(layer: Channel) {
    change(layer, FIRST, RECORD);
}

/// The layer is about to be taken off.
pub(super) fn end(layer: Channel) {
    change(layer, FIRST, TCLS_SIZE);
}

/// Changes the size if it is the one that was set here.
fn change(layer: Channel, from: usize, to: usize) {
    if layer.buffer_size() == from {
        layer.set_buffer_size(to);
    }
}
