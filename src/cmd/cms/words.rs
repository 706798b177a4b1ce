//! The words of `tls::cms`: options, ciphers as options, the operation, and certificates behind everything.

use super::option_error;
use super::table::TABLE;
use crate::cmd::library::Library;
use crate::error::Result;
use crate::opts::Given;
use crate::tcl::Obj;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `-encrypt`
    Encrypt,
    /// `-decrypt`
    Decrypt,
    /// `-sign`
    Sign,
    /// `-verify`
    Verify,
    /// `-resign`
    Resign,
    /// `-sign_receipt`
    SignReceipt,
    /// `-verify_receipt`
    VerifyReceipt,
    /// `-digest_create`
    DigestCreate,
    /// `-digest_verify`
    DigestVerify,
    /// `-compress`
    Compress,
    /// `-uncompress`
    Uncompress,
    /// `-EncryptedData_encrypt`
    EncryptedDataEncrypt,
    /// `-EncryptedData_decrypt`
    EncryptedDataDecrypt,
    /// `-data_create`
    DataCreate,
    /// `-data_out`
    DataOut,
    /// `-cmsout`
    Cmsout,
}

/// The operations by their options.
const OPERATIONS: &[(&str, Operation)] = &[
    ("-encrypt", Operation::Encrypt),
    ("-decrypt", Operation::Decrypt),
    ("-sign", Operation::Sign),
    ("-verify", Operation::Verify),
    ("-resign", Operation::Resign),
    ("-sign_receipt", Operation::SignReceipt),
    ("-verify_receipt", Operation::VerifyReceipt),
    ("-digest_create", Operation::DigestCreate),
    ("-digest_verify", Operation::DigestVerify),
    ("-compress", Operation::Compress),
    ("-uncompress", Operation::Uncompress),
    ("-EncryptedData_encrypt", Operation::EncryptedDataEncrypt),
    ("-EncryptedData_decrypt", Operation::EncryptedDataDecrypt),
    ("-data_create", Operation::DataCreate),
    ("-data_out", Operation::DataOut),
    ("-cmsout", Operation::Cmsout),
];

/// A signer or recipient as the words name him.
#[derive(Clone, Debug, Default)]
pub(super) struct Party {
    /// The file of his certificate.
    pub(super) file: String,
    /// The file of his key, if it is another one.
    pub(super) key: Option<String>,
    /// Parameters of his key: name and value.
    pub(super) key_options: Vec<(String, String)>,
}

/// The words, taken apart.
pub(super) struct Words {
    /// The options.
    pub(super) given: Given<Obj>,
    /// The words that are no options.
    chosen: Vec<String>,
    /// The cipher that was given as an option, without its dash.
    pub(super) cipher: Option<String>,
    /// The certificates behind everything.
    pub(super) certificates: Vec<String>,
}

impl Words {
    /// Takes the words apart.
    pub(super) fn parse(words: &[Obj]) -> Result<Self> {
        let mut known: Vec<Obj> = Vec::new();
        let mut chosen: Vec<String> = Vec::new();
        let mut certificates = Vec::new();
        let mut rest = words.iter().enumerate();
        while let Some((index, word)) = rest.next() {
            let text = word.as_text();
            let dashed = format!("-{text}");
            if index == 0
                && let Some(spec) = TABLE.find(&dashed)
                && OPERATIONS.iter().any(|(name, _)| *name == spec.name)
            {
                known.push(Obj::text(&dashed));
                if spec.takes_value {
                    known.extend(rest.next().map(|(_, value)| value.clone()));
                }
            } else if let Some(spec) = TABLE.find(&text) {
                known.push(word.clone());
                if spec.takes_value {
                    known.extend(rest.next().map(|(_, value)| value.clone()));
                }
            } else if !text.starts_with('-') || text.starts_with("-----BEGIN ") {
                certificates.push(text.into_owned());
                certificates.extend(rest.by_ref().map(|(_, word)| word.as_text().into_owned()));
            } else {
                chosen.push(text.into_owned());
            }
        }
        Ok(Self {
            given: TABLE.parse(&known)?,
            chosen,
            cipher: None,
            certificates,
        })
    }

    /// Takes the words that are no options as ciphers. Only when the library is there, since a provider among the
    /// options may be the one that has them.
    pub(super) fn check_cipher(&mut self, library: &Library) -> Result<()> {
        if let Some(unknown) = self
            .chosen
            .iter()
            .find(|name| library.cipher(&name[1..]).is_none())
        {
            return Err(TABLE.bad_option(unknown));
        }
        self.cipher = self.chosen.pop().map(|name| name[1..].to_owned());
        Ok(())
    }

    /// The one operation that was asked for.
    pub(super) fn operation(&self) -> Result<Operation> {
        let mut found = None;
        for setting in self.given.all() {
            let this = OPERATIONS
                .iter()
                .find(|(name, _)| *name == setting.spec.name);
            match (found, this) {
                (Some((first, _)), Some((second, _))) if first != *second => {
                    let message = format!("{first} and {second} contradict each other");
                    return Err(option_error(second, message));
                }
                (None, Some(this)) => found = Some(*this),
                _ => {}
            }
        }
        found.map(|(_, operation)| operation).ok_or_else(|| {
            option_error(
                "operation",
                "no operation: give -sign, -verify, -encrypt, -decrypt or another one",
            )
        })
    }

    /// The cipher that wraps keys.
    pub(super) fn wrap(&self) -> Option<String> {
        self.given
            .all()
            .filter_map(|setting| match setting.spec.name {
                "-wrap" => Some(setting.text().into_owned()),
                "-aes128-wrap" => Some("id-aes128-wrap".to_owned()),
                "-aes192-wrap" => Some("id-aes192-wrap".to_owned()),
                "-aes256-wrap" => Some("id-aes256-wrap".to_owned()),
                "-des3-wrap" => Some("DES3-WRAP".to_owned()),
                _ => None,
            })
            .next_back()
    }

    /// Refuses what an operation would leave undone, as the program does: parameters, signers, keys and requests for
    /// receipts that it has no use for, and a second one of what there is one of.
    pub(super) fn check(&self, operation: Operation) -> Result<()> {
        let signs = matches!(
            operation,
            Operation::Sign | Operation::Resign | Operation::SignReceipt
        );
        for setting in self.given.all() {
            let name = setting.spec.name;
            if name.starts_with("-receipt_request_")
                && name != "-receipt_request_print"
                && operation != Operation::Sign
            {
                return Err(option_error(name, format!("{name} is for -sign alone")));
            }
        }
        let once = ["-secretkey", "-secretkeyid", "-econtent_type"];
        let once = once
            .iter()
            .chain(["-signer", "-inkey"].iter().filter(|_| !signs));
        for name in once {
            if self.given.texts(name).len() > 1 {
                let message = format!("{name} can be given only once");
                return Err(option_error(name, message));
            }
        }
        if !signs && operation != Operation::Encrypt {
            let mut named = None;
            for setting in self.given.all() {
                match setting.spec.name {
                    "-signer" | "-inkey" | "-recip" => named = Some(Party::default()),
                    "-keyopt" => add_key_option(named.as_mut(), &setting.text())?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The signers, with the keys and parameters that were given for each.
    pub(super) fn signers(&self) -> Result<Vec<Party>> {
        let mut parties: Vec<Party> = Vec::new();
        // A key that waits for its signer, with its parameters.
        let mut waiting: Option<Party> = None;
        for setting in self.given.all() {
            let value = || setting.text().into_owned();
            match (setting.spec.name, parties.last_mut()) {
                ("-signer", _) => parties.push(Party {
                    file: value(),
                    ..waiting.take().unwrap_or_default()
                }),
                ("-inkey", Some(last)) if last.key.is_none() => last.key = Some(value()),
                ("-inkey", _) if waiting.is_none() => {
                    waiting = Some(Party {
                        key: Some(value()),
                        ..Party::default()
                    });
                }
                ("-inkey", _) => return Err(option_error("-inkey", "-inkey without -signer")),
                ("-keyopt", last) => add_key_option(waiting.as_mut().or(last), &value())?,
                _ => {}
            }
        }
        match waiting {
            Some(_) => Err(option_error("-inkey", "-inkey without -signer")),
            None => Ok(parties),
        }
    }

    /// The recipients of `-recip`, with the parameters that were given for each.
    pub(super) fn recipients(&self) -> Result<Vec<Party>> {
        let mut parties: Vec<Party> = Vec::new();
        for setting in self.given.all() {
            let value = || setting.text().into_owned();
            match setting.spec.name {
                "-recip" => parties.push(Party {
                    file: value(),
                    ..Party::default()
                }),
                "-keyopt" => add_key_option(parties.last_mut(), &value())?,
                _ => {}
            }
        }
        Ok(parties)
    }
}

/// Adds a parameter to the one before it.
fn add_key_option(party: Option<&mut Party>, text: &str) -> Result<()> {
    let Some(party) = party else {
        return Err(option_error(
            "-keyopt",
            "-keyopt without a signer, key or recipient before it",
        ));
    };
    let Some((name, value)) = text.split_once(':') else {
        return Err(option_error("-keyopt", "-keyopt takes name:value"));
    };
    party.key_options.push((name.to_owned(), value.to_owned()));
    Ok(())
}

/// The summary of `-help`.
pub(super) fn help() -> String {
    let mut text = TABLE.summary("cms [options] [cert...]");
    text.push_str(&format!(
        " {:<26} The encryption algorithm to use (any supported cipher)\n",
        "-*"
    ));
    text
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
