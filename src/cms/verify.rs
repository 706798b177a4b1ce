//! Verifying signed messages: every signer gets a verdict of his own.

use std::io::Write;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509Crl, X509Ref, X509VerifyResult};

use super::ber::{self, Filling, Kind, Reader, Skeleton};
use super::content::{Content, Treatment};
use super::decrypt::wrong_type;
use super::output::StripText;
use super::source::{Format, Opened, Stream, open};
use super::{Named, pump, refused, unreadable};
use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::chain;
use crate::ossl::cms::{Chain, ContentInfo, Flags, SignerInfo};
use crate::ossl::error::{clear, entries};

/// The content type of text with CR LF line ends.
pub(super) const TEXT_WITH_CRLF: &[u8] = &[6, 11, 42, 134, 72, 134, 247, 13, 1, 9, 16, 1, 27];

/// What is checked, and how.
pub(crate) struct Settings {
    /// The message's form.
    pub(crate) format: Format,
    /// Certificates among which signers are looked for first.
    pub(crate) certificates: Vec<X509>,
    /// Whom to trust, and how chains are checked.
    pub(crate) store: X509Store,
    /// Whether signers aren't looked for in the message.
    pub(crate) no_intern: bool,
    /// Whether the signers' certificates aren't checked.
    pub(crate) no_chain: bool,
    /// Whether the signatures over attributes aren't checked.
    pub(crate) no_attributes: bool,
    /// Whether the content isn't checked.
    pub(crate) no_content: bool,
    /// Whether the attribute that names the signer's certificate is checked.
    pub(crate) cades: bool,
    /// Whether the headers of a text/plain content are taken off.
    pub(crate) text: bool,
    /// Whether line ends stay as they are.
    pub(crate) binary: bool,
    /// Whether the chain's checks look into revocation lists.
    pub(crate) revocation: bool,
}

/// A signer and what the checks say about him.
pub(crate) struct Verdict {
    /// How the message names his certificate.
    pub(crate) id: Option<Named>,
    /// His certificate, if it was found.
    pub(crate) certificate: Option<X509>,
    /// His chain as far as it was checked.
    pub(crate) chain: Vec<X509>,
    /// The digest.
    pub(crate) digest: Nid,
    /// The signature algorithm.
    pub(crate) signature: Nid,
    /// When he says that he signed: the encoded time with its tag.
    pub(crate) time: Option<Vec<u8>>,
    /// The ciphers that he can read, as encoded.
    pub(crate) capabilities: Option<Vec<u8>>,
    /// The signed attributes, each as encoded.
    pub(crate) attributes: Vec<Vec<u8>>,
    /// The request for a receipt as encoded, or that there is a broken one.
    pub(crate) receipt_request: std::result::Result<Option<Vec<u8>>, ()>,
    /// What is wrong, if something is.
    pub(crate) error: Option<Error>,
    /// The number of the certificate's error, 0 if there is none.
    pub(crate) chain_error: i32,
    /// Whether the certificate was looked for in revocation lists.
    pub(crate) revocation_checked: bool,
}

/// What was found in a signed message.
pub(crate) struct Report {
    /// The signers.
    pub(crate) signers: Vec<Verdict>,
    /// The certificates inside.
    pub(crate) certificates: Vec<X509>,
    /// The encoded type of the content.
    pub(crate) inner_type: Vec<u8>,
    /// Where in the mail the content is that the signatures cover, if it lies there beside them.
    pub(crate) place: Option<std::ops::Range<u64>>,
}

/// The error for a check that failed; `check` names it in errorCode.
fn wrong(check: &str, message: impl Into<String>) -> Error {
    Error::failed_with(Reason::CmsVerify, [check], message)
}

/// The error for a check that OpenSSL failed.
fn wrong_with(check: &str, doing: &str, stack: &ErrorStack) -> Error {
    wrong(check, format!("{doing}: {}", reasons_text(&entries(stack))))
}

/// Reads a message, checks it and writes its content. What was found is told even if a check fails, as long as the
/// message could be read.
pub(crate) fn verify(
    stream: &mut dyn Stream,
    beside: Option<&mut dyn Stream>,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<(Report, Result<()>)> {
    let (message, chain, skeleton, place) = read(stream, beside, settings, out)?;
    let mut report = check(&message, &chain, &skeleton, settings)?;
    report.place = place;
    let outcome = match report
        .signers
        .iter()
        .find_map(|signer| signer.error.clone())
    {
        Some(error) => Err(error),
        None if report.signers.is_empty() => Err(wrong("SIGNERS", "the message has no signers")),
        None => Ok(()),
    };
    Ok((report, outcome))
}

/// Reads a message, and lets its content pass through the digests and out; where in a mail it was comes last.
fn read(
    stream: &mut dyn Stream,
    beside: Option<&mut dyn Stream>,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<(ContentInfo, Chain, Skeleton, Option<std::ops::Range<u64>>)> {
    let mut strip = StripText::new(out, settings.text, Reason::CmsVerify);
    let (signature, place) = match open(stream, settings.format).map_err(unreadable)? {
        Opened::Whole(whole) => {
            let mut reader = Reader::new(whole).map_err(unreadable)?;
            if reader.skeleton().kind != Kind::Signed {
                return Err(wrong_type(reader.skeleton(), "SignedData"));
            }
            if beside.is_none() {
                if !reader.skeleton().has_content {
                    return Err(wrong(
                        "CONTENT",
                        "the message has no content: -content names it",
                    ));
                }
                let chain = digests(reader.skeleton())?;
                pump(&mut reader, |bytes| pass(&chain, &mut strip, bytes))?;
                strip.finish()?;
                let skeleton = reader.finish().map_err(unreadable)?;
                return Ok((message(&skeleton)?, chain, skeleton, None));
            }
            (reader.finish().map_err(unreadable)?, None)
        }
        Opened::Beside { signature, content } => (
            Skeleton::parse(&signature).map_err(unreadable)?,
            Some(content),
        ),
    };
    if signature.kind != Kind::Signed {
        return Err(wrong_type(&signature, "SignedData"));
    }
    let ascii = signature.inner == TEXT_WITH_CRLF && !settings.binary;
    let treatment = Treatment::new(settings.binary, ascii, false);
    let place = place.filter(|_| beside.is_none());
    let mut content = match (beside, place.clone()) {
        (Some(beside), _) => Content::new(beside, treatment)?,
        (None, Some(place)) => Content::part(
            stream,
            place.start,
            Some(place.end - place.start),
            treatment,
        )?,
        (None, None) => return Err(wrong("CONTENT", "the message has no content")),
    };
    let chain = digests(&signature)?;
    content.each(|bytes| pass(&chain, &mut strip, bytes))?;
    strip.finish()?;
    Ok((message(&signature)?, chain, signature, place))
}

/// Lets a piece of content pass.
fn pass(chain: &Chain, strip: &mut StripText<'_>, bytes: &[u8]) -> Result<()> {
    chain
        .write(bytes)
        .map_err(|stack| wrong_with("CONTENT", "can't compute the digest", &stack))?;
    strip.take(bytes)
}

/// The message without its content.
fn message(skeleton: &Skeleton) -> Result<ContentInfo> {
    ContentInfo::from_der(&skeleton.without_content(Filling::Detached))
        .map_err(|stack| refused(Reason::CmsRead, "can't read the message", &stack))
}

/// The digests that a message says it was signed with; they stand before the content.
fn digests(skeleton: &Skeleton) -> Result<Chain> {
    let mut head = skeleton.clone();
    head.after = ber::element(0x31, &[]);
    message(&head)?
        .chain()
        .map_err(|stack| wrong_with("CONTENT", "can't compute the digest", &stack))
}

/// Checks all signers of a message whose content has passed.
fn check(
    message: &ContentInfo,
    chain: &Chain,
    skeleton: &Skeleton,
    settings: &Settings,
) -> Result<Report> {
    let unreadable = |stack: ErrorStack| {
        refused(
            Reason::CmsRead,
            "can't read the message's certificates",
            &stack,
        )
    };
    let own = message.certificates().map_err(unreadable)?;
    let lists = message.revocation_lists().map_err(unreadable)?;
    let given = stack(settings.certificates.clone()).map_err(unreadable)?;
    let flags = Flags::NONE.and_if(settings.no_intern, Flags::NOINTERN);
    message.find_signers(Some(&given), flags);
    clear();
    let untrusted = stack(
        own.iter()
            .chain(given.iter())
            .map(ToOwned::to_owned)
            .collect(),
    )
    .map_err(unreadable)?;
    let signers = message
        .signers()
        .iter()
        .map(|signer| {
            let mut verdict = describe(signer);
            if let Err(error) =
                check_signer(signer, &mut verdict, chain, &untrusted, &lists, settings)
            {
                verdict.error = Some(error);
            }
            verdict
        })
        .collect();
    Ok(Report {
        signers,
        certificates: own.iter().map(ToOwned::to_owned).collect(),
        inner_type: skeleton.inner.clone(),
        place: None,
    })
}

/// What a signer tells, unchecked.
fn describe(signer: &SignerInfo<'_>) -> Verdict {
    /// UTCTime and GeneralizedTime.
    const TIMES: [u8; 2] = [0x17, 0x18];
    /// SEQUENCE, as the library counts types.
    const SEQUENCE: i32 = 16;
    let (digest, signature) = signer.algorithms();
    let time = TIMES.into_iter().find_map(|tag| {
        let text = signer.attribute(Nid::PKCS9_SIGNINGTIME, i32::from(tag))?;
        Some(ber::element(tag, &text))
    });
    let receipt_request = signer
        .receipt_request()
        .and_then(|request| request.map(|request| request.to_der()).transpose())
        .map_err(|_| ());
    Verdict {
        id: signer.id().map(Named::new),
        certificate: signer.certificate().map(ToOwned::to_owned),
        chain: Vec::new(),
        digest,
        signature,
        time,
        capabilities: signer.attribute(Nid::SMIMECAPABILITIES, SEQUENCE),
        attributes: signer.attributes().unwrap_or_default(),
        receipt_request,
        error: None,
        chain_error: 0,
        revocation_checked: false,
    }
}

/// Checks a signer: his certificate, his attributes, the content.
fn check_signer(
    signer: &SignerInfo<'_>,
    verdict: &mut Verdict,
    content: &Chain,
    untrusted: &Stack<X509>,
    lists: &[X509Crl],
    settings: &Settings,
) -> Result<()> {
    let Some(certificate) = signer.certificate() else {
        return Err(wrong("SIGNERCERT", "the signer's certificate wasn't found"));
    };
    if !settings.no_chain || settings.cades {
        check_chain(certificate, verdict, untrusted, lists, settings)?;
    }
    if signer.has_attributes() && (!settings.no_attributes || settings.cades) {
        signer
            .verify()
            .map_err(|stack| wrong_with("SIGNATURE", "the signature is wrong", &stack))?;
        if settings.cades {
            let chain = stack(verdict.chain.clone())
                .map_err(|stack| wrong_with("CADES", "no chain", &stack))?;
            signer.check_signing_certificate(&chain).map_err(|stack| {
                wrong_with(
                    "CADES",
                    "the signer's certificate isn't the one that was signed",
                    &stack,
                )
            })?;
        }
    } else if settings.cades {
        return Err(wrong(
            "CADES",
            "the signer's certificate isn't signed along",
        ));
    }
    if !settings.no_content {
        signer
            .verify_content(content)
            .map_err(|stack| wrong_with("CONTENT", "the content isn't what was signed", &stack))?;
    }
    Ok(())
}

/// Checks a signer's certificate and its chain.
fn check_chain(
    certificate: &X509Ref,
    verdict: &mut Verdict,
    untrusted: &Stack<X509>,
    lists: &[X509Crl],
    settings: &Settings,
) -> Result<()> {
    let checked = chain::check(
        &settings.store,
        certificate,
        untrusted,
        lists,
        c"smime_sign",
    )
    .map_err(|stack| wrong_with("CHAIN", "can't check the signer's certificate", &stack))?;
    verdict.chain = checked.chain.iter().map(ToOwned::to_owned).collect();
    verdict.chain_error = checked.result.as_raw();
    verdict.revocation_checked = settings.revocation;
    if checked.result == X509VerifyResult::OK {
        return Ok(());
    }
    Err(wrong(
        "CHAIN",
        format!(
            "the signer's certificate isn't trusted: {} at depth {}",
            checked.result.error_string(),
            checked.depth
        ),
    ))
}

/// A stack of some objects.
pub(crate) fn stack<T>(items: Vec<T>) -> std::result::Result<Stack<T>, ErrorStack>
where
    T: openssl::stack::Stackable,
{
    let mut stack = Stack::new()?;
    for item in items {
        stack.push(item)?;
    }
    Ok(stack)
}
