//! `tls::cms`: S/MIME and CMS with the words of `openssl cms`.
//!
//! The table of options is in `cms/table.rs`; here each operation is a short function from options to a call of
//! the domain.

mod facts;
mod inputs;
mod library;
mod streams;
pub(super) mod table;
mod words;

use std::io::Write;

use openssl::asn1::Asn1Object;
use openssl::cipher::Cipher;
use openssl::nid::Nid;
use openssl::x509::X509;

use self::inputs::{Inputs, hex, option_error};
use self::streams::Sink;
use self::table::{Checking, Keys, Making, Operations, Streams};
use self::words::{Operation, Words};
use crate::cms::ber::Skeleton;
use crate::cms::content::{Content, Treatment};
use crate::cms::output::Wrapping;
use crate::cms::source::{Format, Stream};
use crate::cms::{compress, decrypt, digest, encrypt, inspect, sign, verify};
use crate::error::{Error, Reason, Result};
use crate::opts::groups::Verification;
use crate::ossl::cms::{Flags, ReceiptsFrom, authenticates};
use crate::ossl::secret::Secret;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};
use crate::value::Record;
use crate::x509::chain::{Anchors, Checks, store};
use crate::x509::{load, name};

/// `tls::cms ?operation? ?options? ?certificate ...?`
pub(super) fn cms(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let words = Words::parse(interp, words)?;
    if Operations::read(&words.given)?.help.is_some() {
        return Ok(Obj::text(&words::help()));
    }
    let job = Job::new(interp, words)?;
    let result = job.run()?;
    if let Some(name) = job.words.texts("-writerand").last() {
        library::Library::write_random(interp, &name)?;
    }
    Ok(result)
}

/// A call of the command.
struct Job<'a> {
    /// The interpreter.
    interp: Interp<'a>,
    /// The words.
    words: Words,
    /// What is done.
    operation: Operation,
    /// The options about streams.
    streams: Streams<Obj>,
    /// The options about keys.
    keys: Keys<Obj>,
    /// The options about making messages.
    making: Making<Obj>,
    /// The options about checking messages.
    checking: Checking<Obj>,
    /// The options about chains.
    verification: Verification<Obj>,
    /// Reads certificates and keys.
    inputs: Inputs<'a>,
}

impl<'a> Job<'a> {
    /// Takes the options apart.
    fn new(interp: Interp<'a>, words: Words) -> Result<Self> {
        let given = &words.given;
        let keys = Keys::read(given)?;
        let streams = Streams::read(given)?;
        let making = Making::read(given)?;
        let checking = Checking::read(given)?;
        let verification = Verification::read(given)?;
        Ok(Self {
            interp,
            operation: words.operation()?,
            streams,
            making,
            checking,
            verification,
            inputs: Inputs::new(interp, &keys),
            keys,
            words,
        })
    }

    /// Does what is asked.
    fn run(&self) -> Result<Obj> {
        let facts = match self.operation {
            Operation::Sign => self.sign(),
            Operation::Verify => return self.verify(),
            Operation::Encrypt => self.encrypt(),
            Operation::Decrypt => self.decrypt(),
            Operation::DigestCreate => self.digest_create(),
            Operation::DigestVerify => self.digest_verify(),
            Operation::Compress => self.compress(),
            Operation::Uncompress => self.uncompress(),
            Operation::EncryptedDataEncrypt => self.encrypt_with_key(),
            Operation::EncryptedDataDecrypt => self.decrypt_with_key(),
            Operation::DataCreate => self.data_create(),
            Operation::DataOut => self.data_out(),
            Operation::Cmsout => self.cmsout(),
            Operation::Resign => self.resign(),
            Operation::SignReceipt => self.sign_receipt(),
            Operation::VerifyReceipt => self.verify_receipt(),
        };
        let (result, facts) = facts?;
        self.tell(&facts)?;
        Ok(Obj::bytes(&result))
    }

    /// Stores facts in the variable of `-info`.
    fn tell(&self, facts: &Record) -> Result<()> {
        match &self.streams.info {
            Some(name) => self
                .interp
                .set_variable(&Obj::text(name), &Obj::from(facts)),
            None => Ok(()),
        }
    }

    // ---- Streams --------------------------------------------------------------------------------

    /// The input.
    fn input(&self) -> Result<Box<dyn Stream>> {
        let streams = &self.streams;
        let given = [
            streams.r#in.is_some(),
            streams.data.is_some(),
            streams.inchan.is_some(),
        ];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(option_error(
                "-in",
                "only one of -in, -data and -inchan can be given",
            ));
        }
        let stream: Box<dyn Stream> = match (&streams.r#in, &streams.data, &streams.inchan) {
            (_, Some(data), _) => Box::new(std::io::Cursor::new(data.clone())),
            (_, _, Some(channel)) => streams::open_channel(self.interp, "-inchan", channel)?,
            (Some(name), _, _) if name != "-" => streams::open(self.interp, "-in", name)?,
            _ => streams::open_channel(self.interp, "-in", &Obj::text("stdin"))?,
        };
        let script = streams
            .progress
            .as_ref()
            .and_then(|prefix| Script::new(self.interp, prefix));
        Ok(streams::with_progress(stream, script))
    }

    /// The input as a message: one that may have to be read twice is made so.
    fn message(&self) -> Result<Box<dyn Stream>> {
        let stream = self.input()?;
        match self.inform()? {
            Format::Smime => streams::repeatable(stream),
            _ => Ok(stream),
        }
    }

    /// The input as a content.
    fn plain(&self) -> Result<Box<dyn Stream>> {
        let stream = self.input()?;
        match self.streams.noindef.is_some() {
            true => streams::repeatable(stream),
            false => Ok(stream),
        }
    }

    /// The content beside a message.
    fn beside(&self) -> Result<Option<Box<dyn Stream>>> {
        self.streams
            .content
            .as_deref()
            .map(|name| streams::open(self.interp, "-content", name))
            .transpose()
    }

    /// The output; `checked` says whether it may come out only when all is right.
    fn output(&self, checked: bool) -> Result<Sink> {
        let early = match self.streams.release.as_deref() {
            None | Some("verified") => !checked,
            Some("early") => true,
            Some(other) => {
                let message = format!("bad -release \"{other}\": must be early or verified");
                return Err(option_error("-release", message));
            }
        };
        match (&self.streams.out, &self.streams.outchan) {
            (Some(_), Some(_)) => Err(option_error(
                "-out",
                "only one of -out and -outchan can be given",
            )),
            (Some(name), None) => Sink::file(self.interp, "-out", name),
            (None, Some(channel)) => Sink::channel(self.interp, "-outchan", channel, early),
            (None, None) => Ok(Sink::memory()),
        }
    }

    /// A format option.
    fn format(option: &str, value: Option<&String>) -> Result<Format> {
        value.map_or(Ok(Format::Smime), |value| {
            Format::parse(value).ok_or_else(|| {
                option_error(
                    option,
                    format!("bad {option} \"{value}\": must be SMIME, PEM, or DER"),
                )
            })
        })
    }

    /// The form of the input.
    fn inform(&self) -> Result<Format> {
        Self::format("-inform", self.streams.inform.as_ref())
    }

    /// How the result is wrapped.
    fn wrapping(&self) -> Result<Wrapping> {
        let streams = &self.streams;
        let headers = [
            ("To", &streams.to),
            ("From", &streams.from),
            ("Subject", &streams.subject),
        ];
        let headers: Vec<(&'static str, String)> = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect();
        if let Some((name, _)) = headers
            .iter()
            .find(|(_, value)| value.contains(['\n', '\r']))
        {
            let option = format!("-{}", name.to_lowercase());
            let message = format!("{option} can't have more than one line");
            return Err(option_error(&option, message));
        }
        Ok(Wrapping {
            format: Self::format("-outform", streams.outform.as_ref())?,
            crlf: streams.crlfeol.is_some(),
            headers,
        })
    }

    /// How a content is treated.
    fn treatment(&self) -> Treatment {
        let streams = &self.streams;
        Treatment::new(
            streams.binary.is_some(),
            streams.asciicrlf.is_some(),
            streams.text.is_some(),
        )
    }

    /// Whether lengths are left open.
    fn indefinite(&self) -> bool {
        self.words.last_of(&["-stream", "-noindef"]) == Some("-stream")
    }

    /// Makes a message of the input.
    fn make(
        &self,
        make: impl FnOnce(Content<'_>, &Wrapping, bool, &mut dyn Write) -> Result<()>,
    ) -> Result<(Vec<u8>, Record)> {
        let wrapping = self.wrapping()?;
        let mut stream = self.plain()?;
        let content = Content::new(&mut *stream, self.treatment())?;
        let mut out = self.output(false)?;
        if self.checking.print.is_some() {
            let mut message = Vec::new();
            make(content, &Wrapping::der(), false, &mut message)?;
            let text = inspect::print_bytes(&message, self.name_flags()?)?;
            out.write_all(&text).map_err(crate::cms::unwritable)?;
        } else if self.checking.noout.is_some() {
            make(content, &wrapping, self.indefinite(), &mut std::io::sink())?;
        } else {
            make(content, &wrapping, self.indefinite(), &mut out)?;
        }
        Ok((out.finish()?, Record::new()))
    }

    /// Reads a message from the input.
    fn read(
        &self,
        read: impl FnOnce(&mut dyn Stream, Format, bool, &mut dyn Write) -> Result<Skeleton>,
    ) -> Result<(Vec<u8>, Record)> {
        let mut stream = self.message()?;
        let text = self.streams.text.is_some();
        let mut out = self.output(true)?;
        let skeleton = read(&mut *stream, self.inform()?, text, &mut out)?;
        Ok((out.finish()?, facts::message(&skeleton)))
    }

    // ---- Data, digests, compression -------------------------------------------------------------

    /// `-data_create`
    fn data_create(&self) -> Result<(Vec<u8>, Record)> {
        self.make(digest::create_data)
    }

    /// `-data_out`
    fn data_out(&self) -> Result<(Vec<u8>, Record)> {
        self.read(digest::read_data)
    }

    /// `-digest_create`
    fn digest_create(&self) -> Result<(Vec<u8>, Record)> {
        let digest = match &self.making.md {
            Some(name) => self.words.library.digest(name)?.type_(),
            None => Nid::SHA256,
        };
        self.make(|content, wrapping, indefinite, out| {
            digest::create(content, digest, wrapping, indefinite, out)
        })
    }

    /// `-digest_verify`
    fn digest_verify(&self) -> Result<(Vec<u8>, Record)> {
        let mut beside = self.beside()?;
        let treatment = Treatment::new(self.streams.binary.is_some(), false, false);
        self.read(|stream, format, text, out| {
            let content = match &mut beside {
                Some(beside) => Some(Content::new(&mut **beside, treatment)?),
                None => None,
            };
            digest::verify(stream, format, content, text, out)
        })
    }

    /// `-compress`
    fn compress(&self) -> Result<(Vec<u8>, Record)> {
        self.make(compress::compress)
    }

    /// `-uncompress`
    fn uncompress(&self) -> Result<(Vec<u8>, Record)> {
        let mut beside = self.beside()?;
        self.read(|stream, format, text, out| {
            let beside = beside
                .as_mut()
                .map(|beside| &mut **beside as &mut dyn Stream);
            compress::uncompress(stream, format, beside, text, out)
        })
    }

    // ---- Encrypting and decrypting --------------------------------------------------------------

    /// The cipher that was asked for, AES-256-CBC if none was.
    fn cipher(&self) -> Result<Cipher> {
        match &self.words.cipher {
            Some(name) => self.words.library.cipher(name),
            None => self.words.library.cipher("AES-256-CBC"),
        }
        .ok_or_else(|| Error::failed(Reason::CmsCreate, "the library lacks the cipher"))
    }

    /// The secret key.
    fn secret_key(&self) -> Result<Option<Secret>> {
        self.keys
            .secretkey
            .as_deref()
            .map(|digits| hex("-secretkey", digits).map(Secret::from))
            .transpose()
    }

    /// The secret key's name.
    fn secret_id(&self) -> Result<Option<Vec<u8>>> {
        self.keys
            .secretkeyid
            .as_deref()
            .map(|digits| hex("-secretkeyid", digits))
            .transpose()
    }

    /// `-EncryptedData_encrypt`
    fn encrypt_with_key(&self) -> Result<(Vec<u8>, Record)> {
        let key = self.need_secret_key()?;
        let cipher = self.cipher()?;
        if authenticates(&cipher) {
            let message = "EncryptedData has no place for the tag of an authenticating cipher";
            return Err(Error::failed(Reason::CmsCreate, message));
        }
        self.make(|content, wrapping, indefinite, out| {
            encrypt::encrypt_with_key(content, &cipher, &key, wrapping, indefinite, out)
        })
    }

    /// `-EncryptedData_decrypt`
    fn decrypt_with_key(&self) -> Result<(Vec<u8>, Record)> {
        let key = self.need_secret_key()?;
        self.read(|stream, format, text, out| {
            decrypt::decrypt_with_key(stream, format, &key, text, out)
        })
    }

    /// The secret key, which must be given.
    fn need_secret_key(&self) -> Result<Secret> {
        self.secret_key()?
            .ok_or_else(|| option_error("-secretkey", "-secretkey isn't given"))
    }

    /// `-encrypt`
    fn encrypt(&self) -> Result<(Vec<u8>, Record)> {
        let shared = match (self.secret_key()?, self.secret_id()?) {
            (Some(key), Some(id)) => Some(encrypt::SharedKey { key, id }),
            (Some(_), None) => {
                return Err(option_error(
                    "-secretkeyid",
                    "-secretkey needs -secretkeyid",
                ));
            }
            (None, _) => None,
        };
        let mut recipients = Vec::new();
        for given in self.words.recipients()? {
            recipients.push(encrypt::Recipient {
                certificate: self.inputs.certificate("-recip", &given.file)?,
                key_options: given.key_options,
            });
        }
        for word in &self.words.certificates {
            recipients.push(encrypt::Recipient {
                certificate: self.inputs.certificate("cert", word)?,
                key_options: Vec::new(),
            });
        }
        let password = self
            .keys
            .pwri_password
            .as_deref()
            .map(|text| Secret::from(text.as_bytes()));
        if recipients.is_empty() && shared.is_none() && password.is_none() {
            let message = "no recipient: give a certificate, -recip, -secretkey or -pwri_password";
            return Err(option_error("-recip", message));
        }
        let originator = match &self.keys.originator {
            Some(file) => Some((
                self.inputs.certificate("-originator", file)?,
                self.inputs
                    .key("-inkey", self.keys.inkey.as_ref().unwrap_or(file))?,
            )),
            None => None,
        };
        let cipher = self.cipher()?;
        let authenticated = authenticates(&cipher);
        let wrap = match self.words.wrap() {
            Some(name) => Some(
                self.words
                    .library
                    .cipher(&name)
                    .ok_or_else(|| option_error("-wrap", format!("unknown cipher \"{name}\"")))?,
            ),
            None => None,
        };
        let password_wrap = self
            .words
            .library
            .cipher("AES-256-CBC")
            .filter(|_| authenticated);
        let settings = encrypt::Settings {
            cipher: &cipher,
            authenticated,
            recipients,
            originator,
            wrap: wrap.as_deref(),
            shared,
            password,
            password_wrap: password_wrap.as_deref(),
            flags: Flags::NONE.and_if(self.making.keyid.is_some(), Flags::USE_KEYID),
        };
        self.make(|content, wrapping, indefinite, out| {
            encrypt::encrypt(content, &settings, wrapping, indefinite, out)
        })
    }

    /// `-decrypt`
    fn decrypt(&self) -> Result<(Vec<u8>, Record)> {
        let keys = &self.keys;
        let secret = self
            .secret_key()?
            .map(|key| Ok::<_, Error>((key, self.secret_id()?)));
        let private = match (&keys.inkey, &keys.recip) {
            (Some(file), _) => Some(self.inputs.key("-inkey", file)?),
            (None, Some(file)) => Some(self.inputs.key("-recip", file)?),
            (None, None) => None,
        };
        let settings = decrypt::Settings {
            format: self.inform()?,
            keys: decrypt::Keys {
                secret: secret.transpose()?,
                private,
                certificate: self.certificate("-recip", keys.recip.as_ref())?,
                originator: self.certificate("-originator", keys.originator.as_ref())?,
                password: keys
                    .pwri_password
                    .as_deref()
                    .map(|text| Secret::from(text.as_bytes())),
            },
            debug: self.checking.debug_decrypt.is_some(),
            text: self.streams.text.is_some(),
        };
        let given = &settings.keys;
        if given.secret.is_none() && given.private.is_none() && given.password.is_none() {
            let message = "no key: give -inkey, -recip, -secretkey or -pwri_password";
            return Err(option_error("-inkey", message));
        }
        self.read(|stream, _, _, out| decrypt::decrypt(stream, &settings, out))
    }

    /// The certificate of an option, if it is given.
    fn certificate(&self, option: &str, file: Option<&String>) -> Result<Option<X509>> {
        file.map(|file| self.inputs.certificate(option, file))
            .transpose()
    }

    // ---- Signing and verifying ------------------------------------------------------------------

    /// The signers, each with his key.
    fn signers(&self) -> Result<Vec<sign::Signer>> {
        let signers = self.words.signers()?;
        if signers.is_empty() {
            return Err(option_error("-signer", "no signer: -signer isn't given"));
        }
        signers
            .into_iter()
            .map(|given| {
                let certificate = self.inputs.certificate("-signer", &given.file)?;
                let key = match &given.key {
                    Some(file) => self.inputs.key("-inkey", file)?,
                    None => self.inputs.key("-signer", &given.file)?,
                };
                Ok(sign::Signer {
                    certificate,
                    key,
                    key_options: given.key_options,
                })
            })
            .collect()
    }

    /// The flags for making signatures.
    fn sign_flags(&self) -> Result<Flags> {
        let making = &self.making;
        if making.cades.is_some() && making.noattr.is_some() {
            return Err(option_error(
                "-cades",
                "-cades and -noattr contradict each other",
            ));
        }
        Ok(Flags::NONE
            .and_if(making.nocerts.is_some(), Flags::NOCERTS)
            .and_if(making.noattr.is_some(), Flags::NOATTR)
            .and_if(making.nosmimecap.is_some(), Flags::NOSMIMECAP)
            .and_if(making.keyid.is_some(), Flags::USE_KEYID)
            .and_if(making.cades.is_some(), Flags::CADES)
            .and_if(self.streams.binary.is_some(), Flags::BINARY)
            .and_if(self.streams.asciicrlf.is_some(), Flags::ASCIICRLF)
            .and_if(making.nodetach.is_none(), Flags::DETACHED))
    }

    /// The request for receipts.
    fn receipts(&self) -> Result<Option<sign::Receipts>> {
        let bytes =
            |option| -> Vec<Vec<u8>> { self.words.texts(option).map(String::into_bytes).collect() };
        let list = bytes("-receipt_request_from");
        let to = bytes("-receipt_request_to");
        let from = match self
            .words
            .last_of(&["-receipt_request_all", "-receipt_request_first"])
        {
            _ if !list.is_empty() => ReceiptsFrom::List(list),
            Some("-receipt_request_all") => ReceiptsFrom::All,
            Some(_) => ReceiptsFrom::FirstTier,
            None if to.is_empty() => return Ok(None),
            None => {
                let message = "-receipt_request_to needs -receipt_request_all, -receipt_request_first or \
                               -receipt_request_from";
                return Err(option_error("-receipt_request_to", message));
            }
        };
        if to.is_empty() {
            let message = "a request for receipts needs -receipt_request_to";
            return Err(option_error("-receipt_request_to", message));
        }
        Ok(Some(sign::Receipts { from, to }))
    }

    /// The certificates of `-certfile`.
    fn further_certificates(&self) -> Result<Vec<X509>> {
        let mut found = Vec::new();
        for file in self.words.texts("-certfile") {
            found.extend(self.inputs.certificates("-certfile", &file)?);
        }
        Ok(found)
    }

    /// The object identifier of `-econtent_type`.
    fn inner_type(&self) -> Result<Option<Asn1Object>> {
        self.making
            .econtent_type
            .as_deref()
            .map(|text| {
                Asn1Object::from_str(text).map_err(|_| {
                    option_error(
                        "-econtent_type",
                        format!("\"{text}\" isn't an object identifier"),
                    )
                })
            })
            .transpose()
    }

    /// `-sign`
    fn sign(&self) -> Result<(Vec<u8>, Record)> {
        let digest = self
            .making
            .md
            .as_deref()
            .map(|name| self.words.library.digest(name))
            .transpose()?;
        let settings = sign::Settings {
            signers: self.signers()?,
            digest: digest.as_deref(),
            certificates: self.further_certificates()?,
            flags: self.sign_flags()?,
            inner_type: self.inner_type()?,
            receipts: self.receipts()?,
        };
        self.make(|content, wrapping, indefinite, out| {
            sign::sign(content, &settings, wrapping, indefinite, out)
        })
    }

    /// What verification takes.
    fn verify_settings(&self) -> Result<verify::Settings> {
        let checking = &self.checking;
        let weakened = checking.noverify.is_some()
            || checking.no_attr_verify.is_some()
            || checking.nosigs.is_some();
        if self.making.cades.is_some() && weakened {
            let message = "-cades contradicts -noverify, -no_attr_verify and -nosigs";
            return Err(option_error("-cades", message));
        }
        let checks = self.checks()?;
        Ok(verify::Settings {
            format: self.inform()?,
            certificates: self.further_certificates()?,
            revocation: checks.checks_revocation(),
            store: store(&self.anchors()?, &checks).map_err(|problem| {
                Error::failed_with(Reason::CmsOption, ["-CAfile"], problem.to_string())
            })?,
            no_intern: checking.nointern.is_some(),
            no_chain: checking.noverify.is_some(),
            no_attributes: checking.no_attr_verify.is_some() || checking.nosigs.is_some(),
            no_content: checking.no_content_verify.is_some() || checking.nosigs.is_some(),
            cades: self.making.cades.is_some(),
            text: self.streams.text.is_some(),
            binary: self.streams.binary.is_some(),
        })
    }

    /// Whom to trust.
    fn anchors(&self) -> Result<Anchors> {
        let checking = &self.checking;
        let mut anchors = Anchors::default();
        if let Some(file) = &checking.ca_file {
            let bytes = self.inputs.bytes("-CAfile", file)?;
            let failed = |problem: crate::x509::Problem| {
                Error::failed_with(
                    Reason::CmsRead,
                    ["-CAfile", file.as_str()],
                    format!("can't read \"{file}\": {problem}"),
                )
            };
            // A file of lists alone is fine, and so is one of certificates alone; broken ones aren't.
            let has = |label: &[u8]| bytes.windows(label.len()).any(|place| place == label);
            let has_lists = has(b"-----BEGIN X509 CRL-----");
            if has_lists {
                anchors.lists = load::crls(&bytes).map_err(failed)?;
            }
            if !has_lists || has(b" CERTIFICATE-----") || has(b"BEGIN CERTIFICATE-----") {
                anchors.certificates = load::certificates(&bytes).map_err(failed)?;
            }
        }
        let refuse_safe = |option| streams::check_access(self.interp, option, "");
        if let Some(folder) = &checking.ca_path {
            refuse_safe("-CApath")?;
            let folder = crate::tcl::files::native(folder)?;
            anchors.folders.push(folder.to_string_lossy().into_owned());
        }
        if let Some(uri) = &checking.ca_store {
            refuse_safe("-CAstore")?;
            let uri = std::ffi::CString::new(uri.as_str())
                .map_err(|_| option_error("-CAstore", "a URI can't hold a zero byte"))?;
            anchors.stores.push(uri);
        }
        // As in the program, an own file leaves the default folder trusted, and the other way round.
        anchors.default_file = checking.ca_file.is_none() && checking.no_ca_file.is_none();
        anchors.default_folder = checking.ca_path.is_none() && checking.no_ca_path.is_none();
        anchors.default_store = checking.ca_store.is_none() && checking.no_ca_store.is_none();
        Ok(anchors)
    }

    /// How chains are checked.
    fn checks(&self) -> Result<Checks> {
        let given = self.verification.clone();
        let number = |option: &str, value: Option<i64>| {
            value
                .map(|value| {
                    i32::try_from(value).map_err(|_| {
                        option_error(option, format!("{option} {value} is out of range"))
                    })
                })
                .transpose()
        };
        let mut checks = Checks {
            name: given.verify_name,
            time: given.attime,
            depth: number("-verify_depth", given.verify_depth)?,
            level: number("-auth_level", given.auth_level)?,
            purpose: given.purpose,
            policies: self.words.texts("-policy").collect(),
            host: given.verify_hostname,
            email: given.verify_email,
            address: given
                .verify_ip
                .map(|text| {
                    text.parse().map_err(|_| {
                        option_error("-verify_ip", format!("\"{text}\" isn't an IP address"))
                    })
                })
                .transpose()?,
            ..Checks::default()
        };
        for setting in self.words.given.all() {
            checks.switch_on(setting.spec.name);
        }
        Ok(checks)
    }

    /// `-verify`
    fn verify(&self) -> Result<Obj> {
        let settings = self.verify_settings()?;
        let mut stream = self.message()?;
        let mut beside = self.beside()?;
        let mut out = self.output(true)?;
        let (report, outcome) = verify::verify(
            &mut *stream,
            beside
                .as_mut()
                .map(|beside| &mut **beside as &mut dyn Stream),
            &settings,
            &mut out,
        )?;
        self.tell(&facts::signed(&report, &outcome))?;
        if let Err(error) = outcome {
            let code = report
                .signers
                .iter()
                .map(|signer| signer.chain_error)
                .find(|code| *code != 0);
            return Err(match (self.checking.verify_retcode, code) {
                (Some(()), Some(code)) => facts::with_status(error, 32 + code),
                _ => error,
            });
        }
        if let Some(name) = &self.keys.certsout {
            self.write_certificates("-certsout", name, &report.certificates)?;
        }
        if let Some(name) = self.words.texts("-signer").last() {
            let signers: Vec<X509> = report
                .signers
                .iter()
                .filter_map(|signer| signer.certificate.clone())
                .collect();
            self.write_certificates("-signer", &name, &signers)?;
        }
        let mut result = out.finish()?;
        if self.checking.receipt_request_print.is_some() {
            result.extend_from_slice(facts::receipt_requests(&report).as_bytes());
        }
        Ok(Obj::bytes(&result))
    }

    /// Writes certificates to a file.
    fn write_certificates(&self, option: &str, name: &str, certificates: &[X509]) -> Result<()> {
        let write = || {
            let mut sink = Sink::file(self.interp, option, name)?;
            for certificate in certificates {
                let pem = certificate.to_pem().map_err(|stack| {
                    crate::cms::refused(Reason::CmsSigners, "can't encode a certificate", &stack)
                })?;
                sink.write_all(&pem).map_err(crate::cms::unwritable)?;
            }
            sink.finish()
        };
        write().map(|_| ()).map_err(|error| {
            Error::failed_with(Reason::CmsSigners, [option, name], error.message())
        })
    }

    // ---- Looking at messages, adding signers, receipts ------------------------------------------

    /// How names are printed, if it isn't in the usual way.
    fn name_flags(&self) -> Result<Option<u64>> {
        let Some(words) = &self.checking.nameopt else {
            return Ok(None);
        };
        let form = name::Form::parse(words)
            .map_err(|problem| option_error("-nameopt", problem.to_string()))?;
        Ok((form != name::Form::ONELINE).then(|| form.bits()))
    }

    /// `-cmsout`
    fn cmsout(&self) -> Result<(Vec<u8>, Record)> {
        let mut stream = self.message()?;
        let mut out = self.output(false)?;
        if let Some(file) = &self.keys.certsout {
            let found = inspect::certificates(&mut *stream, self.inform()?)?;
            self.write_certificates("-certsout", file, &found)?;
        }
        let facts = if self.checking.print.is_some() {
            let text = inspect::print(&mut *stream, self.inform()?, self.name_flags()?)?;
            out.write_all(&text).map_err(crate::cms::unwritable)?;
            Record::new()
        } else {
            let noout = self.checking.noout.is_some();
            let wrapping = (!noout).then(|| self.wrapping()).transpose()?;
            let skeleton =
                inspect::copy(&mut *stream, self.inform()?, wrapping.as_ref(), &mut out)?;
            facts::message(&skeleton)
        };
        Ok((out.finish()?, facts))
    }

    /// `-resign`
    fn resign(&self) -> Result<(Vec<u8>, Record)> {
        let digest = self
            .making
            .md
            .as_deref()
            .map(|name| self.words.library.digest(name))
            .transpose()?;
        let settings = sign::Settings {
            signers: self.signers()?,
            digest: digest.as_deref(),
            certificates: self.further_certificates()?,
            flags: self.sign_flags()?,
            inner_type: None,
            receipts: None,
        };
        let wrapping = self.wrapping()?;
        let mut stream = streams::repeatable(self.message()?)?;
        let mut out = self.output(false)?;
        inspect::resign(&mut *stream, self.inform()?, &settings, &wrapping, &mut out)?;
        Ok((out.finish()?, Record::new()))
    }

    /// `-sign_receipt`
    fn sign_receipt(&self) -> Result<(Vec<u8>, Record)> {
        let signer = self
            .signers()?
            .into_iter()
            .next()
            .ok_or_else(|| option_error("-signer", "no signer: -signer isn't given"))?;
        let certificates = self.further_certificates()?;
        let wrapping = self.wrapping()?;
        let mut stream = self.message()?;
        let mut out = self.output(false)?;
        inspect::sign_receipt(
            &mut *stream,
            self.inform()?,
            &signer,
            &certificates,
            self.sign_flags()?,
            &wrapping,
            &mut out,
        )?;
        Ok((out.finish()?, Record::new()))
    }

    /// `-verify_receipt`
    fn verify_receipt(&self) -> Result<(Vec<u8>, Record)> {
        let settings = self.verify_settings()?;
        let file = Operations::read(&self.words.given)?
            .verify_receipt
            .unwrap_or_default();
        let mut receipt = streams::open(self.interp, "-verify_receipt", &file)?;
        let form = Self::format("-rctform", self.streams.rctform.as_ref())?;
        let mut stream = self.message()?;
        inspect::verify_receipt(&mut *receipt, form, &mut *stream, &settings)?;
        Ok((Vec::new(), Record::new()))
    }
}
