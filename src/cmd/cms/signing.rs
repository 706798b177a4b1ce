//! Signing, adding signers, and receipts.

use openssl::asn1::Asn1Object;
use openssl::x509::X509;

use super::plan::{Finding, Plan, Reading};
use super::words::hex;
use super::{Job, option_error};
use crate::cms::{inspect, resign, sign};
use crate::error::Result;
use crate::ossl::cms::{Flags, ReceiptsFrom};

impl Job<'_> {
    /// The signers, each with his key.
    fn signers(&self) -> Result<Vec<sign::Signer>> {
        let signers = self.words.signers()?;
        if signers.is_empty() {
            return Err(option_error("-signer", "no signer: -signer isn't given"));
        }
        signers
            .into_iter()
            .map(|given| {
                let certificate = self.certificate("-signer", &given.file)?;
                let key = match &given.key {
                    Some(file) => self.key("-inkey", file)?,
                    None => self.key("-signer", &given.file)?,
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
            .and_if(making.no_signing_time.is_some(), Flags::NO_SIGNING_TIME)
            .and_if(making.keyid.is_some(), Flags::USE_KEYID)
            .and_if(making.cades.is_some(), Flags::CADES)
            .and_if(self.streams.binary.is_some(), Flags::BINARY)
            .and_if(self.streams.asciicrlf.is_some(), Flags::ASCIICRLF)
            .and_if(making.nodetach.is_none(), Flags::DETACHED))
    }

    /// The request for receipts.
    fn receipts(&self) -> Result<Option<sign::Receipts>> {
        let bytes = |option| -> Vec<Vec<u8>> {
            self.words
                .given
                .texts(option)
                .into_iter()
                .map(String::into_bytes)
                .collect()
        };
        let list = bytes("-receipt_request_from");
        let to = bytes("-receipt_request_to");
        let given = &self.words.given;
        let all = given.last_of(&["-receipt_request_all", "-receipt_request_first"]);
        let from = match all.map(|setting| setting.spec.name) {
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
    pub(super) fn further_certificates(&self) -> Result<Vec<X509>> {
        let mut found = Vec::new();
        for file in self.words.given.texts("-certfile") {
            found.extend(self.certificates("-certfile", &file)?);
        }
        Ok(found)
    }

    /// The object identifier of `-econtent_type`.
    fn inner_type(&self) -> Result<Option<Asn1Object>> {
        let parse = |text: &str| {
            let message = || format!("\"{text}\" isn't an object identifier");
            Asn1Object::from_str(text).map_err(|_| option_error("-econtent_type", message()))
        };
        self.making.econtent_type.as_deref().map(parse).transpose()
    }

    /// Who signs, and how.
    fn sign_settings(&self) -> Result<sign::Settings> {
        let digest = self.making.md.as_deref();
        Ok(sign::Settings {
            signers: self.signers()?,
            digest: digest.map(|name| self.library.digest(name)).transpose()?,
            certificates: self.further_certificates()?,
            flags: self.sign_flags()?,
            inner_type: None,
            receipts: None,
        })
    }

    /// `-sign`
    pub(super) fn sign(&self) -> Result<Plan> {
        let settings = sign::Settings {
            inner_type: self.inner_type()?,
            receipts: self.receipts()?,
            ..self.sign_settings()?
        };
        if let Some(digits) = &self.making.digest {
            return self.sign_digest(hex("-digest", digits)?, settings);
        }
        self.make(move |content, wrapping, indefinite, out| {
            sign::sign(content, &settings, wrapping, indefinite, out)
        })
    }

    /// `-sign -digest`
    fn sign_digest(&self, digest: Vec<u8>, settings: sign::Settings) -> Result<Plan> {
        let contradicts = [
            ("-nodetach", self.making.nodetach.is_some()),
            ("-noattr", self.making.noattr.is_some()),
            ("-stream", self.indefinite()),
        ];
        if let Some((option, _)) = contradicts.iter().find(|(_, given)| *given) {
            let message = format!("-digest and {option} contradict each other");
            return Err(option_error("-digest", message));
        }
        let wrapping = self.wrapping()?;
        Ok(Plan {
            reading: Reading::Never,
            checked: false,
            beside: None,
            work: Box::new(move |ways| {
                sign::sign_digest(&digest, &settings, &wrapping, ways.out)?;
                Ok(Finding::default())
            }),
        })
    }

    /// `-resign`
    pub(super) fn resign(&self) -> Result<Plan> {
        let settings = self.sign_settings()?;
        let wrapping = self.wrapping()?;
        let form = self.inform()?;
        let binary = self.streams.binary.is_some();
        Ok(Plan {
            reading: Reading::Again,
            checked: false,
            beside: self.content_file(),
            work: Box::new(move |ways| {
                let message = resign::Message {
                    stream: ways.stream,
                    format: form,
                    beside: ways.beside,
                    binary,
                };
                resign::resign(message, settings, &wrapping, ways.out)?;
                Ok(Finding::default())
            }),
        })
    }

    /// `-sign_receipt`
    pub(super) fn sign_receipt(&self) -> Result<Plan> {
        let settings = self.sign_settings()?;
        let wrapping = self.wrapping()?;
        let form = self.inform()?;
        Ok(Plan {
            reading: Reading::again_if(self.is_mail()?),
            checked: false,
            beside: None,
            work: Box::new(move |ways| {
                inspect::sign_receipt(ways.stream, form, &settings, &wrapping, ways.out)?;
                Ok(Finding::default())
            }),
        })
    }
}
