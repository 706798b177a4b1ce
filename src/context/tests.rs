//! Contexts at work: both ends of a connection in one thread, over two byte queues.

pub(crate) mod fixtures;
mod identity;
mod sharing;
mod talk;
mod verification;
