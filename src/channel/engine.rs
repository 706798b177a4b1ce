//! TLS as a machine over `Read + Write`: handshake, read, write, close. It knows no Tcl, no timers and no scripts.
//!
//! What an operation can't finish now it says; what went wrong for good it remembers, and says again ever after.

mod stream;

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use openssl::ssl::{ErrorCode, ShutdownState, Ssl, SslStream};
use openssl::x509::X509VerifyResult;

use crate::context::COUNTERS;
use crate::error::{Error, OpenSslEntry, Reason, Result, reasons_text};
use crate::ossl::{alert, error as queue};
use crate::x509::verify;

use self::stream::Stream;

pub(crate) use self::stream::stream_failure;

/// What an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress<T> {
    /// It is done.
    Done(T),
    /// The peer must send something first.
    WantRead,
    /// What there is to send must be taken first.
    WantWrite,
    /// A callback has put its decision off.
    WantDecision,
    /// The peer has said that it sends nothing more.
    Closed,
}

/// How far the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not done; this is what it waits for.
    Handshake(Waiting),
    /// Done.
    Open,
    /// Something went wrong for good.
    Failed,
}

/// What a handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Data from the peer.
    Read,
    /// Room for data to the peer.
    Write,
    /// A decision that a callback has put off.
    Decision,
}

impl Waiting {
    /// The outcome of an operation that waits for this.
    fn progress<T>(self) -> Progress<T> {
        match self {
            Self::Read => Progress::WantRead,
            Self::Write => Progress::WantWrite,
            Self::Decision => Progress::WantDecision,
        }
    }
}

/// A TLS connection over a stream.
#[derive(Debug)]
pub(crate) struct Engine<S> {
    /// OpenSSL's connection, and the stream.
    stream: SslStream<Stream<S>>,
    /// How far it is.
    phase: Phase,
    /// What went wrong for good.
    failure: Option<Error>,
    /// Why nothing more can be written, where reading may still go on.
    write_failure: Option<Error>,
    /// What a read waits for, if not for data from the peer.
    read_waits_to_write: bool,
    /// What a write waits for, if not for room.
    write_waits_to_read: bool,
    /// Whether the peer has said that it sends nothing more.
    peer_closed: bool,
    /// Whether we have said so, or are about to.
    write_closed: bool,
    /// Whether that waits for room.
    write_waits: bool,
    /// Whether a stream that ends without saying so is taken for a proper end.
    forgives_cut: bool,
    /// What has been done so far.
    totals: Totals,
}

/// What a connection has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// When the handshake began.
    began: Option<Instant>,
    /// How long the handshake took.
    pub(crate) handshake: Option<Duration>,
    /// How many bytes were read, decrypted.
    pub(crate) read: u64,
    /// How many bytes were written, before encryption.
    pub(crate) written: u64,
}

impl Totals {
    /// Whether the handshake has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.is_some()
    }
}

impl<S: Read + Write> Engine<S> {
    /// A connection that has exchanged nothing yet. `forgives_cut`: a stream that ends without a TLS close notification
    /// is taken for a proper end, as OpenSSL's `-ignore_unexpected_eof` does.
    pub(crate) fn new(ssl: Ssl, stream: S, forgives_cut: bool) -> Result<Self> {
        let server = ssl.is_server();
        let stream = SslStream::new(ssl, Stream::new(stream))
            .map_err(|stack| queue::failed("can't set up the connection", &stack))?;
        Ok(Self {
            stream,
            phase: Phase::Handshake(if server {
                Waiting::Read
            } else {
                Waiting::Write
            }),
            failure: None,
            write_failure: None,
            read_waits_to_write: false,
            write_waits_to_read: false,
            peer_closed: false,
            write_closed: false,
            write_waits: false,
            forgives_cut,
            totals: Totals::default(),
        })
    }

    /// How far the connection is.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// What went wrong for good.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// How many decrypted bytes lie ready.
    pub(crate) fn plaintext(&self) -> usize {
        self.stream.ssl().pending()
    }

    /// Whether decrypted bytes lie ready.
    pub(crate) fn has_plaintext(&self) -> bool {
        self.plaintext() > 0
    }

    /// Whether a read can only go on once something was written.
    pub(crate) fn read_waits_to_write(&self) -> bool {
        self.read_waits_to_write
    }

    /// Whether a write can only go on once something was read.
    pub(crate) fn write_waits_to_read(&self) -> bool {
        // A read may have taken in what the write waited for: the end of a new handshake.
        self.write_waits_to_read && !self.stream.ssl().is_init_finished()
    }

    /// Whether the peer has said that it sends nothing more.
    pub(crate) fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// What has been done so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Goes on with the handshake.
    pub(crate) fn handshake(&mut self) -> Result<Progress<()>> {
        match self.phase {
            Phase::Open => return Ok(Progress::Done(())),
            Phase::Failed => return Err(self.sticky()),
            Phase::Handshake(_) => {}
        }
        queue::clear();
        let began = *self.totals.began.get_or_insert_with(Instant::now);
        match self.stream.do_handshake() {
            Ok(()) => {
                self.phase = Phase::Open;
                self.totals.handshake = Some(began.elapsed());
                Ok(Progress::Done(()))
            }
            Err(error) => match self.verdict(&error) {
                Verdict::Wait(waiting) => {
                    self.phase = Phase::Handshake(waiting);
                    Ok(waiting.progress())
                }
                Verdict::Closed => Err(self.fail(handshake_error(
                    ["CLOSED"],
                    "the peer closed the connection",
                ))),
                Verdict::Failed(cause) => {
                    let error = self.handshake_failure(&cause);
                    Err(self.fail(error))
                }
            },
        }
    }

    /// Sends what the handshake layer has to send on an open connection.
    pub(crate) fn send_handshake(&mut self) -> Result<Progress<()>> {
        self.phase = Phase::Handshake(Waiting::Write);
        self.handshake()
    }

    /// Reads decrypted bytes; goes through the handshake first.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Progress<usize>> {
        let progress = self.transfer(Direction::Read, |stream| stream.ssl_read(buffer))?;
        if let Progress::Done(count) = progress {
            self.totals.read += count as u64;
        }
        Ok(progress)
    }

    /// Whether a read would give something: bytes, the end, or an error. Decrypts at most one record.
    pub(crate) fn peek(&mut self) -> Result<Progress<usize>> {
        self.transfer(Direction::Read, |stream| stream.ssl_peek(&mut [0]))
    }

    /// Encrypts and writes some of `bytes`; goes through the handshake first.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Progress<usize>> {
        if self.write_closed {
            return Err(io_failure(libc::EPIPE));
        }
        let progress = self.transfer(Direction::Write, |stream| stream.ssl_write(bytes))?;
        if let Progress::Done(count) = progress {
            self.totals.written += count as u64;
            // OpenSSL writes partially: a record at a time.
            COUNTERS.records.add();
        }
        Ok(progress)
    }

    /// Tells the peer that nothing more is sent. Reading goes on.
    pub(crate) fn close_write(&mut self) -> Result<Progress<()>> {
        match self.handshake()? {
            Progress::Done(()) => {}
            other => return Ok(other),
        }
        self.write_closed = true;
        if self.stream.get_shutdown().contains(ShutdownState::SENT) && !self.write_waits {
            return Ok(Progress::Done(()));
        }
        queue::clear();
        match self.stream.shutdown() {
            // The peer's answer comes with what is read.
            Ok(_) => {
                self.write_waits = false;
                Ok(Progress::Done(()))
            }
            Err(error) => match self.verdict(&error) {
                Verdict::Wait(waiting) => {
                    self.write_waits = true;
                    Ok(waiting.progress())
                }
                Verdict::Closed => Ok(Progress::Done(())),
                Verdict::Failed(cause) => {
                    let error = transfer_failure(Direction::Write, &cause);
                    Err(self.fail(error))
                }
            },
        }
    }

    /// Tells the peer that nothing more is sent, once, if there is a connection to tell it on. A peer that can't be told
    /// can't be helped.
    pub(crate) fn close(&mut self) {
        if self.phase == Phase::Open && self.write_failure.is_none() {
            let _ = self.close_write();
            queue::clear();
        }
    }

    /// A read, peek or write.
    fn transfer(
        &mut self,
        direction: Direction,
        mut operation: impl FnMut(
            &mut SslStream<Stream<S>>,
        ) -> std::result::Result<usize, openssl::ssl::Error>,
    ) -> Result<Progress<usize>> {
        match self.handshake()? {
            Progress::Done(()) => {}
            Progress::WantRead => return Ok(Progress::WantRead),
            Progress::WantWrite => return Ok(Progress::WantWrite),
            Progress::WantDecision => return Ok(Progress::WantDecision),
            Progress::Closed => return Ok(Progress::Closed),
        }
        if let (Direction::Write, Some(error)) = (direction, &self.write_failure) {
            return Err(error.clone());
        }
        queue::clear();
        let outcome = loop {
            match operation(&mut self.stream) {
                // A record that wasn't data has been dealt with, and the stream hasn't said that it has no more.
                Err(error)
                    if error.code() == ErrorCode::WANT_READ && error.io_error().is_none() => {}
                outcome => break outcome,
            }
        };
        self.waits(direction, None);
        match outcome {
            Ok(count) => Ok(Progress::Done(count)),
            Err(error) => match self.verdict(&error) {
                Verdict::Wait(waiting) => {
                    self.waits(direction, Some(waiting));
                    Ok(waiting.progress())
                }
                // OpenSSL says this of every failure once the peer has announced its end.
                Verdict::Closed if direction == Direction::Write => {
                    let error = transfer_failure(direction, &Cause::CutOff);
                    self.write_failure = Some(error.clone());
                    Err(error)
                }
                Verdict::Closed => {
                    self.peer_closed = true;
                    Ok(Progress::Closed)
                }
                Verdict::Failed(Cause::CutOff)
                    if self.forgives_cut && direction == Direction::Read =>
                {
                    self.peer_closed = true;
                    Ok(Progress::Closed)
                }
                Verdict::Failed(cause @ Cause::Stream(_)) if direction == Direction::Write => {
                    // What the peer sent before it went away can still be read.
                    let error = transfer_failure(direction, &cause);
                    self.write_failure = Some(error.clone());
                    Err(error)
                }
                Verdict::Failed(cause) => {
                    let error = self.transfer_error(direction, &cause);
                    Err(self.fail(error))
                }
            },
        }
    }

    /// Notes what the next read or write waits for.
    fn waits(&mut self, direction: Direction, waiting: Option<Waiting>) {
        match direction {
            Direction::Read => self.read_waits_to_write = waiting == Some(Waiting::Write),
            Direction::Write => self.write_waits_to_read = waiting == Some(Waiting::Read),
        }
    }

    /// Sorts OpenSSL's answer.
    fn verdict(&mut self, error: &openssl::ssl::Error) -> Verdict {
        // The stream of the openssl crate takes a connection that isn't there for one that may still come.
        if let Some(error) = error
            .io_error()
            .filter(|error| error.kind() == io::ErrorKind::NotConnected)
        {
            return Verdict::Failed(Cause::Stream(io_failure(
                error.raw_os_error().unwrap_or(libc::ENOTCONN),
            )));
        }
        match error.code() {
            ErrorCode::WANT_READ => Verdict::Wait(Waiting::Read),
            ErrorCode::WANT_WRITE => Verdict::Wait(Waiting::Write),
            ErrorCode::ZERO_RETURN => Verdict::Closed,
            ErrorCode::SYSCALL => match self.stream.get_mut().take_failure() {
                Some(error) => Verdict::Failed(Cause::Stream(error)),
                None => Verdict::Failed(Cause::CutOff),
            },
            ErrorCode::SSL => {
                let entries = error.ssl_error().map(queue::entries).unwrap_or_default();
                match entries.iter().any(alert::is_unexpected_eof) {
                    true => Verdict::Failed(Cause::CutOff),
                    false => Verdict::Failed(Cause::OpenSsl(entries)),
                }
            }
            _ => Verdict::Wait(Waiting::Decision),
        }
    }

    /// Remembers what went wrong for good.
    fn fail(&mut self, error: Error) -> Error {
        self.phase = Phase::Failed;
        self.failure = Some(error.clone());
        error
    }

    /// Fails the connection from outside.
    pub(crate) fn abort(&mut self, error: Error) {
        if self.failure.is_none() {
            self.fail(error);
        }
    }

    /// What went wrong before.
    fn sticky(&self) -> Error {
        match &self.failure {
            Some(error) => error.clone(),
            None => Error::failed(Reason::HandshakeFailed, "handshake failed: unknown reason"),
        }
    }

    /// The error of a failed handshake.
    fn handshake_failure(&self, cause: &Cause) -> Error {
        match cause {
            Cause::CutOff => handshake_error(["CLOSED"], "unexpected eof while reading"),
            Cause::Stream(error) => error.clone(),
            Cause::OpenSsl(entries) => self.library_failure(entries),
        }
    }

    /// The error of a handshake that OpenSSL ended: the peer's alert, our verdict on its certificate, or another reason.
    fn library_failure(&self, entries: &[OpenSslEntry]) -> Error {
        let first = entries.first().cloned().unwrap_or_default();
        let text = if entries.is_empty() {
            "unknown reason".to_owned()
        } else {
            first.reason.clone()
        };
        if let Some(number) = entries.iter().find_map(|entry| alert::received(entry.code)) {
            return handshake_error(["ALERT", &number.to_string(), &alert::name(number)], &text);
        }
        self.refusal(entries)
            .unwrap_or_else(|| handshake_error(["OPENSSL", &first.library, &first.reason], &text))
    }

    /// Our verdict on the peer's certificate, if that is what OpenSSL ended the connection for.
    fn refusal(&self, entries: &[OpenSslEntry]) -> Option<Error> {
        let verdict = self.stream.ssl().verify_result();
        // The reason may stand behind that of the cryptography that led to it.
        let refused = entries.iter().find(|entry| alert::is_verify_failure(entry));
        let refused = refused.filter(|_| verdict != X509VerifyResult::OK)?;
        let why = verdict.error_string();
        let message = format!("{} due to \"{why}\"", refused.reason);
        Some(handshake_error(
            ["VERIFY", &verify::name(verdict.as_raw())],
            &message,
        ))
    }

    /// The error of a read or write that ended an open connection. A certificate that was asked for after the handshake is
    /// refused while reading.
    fn transfer_error(&self, direction: Direction, cause: &Cause) -> Error {
        let refusal = match cause {
            Cause::OpenSsl(entries) => self.refusal(entries),
            _ => None,
        };
        refusal.unwrap_or_else(|| transfer_failure(direction, cause))
    }
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// From the peer.
    Read,
    /// To the peer.
    Write,
}

/// What OpenSSL's answer means.
enum Verdict {
    /// Try again later.
    Wait(Waiting),
    /// The peer has said that it sends nothing more.
    Closed,
    /// It is over.
    Failed(Cause),
}

/// Why it is over.
enum Cause {
    /// The stream ended without TLS saying so.
    CutOff,
    /// The stream failed with this.
    Stream(Error),
    /// OpenSSL says why.
    OpenSsl(Vec<OpenSslEntry>),
}

/// `handshake failed: WHY`, with errorCode `TLS HANDSHAKE FAILED …`.
fn handshake_error<const N: usize>(details: [&str; N], why: &str) -> Error {
    Error::failed_with(
        Reason::HandshakeFailed,
        details,
        format!("handshake failed: {why}"),
    )
}

/// The error of a read or write on an open connection.
fn transfer_failure(direction: Direction, cause: &Cause) -> Error {
    match cause {
        Cause::CutOff if direction == Direction::Read => Error::failed(
            Reason::ReadTruncated,
            "the peer closed the connection without a TLS close notification: data may be missing",
        ),
        Cause::CutOff => io_failure(libc::EPIPE),
        Cause::Stream(error) => error.clone(),
        Cause::OpenSsl(entries) => {
            match entries.iter().find_map(|entry| alert::received(entry.code)) {
                Some(number) => Error::failed_with(
                    Reason::Alert,
                    [&number.to_string(), &alert::name(number)],
                    format!("the peer ended the connection: {}", reasons_text(entries)),
                ),
                None => Error::OpenSsl {
                    doing: String::new(),
                    entries: entries.to_vec(),
                },
            }
        }
    }
}

/// The operating system's error. The floor that knows Tcl's words for it puts them in.
pub(super) fn io_failure(errno: i32) -> Error {
    let text = io::Error::from_raw_os_error(errno).to_string();
    Error::Io {
        errno,
        name: errno.to_string().into(),
        text: text.clone(),
        message: text,
    }
}

#[cfg(test)]
mod tests;
