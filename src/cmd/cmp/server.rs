//! From the options of `tls::cmp` to the settings of the test server.

use super::inputs::{Loader, filled, option_error, small, within};
use super::table::{Checking, Mock, Own};
use super::words::Words;
use crate::cmp::mock::{MockServer, MockSettings};
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
        ignore_key_usage: checking.ignore_keyusage.is_some(),
    };
    MockServer::new(MockSettings {
        credentials,
        certificate: loader.others_certificate("-rsp_cert", mock.rsp_cert.as_ref())?,
        reference: loader.others_certificate("-ref_cert", mock.ref_cert.as_ref())?,
        extra: loader.list("-rsp_extracerts", mock.rsp_extracerts.as_ref())?,
        authorities: loader.list("-rsp_capubs", mock.rsp_capubs.as_ref())?,
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
