//! The native part of `tls::cmp serve`: from its options to the real server, and the commands by which
//! `library/cmpserver.tcl` has messages read and answered.

use std::rc::Rc;

use openssl::x509::X509;

use super::inputs::{Loader, check_pair, filled, option_error, within};
use super::table::{Checking, Mock, Own, Serving, Tls};
use super::transport;
use super::words::Words;
use super::{Jobs, unknown};
use crate::ca::config::{self, Config};
use crate::cmd::pki::PasswordOption;
use crate::cmp::body::{self, Demand};
use crate::cmp::outcome::pem;
use crate::cmp::server::{self, Decision, Earlier, Identity, Office};
use crate::cmp::{general, header, names, status};
use crate::error::{Error, Reason, Result};
use crate::ossl::cmp_server::Status;
use crate::ossl::secret::Secret;
use crate::tcl::{Interp, Obj, files};
use crate::value::{Record, Value};
use crate::x509::der::{hex, hex_upper, integer_hex};
use crate::x509::extension_values::general_names;
use crate::x509::{frame, load, name};

/// The longest time that anybody can be told to wait.
const MOST_SECONDS: i64 = 1 << 30;

/// The options of clients and of the test server alone, which would have no effect.
const USELESS: &[&str] = &[
    "-server",
    "-rspin",
    "-use_mock_srv",
    "-ref_cert",
    "-rsp_cert",
    "-rsp_key",
    "-poll_count",
    "-pkistatus",
    "-failure",
    "-failurebits",
    "-statusstring",
    "-send_error",
    "-send_unprotected",
    "-send_unprot_err",
    "-accept_unprot_err",
    "-accept_raverified",
];

/// What is known of the authority.
struct Authority {
    /// Its certificate.
    certificate: X509,
    /// The folder of issued certificates, if it has one.
    folder: Option<String>,
    /// How many days its certificates are valid.
    days: Option<i64>,
}

impl Authority {
    /// Reads what its configuration says.
    fn read(loader: &Loader<'_>, file: &str, more: &[Obj]) -> Result<Self> {
        let given = |options: [&str; 2]| {
            let mut pairs = more.windows(2).rev();
            let found = pairs.find(|pair| options.contains(&&*pair[0].as_text()));
            found.map(|pair| pair[1].as_text().into_owned())
        };
        let content = match file.contains('\n') {
            true => file.as_bytes().to_vec(),
            false => loader.inputs.content("-ca", file)?,
        };
        let unfit = |error: Error| Error::failed_with(Reason::CmpRead, ["-ca"], error.message());
        let conf = config::parse(&content, file).map_err(unfit)?;
        let section = given(["-name", "-section"]);
        let config = Config::new(conf, file, section.as_deref()).map_err(unfit)?;
        let name = match given(["-cert"; 2]) {
            Some(name) => name,
            None => config.required("certificate").map_err(unfit)?,
        };
        let none = PasswordOption::new("-otherpass", None);
        let certificates = loader.inputs.certificates("-ca", &name, none)?;
        let certificate = certificates.into_iter().next().ok_or_else(|| {
            Error::failed_with(
                Reason::CmpRead,
                ["-ca"],
                format!("no certificate in \"{name}\""),
            )
        })?;
        let days = match given(["-days"; 2]) {
            Some(days) => days.parse().ok(),
            None => config.number("default_days").map_err(unfit)?,
        };
        Ok(Self {
            certificate,
            folder: given(["-outdir"; 2]).or_else(|| config.value("new_certs_dir")),
            days,
        })
    }
}

/// Begins a real server: a plan for the script.
pub(super) fn start(interp: Interp<'_>, words: &Words, loader: &Loader<'_>) -> Result<Obj> {
    let serving: Serving<Obj> = Serving::read(&words.given)?;
    let mock: Mock<Obj> = Mock::read(&words.given)?;
    let tls: Tls<Obj> = Tls::read(&words.given)?;
    let Some(file) = filled(serving.ca.as_ref()) else {
        return Err(option_error("-ca", "tls::cmp serve needs -ca"));
    };
    let Some(port) = within("-port", mock.port, 0, 65_535)? else {
        return Err(option_error("-port", "tls::cmp serve needs -port"));
    };
    if let Some(option) = words.first_of(USELESS) {
        let message = format!("{option} isn't for tls::cmp serve");
        return Err(option_error(option, message));
    }
    let more = serving.ca_options.clone().unwrap_or_default();
    let authority = Authority::read(loader, file, &more)?;
    let office = office(words, loader, &serving, &authority)?;
    office.check()?;
    let reference = filled(mock.srv_ref.as_ref());
    let secret = loader.secret("-srv_secret", mock.srv_secret.as_ref())?;
    if secret.is_some() != reference.is_some() {
        let message = "-srv_ref and -srv_secret must be given together";
        return Err(option_error("-srv_secret", message));
    }
    let secrets = serving.secrets.as_ref();
    let asks = secrets.is_some_and(|script| !script.as_text().is_empty());
    if office.key.is_none() && secret.is_none() && !asks {
        let message = "the server can't protect its answers: give -srv_cert and -srv_key, -srv_secret or -secrets";
        return Err(option_error("-srv_cert", message));
    }
    let security = match tls.tls_used {
        Some(()) => Some(transport::server_security(&tls, &words.given, loader)?),
        None => None,
    };
    let authorities = match loader.list("-rsp_capubs", mock.rsp_capubs.as_ref())? {
        list if list.is_empty() => vec![authority.certificate.clone()],
        list => list,
    };
    // It is read anew for who asks, and must be there already.
    loader.list_of_revocations("-rsp_crl", serving.rsp_crl.as_ref())?;
    let update = loader.update(&serving)?;
    let update = update.map(|one| Obj::text(&one.as_ref().map(pem).unwrap_or_default()));
    let texts = |all: &[X509]| Obj::list(all.iter().map(|one| Obj::text(&pem(one))));
    let script = |value: &Option<Obj>| value.clone().unwrap_or_else(Obj::empty);
    let seconds = |option, value, default| {
        Ok::<_, Error>(Obj::int(
            within(option, value, 0, MOST_SECONDS)?.unwrap_or(default),
        ))
    };
    let state = filled(serving.state.as_ref())
        .map(files::native)
        .transpose()?;
    let state = state.map(|path| path.display().to_string());
    let limit = within("-max_msgs", mock.max_msgs, 0, i64::MAX)?.unwrap_or(0);
    let jobs = interp.state::<Jobs>();
    let token = jobs.token();
    let plan = Obj::dict([
        ("kind", Obj::text("office")),
        ("token", Obj::text(&token)),
        ("port", Obj::int(port)),
        ("most", Obj::int(limit)),
        ("announce", Obj::bool(false)),
        ("config", Obj::text(file)),
        ("words", Obj::list(more)),
        (
            "folder",
            Obj::text(authority.folder.as_deref().unwrap_or_default()),
        ),
        ("days", Obj::int(authority.days.unwrap_or(0))),
        (
            "authority",
            Obj::text(&name::oneline(authority.certificate.subject_name())),
        ),
        ("issuer", Obj::text(&pem(&authority.certificate))),
        ("authorities", texts(&authorities)),
        ("update", Obj::list(update)),
        (
            "crl",
            Obj::text(filled(serving.rsp_crl.as_ref()).unwrap_or_default()),
        ),
        ("state", Obj::text(&state.unwrap_or_default())),
        ("reference", Obj::text(reference.unwrap_or_default())),
        ("secrets", script(&serving.secrets)),
        ("approve", script(&serving.approve)),
        ("report", script(&serving.report)),
        ("later", seconds("-check_after", mock.check_after, 1)?),
        (
            "patience",
            seconds("-confirm_timeout", serving.confirm_timeout, 60)?,
        ),
        ("window", seconds("-time_window", serving.time_window, 300)?),
        ("secure", Obj::bool(tls.tls_used.is_some())),
        (
            "tls",
            security
                .as_ref()
                .map_or_else(Obj::empty, |security| security.describe(&token)),
        ),
    ]);
    let desk = Desk {
        office,
        authorities,
        reference: reference.unwrap_or_default().as_bytes().to_vec(),
        secret,
        password: security
            .map(|security| security.password)
            .unwrap_or_default(),
    };
    jobs.offices.borrow_mut().insert(token, Rc::new(desk));
    Ok(plan)
}

/// A real server under way.
pub(super) struct Desk {
    /// The server.
    office: Office,
    /// The certificates that initialization responses bring.
    authorities: Vec<X509>,
    /// The reference of the secret that is given by options.
    reference: Vec<u8>,
    /// That secret.
    secret: Option<Secret>,
    /// The password of the key for TLS.
    pub(super) password: Secret,
}

/// The server that options describe.
fn office(
    words: &Words,
    loader: &Loader<'_>,
    serving: &Serving<Obj>,
    authority: &Authority,
) -> Result<Office> {
    let mock: Mock<Obj> = Mock::read(&words.given)?;
    let own: Own<Obj> = Own::read(&words.given)?;
    let checking: Checking<Obj> = Checking::read(&words.given)?;
    let password = Loader::pass("-srv_keypass", mock.srv_keypass.as_ref());
    let found = loader.certificate("-srv_cert", mock.srv_cert.as_ref(), password)?;
    let (certificate, chain) = match found {
        Some((certificate, chain)) => (Some(certificate), chain),
        None => (None, Vec::new()),
    };
    let key = loader.key("-srv_key", mock.srv_key.as_ref(), password)?;
    if certificate.is_some() != key.is_some() {
        let message = "-srv_cert and -srv_key must be given together";
        return Err(option_error("-srv_key", message));
    }
    if let (Some(certificate), Some(key)) = (&certificate, &key) {
        check_pair(("-srv_key", key), ("-srv_cert", certificate))?;
    }
    let trusted = match loader.trusted("-srv_trusted", mock.srv_trusted.as_ref(), false)? {
        Some(store) => store,
        // Who has a certificate of the authority is known to it.
        None => loader.anchored("-ca", &authority.certificate)?,
    };
    let subject = authority.certificate.subject_name().to_owned();
    let mut untrusted = loader.list("-srv_untrusted", mock.srv_untrusted.as_ref())?;
    untrusted.extend(chain);
    Ok(Office {
        certificate,
        key,
        name: Some(subject.map_err(|_| Error::panic("tls::cmp"))?),
        properties: loader.library.properties()?,
        digest: filled(own.digest.as_ref()).map(str::to_owned),
        mac: filled(own.mac.as_ref()).map(str::to_owned),
        trusted: Some(trusted),
        authorities: loader.trusted("-ra_trusted", serving.ra_trusted.as_ref(), false)?,
        untrusted,
        extra: loader.list("-rsp_extracerts", mock.rsp_extracerts.as_ref())?,
        accept_unprotected: mock.accept_unprotected.is_some(),
        ignore_key_usage: checking.ignore_keyusage.is_some(),
        grant_implicit: mock.grant_implicitconf.is_some(),
    })
}

/// The server of a token.
fn desk(interp: Interp<'_>, token: &Obj) -> Result<Rc<Desk>> {
    let token = token.as_text();
    let jobs = interp.state::<Jobs>();
    let offices = jobs.offices.borrow();
    offices.get(&*token).cloned().ok_or_else(|| unknown(&token))
}

impl Desk {
    /// Who sent a message; `secret` is what the script has found for him.
    fn identify(&self, header: &header::Message, message: &[u8], secret: &Obj) -> Result<Identity> {
        let found = secret.as_bytes().filter(|bytes| !bytes.is_empty());
        let found = match found {
            Some(secret) => Some(Secret::from(secret)),
            None if self.reference == header.reference => self.secret.clone(),
            None => None,
        };
        let identity = self.office.identify(header, found);
        // Where protection needn't be right, nobody is who he says before it is.
        if self.office.accept_unprotected && !self.office.is_from(&identity, message)? {
            return Ok(Identity::Nobody);
        }
        Ok(identity)
    }
}

/// The word for a body.
fn kind_word(kind: u8) -> &'static str {
    match kind {
        header::body::IR => "ir",
        header::body::CR => "cr",
        header::body::P10CR => "p10cr",
        header::body::KUR => "kur",
        header::body::RR => "rr",
        header::body::GENM => "genm",
        header::body::ERROR => "error",
        header::body::CERTCONF => "certConf",
        header::body::POLLREQ => "pollReq",
        _ => "other",
    }
}

/// `tls::CmpHear message`: what surrounds a message.
pub(in crate::cmd) fn hear(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [message] = words else {
        return Err(Error::wrong_args("tls::CmpHear message"));
    };
    let message = message.as_bytes().unwrap_or_default();
    let header = server::receive(&message)?;
    let mut record = Record::new();
    record.put("kind", kind_word(header.kind));
    record.put("transaction", hex(&header.transaction));
    record.put("nonce", hex(&header.nonce));
    record.put("protection", protection(header.protection));
    record.put(
        "reference",
        String::from_utf8_lossy(&header.reference).into_owned(),
    );
    record.put("implicit", header.implicit);
    record.put(
        "time",
        header.time.map_or_else(|| Value::from(""), Value::from),
    );
    let digest = openssl::sha::sha256(&message);
    record.put("digest", hex(&digest));
    Ok(Obj::from(&record))
}

/// The word for a protection.
fn protection(protection: header::Protection) -> &'static str {
    match protection {
        header::Protection::None => "none",
        header::Protection::Secret => "secret",
        header::Protection::Signature => "signature",
    }
}

/// `tls::CmpFacts token message secret`: what a message asks for, and by whom.
pub(in crate::cmd) fn facts(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let [token, message, secret] = words else {
        return Err(Error::wrong_args("tls::CmpFacts token message secret"));
    };
    let desk = desk(interp, token)?;
    let message = message.as_bytes().unwrap_or_default();
    let header = server::read(&message)?;
    let identity = desk.identify(&header, &message, secret)?;
    let (protection, reference) = match &identity {
        Identity::Nobody => ("none", String::new()),
        Identity::Signer { .. } => ("signature", String::new()),
        Identity::Secret(_) => (
            "secret",
            String::from_utf8_lossy(&header.reference).into_owned(),
        ),
    };
    let mut record = Record::new();
    record.put("kind", kind_word(header.kind));
    record.put("transaction", hex(&header.transaction));
    record.put("protection", protection);
    record.put("reference", reference);
    record.put("profiles", header.profiles);
    if let Identity::Signer {
        certificate,
        authority,
    } = &identity
    {
        record.put("signer", pem(certificate));
        record.put("signerSubject", name::oneline(certificate.subject_name()));
        record.put("signerIssuer", name::oneline(certificate.issuer_name()));
        record.put("signerSerial", certificate_serial(certificate));
        record.put("authority", *authority);
    }
    if let Some(demand) = body::demand(&message) {
        record.put("own", Office::asks_for_own(&identity, &demand));
        put_demand(&mut record, &demand);
    } else if let Some(recall) = body::recall(&message) {
        record.put("own", Office::recalls_own(&identity, &recall));
        record.put(
            "issuer",
            recall.issuer.as_deref().map(slash).unwrap_or_default(),
        );
        let serial = recall.serial.as_deref().map(integer_hex);
        record.put("serial", serial.unwrap_or_default());
        record.put(
            "subject",
            recall.subject.as_deref().map(slash).unwrap_or_default(),
        );
        record.put("reason", recall.reason.unwrap_or(-1));
    } else {
        let questions = body::questions(&message);
        let kinds = questions.iter().map(|one| names::info_name(&one.kind));
        record.put("questions", kinds.collect::<Vec<String>>());
    }
    Ok(Obj::from(&record))
}

/// What a wish for a certificate says.
fn put_demand(record: &mut Record, demand: &Demand) {
    /// subjectAltName
    const NAMES: &str = "2.5.29.17";
    record.put("subject", slash(&demand.subject));
    record.put("ca", demand.wants_authority());
    record.put("proof", demand.proof.word());
    record.put("request", demand.request.clone());
    let names = frame::request(&demand.request).and_then(|request| {
        let found = request.extensions.iter().find(|one| one.oid == NAMES)?;
        general_names(found.value)
    });
    record.put("names", names.unwrap_or_default());
    let kinds = demand.extensions.iter().map(|(kind, _)| kind.clone());
    record.put("extensions", kinds.collect::<Vec<String>>());
    let time = |time: Option<i64>| time.map_or_else(|| Value::from(""), Value::from);
    record.put("notBefore", time(demand.begin));
    record.put("notAfter", time(demand.end));
    if let Some((issuer, serial)) = &demand.old {
        record.put("oldIssuer", slash(issuer));
        record.put("oldSerial", integer_hex(serial));
    }
}

/// An encoded name as text.
fn slash(encoded: &[u8]) -> String {
    let read = openssl::x509::X509Name::from_der(encoded);
    read.map_or_else(|_| String::new(), |read| name::oneline(&read))
}

/// The serial number of a certificate.
fn certificate_serial(certificate: &X509) -> String {
    let number = certificate.serial_number().to_bn();
    let bytes = number.map(|number| number.to_vec()).unwrap_or_default();
    hex_upper(&bytes)
}

/// `tls::CmpSay token message secret decision ?earlier?`: the answer to a message.
///
/// The decision is `later SECONDS`, `issue PEM`, `tell STATUS FAILURES TEXT` or `answers TYPE PEMS …`; what is earlier is
/// a dict with the first message of the transaction, the nonce of the last answer, and perhaps a certificate.
pub(in crate::cmd) fn say(interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let syntax = || Error::wrong_args("tls::CmpSay token message secret decision ?earlier?");
    let [token, message, secret, decision, earlier @ ..] = words else {
        return Err(syntax());
    };
    let desk = desk(interp, token)?;
    let message = message.as_bytes().unwrap_or_default();
    let header = server::read(&message)?;
    let earlier = match earlier {
        [] => None,
        [earlier] => Some(read_earlier(earlier).ok_or_else(syntax)?),
        _ => return Err(syntax()),
    };
    let first = earlier
        .as_ref()
        .map_or(&message, |earlier| &earlier.request);
    let decision = decision.as_list().unwrap_or_default();
    check_verdict(&decision)?;
    let decision = desk.decision(first, &decision).ok_or_else(syntax)?;
    // Who began a transaction goes on with it.
    let begun = match &earlier {
        Some(earlier) => server::read(&earlier.request)?,
        None => header,
    };
    let identity = desk.identify(&begun, first, secret)?;
    let answer = desk
        .office
        .answer(&identity, &message, decision, earlier.as_ref())?;
    let header = server::read(&answer.message)?;
    let confirmed = match answer.confirmed {
        Some(truth) => Obj::bool(truth),
        None => Obj::empty(),
    };
    Ok(Obj::dict([
        ("answer", Obj::bytes(&answer.message)),
        ("counted", Obj::bool(answer.counted)),
        ("confirmed", confirmed),
        ("nonce", Obj::text(&hex(&header.nonce))),
    ]))
}

/// Refuses what only the script of `-approve` can have come up with: seconds that are none, and unknown reasons.
fn check_verdict(decision: &[Obj]) -> Result<()> {
    let refuse = |what: &Obj, must: &str| {
        let message = format!("-approve returned \"{}\": {must}", what.as_text());
        Err(option_error("-approve", message))
    };
    match decision {
        [kind, seconds] if kind.as_text() == "later" => match seconds.as_int() {
            Some(0..=MOST_SECONDS) => Ok(()),
            _ => refuse(seconds, "after later must be seconds"),
        },
        [kind, _, reasons, _] if kind.as_text() == "tell" => {
            let names = reasons.as_list();
            let names = names.unwrap_or_else(|| vec![reasons.clone()]);
            let is_unknown = |name: &&Obj| status::bits(&[name.as_text().into_owned()]).is_none();
            match names.iter().find(is_unknown) {
                Some(name) => refuse(name, "after no must be reasons such as badTime"),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Where a transaction stands.
fn read_earlier(dict: &Obj) -> Option<Earlier> {
    let nonce = dict.dict_value("nonce")?;
    let nonce = nonce.as_text();
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = nonce.as_bytes().chunks(2);
    let nonce = pairs.map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    let certificate = dict.dict_value("certificate")?;
    let certificate = certificate.as_text();
    Some(Earlier {
        request: dict.dict_value("request")?.as_bytes()?,
        nonce: nonce.collect::<Option<Vec<u8>>>()?,
        certificate: match certificate.is_empty() {
            true => None,
            false => Some(X509::from_pem(certificate.as_bytes()).ok()?),
        },
    })
}

impl Desk {
    /// The decision in a list, on a transaction's first message.
    fn decision(&self, first: &[u8], words: &[Obj]) -> Option<Decision> {
        let (kind, rest) = words.split_first()?;
        Some(match (&*kind.as_text(), rest) {
            ("later", [seconds]) => Decision::Later(seconds.as_int()?),
            ("issue", [text]) => {
                let certificate = X509::from_pem(text.as_text().as_bytes()).ok()?;
                let header = header::message(first)?;
                // Others have no way to know whose they are.
                let told = header.kind == header::body::IR
                    && header.protection == header::Protection::Secret;
                let demand = body::demand(first)?;
                Decision::Issue {
                    changed: server::differs(&demand, &certificate),
                    certificate: Box::new(certificate),
                    authorities: match told {
                        true => self.authorities.clone(),
                        false => Vec::new(),
                    },
                }
            }
            ("tell", [state, failures, text]) => {
                let names = failures.as_list()?;
                let names = names.iter().map(|name| name.as_text().into_owned());
                let text = text.as_text();
                Decision::Tell(Status {
                    status: i32::try_from(state.as_int()?).ok()?,
                    failure: status::bits(&names.collect::<Vec<_>>())?,
                    text: (!text.is_empty()).then(|| text.into_owned()),
                })
            }
            ("answers", pairs) => {
                let answers = pairs.chunks(2).map(|pair| match pair {
                    [kind, texts] => information(&kind.as_text(), &texts.as_list()?),
                    _ => None,
                });
                Decision::Answers(answers.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

/// A piece of information about certificates or revocation lists, or about what requests should have.
fn information(kind: &str, texts: &[Obj]) -> Option<names::Information> {
    if kind == "certReqTemplate" {
        let issuer = X509::from_pem(texts.first()?.as_text().as_bytes()).ok()?;
        return general::template(&issuer.subject_name().to_der().ok()?, None);
    }
    let all: Option<Vec<Vec<u8>>> = texts
        .iter()
        .map(|text| {
            let text = text.as_text();
            match kind {
                "currentCRL" | "crls" => load::crls(text.as_bytes()).ok()?.first()?.to_der().ok(),
                _ if text.is_empty() => Some(Vec::new()),
                _ => X509::from_pem(text.as_bytes()).ok()?.to_der().ok(),
            }
        })
        .collect();
    general::information(kind, &all?)
}
