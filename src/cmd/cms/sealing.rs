//! Data, digests, compression and encryption: messages without signers.

use openssl::cipher::Cipher;
use openssl::nid::Nid;

use super::places::missing;
use super::plan::Plan;
use super::words::hex;
use super::{Job, option_error};
use crate::cms::content::{Content, Treatment};
use crate::cms::{book, compress, decrypt, digest, encrypt};
use crate::error::{Error, Reason, Result};
use crate::ossl::cms::{Flags, authenticates};
use crate::ossl::secret::Secret;

impl Job<'_> {
    /// `-data_create`
    pub(super) fn data_create(&self) -> Result<Plan> {
        self.make(digest::create_data)
    }

    /// `-data_out`
    pub(super) fn data_out(&self) -> Result<Plan> {
        self.read(None, |ways, form, text| {
            digest::read_data(ways.stream, form, text, ways.out)
        })
    }

    /// `-digest_create`
    pub(super) fn digest_create(&self) -> Result<Plan> {
        let digest = match &self.making.md {
            Some(name) => self.library.digest(name)?.type_(),
            None => Nid::SHA256,
        };
        self.make(move |content, wrapping, indefinite, out| {
            digest::create(content, digest, wrapping, indefinite, out)
        })
    }

    /// `-digest_verify`
    pub(super) fn digest_verify(&self) -> Result<Plan> {
        let treatment = Treatment::new(self.streams.binary.is_some(), false, false);
        self.read(self.content_file(), move |ways, form, text| {
            let content = match ways.beside {
                Some(beside) => Some(Content::new(beside, treatment)?),
                None => None,
            };
            digest::verify(ways.stream, form, content, text, ways.out)
        })
    }

    /// `-compress`
    pub(super) fn compress(&self) -> Result<Plan> {
        self.make(compress::compress)
    }

    /// `-uncompress`
    pub(super) fn uncompress(&self) -> Result<Plan> {
        self.read(self.content_file(), |ways, form, text| {
            compress::uncompress(ways.stream, form, ways.beside, text, ways.out)
        })
    }

    /// The cipher of a name, which the library must have.
    fn cipher(&self, name: &str) -> Result<Cipher> {
        self.library.cipher(name).ok_or_else(|| {
            Error::failed(
                Reason::CmsCreate,
                format!("the library lacks the cipher {name}"),
            )
        })
    }

    /// The cipher that was asked for, AES-256-CBC if none was.
    fn chosen_cipher(&self) -> Result<Cipher> {
        self.cipher(self.words.cipher.as_deref().unwrap_or("AES-256-CBC"))
    }

    /// The secret key.
    pub(super) fn secret_key(&self) -> Result<Option<Secret>> {
        let digits = self.keys.secretkey.as_deref();
        digits
            .map(|digits| hex("-secretkey", digits).map(Secret::from))
            .transpose()
    }

    /// The secret key's name.
    pub(super) fn secret_id(&self) -> Result<Option<Vec<u8>>> {
        let digits = self.keys.secretkeyid.as_deref();
        digits.map(|digits| hex("-secretkeyid", digits)).transpose()
    }

    /// The recipient's password.
    fn recipient_password(&self) -> Option<Secret> {
        let text = self.keys.pwri_password.as_deref();
        text.map(|text| Secret::from(text.as_bytes()))
    }

    /// `-EncryptedData_encrypt`
    pub(super) fn encrypt_with_key(&self) -> Result<Plan> {
        let key = self.secret_key()?.ok_or_else(|| missing("-secretkey"))?;
        let cipher = self.chosen_cipher()?;
        if authenticates(&cipher) {
            let message = "EncryptedData has no place for the tag of an authenticating cipher";
            return Err(Error::failed(Reason::CmsCreate, message));
        }
        self.make(move |content, wrapping, indefinite, out| {
            encrypt::encrypt_with_key(content, &cipher, &key, wrapping, indefinite, out)
        })
    }

    /// `-EncryptedData_decrypt`
    pub(super) fn decrypt_with_key(&self) -> Result<Plan> {
        let key = self.secret_key()?.ok_or_else(|| missing("-secretkey"))?;
        self.read(self.content_file(), move |ways, form, text| {
            decrypt::decrypt_with_key(ways.stream, ways.beside, form, &key, text, ways.out)
        })
    }

    /// The recipients by certificate.
    fn recipients(&self) -> Result<Vec<encrypt::Recipient>> {
        let mut recipients = Vec::new();
        for given in self.words.recipients()? {
            recipients.push(encrypt::Recipient {
                certificate: self.certificate("-recip", &given.file)?,
                key_options: given.key_options,
            });
        }
        for word in &self.words.certificates {
            recipients.push(encrypt::Recipient {
                certificate: self.certificate("cert", word)?,
                key_options: Vec::new(),
            });
        }
        Ok(recipients)
    }

    /// The strongest cipher that all recipients can read.
    fn common_cipher(&self, known: &[Option<Vec<String>>]) -> Result<Cipher> {
        let name = book::common_cipher(known.iter().map(Option::as_deref)).ok_or_else(|| {
            let message = "there is no cipher that all recipients can read";
            Error::failed(Reason::CmsCreate, message)
        })?;
        self.cipher(name)
    }

    /// `-encrypt`
    pub(super) fn encrypt(&self) -> Result<Plan> {
        let shared = match (self.secret_key()?, self.secret_id()?) {
            (Some(key), Some(id)) => Some(encrypt::SharedKey { key, id }),
            (Some(_), None) => {
                let message = "-secretkey needs -secretkeyid";
                return Err(option_error("-secretkeyid", message));
            }
            (None, _) => None,
        };
        let mut recipients = self.recipients()?;
        // Of those who are given by certificate it isn't known what they can read.
        let mut known: Vec<Option<Vec<String>>> = vec![None; recipients.len()];
        for entry in self.addressees()? {
            recipients.push(encrypt::Recipient {
                certificate: self.addressee(&entry)?,
                key_options: Vec::new(),
            });
            known.push(entry.ciphers);
        }
        let password = self.recipient_password();
        if recipients.is_empty() && shared.is_none() && password.is_none() {
            let message = "no recipient: give a certificate, -recip, -secretkey or -pwri_password";
            return Err(option_error("-recip", message));
        }
        let originator = match &self.keys.originator {
            Some(file) => Some((
                self.certificate("-originator", file)?,
                self.key("-inkey", self.keys.inkey.as_ref().unwrap_or(file))?,
            )),
            None => None,
        };
        let cipher = match (&self.words.cipher, &self.checking.smimestore) {
            (None, Some(_)) => self.common_cipher(&known)?,
            _ => self.chosen_cipher()?,
        };
        let authenticated = authenticates(&cipher);
        let wrap = match self.words.wrap() {
            Some(name) => {
                let unknown = || option_error("-wrap", format!("unknown cipher \"{name}\""));
                Some(self.library.cipher(&name).ok_or_else(unknown)?)
            }
            None => None,
        };
        let settings = encrypt::Settings {
            cipher,
            authenticated,
            recipients,
            originator,
            wrap,
            shared,
            password,
            password_wrap: self.library.cipher("AES-256-CBC").filter(|_| authenticated),
            flags: Flags::NONE.and_if(self.making.keyid.is_some(), Flags::USE_KEYID),
        };
        self.make(move |content, wrapping, indefinite, out| {
            encrypt::encrypt(content, &settings, wrapping, indefinite, out)
        })
    }

    /// `-decrypt`
    pub(super) fn decrypt(&self) -> Result<Plan> {
        let keys = &self.keys;
        let secret = match self.secret_key()? {
            Some(key) => Some((key, self.secret_id()?)),
            None => None,
        };
        let private = match (&keys.inkey, &keys.recip) {
            (Some(file), _) => Some(self.key("-inkey", file)?),
            (None, Some(file)) => Some(self.key("-recip", file)?),
            (None, None) => None,
        };
        let certificate = |option: &str, file: Option<&String>| {
            file.map(|file| self.certificate(option, file)).transpose()
        };
        let settings = decrypt::Settings {
            format: self.inform()?,
            keys: decrypt::Keys {
                secret,
                private,
                certificate: certificate("-recip", keys.recip.as_ref())?,
                originator: certificate("-originator", keys.originator.as_ref())?,
                password: self.recipient_password(),
            },
            debug: self.checking.debug_decrypt.is_some(),
            text: self.streams.text.is_some(),
        };
        let given = &settings.keys;
        if given.secret.is_none() && given.private.is_none() && given.password.is_none() {
            let message = "no key: give -inkey, -recip, -secretkey or -pwri_password";
            return Err(option_error("-inkey", message));
        }
        self.read(self.content_file(), move |ways, _, _| {
            decrypt::decrypt(ways.stream, ways.beside, &settings, ways.out)
        })
    }
}
