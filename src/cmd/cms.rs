//! `tls::cms`: S/MIME and CMS with the words of `openssl cms`.
//!
//! The table of options is in `cms/table.rs`. A call is a [`Job`]: it reads what its options name, and plans what is
//! to be done with the streams (`cms/sealing.rs`, `signing.rs`, `checking.rs`, `showing.rs`); that happens here at
//! once, or in `cms/later.rs` while the event loop goes on.

mod addresses;
mod checking;
mod facts;
mod later;
mod places;
mod plan;
mod sealing;
mod showing;
mod signing;
mod streams;
pub(super) mod table;
mod words;

use std::rc::Rc;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use self::plan::{Closing, Plan};
use self::table::{Checking, Keys, Making, Streams};
use self::words::{Operation, Words};
use super::pki::{self, Kinds, PasswordOption};
use crate::cmd::library::Library;
use crate::cms::source::Stream;
use crate::error::{Error, Reason, Result};
use crate::opts::groups::{Help, KeyPassword, Output, Verification};
use crate::ossl::cms::Properties;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};

/// The reasons that this command gives.
const KINDS: Kinds = Kinds {
    option: Reason::CmsOption,
    read: Reason::CmsRead,
    password: Reason::CmsPassword,
    write: Reason::CmsWrite,
};

/// The error for options that can't be carried out.
fn option_error(option: &str, message: impl Into<String>) -> Error {
    KINDS.refuse(option, message)
}

/// `tls::cms ?operation? ?options? ?certificate ...?`, `tls::cms cancel token`
pub(super) fn cms(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    if let [first, rest @ ..] = words
        && &*first.as_text() == "cancel"
    {
        return later::FAMILY.cancel(interp, rest);
    }
    let words = Words::parse(words)?;
    if Help::read(&words.given)?.help.is_some() {
        return Ok(Obj::text(&words::help()));
    }
    let job = Job::new(interp, words)?;
    let _properties = Properties::wanted(job.library.properties()?);
    match &job.streams.command {
        Some(prefix) => later::start(&job, prefix),
        None => job.run(),
    }
}

/// A call of the command.
struct Job<'a> {
    /// The interpreter.
    interp: Interp<'a>,
    /// The words.
    words: Words,
    /// The library as the options want it.
    library: Rc<Library>,
    /// What is done.
    operation: Operation,
    /// The options about streams.
    streams: Streams<Obj>,
    /// Where its result goes.
    output: Output<Obj>,
    /// The options about keys.
    keys: Keys<Obj>,
    /// The source of passwords.
    passin: Option<String>,
    /// The options about making messages.
    making: Making<Obj>,
    /// The options about checking messages.
    checking: Checking<Obj>,
    /// Reads certificates and keys.
    inputs: pki::Inputs<'a>,
}

impl<'a> Job<'a> {
    /// Takes the options apart.
    fn new(interp: Interp<'a>, mut words: Words) -> Result<Self> {
        let inputs = pki::Inputs::new(interp, KINDS, &words.given)?;
        let library = Library::load(&inputs, &words.given, true)?;
        words.check_cipher(&library)?;
        let given = &words.given;
        let streams = Streams::read(given)?;
        let making = Making::read(given)?;
        let checking = Checking::read(given)?;
        // A bad value is an error whatever the operation.
        let _: Verification<Obj> = Verification::read(given)?;
        Ok(Self {
            interp,
            operation: words.operation()?,
            streams,
            making,
            checking,
            output: Output::read(given)?,
            keys: Keys::read(given)?,
            passin: KeyPassword::read(given)?.passin,
            inputs,
            library: Rc::new(library),
            words,
        })
    }

    /// Reads what the options name, and plans what is done with the streams.
    fn plan(&self) -> Result<Plan> {
        if self.making.digest.is_some() && self.operation != Operation::Sign {
            return Err(option_error("-digest", "-digest is for -sign alone"));
        }
        self.words.check(self.operation)?;
        self.check_values()?;
        match self.operation {
            Operation::Sign => self.sign(),
            Operation::Verify => self.verify(),
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
        }
    }

    /// Refuses a bad value, whatever the operation.
    fn check_values(&self) -> Result<()> {
        let streams = &self.streams;
        for (option, value) in [
            ("-inform", &streams.inform),
            ("-outform", &streams.outform),
            ("-rctform", &streams.rctform),
        ] {
            Self::format(option, value.as_ref())?;
        }
        self.releases_early()?;
        self.secret_key()?;
        self.secret_id()?;
        Ok(())
    }

    /// Does what is asked, at once.
    fn run(&self) -> Result<Obj> {
        let plan = self.plan()?;
        let closing = Closing::new(self);
        let stream = self.input(&plan)?;
        let beside = self.beside(&plan)?.map(|beside| beside as Box<dyn Stream>);
        let mut sink = self.output(plan.checked)?;
        let tell = self
            .streams
            .progress
            .as_ref()
            .and_then(|prefix| Script::new(self.interp, prefix))
            .map(streams::script_tells);
        let finding = plan.carry_out(stream, beside, tell, sink.writer())?;
        closing.close(self.interp, finding, sink)
    }

    /// The certificate of an option.
    fn certificate(&self, option: &str, file: &str) -> Result<X509> {
        self.inputs.certificate(option, file, self.password())
    }

    /// The certificates of an option.
    fn certificates(&self, option: &str, file: &str) -> Result<Vec<X509>> {
        self.inputs.certificates(option, file, self.password())
    }

    /// The private key of an option.
    fn key(&self, option: &str, file: &str) -> Result<PKey<Private>> {
        self.library
            .key(&self.inputs, option, file, self.password())
    }

    /// Where the passwords of keys come from.
    fn password(&self) -> PasswordOption<'_> {
        PasswordOption::new("-passin", self.passin.as_deref())
    }
}
