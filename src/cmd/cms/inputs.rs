//! Certificates, keys, passwords and algorithms that the options of `tls::cms` name.

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::streams;
use super::table::Keys;
use crate::error::{Error, Reason, Result};
use crate::ossl::secret::Secret;
use crate::tcl::script::Script;
use crate::tcl::{Interp, Obj};
use crate::x509::{Problem, load};

/// The error for options that can't be carried out.
pub(super) fn option_error(option: &str, message: impl Into<String>) -> Error {
    Error::failed_with(Reason::CmsOption, [option], message)
}

/// Reads what options name.
pub(super) struct Inputs<'a> {
    /// The interpreter.
    pub(super) interp: Interp<'a>,
    /// The value of -passin.
    passin: Option<String>,
    /// The script of -password.
    script: Option<Script>,
}

impl<'a> Inputs<'a> {
    /// With these ways to passwords.
    pub(super) fn new(interp: Interp<'a>, keys: &Keys<Obj>) -> Self {
        Self {
            interp,
            passin: keys.passin.clone(),
            script: keys
                .password
                .as_ref()
                .and_then(|prefix| Script::new(interp, prefix)),
        }
    }

    /// The password of something encrypted.
    fn password(&self) -> Result<Vec<u8>> {
        let refused = |message: String| Error::failed(Reason::CmsPassword, message);
        if let Some(source) = &self.passin {
            return self.password_from(source);
        }
        let Some(script) = &self.script else {
            return Err(refused(
                "it is encrypted, and neither -passin nor -password was given".to_owned(),
            ));
        };
        match script.call(&[]) {
            None => Err(refused("the interpreter is gone".to_owned())),
            Some(Err(error)) => Err(refused(format!(
                "the password script failed: {}",
                error.message()
            ))),
            Some(Ok(password)) => Ok(password.as_text().as_bytes().to_vec()),
        }
    }

    /// The password that a word of the program's kind leads to.
    fn password_from(&self, source: &str) -> Result<Vec<u8>> {
        let bad = || {
            option_error(
                "-passin",
                "-passin must be pass:…, env:…, file:…, fd:… or stdin",
            )
        };
        let first_line = |bytes: Vec<u8>| {
            let end = bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(bytes.len());
            bytes[..end].trim_ascii_end().to_vec()
        };
        if source == "stdin" {
            return self.line_of("stdin");
        }
        let (kind, rest) = source.split_once(':').ok_or_else(bad)?;
        match kind {
            "pass" => Ok(rest.as_bytes().to_vec()),
            "env" => std::env::var(rest).map(String::into_bytes).map_err(|_| {
                Error::failed(
                    Reason::CmsPassword,
                    format!("there is no environment variable \"{rest}\""),
                )
            }),
            "file" => streams::load(self.interp, "-passin", rest).map(first_line),
            "fd" => {
                let number: u32 = rest.parse().map_err(|_| bad())?;
                streams::load(self.interp, "-passin", &format!("/dev/fd/{number}")).map(first_line)
            }
            _ => Err(bad()),
        }
    }

    /// The first line of a channel.
    fn line_of(&self, channel: &str) -> Result<Vec<u8>> {
        let mut stream = streams::open_channel(self.interp, "-passin", &Obj::text(channel))?;
        let mut line = Vec::new();
        let mut byte = [0];
        while stream.read(&mut byte).map_err(crate::cms::unreadable)? == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        Ok(line.trim_ascii_end().to_vec())
    }

    /// Reads something that may be encrypted.
    fn read<T>(
        &self,
        option: &str,
        value: &str,
        read: impl FnOnce(&[u8], &mut load::AskPassword<'_>) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        let bytes = Secret::from(streams::load(self.interp, option, value)?);
        let mut asked = None;
        let mut ask = || {
            let given = self.password();
            let answer = match &given {
                Ok(password) => Ok(Secret::from(password.as_slice())),
                Err(error) => Err(Problem::new(error.message())),
            };
            asked = Some(given.map(Secret::from));
            answer
        };
        let outcome = read(&bytes, &mut ask);
        let shown = match value.starts_with("-----BEGIN ") {
            true => "the text".to_owned(),
            false => format!("\"{value}\""),
        };
        outcome.map_err(|problem| match asked {
            Some(Err(error)) => Error::failed_with(
                Reason::CmsPassword,
                [option],
                format!("can't read {shown} of {option}: {}", error.message()),
            ),
            Some(Ok(_)) => Error::failed_with(
                Reason::CmsPassword,
                [option],
                format!(
                    "can't read {shown} of {option}, perhaps because of a wrong password: {problem}"
                ),
            ),
            None => Error::failed_with(
                Reason::CmsRead,
                [option],
                format!("can't read {shown} of {option}: {problem}"),
            ),
        })
    }

    /// All certificates of a file.
    pub(super) fn certificates(&self, option: &str, value: &str) -> Result<Vec<X509>> {
        self.read(option, value, |bytes, ask| match load::is_pkcs12(bytes) {
            true => {
                let bundle = load::pkcs12(bytes, ask)?;
                Ok(bundle.certificate.into_iter().chain(bundle.chain).collect())
            }
            false => load::certificates(bytes),
        })
    }

    /// The first certificate of a file.
    pub(super) fn certificate(&self, option: &str, value: &str) -> Result<X509> {
        self.certificates(option, value)?
            .into_iter()
            .next()
            .ok_or_else(|| Error::failed_with(Reason::CmsRead, [option], "no certificate"))
    }

    /// The private key of a file.
    pub(super) fn key(&self, option: &str, value: &str) -> Result<PKey<Private>> {
        self.read(option, value, |bytes, ask| match load::is_pkcs12(bytes) {
            true => load::pkcs12(bytes, ask)?
                .key
                .ok_or_else(|| Problem::new("there is no private key in it")),
            false => load::private_key(bytes, ask),
        })
    }

    /// The trusted certificates and revocation lists of a file.
    pub(super) fn bytes(&self, option: &str, value: &str) -> Result<Vec<u8>> {
        streams::load(self.interp, option, value)
    }
}

/// The bytes of hexadecimal digits.
pub(super) fn hex(option: &str, digits: &str) -> Result<Vec<u8>> {
    let bad = || {
        option_error(
            option,
            format!("{option} takes hexadecimal digits, two for each byte"),
        )
    };
    let digits = digits.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(bad());
    }
    pairs
        .iter()
        .map(|pair| {
            let value = |digit: u8| char::from(digit).to_digit(16);
            let (high, low) = (value(pair[0])?, value(pair[1])?);
            u8::try_from(high << 4 | low).ok()
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(bad)
}
