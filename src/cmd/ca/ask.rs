//! `tls::ca -newreq`, `-newcert` and their kin: a key with a request, or with a certificate that it signs itself.
//!
//! Both work without an authority, and read no configuration that isn't named.

use openssl::x509::{X509, X509Name, X509Req};

use super::authority::configuration;
use super::inputs::{KINDS, Password, encoding, moment, option_error, subject};
use super::options::{Making, Place, Reporting};
use super::words::Words;
use super::{now, surroundings};
use crate::ca::ask::{self, Extensions, INLINE, Own};
use crate::ca::authority::Authority;
use crate::ca::config;
use crate::ca::issue::random_serial;
use crate::ca::newkey::{KeyKind, Lock};
use crate::ca::request::Encoding;
use crate::ca::serial::Serial;
use crate::cmd::library::Library;
use crate::cmd::pki::Inputs;
use crate::cmd::sink::{Sink, Sinks, Target};
use crate::error::{Error, Reason, Result};
use crate::opts::groups::Output;
use crate::opts::options;
use crate::ossl::conf::Conf;
use crate::ossl::error::failed;
use crate::ossl::secret::Secret;
use crate::tcl::{Interp, Obj, files};
use crate::value::Record;
use crate::x509::{describe, name};

options! {
    /// New keys, requests and certificates that sign themselves.
    #[expect(dead_code, reason = "some options are read as words, since they may be repeated")]
    pub(super) struct Asking, ASKING {
        newreq: Flag = "-newreq", Both, Command, "3.0", "off",
            "Make a private key and a request for its certificate";
        newreq_clear: Flag = "-newreq-nodes", Both, Command, "3.0", "off",
            "The same as -newreq with -noenc";
        newcert: Flag = "-newcert", Both, Command, "3.0", "off",
            "Make a private key and a certificate that it signs itself";
        precert: Flag = "-precert", Both, Command, "3.0", "off",
            "The same as -newcert for a precertificate, which is for the logs of certificate transparency alone";
        newkey: Text = "-newkey", Both, Command, "3.0", "ec:P-256",
            "Kind of the new key: rsa:BITS, rsa-pss:BITS, ec:CURVE, ed25519, ed448 or another that the library has";
        pkeyopt: Text = "-pkeyopt", Both, Command, "3.0", "none",
            "Parameter of the new key, name:value; may be repeated";
        keyout: File = "-keyout", Both, Command, "3.0", "newkey.pem",
            "File for the new private key, which only its owner can read; - is the result";
        passout: Text secret = "-passout", Both, Command, "3.0", "none",
            "Source of the password that encrypts the new key, as in -passin";
        cipher: Text = "-cipher", Both, Command, "3.0", "aes-256-cbc",
            "Cipher that encrypts the new key where there is a password";
        clear: Flag = "-noenc" | "-nodes", Both, Command, "3.0", "off",
            "Leave the new key in the clear, whatever -passout says";
        addext: Text = "-addext", Both, Command, "3.0", "none",
            "Extension to ask for or to have, name=value; may be repeated";
        reqexts: Text = "-reqexts", Both, Command, "3.0", "req_extensions of the configuration",
            "Section with the extensions of a new request";
        outform: Text = "-outform", Both, Command, "3.0", "PEM",
            "Form of a new request or a self-signed certificate: PEM or DER";
        set_serial: Text = "-set_serial", Both, Command, "3.0", "a random one",
            "Serial number of a self-signed certificate, decimal or with 0x in front";
    }
}

/// How many days a certificate that signs itself lasts by default.
const DAYS: i64 = 365;

impl Asking<Obj> {
    /// Whether the operation is one of these.
    pub(super) fn is_asked(&self) -> bool {
        let all = [self.newreq, self.newreq_clear, self.newcert, self.precert];
        all.iter().any(Option::is_some)
    }
}

/// What a certificate that signs itself is by default: one that can be trusted, and shown by a server as well.
const OWN_EXTENSIONS: [&str; 3] = [
    "basicConstraints = critical,CA:TRUE",
    "subjectKeyIdentifier = hash",
    "authorityKeyIdentifier = keyid:always",
];

/// What makes a certificate a precertificate (RFC 6962): programs that verify it don't know it, and it is critical.
const POISON: &str = "1.3.6.1.4.1.11129.2.4.3 = critical,ASN1:NULL";

/// A configuration that was named, and its section for requests.
struct Settings {
    /// The configuration.
    conf: Conf,
    /// The section.
    section: String,
}

impl Settings {
    /// Reads the configuration of `-config`, if there is one.
    fn read(place: &Place<Obj>, inputs: &Inputs<'_>) -> Result<Option<Self>> {
        let Some(given) = &place.config else {
            return Ok(None);
        };
        let (text, file) = configuration(inputs, Some(given))?;
        let conf = config::parse(&text, &file)?;
        if let Some(objects) = config::object_file(&conf)
            && let Ok(text) = files::read(&objects)
        {
            config::create_objects_of(&text, &objects)?;
        }
        config::create_objects(&conf, &file)?;
        let section = place.name.clone().unwrap_or_else(|| "req".to_owned());
        Ok(Some(Self { conf, section }))
    }

    /// The value of a key in the section.
    fn value(&self, key: &str) -> Option<String> {
        self.conf.value(Some(&self.section), key)
    }

    /// The subject that the configuration has; none where it only has questions.
    fn subject(&self) -> Result<Option<X509Name>> {
        let asks = self.value("prompt").is_none_or(|word| word != "no");
        let fields = match asks {
            true => None,
            false => self
                .value("distinguished_name")
                .and_then(|section| self.conf.section(&section)),
        };
        let Some(fields) = fields else {
            return Ok(None);
        };
        let attributes = fields.into_iter().map(|(key, value)| {
            let kind = crate::ca::request::field_name(&key).to_owned();
            vec![name::Attribute { kind, value }]
        });
        let made = name::build(&attributes.collect::<Vec<_>>());
        made.map(Some)
            .map_err(|problem| option_error("-config", problem.to_string()))
    }
}

/// A call of one of the operations that make keys.
pub(super) struct Call<'a> {
    /// The interpreter.
    interp: Interp<'a>,
    /// The words.
    pub(super) words: &'a Words,
    /// What is asked for.
    pub(super) asking: Asking<Obj>,
    /// What a certificate is to be.
    pub(super) making: Making<Obj>,
    /// Where files are.
    pub(super) place: Place<Obj>,
    /// Where it goes.
    pub(super) output: Output<Obj>,
    /// What accompanies it.
    pub(super) reporting: Reporting<Obj>,
    /// Reads what options name.
    inputs: Inputs<'a>,
    /// The password of a private key that is there.
    password: Password,
    /// What was loaded for the call.
    library: Library,
    /// The configuration.
    settings: Option<Settings>,
}

/// What was made.
enum Made {
    /// A request.
    Request(X509Req),
    /// A certificate.
    Certificate(X509),
}

/// Makes a request or a certificate, and its key if there is none. Nothing is written before everything is made.
pub(super) fn run(interp: Interp<'_>, words: &Words) -> Result<Obj> {
    let call = Call::new(interp, words)?;
    if !words.requests.is_empty() {
        let message = "what makes keys takes no further words";
        return Err(option_error("operation", message));
    }
    call.make()
}

impl<'a> Call<'a> {
    /// Takes the options apart.
    pub(super) fn new(interp: Interp<'a>, words: &'a Words) -> Result<Self> {
        let given = &words.given;
        let place = Place::read(given)?;
        let inputs = Inputs::new(interp, KINDS, given)?;
        let library = Library::load(&inputs, given, false)?;
        Ok(Self {
            interp,
            words,
            asking: Asking::read(given)?,
            making: Making::read(given)?,
            output: Output::read(given)?,
            reporting: Reporting::read(given)?,
            settings: Settings::read(&place, &inputs)?,
            password: Password::read(given, &place)?,
            place,
            inputs,
            library,
        })
    }

    /// Does it.
    fn make(&self) -> Result<Obj> {
        let der = encoding("-outform", self.asking.outform.as_deref())? == Some(Encoding::Der);
        let subject = self.subject()?;
        let mut added = self.words.given.texts("-addext");
        added.extend(self.asking.precert.map(|()| POISON.to_owned()));
        let inline = ask::inline("-addext", &added)?;
        self.check_key()?;
        let lock = self.lock()?;
        let file = self.key_file()?;
        let asker = self.asker()?;
        let made = if self.asking.newcert.or(self.asking.precert).is_some() {
            let extensions = &OWN_EXTENSIONS;
            Made::Certificate(self.certificate(&asker, &subject, &inline, extensions, DAYS)?)
        } else {
            Made::Request(self.request(&asker, &subject, &inline)?)
        };
        let bytes = match (&made, der) {
            (Made::Request(request), false) => request.to_pem(),
            (Made::Request(request), true) => request.to_der(),
            (Made::Certificate(certificate), false) => certificate.to_pem(),
            (Made::Certificate(certificate), true) => certificate.to_der(),
        };
        let bytes = bytes.map_err(|stack| failed("can't write what was made", &stack))?;
        let key = match self.place.keyfile {
            Some(_) => None,
            None => Some(lock.pem(&asker.key)?),
        };
        let usual = match made {
            Made::Request(_) => "newreq.pem",
            Made::Certificate(_) => "newcert.pem",
        };
        let output = Output {
            out: self.output.out.clone().or_else(|| {
                let named = self.output.outchan.is_none();
                named.then(|| usual.to_owned())
            }),
            outchan: self.output.outchan.clone(),
        };
        let result = write(self.interp, key.map(|key| (file, key)), &output, &bytes)?;
        self.finish()?;
        self.tell(&made)?;
        Ok(Obj::bytes(&result))
    }

    /// Does what is done when all is written.
    pub(super) fn finish(&self) -> Result<()> {
        match self.words.given.texts("-writerand").pop() {
            Some(file) => surroundings::write_random(self.interp, &file),
            None => Ok(()),
        }
    }

    /// Stores facts in the variable of `-info`.
    fn tell(&self, made: &Made) -> Result<()> {
        let Some(variable) = &self.reporting.info else {
            return Ok(());
        };
        let mut info = Record::new();
        match made {
            Made::Request(request) => info.put("request", describe::request(request)),
            Made::Certificate(own) => info.put("certificate", describe::summary(own)),
        }
        if self.place.keyfile.is_none() {
            info.put("key", self.asking.keyout.as_deref().unwrap_or(KEY_FILE));
        }
        self.interp
            .set_variable(&Obj::text(variable), &Obj::from(&info))
    }

    /// The subject: of `-subj`, or of the configuration.
    fn subject(&self) -> Result<X509Name> {
        let utf8 = self.making.utf8.is_some()
            || self
                .settings
                .as_ref()
                .and_then(|settings| settings.value("utf8"))
                .is_some_and(|word| word.starts_with(['y', 'Y', 't', 'T', '1']));
        if let Some(text) = &self.making.subj {
            return subject(text, utf8);
        }
        let own = match &self.settings {
            Some(settings) => settings.subject()?,
            None => None,
        };
        own.ok_or_else(|| {
            option_error(
                "-subj",
                "no subject: there is neither -subj nor a configuration with fields and prompt = no",
            )
        })
    }

    /// Refuses what makes a key where there is one.
    fn check_key(&self) -> Result<()> {
        let new = self.asking.newkey.is_some() || self.asking.keyout.is_some();
        match self.place.keyfile.is_some() && new {
            true => Err(option_error(
                "-keyfile",
                "-keyfile names a key that is there, -newkey and -keyout make one",
            )),
            false => Ok(()),
        }
    }

    /// How a new key is written.
    pub(super) fn lock(&self) -> Result<Lock> {
        let clear = self.asking.clear.or(self.asking.newreq_clear);
        let password = match (&self.asking.passout, clear) {
            (Some(source), None) => Some(self.inputs.password_from("-passout", source)?),
            _ => None,
        };
        if password
            .as_ref()
            .is_some_and(|password| password.is_empty())
        {
            let message = "the password of the new key is empty";
            return Err(Error::failed(Reason::CaPassword, message));
        }
        Ok(Lock {
            password,
            cipher: self.asking.cipher.clone(),
        })
    }

    /// Where the new key goes. A file that nobody named isn't overwritten, for it may be the only copy of a key.
    fn key_file(&self) -> Result<&str> {
        let name = match &self.asking.keyout {
            Some(name) => return Ok(name),
            None => KEY_FILE,
        };
        let makes = self.place.keyfile.is_none();
        match makes && files::native(name).is_ok_and(|path| path.exists()) {
            true => {
                let message =
                    format!("there is a \"{name}\" already: say by -keyout where the new key goes");
                Err(Error::failed_with(
                    Reason::CaWrite,
                    ["-keyout", name],
                    message,
                ))
            }
            false => Ok(name),
        }
    }

    /// The certificate of `-cert`.
    pub(super) fn named_certificate(&self, file: &str) -> Result<X509> {
        let password = self.password.option();
        self.inputs.certificate("-cert", file, password)
    }

    /// Whether a password for a key that is there was given.
    pub(super) fn has_password(&self) -> bool {
        let all = ["-key", "-passin", "-password"];
        self.words.given.last_of(&all).is_some()
    }

    /// Who signs: a new key, or the one of `-keyfile`.
    pub(super) fn asker(&self) -> Result<Authority> {
        let properties = self.library.query().map(str::to_owned);
        let key = match &self.place.keyfile {
            Some(file) => {
                let password = self.password.option();
                self.library.key(&self.inputs, "-keyfile", file, password)?
            }
            None => {
                let word = self.asking.newkey.as_deref().unwrap_or("ec:P-256");
                let kind = KeyKind::parse(word, &self.words.given.texts("-pkeyopt"))?;
                kind.generate(properties.as_deref())?
            }
        };
        let own = self
            .settings
            .as_ref()
            .and_then(|settings| settings.value("default_md"));
        let digest = match &self.making.md {
            Some(name) => name.clone(),
            None if Authority::brings_digest(&key) => "default".to_owned(),
            None => own.unwrap_or_else(|| "default".to_owned()),
        };
        let parameters = self.words.given.texts("-sigopt");
        Authority::new(None, key, Some(&digest), parameters, properties)
    }

    /// The section of extensions that an option names, or the configuration by this key.
    fn section(&self, key: &str) -> Result<Option<(&Conf, String)>> {
        let option = self
            .making
            .extensions
            .as_ref()
            .or(self.asking.reqexts.as_ref());
        let Some(settings) = &self.settings else {
            return match option {
                None => Ok(None),
                Some(_) => Err(option_error(
                    "-extensions",
                    "a section of extensions needs -config",
                )),
            };
        };
        let Some(section) = option.cloned().or_else(|| settings.value(key)) else {
            return Ok(None);
        };
        match settings.conf.section(&section) {
            Some(_) => Ok(Some((&settings.conf, section))),
            None => {
                let message = format!("the configuration has no section \"{section}\"");
                Err(Error::failed_with(Reason::CaRead, [&section], message))
            }
        }
    }

    /// The request.
    fn request(&self, asker: &Authority, subject: &X509Name, inline: &Conf) -> Result<X509Req> {
        let configured = self.section("req_extensions")?;
        ask::request(asker, subject, &sections(configured.as_ref(), inline))
    }

    /// The certificate, with these extensions unless a configuration has others, and this many days unless it is said
    /// otherwise.
    pub(super) fn certificate(
        &self,
        asker: &Authority,
        subject: &X509Name,
        inline: &Conf,
        extensions: &[&str],
        days: i64,
    ) -> Result<X509> {
        let lines: Vec<String> = extensions.iter().map(|&line| line.to_owned()).collect();
        let usual = ask::inline("-extensions", &lines)?;
        let configured = self.section("x509_extensions")?;
        let configured = configured.unwrap_or_else(|| (&usual, INLINE.to_owned()));
        let start = match self.making.startdate.as_deref() {
            None | Some("today") => now(),
            Some(text) => moment("-startdate", text)?,
        };
        let end = match (&self.making.enddate, self.making.days.unwrap_or(days)) {
            (Some(text), _) => moment("-enddate", text)?,
            (None, days @ 1..) => start.saturating_add(days.saturating_mul(86_400)),
            (None, _) => return Err(option_error("-days", "-days must be above zero")),
        };
        if end <= start {
            let message = "the certificate would end before it begins";
            return Err(option_error("-enddate", message));
        }
        let serial = match &self.asking.set_serial {
            Some(text) => serial(text)?,
            None => random_serial()?,
        };
        let own = Own {
            subject,
            serial: &serial,
            start,
            end,
        };
        ask::certificate(asker, &own, &sections(Some(&configured), inline))
    }
}

/// Writes the key, if there is one, and what was made with it; gives what isn't for files.
///
/// One name for both makes one file, the key first, as in the program.
fn write(
    interp: Interp<'_>,
    key: Option<(&str, Secret)>,
    output: &Output<Obj>,
    bytes: &[u8],
) -> Result<Vec<u8>> {
    let mut sinks = Sinks::default();
    let mut shared = false;
    if let Some((file, key)) = key {
        let mut sink = match file {
            "-" => Sink::memory(),
            file => Sink::private_file(interp, Target::new(KINDS, "-keyout", file))?,
        };
        sink.put(&key)?;
        shared = output.out.as_deref() == Some(file);
        if shared {
            sink.put(bytes)?;
        }
        sink.settle()?;
        sinks.push(sink);
    }
    if !shared {
        let mut sink = Sink::output(interp, KINDS, output, false)?;
        sink.put(bytes)?;
        sink.settle()?;
        sinks.push(sink);
    }
    sinks.finish()
}

/// Where the new key goes by default.
const KEY_FILE: &str = "newkey.pem";

/// The sections of extensions in their order; what was said inline comes last, and so counts.
fn sections<'a>(
    configured: Option<&'a (&'a Conf, String)>,
    inline: &'a Conf,
) -> Vec<Extensions<'a>> {
    let configured = configured.map(|(conf, section)| Extensions { conf, section });
    let added = inline.section(INLINE).is_some().then_some(Extensions {
        conf: inline,
        section: INLINE,
    });
    configured.into_iter().chain(added).collect()
}

/// A serial number in decimal digits, or in hexadecimal ones behind `0x`.
fn serial(text: &str) -> Result<Serial> {
    let read = match text.strip_prefix("0x") {
        Some(digits) => Serial::parse(digits.as_bytes()),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let number = openssl::bn::BigNum::from_dec_str(text).ok();
            number.map(|number| Serial::from_magnitude(&number.to_vec(), false))
        }
        None => None,
    };
    // An empty text has been read as nothing.
    read.filter(|_| !text.is_empty()).ok_or_else(|| {
        let message =
            format!("bad serial number \"{text}\": must be decimal, or hexadecimal behind 0x");
        option_error("-set_serial", message)
    })
}
