//! The caller's scripts: each event of OpenSSL to words, each answer to a decision.
//!
//! The words are those of the field's packages; `doc/tls.man` lists them. A script that fails, or answers with what is
//! no answer, is reported to its interpreter's background error handler, and what it was asked about is refused.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use openssl::ssl::{SslAlert, SslRef, SslSession};
use openssl::x509::X509StoreContextRef;
use std::ffi::c_int;

use crate::context::hooks::{AlpnChoice, Hello, Hooks, Message, ServerName, Verdict};
use crate::context::{ClientHello, Context, alpn};
use crate::error::{Error, Reason, Result};
use crate::ossl::{alert, ssl_state, trace};
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};
use crate::x509::describe;

use super::failure::closed;
use super::layer::Layer;

/// Finds the context for options that an `sni` answer names.
pub(crate) type Resolve = dyn Fn(&[Obj]) -> Result<Arc<Context>>;

/// The scripts of a channel.
#[derive(Clone, Default)]
pub(crate) struct Scripts {
    /// `-command`: hears of events, and decides on certificates if there is no other script for that.
    pub(crate) command: Option<Script>,
    /// `-validatecommand`: decides.
    pub(crate) validate: Option<Script>,
    /// Finds the context that an answer to `sni` names.
    pub(crate) resolve: Option<Rc<Resolve>>,
}

/// The scripts in action: what the engine's hooks are.
pub(super) struct Callbacks {
    /// The channel's name, which stays the same for its life.
    name: String,
    /// Our layer.
    layer: Rc<Layer>,
    /// The scripts.
    scripts: RefCell<Scripts>,
    /// The scripts that were left behind in another thread. Nobody can decide what they would have decided.
    left_behind: Cell<LeftBehind>,
    /// How deep in the peer's chain something was last found wrong.
    fault_depth: Cell<Option<u32>>,
    /// The event on which a script ended the handshake, where OpenSSL tells no more than that a callback did.
    refused: Cell<Option<&'static str>>,
}

/// Which scripts were left behind in another thread, and not bound again since.
#[derive(Clone, Copy, Debug, Default)]
struct LeftBehind {
    /// `-command`.
    command: bool,
    /// `-validatecommand`.
    validate: bool,
}

/// What a script answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// No: 0 or false.
    No,
    /// Yes: 1 or true.
    Yes,
    /// A number above 1, whose meaning depends on the question.
    Other,
    /// A number below 0: a yes where any number but 0 always was one, and else a no.
    Negative,
    /// `later`.
    Later,
    /// Nothing, where that is allowed.
    Nothing,
    /// Options of `tls::import`, where they are allowed.
    Options,
}

impl Callbacks {
    /// The callbacks of a channel that is about to get the name.
    pub(super) fn new(name: String, layer: Rc<Layer>, scripts: Scripts) -> Self {
        Self {
            name,
            layer,
            scripts: RefCell::new(scripts),
            left_behind: Cell::default(),
            fault_depth: Cell::new(None),
            refused: Cell::new(None),
        }
    }

    /// The channel's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The scripts, for a channel that takes this one as its model.
    pub(super) fn scripts(&self) -> Scripts {
        self.scripts.borrow().clone()
    }

    /// Leaves the scripts behind, because they belong to the thread that the channel leaves.
    pub(super) fn leave_thread(&self) {
        let scripts = self.scripts.take();
        let before = self.left_behind.get();
        self.left_behind.set(LeftBehind {
            command: before.command || scripts.command.is_some(),
            validate: before.validate || scripts.validate.is_some(),
        });
    }

    /// Binds a script, maybe again after it was left behind in another thread.
    pub(super) fn bind(&self, interp: Interp<'_>, option: &str, prefix: &Obj) {
        let script = Script::new(interp, prefix);
        // Old scripts are dropped when nothing is borrowed: dropping a value can run a script's trace.
        let mut scripts = self.scripts.borrow().clone();
        let mut left = self.left_behind.get();
        match option {
            "-command" => (scripts.command, left.command) = (script, false),
            _ => (scripts.validate, left.validate) = (script, false),
        }
        drop(self.scripts.replace(scripts));
        self.left_behind.set(left);
    }

    /// How deep in the peer's chain something was last found wrong.
    pub(super) fn fault_depth(&self) -> Option<u32> {
        self.fault_depth.get()
    }

    /// The event on which a script ended the handshake.
    pub(super) fn refused(&self) -> Option<&'static str> {
        self.refused.get()
    }

    /// Tells the script of an error, once it is known.
    pub(super) fn error(&self, error: &Error) {
        self.tell("error", vec![Obj::text(&error.message())]);
    }

    /// Tells `-command` of an event: the event's word, the channel, and what else there is to say.
    fn tell(&self, event: &str, words: Vec<Obj>) {
        let script = self.scripts.borrow().command.clone();
        if let Some(script) = script {
            // A failure is reported in the background, and has no other consequence.
            let _ = self.call(&script, &self.words(event, words));
        }
    }

    /// Asks `-validatecommand`; without one, `None`. `special` is an answer that is allowed beside the usual ones.
    fn ask(
        &self,
        event: &str,
        words: Vec<Obj>,
        special: Option<Answer>,
    ) -> Result<Option<(Answer, Obj)>> {
        if self.left_behind.get().validate {
            return Err(left_behind("-validatecommand"));
        }
        let script = self.scripts.borrow().validate.clone();
        match script {
            Some(script) => self
                .decide(&script, self.words(event, words), special)
                .map(Some),
            None => Ok(None),
        }
    }

    /// Calls a script that is to decide, and reads its answer.
    fn decide(
        &self,
        script: &Script,
        words: Vec<Obj>,
        special: Option<Answer>,
    ) -> Result<(Answer, Obj)> {
        let Some(outcome) = self.call(script, &words) else {
            return Err(Error::failed(
                Reason::CallbackGone,
                "the interpreter of the callback is gone",
            ));
        };
        let value = outcome?;
        if self.layer.get().is_none() {
            return Err(closed());
        }
        let answer = match Answer::read(&value) {
            answer @ Some(Answer::Nothing | Answer::Options) if answer != special => None,
            answer => answer,
        };
        match answer {
            Some(answer) => Ok((answer, value)),
            None => {
                let text = value.as_text();
                let shown: String = text.chars().take(50).collect();
                let error = Error::usage(
                    ["TCL", "VALUE", "BOOLEAN"],
                    format!(
                        "expected boolean value but got \"{shown}\" from the callback of channel \"{}\"",
                        self.name
                    ),
                );
                script.report(&error);
                Err(error)
            }
        }
    }

    /// Calls a script; `None` if its interpreter is gone. It can't move the channel to another thread meanwhile.
    fn call(&self, script: &Script, words: &[Obj]) -> Option<Result<Obj>> {
        self.layer.keep_during(|| script.call_reporting(words))
    }

    /// The words of an event.
    fn words(&self, event: &str, words: Vec<Obj>) -> Vec<Obj> {
        [Obj::text(event), Obj::text(&self.name)]
            .into_iter()
            .chain(words)
            .collect()
    }

    /// Tells `-command` in the words of the 1.8 manual, which leave the channel out, of what `-validatecommand` is
    /// asked where there is one.
    fn tell_of_question(&self, event: &str, what: &[u8]) {
        let (script, asked) = {
            let scripts = self.scripts.borrow();
            (scripts.command.clone(), scripts.validate.is_some())
        };
        if let (Some(script), false) = (script, asked) {
            let what = String::from_utf8_lossy(what);
            let _ = self.call(&script, &[Obj::text(event), Obj::text(&what)]);
        }
    }
}

impl Answer {
    /// Reads an answer; `None` if it is none.
    fn read(value: &Obj) -> Option<Self> {
        match value.as_int() {
            Some(0) => return Some(Self::No),
            Some(1) => return Some(Self::Yes),
            Some(2..) => return Some(Self::Other),
            Some(_) => return Some(Self::Negative),
            None => {}
        }
        let text = value.as_text();
        match &*text {
            "later" => Some(Self::Later),
            "" => Some(Self::Nothing),
            text if text.starts_with('-') => value.as_list().map(|_| Self::Options),
            // A fraction would be true for Tcl; here it is a mistake.
            text if text.starts_with(|first: char| first.is_ascii_alphabetic()) => value
                .as_bool()
                .map(|truth| if truth { Self::Yes } else { Self::No }),
            _ => None,
        }
    }
}

impl Hooks for Callbacks {
    fn verify(&self, ok: bool, chain: &mut X509StoreContextRef) -> Result<Verdict> {
        let depth = chain.error_depth();
        if !ok {
            self.fault_depth.set(Some(depth));
        }
        let (command, validate) = {
            let scripts = self.scripts.borrow();
            (scripts.command.clone(), scripts.validate.clone())
        };
        let left = self.left_behind.get();
        if left.validate {
            return Err(left_behind("-validatecommand"));
        }
        if validate.is_none() && left.command {
            return Err(left_behind("-command"));
        }
        if command.is_none() && validate.is_none() {
            return Ok(Verdict::Default);
        }
        let record = chain
            .current_cert()
            .map(describe::certificate)
            .unwrap_or_default();
        let why = match (ok, &validate) {
            (true, Some(_)) => "ok",
            (true, None) => "",
            (false, _) => chain.error().error_string(),
        };
        let words = vec![
            Obj::int(i64::from(depth)),
            Obj::from(&record),
            Obj::bool(ok),
            Obj::text(why),
        ];
        let words = self.words("verify", words);
        let decision = match (&validate, &command) {
            (Some(script), _) => self.decide(script, words, None),
            // A -command that has nothing to say leaves the decision with OpenSSL.
            (None, Some(script)) => self.decide(script, words, Some(Answer::Nothing)),
            (None, None) => return Ok(Verdict::Default),
        };
        if matches!(decision, Err(_) | Ok((Answer::No | Answer::Later, _))) {
            self.fault_depth.set(Some(depth));
        }
        let (answer, _) = decision?;
        Ok(match answer {
            Answer::No => Verdict::Reject,
            Answer::Yes | Answer::Other | Answer::Negative => Verdict::Accept,
            Answer::Later => Verdict::Later,
            Answer::Nothing | Answer::Options => Verdict::Default,
        })
    }

    fn client_hello(&self, hello: &ClientHello<'_>) -> Result<Hello> {
        // Until the script has agreed.
        self.refused.set(Some("hello"));
        let name = hello.server_name().unwrap_or_default();
        self.tell_of_question("hello", name);
        let words = vec![
            Obj::text(&String::from_utf8_lossy(name)),
            Obj::bytes(hello.session_id()),
        ];
        let decision = match self.ask("hello", words, None)? {
            None | Some((Answer::Yes, _)) => Hello::Proceed,
            Some((Answer::Other | Answer::Later, _)) => Hello::Later,
            Some(_) => return Ok(Hello::Fail(SslAlert::ACCESS_DENIED)),
        };
        self.refused.set(None);
        Ok(decision)
    }

    fn server_name(&self, name: &str) -> Result<ServerName> {
        self.refused.set(Some("sni"));
        let decision = self.decide_name(name)?;
        if !matches!(decision, ServerName::Fail) {
            self.refused.set(None);
        }
        Ok(decision)
    }

    fn select_alpn(&self, selected: Option<&[u8]>, offered: &[u8]) -> Result<AlpnChoice> {
        let named = selected
            .or_else(|| alpn::names(offered).next())
            .unwrap_or_default();
        self.tell_of_question("alpn", named);
        let words = vec![
            Obj::text(&String::from_utf8_lossy(named)),
            Obj::bool(selected.is_some()),
        ];
        Ok(match self.ask("alpn", words, None)? {
            None | Some((Answer::Yes, _)) => AlpnChoice::Default,
            Some((Answer::Other | Answer::Later, _)) => AlpnChoice::Without,
            Some(_) => AlpnChoice::Fail,
        })
    }

    fn info(&self, ssl: &SslRef, kind: c_int, value: c_int) -> Result<()> {
        let step = alert::Step::read(kind);
        let (message, level) = match step.major {
            "alert" => (alert::name(value & 0xFF), alert::level(value)),
            _ => (ssl.state_string_long().to_owned(), "info".to_owned()),
        };
        let words = [step.major, step.minor, &message, &level];
        self.tell("info", words.into_iter().map(Obj::text).collect());
        Ok(())
    }

    fn message(&self, ssl: &SslRef, message: Message<'_>) -> Result<()> {
        let Message {
            sent,
            version,
            content_type,
            bytes,
        } = message;
        if let Some(text) = trace::text(ssl, sent, version, content_type, bytes) {
            let direction = if sent { "Sent" } else { "Received" };
            let words = [
                direction,
                trace::version(version),
                trace::content(content_type),
                &text,
            ];
            self.tell("message", words.into_iter().map(Obj::text).collect());
        }
        Ok(())
    }

    fn impossible(&self, error: &Error) {
        let deciding = {
            let scripts = self.scripts.borrow();
            scripts.validate.clone().or_else(|| scripts.command.clone())
        };
        if let Some(script) = deciding {
            script.report(error);
        }
    }

    fn new_session(&self, _ssl: &SslRef, session: SslSession) -> Result<()> {
        if self.scripts.borrow().command.is_some() {
            let lifetime = ssl_state::ticket_lifetime(&session);
            let ticket = ssl_state::ticket(&session);
            self.tell(
                "session",
                vec![
                    Obj::bytes(session.id()),
                    Obj::bytes(ticket),
                    Obj::int(lifetime),
                ],
            );
        }
        Ok(())
    }
}

impl Callbacks {
    /// Decides on a server name, by the script if there is one.
    fn decide_name(&self, name: &str) -> Result<ServerName> {
        self.tell_of_question("sni", name.as_bytes());
        let words = vec![Obj::text(name)];
        let Some((answer, value)) = self.ask("sni", words, Some(Answer::Options))? else {
            return Ok(ServerName::Accept);
        };
        match answer {
            Answer::Yes => Ok(ServerName::Accept),
            Answer::Other | Answer::Later => Ok(ServerName::Warn),
            Answer::No | Answer::Nothing | Answer::Negative => Ok(ServerName::Fail),
            Answer::Options => {
                let resolve = self.scripts.borrow().resolve.clone();
                let options = value.as_list().unwrap_or_default();
                match resolve {
                    Some(resolve) => resolve(&options)
                        .inspect_err(|error| self.impossible(error))
                        .map(ServerName::Use),
                    None => Ok(ServerName::Fail),
                }
            }
        }
    }

    /// Whether scripts hear of changes of state and of messages, which costs something per message.
    pub(super) fn is_needed(scripts: &Scripts) -> bool {
        scripts.command.is_some()
    }
}

/// The error for a decision that belongs to a script in another thread.
fn left_behind(option: &str) -> Error {
    Error::failed(
        Reason::CallbackGone,
        format!("the script of {option} was left behind in another thread: configure it again"),
    )
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callbacks")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
