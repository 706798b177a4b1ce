//! From the options of `tls::cmp` to the settings of the test server.

use openssl::x509::X509;

use super::inputs::{Loader, check_pair, filled, option_error, small, within};
use super::table::{Checking, Mock, Own, Serving};
use super::words::Words;
use crate::cmp::general;
use crate::cmp::mock::{MockServer, MockSettings};
use crate::cmp::names::{self, Information};
use crate::cmp::settings::Credentials;
use crate::cmp::status::{FAILURE_COUNT, STATE_COUNT};
use crate::error::Result;
use crate::ossl::cmp_server::Status;
use crate::tcl::Obj;

/// The test server that the words describe.
pub(super) fn mock(words: &Words, loader: &Loader<'_>) -> Result<MockServer> {
    let mock: Mock<Obj> = Mock::read(&words.given)?;
    let own: Own<Obj> = Own::read(&words.given)?;
    let checking: Checking<Obj> = Checking::read(&words.given)?;
    let refuse = |option: &str, message: &str| Err(option_error(option, message));
    let password = Loader::pass("-srv_keypass", mock.srv_keypass.as_ref());
    let found = loader.certificate("-srv_cert", mock.srv_cert.as_ref(), password)?;
    let (certificate, chain) = match found {
        Some((certificate, chain)) => (Some(certificate), chain),
        None => (None, Vec::new()),
    };
    let reference = filled(mock.srv_ref.as_ref());
    if reference.is_none() && certificate.is_none() {
        return refuse("-srv_ref", "the test server needs -srv_ref or -srv_cert");
    }
    let key = loader.key("-srv_key", mock.srv_key.as_ref(), password)?;
    if certificate.is_some() != key.is_some() {
        return refuse("-srv_key", "-srv_cert and -srv_key must be given together");
    }
    if let (Some(certificate), Some(key)) = (&certificate, &key) {
        check_pair(("-srv_key", key), ("-srv_cert", certificate))?;
    }
    let secret = loader.secret("-srv_secret", mock.srv_secret.as_ref())?;
    if secret.is_none() && certificate.is_none() {
        return refuse(
            "-srv_secret",
            "the test server needs -srv_secret or -srv_cert",
        );
    }
    let mut untrusted = loader.list("-srv_untrusted", mock.srv_untrusted.as_ref())?;
    untrusted.extend(chain);
    let credentials = Credentials {
        properties: loader.library.properties()?,
        reference: reference.map(str::to_owned),
        secret,
        certificate,
        chain: Vec::new(),
        key,
        digest: filled(own.digest.as_ref()).map(str::to_owned),
        mac: filled(own.mac.as_ref()).map(str::to_owned),
        trusted: loader.trusted("-srv_trusted", mock.srv_trusted.as_ref(), false)?,
        untrusted,
        unprotected: mock.send_unprotected.is_some(),
        unprotected_errors: mock.accept_unprot_err.is_some(),
        forgets: false,
        ignore_key_usage: checking.ignore_keyusage.is_some(),
    };
    let certificate = loader.others_certificate("-rsp_cert", mock.rsp_cert.as_ref())?;
    let reference = loader.others_certificate("-ref_cert", mock.ref_cert.as_ref())?;
    let authorities = loader.list("-rsp_capubs", mock.rsp_capubs.as_ref())?;
    let password = Loader::pass("-rsp_keypass", mock.rsp_keypass.as_ref());
    let key = loader.key("-rsp_key", mock.rsp_key.as_ref(), password)?;
    if key.is_some() && openssl::version::number() < CENTRAL_KEYS {
        let version = openssl::version::version();
        let message = format!("{version} can't hand out keys; 3.5 and later can");
        return refuse("-rsp_key", &message);
    }
    let issuer = reference.as_ref().or(certificate.as_ref());
    let answers = answers(words, loader, &authorities, issuer)?;
    MockServer::new(MockSettings {
        credentials,
        key,
        answers,
        certificate,
        reference,
        extra: loader.list("-rsp_extracerts", mock.rsp_extracerts.as_ref())?,
        authorities,
        polls: within("-poll_count", mock.poll_count, 0, i64::MAX)?.map_or(0, i64::unsigned_abs),
        check_after: within("-check_after", mock.check_after, 0, i64::MAX)?.unwrap_or(1),
        status: status(&mock)?,
        grant_implicit: mock.grant_implicitconf.is_some(),
        send_error: mock.send_error.is_some(),
        send_unprotected_errors: mock.send_unprot_err.is_some(),
        accept_unprotected: mock.accept_unprotected.is_some(),
        accept_ra_verified: mock.accept_raverified.is_some(),
    })
}

/// The first version of OpenSSL that makes keys for clients.
const CENTRAL_KEYS: i64 = 0x3050_0000;

/// What the server answers to questions, by their types.
fn answers(
    words: &Words,
    loader: &Loader<'_>,
    authorities: &[X509],
    issued: Option<&X509>,
) -> Result<Vec<(String, Information)>> {
    let serving: Serving<Obj> = Serving::read(&words.given)?;
    let encoded = |certificate: &X509| certificate.to_der().unwrap_or_default();
    let mut found = Vec::new();
    if !authorities.is_empty() {
        let all: Vec<Vec<u8>> = authorities.iter().map(encoded).collect();
        found.push(("caCerts", general::information("caCerts", &all)));
    }
    let update = loader.update(&serving)?;
    if let [Some(_), ..] = &update {
        let all: Vec<Vec<u8>> = update
            .iter()
            .map(|one| one.as_ref().map(encoded).unwrap_or_default())
            .collect();
        let update = general::information("rootCaKeyUpdate", &all);
        found.push(("rootCaCert", update));
    }
    if let Some(list) = loader.list_of_revocations("-rsp_crl", serving.rsp_crl.as_ref())? {
        let list = [list.to_der().unwrap_or_default()];
        found.push(("crlStatusList", general::information("crls", &list)));
        found.push(("currentCRL", general::information("currentCRL", &list)));
    }
    if let Some(issued) = issued {
        let issuer = issued.issuer_name().to_der().unwrap_or_default();
        // As the program has it.
        let template = general::template(&issuer, Some(4096));
        found.push(("certReqTemplate", template));
    }
    let pairs = found.into_iter().filter_map(|(question, information)| {
        Some((names::info_type(question).ok()?, information?))
    });
    Ok(pairs.collect())
}

/// The status that the server sends.
fn status(mock: &Mock<Obj>) -> Result<Status> {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let last_bit = count(FAILURE_COUNT) - 1;
    let bit = within("-failure", mock.failure, 0, last_bit)?;
    let bits = within(
        "-failurebits",
        mock.failurebits,
        0,
        (1 << (last_bit + 1)) - 1,
    )?;
    let bits = match (bits.filter(|bits| *bits > 0), bit) {
        (Some(bits), _) => bits,
        (None, Some(bit)) => 1 << bit,
        (None, None) => 0,
    };
    Ok(Status {
        status: small("-pkistatus", mock.pkistatus, 0, count(STATE_COUNT) - 1)?.unwrap_or(0),
        failure: u32::try_from(bits).unwrap_or(0),
        text: filled(mock.statusstring.as_ref()).map(str::to_owned),
    })
}
