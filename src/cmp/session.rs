//! A client's transactions in a thread of their own, so that nobody waits for a server but this thread.
//!
//! OpenSSL's client calls its hook in the middle of a transaction and wants the answer at once. Here it gets it in a
//! thread, from whoever owns the [`Session`]: he is woken, finds an [`Event`] and replies when it suits him. Dropping
//! the session cancels it: the thread finds nobody there, and ends as soon as it looks.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client;
use super::mock::MockServer;
use super::outcome::Outcome;
use super::settings::Command;
use super::wire::{Deck, NoWire, Tape, Wire};
use crate::error::{Error, Reason, Result};
use crate::ossl::cmp::Context;

/// What a session wants from its owner.
pub(crate) enum Event {
    /// Send this to the server and reply with the answer.
    Send {
        /// The encoded request.
        request: Vec<u8>,
        /// How long that may take.
        patience: Option<Duration>,
    },
    /// Reply when this time is over.
    Wait(Duration),
    /// It is over.
    Done(Box<Outcome>),
}

/// What the owner replies.
pub(crate) enum Reply {
    /// The encoded answer of the server.
    Answer(Vec<u8>),
    /// The time is over.
    Go,
    /// It can't be done.
    Failed(Error),
}

/// Wakes the owner of a session, from any thread.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where messages go.
pub(crate) enum Route {
    /// Through the session's owner.
    Owner {
        /// How long a message and its answer may take.
        message: Option<Duration>,
        /// How long a transaction may take.
        total: Option<Duration>,
    },
    /// To a test server in the same thread.
    Mock(Box<MockServer>),
    /// Nowhere.
    Nowhere,
}

/// Transactions that are under way.
pub(crate) struct Session {
    /// What the thread wants.
    events: Receiver<Event>,
    /// Where it gets replies from.
    replies: Option<Sender<Reply>>,
    /// The thread.
    thread: Option<JoinHandle<()>>,
    /// Whether it said that it is over.
    over: bool,
}

impl Session {
    /// Begins.
    pub(crate) fn start(
        context: Context,
        command: Command,
        repeat: u64,
        tape: Tape,
        route: Route,
        wake: Wake,
    ) -> Result<Self> {
        let (events, received) = mpsc::channel();
        let (replies, replied) = mpsc::channel();
        let job = move || {
            // However the thread ends, its owner hears of it.
            let _last = LastWake(Arc::clone(&wake));
            let wire: Box<dyn Wire> = match route {
                Route::Nowhere => Box::new(NoWire),
                Route::Mock(server) => Box::new(MockWire(server)),
                Route::Owner { message, total } => Box::new(Remote {
                    events: events.clone(),
                    replies: replied,
                    wake,
                    message,
                    total,
                    deadline: None,
                }),
            };
            let outcome = client::run(context, command, repeat, Deck::new(tape, wire));
            // An owner who is gone doesn't want to know.
            let _ = events.send(Event::Done(Box::new(outcome)));
        };
        let thread = thread::Builder::new().name("tls-cmp".to_owned()).spawn(job);
        let thread = thread.map_err(|error| {
            Error::failed(Reason::CmpCreate, format!("no thread can be made: {error}"))
        })?;
        Ok(Self {
            events: received,
            replies: Some(replies),
            thread: Some(thread),
            over: false,
        })
    }

    /// What the session wants, if it wants something now.
    pub(crate) fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        match self.events.try_recv() {
            Ok(event) => {
                self.over = matches!(event, Event::Done(_));
                Some(event)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.over = true;
                let outcome = Outcome {
                    status: -1,
                    error: Some(Error::panic("tls::cmp")),
                    ..Outcome::default()
                };
                Some(Event::Done(Box::new(outcome)))
            }
        }
    }

    /// Replies to the last event.
    pub(crate) fn reply(&self, reply: Reply) {
        if let Some(replies) = &self.replies {
            // A thread that has ended needs no reply.
            let _ = replies.send(reply);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.replies = None;
        if let Some(thread) = self.thread.take() {
            // It ends at once, since nobody is there; what it was about to say doesn't matter any more. Waiting for it
            // keeps it from using OpenSSL while the process ends.
            let _ = thread.join();
        }
    }
}

/// Wakes when dropped.
struct LastWake(Wake);

impl Drop for LastWake {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The way through the session's owner.
struct Remote {
    /// What the owner is asked.
    events: Sender<Event>,
    /// What he replies.
    replies: Receiver<Reply>,
    /// Wakes him.
    wake: Wake,
    /// How long a message and its answer may take.
    message: Option<Duration>,
    /// How long a transaction may take.
    total: Option<Duration>,
    /// When the transaction must be over.
    deadline: Option<Instant>,
}

impl Remote {
    /// Asks the owner, and waits for him.
    fn ask(&self, event: Event) -> Result<Reply> {
        let gone = || Error::failed(Reason::CmpTransfer, "the transaction was cancelled");
        self.events.send(event).map_err(|_| gone())?;
        (self.wake)();
        self.replies.recv().map_err(|_| gone())
    }

    /// How much of the transaction's time is left.
    fn left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }
}

/// The transaction's time is over.
fn late() -> Error {
    let message = "the transaction takes longer than -total_timeout allows";
    Error::failed_with(Reason::CmpTransfer, ["timeout"], message)
}

impl Wire for Remote {
    fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        let patience = match (self.message, self.left()) {
            (Some(message), Some(left)) => Some(message.min(left)),
            (one, other) => one.or(other),
        };
        let request = request.to_vec();
        match self.ask(Event::Send { request, patience })? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Failed(error) => Err(error),
            Reply::Go => Err(Error::panic("tls::cmp")),
        }
    }

    fn wait(&mut self, seconds: u64) -> Result<()> {
        let time = Duration::from_secs(seconds);
        if self.left().is_some_and(|left| left <= time) {
            return Err(late());
        }
        match self.ask(Event::Wait(time))? {
            Reply::Failed(error) => Err(error),
            Reply::Go | Reply::Answer(_) => Ok(()),
        }
    }

    fn begin(&mut self) {
        self.deadline = self.total.map(|total| Instant::now() + total);
    }
}

/// The way to a test server in the same thread.
struct MockWire(Box<MockServer>);

impl Wire for MockWire {
    fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.0.answer(request)
    }

    fn wait(&mut self, seconds: u64) -> Result<()> {
        thread::sleep(Duration::from_secs(seconds));
        Ok(())
    }
}
