//! `tls::import`, and the private `tls::Prepare`, which checks everything that it would check.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::channel::{Dialed, Draft, Parts, Resolve, Scripts, TlsChannel};
use crate::context::alpn::Alpn;
use crate::context::session::Session;
use crate::context::{
    self, Connection, Context, Name, PasswordOwner, Protocol, ProtocolSet, Secret, SecurityLevel,
    Settings, Source, TicketKey,
};
use crate::error::{Error, Reason, Result};
use crate::opts::groups::{IDENTITY, Identity, PROTOCOLS, Protocols, TRUST, Trust, VERIFICATION};
use crate::opts::{Given, Missing, Table, options};
use crate::tcl::assoc::State;
use crate::tcl::channel::{Channel, Mask};
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};
use crate::x509::chain::Checks;

use super::files::Access;
use super::verification;

options! {
    /// What concerns one connection.
    pub(super) struct Peer, PEER {
        alpn: List = "-alpn", Both, Import, "1.8", "none",
            "Application protocols to offer or to take, most wanted first";
        command: Script = "-command", Both, Import, "1.4", "none",
            "Command prefix that hears of events, and decides on certificates where -validatecommand isn't given";
        ignore_unexpected_eof: Bool = "-ignore_unexpected_eof", Both, Import, "3.0", "false",
            "Take a connection that ends without a close notification for one that ends properly";
        post_handshake: Bool = "-post_handshake", Both, Import, "1.8", "false",
            "Client: can be asked for a certificate after the handshake. Server: asks only then, by tls::authenticate";
        request: Bool = "-request", Both, Import, "1.4", "true for a client, false for a server",
            "Ask the peer for its certificate and check it";
        require: Bool = "-require", Both, Import, "1.4", "true for a client, false for a server",
            "Refuse a peer without a valid certificate; implies -request";
        resume: Bool = "-resume", Client, Import, "3.0", "true unless -command or -validatecommand is given",
            "Resume earlier sessions with the same server under the same settings, and keep new ones for that";
        servername: Text = "-servername", Client, Import, "1.6", "none",
            "Name to ask the server for, and to verify its certificate against";
        session_id: Bytes secret = "-session_id", Client, Import, "1.8", "none",
            "Session to resume: the value of session in tls::connection";
        timeout: Int = "-timeout", Both, Import, "3.0", "none",
            "Milliseconds that the handshake may take from now on";
        validatecommand: Script = "-validatecommand" | "-vcmd" | "-validate_command", Both, Import, "1.8", "none",
            "Command prefix that decides on certificates, client hellos, server names and application protocols";
    }
}

options! {
    /// What servers that share work have in common.
    pub(super) struct Sessions, SESSIONS {
        ticketkeys: List secret = "-ticketkeys", Server, Import, "3.0", "a key of the context's own",
            "Keys of session tickets, 48 or 80 bytes each: the first for new tickets, the others are still taken";
    }
}

options! {
    /// Whose settings to share.
    pub(super) struct Model, MODEL {
        model: Channel = "-model", Both, Import, "1.4", "none",
            "TLS channel whose context and callbacks to share";
    }
}

options! {
    /// What only `tls::import` takes.
    struct Import, IMPORT {
        server: Bool = "-server", Both, Import, "1.4", "false", "Be the server of the handshake";
    }
}

options! {
    /// The role that `tls::init` sets.
    pub(super) table ROLE {
        Bool = "-server", Both, Import, "1.4", "false", "Be the server of the handshake";
    }
}

/// The options of `tls::import`.
pub(super) static TABLE: Table = Table {
    command: "tls::import",
    groups: &[IMPORT, MODEL, PEER, PROTOCOLS, IDENTITY, SESSIONS, TRUST],
    missing: Missing::NoArgument,
};

/// The words of `-verification`.
static CHECKS: Table = Table {
    command: "tls::import -verification",
    groups: &[VERIFICATION],
    missing: Missing::NoArgument,
};

/// The command's form.
const SYNTAX: &str = "tls::import channel ?options?";

/// The options that shape a context, which a model brings along.
const SHAPING: &[&[crate::opts::Spec]] = &[PROTOCOLS, IDENTITY, SESSIONS, TRUST];

/// What an answer to `sni` can say beside whom to be and whom to trust: the handshake is under way, and the rest of it
/// has been decided.
const CHANGEABLE: &[&str] = &["-request", "-require", "-securitylevel", "-server"];

/// `tls::import channel ?options?`: puts TLS on top of a channel and returns the channel's name.
///
/// Everything is checked before the channel is touched.
pub(super) fn import(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    match words {
        [name, options @ ..] => {
            let under = find(interp, name)?;
            let draft = Draft::new(prepare_parts(interp, options)?)?;
            import_draft(interp, name, under, Dialed::default(), draft)
        }
        [] => Err(Error::wrong_args(SYNTAX)),
    }
}

/// `tls::Import channel host port ticket ?options?`: the same for `tls::socket`, which knows the host and the port of a
/// server that it may not be connected to yet, and has had the options prepared. A port that isn't a number is looked up;
/// of a client, nothing is known.
pub(super) fn import_socket(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    match words {
        [name, host, port, ticket, options @ ..] => {
            let dialed = Dialed {
                host: Some(host.as_text().into_owned()),
                port: port.as_int().and_then(|port| u16::try_from(port).ok()),
            };
            let under = find(interp, name)?;
            let draft = match interp.state::<Prepared>().take(ticket) {
                Some(draft) => draft,
                None => Draft::new(prepare_parts(interp, options)?)?,
            };
            import_draft(interp, name, under, dialed, draft)
        }
        _ => Err(Error::wrong_args(
            "tls::Import channel host port ticket ?options?",
        )),
    }
}

/// Imports a channel; of its peer so much is known.
fn import_draft(
    interp: Interp<'_>,
    name: &Obj,
    under: Channel,
    dialed: Dialed,
    draft: Draft,
) -> Result<Obj> {
    // Preparing may have called a password script, which can do anything.
    if find(interp, name)? != under {
        let text = name.as_text();
        let message = format!("channel \"{text}\" was changed by the password script");
        return Err(Error::failed(Reason::ChannelBusy, message));
    }
    let layer = TlsChannel::stack(interp, under, draft, dialed)?;
    Ok(Obj::text(&layer.name()))
}

/// `tls::Prepare ?options?`: checks the options of `tls::import` and everything they name, so that `tls::socket` can
/// refuse them before it connects or listens. Returns a ticket by which `tls::Import` finds what was made of them.
pub(super) fn prepare(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let draft = Draft::new(prepare_parts(interp, words)?)?;
    Ok(interp.state::<Prepared>().keep(draft))
}

/// `tls::CheckValues ?options?`: checks the values of options of `tls::import` without a look at what they name, which
/// may only be there when they are used. For `tls::init`.
pub(super) fn check_values(_: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let given = TABLE.parse(words)?;
    let server = Import::read(&given)?.server.unwrap_or(false);
    let peer = Peer::read(&given)?;
    settings(&given, &Identity::read(&given)?, server, &peer)?;
    connection(&peer, server)?;
    peer.timeout.map(timeout).transpose()?;
    Ok(Obj::empty())
}

/// What was prepared last in an interpreter. Only the last is kept: a second connection that begins while the first one
/// connects, in the event loop, costs the first one another look at its options.
#[derive(Default)]
struct Prepared {
    /// The number of the last ticket.
    ticket: Cell<i64>,
    /// What it is for, until that is taken.
    draft: RefCell<Option<Draft>>,
}

impl State for Prepared {
    const KEY: &'static str = "tls prepared";
}

impl Prepared {
    /// Keeps what was prepared; the ticket for it.
    fn keep(&self, draft: Draft) -> Obj {
        let ticket = self.ticket.get() + 1;
        self.ticket.set(ticket);
        // Dropping a script's words can run a trace: nothing is borrowed then.
        drop(self.draft.replace(Some(draft)));
        Obj::int(ticket)
    }

    /// Takes what a ticket is for, if that is still there.
    fn take(&self, ticket: &Obj) -> Option<Draft> {
        match ticket.as_int() == Some(self.ticket.get()) {
            true => self.draft.take(),
            false => None,
        }
    }
}

/// The channel to import: open both ways.
fn find(interp: Interp<'_>, name: &Obj) -> Result<Channel> {
    let text = name.as_text();
    let refuse =
        |message: String| Err(Error::failed_with(Reason::ImportChannel, [&*text], message));
    match Channel::find(interp, name) {
        None => refuse(format!("can not find channel named \"{text}\"")),
        Some(channel) if !channel.mode().has(Mask::BOTH) => refuse(format!(
            "channel \"{text}\" isn't open for both reading and writing"
        )),
        Some(channel) => Ok(channel),
    }
}

/// Reads the options, and obtains the context for them or takes that of the model.
fn prepare_parts(interp: Interp<'_>, words: &[Obj]) -> Result<Parts> {
    context::COUNTERS.prepared.add();
    let given = TABLE.parse(words)?;
    let own = Import::read(&given)?;
    let peer = Peer::read(&given)?;
    let model = Model::read(&given)?
        .model
        .as_ref()
        .map(|name| find_model(interp, name, &given))
        .transpose()?;
    let server = match &model {
        Some(model) => model.context().is_server(),
        None => own.server.unwrap_or(false),
    };
    if server != own.server.unwrap_or(server) {
        let message = "-server contradicts the role of the channel that -model names";
        return Err(Error::failed_with(
            Reason::ImportOption,
            ["-server"],
            message,
        ));
    }
    let scripts = scripts(
        interp,
        &peer,
        words,
        model.as_ref().map(|model| model.scripts()),
    );
    let context = match &model {
        Some(model) => model.context(),
        None => obtain(interp, &given, server, &peer)?,
    };
    let scripted = scripts.command.is_some() || scripts.validate.is_some();
    if scripted && peer.resume == Some(true) {
        let message = "-resume can't be true along with -command or -validatecommand, which want to see certificates";
        return Err(Error::failed_with(
            Reason::ImportOption,
            ["-resume"],
            message,
        ));
    }
    Ok(Parts {
        resumes: !server && !scripted && peer.resume.unwrap_or(true),
        context,
        connection: connection(&peer, server)?,
        scripts,
        timeout: peer.timeout.map(timeout).transpose()?.flatten(),
        forgives_cut: peer.ignore_unexpected_eof.unwrap_or(false),
    })
}

/// The channel that `-model` names. What shapes the context comes from it, so that no option may say otherwise.
fn find_model(interp: Interp<'_>, name: &Obj, given: &Given<Obj>) -> Result<Rc<TlsChannel>> {
    let text = name.as_text();
    let refuse = |message| Error::failed_with(Reason::ImportChannel, [&*text], message);
    let model = Channel::find(interp, name)
        .ok_or_else(|| refuse(format!("can not find channel named \"{text}\"")))?
        .driver::<TlsChannel>()
        .ok_or_else(|| refuse(format!("bad channel \"{text}\": not a TLS channel")))?;
    let shaping = SHAPING
        .iter()
        .flat_map(|group| group.iter())
        .map(|spec| spec.name);
    match shaping
        .chain(["-request", "-require"])
        .find(|name| given.has(name))
    {
        None => Ok(model),
        Some(option) => {
            let message = format!(
                "option \"{option}\" can't be given along with -model, which brings its own"
            );
            Err(Error::failed_with(Reason::ImportOption, [option], message))
        }
    }
}

/// The context for the options.
fn obtain(
    interp: Interp<'_>,
    given: &Given<Obj>,
    server: bool,
    peer: &Peer<Obj>,
) -> Result<Arc<Context>> {
    let identity = Identity::read(given)?;
    let settings = settings(given, &identity, server, peer)?;
    let password = identity
        .password
        .filter(|prefix| !prefix.as_text().is_empty())
        .unwrap_or_else(|| Obj::text("::tls::password"));
    let script = Script::new(interp, &password);
    let owner = PasswordOwner::new(interp.number(), &password.as_text());
    let mut ask = |longest: usize| ask_password(script.as_ref(), longest);
    context::obtain(&settings, &Access::of(interp), &mut ask, Some(owner))
}

/// What shapes the context.
fn settings(
    given: &Given<Obj>,
    identity: &Identity<Obj>,
    server: bool,
    peer: &Peer<Obj>,
) -> Result<Settings> {
    let protocols = Protocols::read(given)?;
    let trust = Trust::read(given)?;
    let require = peer.require.unwrap_or(!server);
    Ok(Settings {
        server,
        protocols: protocol_set(&protocols),
        cipher: protocols.cipher.filter(|list| !list.is_empty()),
        ciphersuites: protocols.ciphersuites.filter(|list| !list.is_empty()),
        security_level: protocols
            .security_level
            .map(SecurityLevel::new)
            .transpose()?,
        identity: own_identity(identity)?,
        trust: context::Trust::new(
            trust
                .cafile
                .as_ref()
                .and_then(|value| source("-cafile", value)),
            trust.cadir.as_deref(),
            trust.castore.as_deref(),
        ),
        checks: trust.verification.as_deref().map(checks).transpose()?,
        request: require || peer.request.unwrap_or(!server),
        require,
        ticket_keys: ticket_keys(Sessions::read(given)?)?,
        dhparams: identity
            .dhparams
            .as_ref()
            .and_then(|value| source("-dhparams", value)),
    })
}

/// How certificates are checked.
fn checks(words: &[Obj]) -> Result<Checks> {
    let refuse =
        |message: String| Error::failed_with(Reason::ImportOption, ["-verification"], message);
    let given = CHECKS
        .parse(words)
        .map_err(|error| refuse(format!("bad -verification: {}", error.message())))?;
    let mut names = given.all().map(|setting| setting.spec.name);
    if let Some(name) = names.find(|name| verification::NOT_FOR_TLS.contains(name)) {
        let message = format!("{name} isn't for TLS, which has -servername and -securitylevel");
        return Err(refuse(format!("bad -verification: {message}")));
    }
    verification::checks(&given, |_, message| refuse(message))
}

/// The connection's own settings.
fn connection(peer: &Peer<Obj>, server: bool) -> Result<Connection> {
    let name = peer
        .servername
        .as_deref()
        .map(Name::parse)
        .transpose()?
        .filter(|_| !server);
    let session = peer.session_id.clone().filter(|bytes| !bytes.is_empty());
    Ok(Connection {
        host: name.clone(),
        server_name: name,
        alpn: alpn(peer.alpn.as_deref().unwrap_or_default())?,
        session: session
            .map(|bytes| Session::parse(Secret::from(bytes)))
            .transpose()?,
        post_handshake: peer.post_handshake.unwrap_or(false),
        ..Connection::default()
    })
}

/// The scripts; those that aren't given come from the model.
fn scripts(interp: Interp<'_>, peer: &Peer<Obj>, words: &[Obj], model: Option<Scripts>) -> Scripts {
    let model = model.unwrap_or_default();
    let script = |option: &Option<Obj>, model: Option<Script>| match option {
        Some(prefix) => Script::new(interp, prefix),
        None => model,
    };
    Scripts {
        resolve: model.resolve.or_else(|| Some(resolver(interp, words))),
        command: script(&peer.command, model.command),
        validate: script(&peer.validatecommand, model.validate),
    }
}

/// What finds the context for an answer to `sni`, whose options come on top of those that the context was made of.
fn resolver(interp: Interp<'_>, words: &[Obj]) -> Rc<Resolve> {
    let keeper = interp.keep();
    let base = words.to_vec();
    Rc::new(move |options: &[Obj]| {
        check_answer(options)?;
        let words: Vec<Obj> = base.iter().chain(options).cloned().collect();
        let context = keeper.with(|interp| Ok(prepare_parts(interp, &words)?.context));
        context.unwrap_or_else(|| {
            Err(Error::failed(
                Reason::CallbackGone,
                "the interpreter of the callback is gone",
            ))
        })
    })
}

/// Refuses options in an answer to `sni` that would change nothing.
fn check_answer(options: &[Obj]) -> Result<()> {
    let given = TABLE.parse(options)?;
    let changeable = |name: &&str| {
        let shaping = [IDENTITY, TRUST].into_iter().flatten();
        shaping
            .map(|spec| spec.name)
            .chain(CHANGEABLE.iter().copied())
            .any(|other| other == *name)
    };
    match given
        .all()
        .map(|setting| setting.spec.name)
        .find(|name| !changeable(name))
    {
        None => Ok(()),
        Some(option) => {
            let message = format!(
                "option \"{option}\" can't be given in an answer to sni, which comes too late for it"
            );
            Err(Error::failed_with(Reason::ImportOption, [option], message))
        }
    }
}

/// The protocol versions that are allowed.
///
/// An old one that isn't spoken of is allowed where an older one is: of a set with a hole, OpenSSL's client offers the
/// part below the hole alone, and scripts that say no more than `-tls1 1` are to get the best that there is.
fn protocol_set(given: &Protocols<Obj>) -> ProtocolSet {
    let ssl3 = given.ssl3.unwrap_or(false);
    let tls1 = given.tls1.unwrap_or(ssl3);
    ProtocolSet::EMPTY
        .with(Protocol::Ssl2, given.ssl2.unwrap_or(false))
        .with(Protocol::Ssl3, ssl3)
        .with(Protocol::Tls1, tls1)
        .with(Protocol::Tls1_1, given.tls1_1.unwrap_or(tls1))
        .with(Protocol::Tls1_2, given.tls1_2.unwrap_or(true))
        .with(Protocol::Tls1_3, given.tls1_3.unwrap_or(true))
}

/// The own certificate and key.
fn own_identity(given: &Identity<Obj>) -> Result<Option<context::Identity>> {
    let pick = |first: (&'static str, &Option<Obj>), second: (&'static str, &Option<Obj>)| {
        [first, second]
            .into_iter()
            .find_map(|(option, value)| source(option, value.as_ref()?))
    };
    let certificate = pick(("-cert", &given.cert), ("-certfile", &given.certfile));
    let key = pick(("-key", &given.key), ("-keyfile", &given.keyfile));
    context::Identity::new(certificate, key)
}

/// Where a certificate, key or the like comes from; `None` for an empty value.
fn source(option: &'static str, value: &Obj) -> Option<Source> {
    match value.as_bytes() {
        Some(bytes) if Source::is_der(&bytes) => Source::bytes(option, Secret::from(bytes)),
        _ => Source::file(option, &value.as_text()),
    }
}

/// The keys of session tickets.
fn ticket_keys(given: Sessions<Obj>) -> Result<Vec<TicketKey>> {
    let keys = given.ticketkeys.unwrap_or_default();
    let key = |word: &Obj| word.as_bytes().map(Secret::from).and_then(TicketKey::new);
    keys.iter()
        .map(|word| {
            key(word).ok_or_else(|| {
                let message = "a key of session tickets must have 48 or 80 bytes";
                Error::failed_with(Reason::ImportOption, ["-ticketkeys"], message)
                    .about_option("-ticketkeys")
            })
        })
        .collect()
}

/// The application protocols.
fn alpn(names: &[Obj]) -> Result<Option<Alpn>> {
    let names: Vec<Vec<u8>> = names
        .iter()
        .map(|name| name.as_text().into_owned().into_bytes())
        .collect();
    Alpn::new(&names)
}

/// The handshake's time limit; 0 is none.
fn timeout(milliseconds: i64) -> Result<Option<Duration>> {
    match u32::try_from(milliseconds) {
        Ok(0) => Ok(None),
        Ok(milliseconds) => Ok(Some(Duration::from_millis(u64::from(milliseconds)))),
        Err(_) => Err(Error::failed_with(
            Reason::ImportOption,
            ["-timeout", &milliseconds.to_string()],
            format!(
                "bad timeout \"{milliseconds}\": must be milliseconds, 0 to {}",
                u32::MAX
            ),
        )
        .about_option("-timeout")),
    }
}

/// Asks the caller's script for the password of a private key. A script that takes no words is called without any, as
/// the older packages did.
fn ask_password(script: Option<&Script>, longest: usize) -> Result<Secret> {
    let refused = |why: &str| Err(Error::failed(Reason::Password, why));
    let Some(script) = script else {
        return refused("the private key is encrypted and there is no password script");
    };
    let longest = i64::try_from(longest).unwrap_or(i64::MAX);
    match script.call_fitting(&[Obj::text("password"), Obj::int(0), Obj::int(longest)]) {
        None => refused("the interpreter of the password script is gone"),
        Some(Err(error)) => refused(&format!("the password script failed: {}", error.message())),
        Some(Ok(password)) => Ok(Secret::from(password.as_text().as_bytes())),
    }
}
