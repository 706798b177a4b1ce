//! What the tests are made of: certificates, files in memory, and two ends that shake hands.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{ErrorCode, Ssl, SslStream};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509NameBuilder};

use crate::context::files::{Files, Stamp};
use crate::context::hooks::{self, Hooks};
use crate::context::{
    Connection, Context, Identity, PasswordOwner, Secret, Settings, Source, Trust, obtain,
};
use crate::error::{Error, Reason, Result};

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

impl Party {
    pub(crate) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }
}

/// A new key on P-256.
pub(super) fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Authority,
    Server,
    Client,
}

/// Makes a certificate for a new key; without an issuer it signs itself.
pub(super) fn party(name: &str, role: Role, issuer: Option<&Party>) -> Party {
    certify(key(), name, role, issuer)
}

/// Makes a certificate for a key.
pub(super) fn certify(key: PKey<Private>, name: &str, role: Role, issuer: Option<&Party>) -> Party {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(u32::from_be_bytes(
        openssl::sha::sha256(name.as_bytes())[..4]
            .try_into()
            .unwrap(),
    ));
    builder
        .set_serial_number(&serial.unwrap().to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issuer_name = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issuer_name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(10).unwrap())
        .unwrap();
    if role == Role::Authority {
        let constraints = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(constraints).unwrap();
        let usage = KeyUsage::new().key_cert_sign().crl_sign().build().unwrap();
        builder.append_extension(usage).unwrap();
    } else {
        let mut usage = ExtendedKeyUsage::new();
        match role {
            Role::Server => usage.server_auth(),
            _ => usage.client_auth(),
        };
        builder.append_extension(usage.build().unwrap()).unwrap();
        let mut names = SubjectAlternativeName::new();
        names.dns(name).ip("127.0.0.1");
        let names = names.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    let signer = issuer.map_or(&key, |issuer| &issuer.key);
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    Party {
        certificate: builder.build(),
        key,
    }
}

/// An authority, an intermediate, and a server and a client certificate from it.
pub(crate) struct Pki {
    pub(crate) root: Party,
    pub(crate) intermediate: Party,
    pub(crate) server: Party,
    pub(crate) client: Party,
}

/// Makes them, with a name of its own for each authority.
pub(crate) fn pki() -> Pki {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    pki_named(&format!("root {}", COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// Makes them with this name of the root. Two with one name are each other's impostor.
pub(crate) fn pki_named(name: &str) -> Pki {
    let root = party(name, Role::Authority, None);
    let intermediate = party(&format!("under {name}"), Role::Authority, Some(&root));
    let server = party("server.test", Role::Server, Some(&intermediate));
    let client = party("client.test", Role::Client, Some(&intermediate));
    Pki {
        root,
        intermediate,
        server,
        client,
    }
}

impl Pki {
    /// A party's certificate with the intermediate behind it, and its key.
    pub(crate) fn bundle(&self, party: &Party) -> Vec<u8> {
        [party.pem(), self.intermediate.pem(), party.key_pem()].concat()
    }

    /// Settings of a server that shows its certificate.
    pub(crate) fn server_settings(&self) -> Settings {
        Settings {
            server: true,
            identity: identity(&self.bundle(&self.server)),
            ..Settings::default()
        }
    }

    /// Settings of a client that trusts the root, and requires a good certificate.
    pub(crate) fn client_settings(&self) -> Settings {
        Settings {
            trust: trust(&self.root.pem()),
            request: true,
            require: true,
            ..Settings::default()
        }
    }
}

/// An identity in memory.
pub(crate) fn identity(content: &[u8]) -> Option<Identity> {
    let source = Source::bytes("-cert", Secret::from(content));
    Identity::new(source, None).unwrap()
}

/// Trust in memory.
pub(crate) fn trust(content: &[u8]) -> Trust {
    Trust::new(Source::bytes("-cafile", Secret::from(content)), None, None)
}

/// Files in memory, with stamps that the test sets.
#[derive(Default)]
pub(super) struct Memory {
    files: RefCell<HashMap<String, (Stamp, Vec<u8>)>>,
    pub(super) reads: Cell<usize>,
}

/// A stamp of long ago.
pub(super) fn stamp(inode: u64) -> Stamp {
    Stamp {
        device: 0,
        inode,
        size: 0,
        modified: Duration::from_secs(1),
        changed: Duration::from_secs(1),
    }
}

impl Memory {
    /// Writes a file; a stamp with inode 0 is for a file that has none.
    pub(super) fn write(&self, name: &str, stamp: Stamp, content: &[u8]) {
        self.files
            .borrow_mut()
            .insert(name.to_owned(), (stamp, content.to_owned()));
    }
}

impl Files for Memory {
    fn stamp(&self, path: &str) -> Option<Stamp> {
        let stamp = self.files.borrow().get(path)?.0;
        (stamp.inode != 0).then_some(stamp)
    }

    fn read(&self, path: &str) -> Result<Secret> {
        self.reads.set(self.reads.get() + 1);
        match self.files.borrow().get(path) {
            Some((_, content)) => Ok(Secret::from(&content[..])),
            None => Err(Error::Io {
                errno: 2,
                name: "ENOENT".into(),
                text: "no such file or directory".to_owned(),
                message: format!("couldn't open \"{path}\": no such file or directory"),
            }),
        }
    }

    fn native(&self, path: &str) -> Result<PathBuf> {
        Ok(PathBuf::from(path))
    }
}

/// The context for settings without files and passwords.
pub(crate) fn context(settings: &Settings) -> Result<Arc<Context>> {
    obtain(settings, &Memory::default(), &mut no_password, None)
}

/// The context for settings with files.
pub(super) fn context_from(settings: &Settings, files: &Memory) -> Result<Arc<Context>> {
    obtain(settings, files, &mut no_password, None)
}

/// The context for settings with a password, and how often that was asked for.
pub(super) fn context_with_password(
    settings: &Settings,
    password: &str,
    owner: PasswordOwner,
) -> (Result<Arc<Context>>, usize) {
    let mut asked = 0;
    let mut ask = |_| {
        asked += 1;
        Ok(Secret::from(password.as_bytes()))
    };
    let context = obtain(settings, &Memory::default(), &mut ask, Some(owner));
    (context, asked)
}

/// Nobody knows it.
fn no_password(_max: usize) -> Result<Secret> {
    Err(Error::failed(Reason::Password, "no password"))
}

/// One direction of a connection.
type Queue = Rc<RefCell<VecDeque<u8>>>;

/// One end of a connection in memory.
pub(super) struct Pipe {
    from: Queue,
    to: Queue,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.from.borrow_mut().read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One end with its hooks.
pub(super) struct End {
    pub(super) stream: SslStream<Pipe>,
    hooks: Option<Rc<dyn Hooks>>,
    pub(super) done: bool,
}

impl End {
    /// Runs an operation with the hooks entered. An error of theirs comes first.
    pub(super) fn run<T>(
        &mut self,
        operation: impl FnOnce(&mut SslStream<Pipe>) -> T,
    ) -> std::result::Result<T, String> {
        let guard = self.hooks.clone().map(hooks::enter);
        let result = operation(&mut self.stream);
        match guard.map(hooks::Guard::leave) {
            Some(Err(error)) => Err(error.message()),
            _ => Ok(result),
        }
    }

    /// Goes on with the handshake; whether there was something to do.
    fn step(&mut self) -> std::result::Result<(), String> {
        match self.run(SslStream::do_handshake)? {
            Ok(()) => self.done = true,
            Err(error) if error.code() == ErrorCode::WANT_READ => {}
            // The hello and verify callbacks put the handshake off.
            Err(error) if [11, 12].contains(&error.code().as_raw()) => {}
            Err(error) => {
                let verify = self.stream.ssl().verify_result();
                return Err(match error.ssl_error() {
                    Some(stack) => {
                        format!("{} ({})", stack.errors()[0].reason().unwrap_or("?"), verify)
                    }
                    None => error.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Asks for the other end's certificate.
    pub(super) fn ask_certificate(&mut self) -> std::result::Result<(), String> {
        crate::context::ask_certificate(self.stream.ssl()).map_err(|error| error.message())?;
        self.run(SslStream::do_handshake)?
            .map_err(|error| error.to_string())
    }

    /// Reads what has arrived, handshake messages included.
    pub(super) fn read(&mut self) -> std::result::Result<Vec<u8>, String> {
        let mut data = Vec::new();
        let mut quiet = 0;
        while quiet < 8 {
            let mut buffer = [0; 4096];
            match self.run(|stream| stream.ssl_read(&mut buffer))? {
                Ok(len) => data.extend_from_slice(&buffer[..len]),
                Err(error) if error.code() == ErrorCode::WANT_READ => quiet += 1,
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(data)
    }
}

/// Both ends.
pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
}

/// What each end says at the end of a handshake.
pub(super) type Outcome = std::result::Result<(), String>;

impl Pair {
    /// Two ends that have done nothing yet.
    pub(super) fn new(client: Ssl, server: Ssl) -> Self {
        let (one, two) = (Queue::default(), Queue::default());
        let end = |ssl: Ssl, from: &Queue, to: &Queue| {
            let pipe = Pipe {
                from: Rc::clone(from),
                to: Rc::clone(to),
            };
            End {
                stream: SslStream::new(ssl, pipe).unwrap(),
                hooks: None,
                done: false,
            }
        };
        Self {
            client: end(client, &one, &two),
            server: end(server, &two, &one),
        }
    }

    /// Two ends for contexts, the client expecting the name `server.test`.
    pub(super) fn of(client: &Context, server: &Context) -> Self {
        let name = Some(crate::context::Name::parse("server.test").unwrap());
        let connection = Connection {
            server_name: name.clone(),
            host: name,
            ..Connection::default()
        };
        Self::with(client, &connection, server, &Connection::default())
    }

    /// Two ends for contexts and the settings of connections.
    pub(super) fn with(
        client: &Context,
        client_connection: &Connection,
        server: &Context,
        server_connection: &Connection,
    ) -> Self {
        Self::new(
            client.ssl(client_connection).unwrap(),
            server.ssl(server_connection).unwrap(),
        )
    }

    /// Gives the client hooks.
    pub(super) fn client_hooks(mut self, hooks: Rc<dyn Hooks>) -> Self {
        self.client.hooks = Some(hooks);
        self
    }

    /// Gives the server hooks.
    pub(super) fn server_hooks(mut self, hooks: Rc<dyn Hooks>) -> Self {
        self.server.hooks = Some(hooks);
        self
    }

    /// Shakes hands until nothing moves any more; how that ended for client and server.
    pub(super) fn shake(&mut self) -> (Outcome, Outcome) {
        let (mut client, mut server) = (Ok(()), Ok(()));
        for _ in 0..20 {
            if client.is_ok() && !self.client.done {
                client = self.client.step();
            }
            if server.is_ok() && !self.server.done {
                server = self.server.step();
            }
        }
        // Without an answer from the other side it isn't done.
        let unfinished = |end: &End, outcome: Outcome| match outcome {
            Ok(()) if !end.done => Err("not done".to_owned()),
            outcome => outcome,
        };
        (
            unfinished(&self.client, client),
            unfinished(&self.server, server),
        )
    }

    /// Shakes hands, and lets tickets arrive and a byte go each way; panics if that fails.
    pub(super) fn talk(&mut self) {
        assert_eq!(self.shake(), (Ok(()), Ok(())));
        self.client
            .run(|stream| stream.ssl_write(b"ping"))
            .unwrap()
            .unwrap();
        assert_eq!(self.server.read().unwrap(), b"ping");
        self.server
            .run(|stream| stream.ssl_write(b"pong"))
            .unwrap()
            .unwrap();
        assert_eq!(self.client.read().unwrap(), b"pong");
    }
}
