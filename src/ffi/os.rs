//! What the operating system has beside that which the standard library has.

use std::fs::File;

/// Has the file system write to the disk what it has of a file, so that who waits for that later waits less. A file
/// system that can't do that begins when it is waited for.
pub(crate) fn begin_to_write(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is the open file's, and the call takes nothing else that lives.
        unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}
