//! Whom to trust and how chains are checked: settings for OpenSSL's verification, as the program has them.

use std::ffi::CString;

use openssl::asn1::Asn1Object;
use openssl::error::ErrorStack;
use openssl::ssl::SslFiletype;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Crl, X509PurposeId, X509PurposeRef};

use super::Problem;
use crate::ossl::{chain, x509_store};

/// How chains are checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    /// The name of a set of parameters to start from.
    pub(crate) name: Option<String>,
    /// What is switched on.
    pub(crate) flags: u64,
    /// The time at which everything must be valid, in seconds since 1970.
    pub(crate) time: Option<i64>,
    /// How many certificates may be between the first and the last.
    pub(crate) depth: Option<i32>,
    /// How strong keys and digests must be.
    pub(crate) level: Option<i32>,
    /// What the certificate must be good for.
    pub(crate) purpose: Option<String>,
    /// The acceptable policies.
    pub(crate) policies: Vec<String>,
    /// The name of a host that the certificate must have.
    pub(crate) host: Option<String>,
    /// An address that the certificate must have.
    pub(crate) email: Option<String>,
    /// An IP address that the certificate must have.
    pub(crate) address: Option<std::net::IpAddr>,
}

/// The switches by the program's words.
const FLAGS: &[(&str, u64)] = &[
    ("-ignore_critical", 0x10),
    ("-issuer_checks", 0),
    ("-crl_check", 0x4),
    ("-crl_check_all", 0x4 | 0x8),
    ("-policy_check", 0x80),
    ("-explicit_policy", 0x100),
    ("-inhibit_any", 0x200),
    ("-inhibit_map", 0x400),
    ("-x509_strict", 0x20),
    ("-extended_crl", 0x1000),
    ("-use_deltas", 0x2000),
    ("-policy_print", 0x800),
    ("-check_ss_sig", 0x4000),
    ("-trusted_first", 0x8000),
    ("-suiteB_128_only", 0x10000),
    ("-suiteB_128", 0x10000 | 0x20000),
    ("-suiteB_192", 0x20000),
    ("-partial_chain", 0x80000),
    ("-no_alt_chains", 0x10_0000),
    ("-no_check_time", 0x20_0000),
    ("-allow_proxy_certs", 0x40),
];

impl Checks {
    /// Switches on what one of the program's words stands for; false if it isn't one of them.
    pub(crate) fn switch_on(&mut self, word: &str) -> bool {
        match FLAGS.iter().find(|(name, _)| *name == word) {
            Some((_, flag)) => {
                self.flags |= flag;
                true
            }
            None => false,
        }
    }

    /// Whether revocation lists are looked into.
    pub(crate) fn checks_revocation(&self) -> bool {
        self.flags & 0x4 != 0
    }

    /// As OpenSSL takes them.
    pub(crate) fn parameters(&self) -> Result<X509VerifyParam, Problem> {
        let failed = |stack: ErrorStack| failed(&stack);
        let mut parameters = X509VerifyParam::new().map_err(failed)?;
        if let Some(name) = &self.name
            && !chain::inherit(&mut parameters, name).map_err(failed)?
        {
            let message = format!("unknown set of verification parameters \"{name}\"");
            return Err(Problem::new(message).with("-verify_name"));
        }
        if self.flags != 0 {
            let flags = X509VerifyFlags::from_bits_retain(self.flags);
            parameters.set_flags(flags).map_err(failed)?;
        }
        if let Some(time) = self.time {
            parameters.set_time(time);
        }
        if let Some(depth) = self.depth {
            parameters.set_depth(depth);
        }
        if let Some(level) = self.level {
            parameters.set_auth_level(level);
        }
        if let Some(purpose) = &self.purpose {
            let unknown = || Problem::new(format!("unknown purpose \"{purpose}\""));
            let found =
                X509PurposeRef::get_by_sname(purpose).map_err(|_| unknown().with("-purpose"))?;
            let found = X509PurposeRef::from_idx(found).map_err(failed)?;
            parameters
                .set_purpose(X509PurposeId::from_raw(found.purpose().as_raw()))
                .map_err(failed)?;
        }
        for policy in &self.policies {
            let bad = || Problem::new(format!("\"{policy}\" isn't an object identifier"));
            let object = Asn1Object::from_str(policy).map_err(|_| bad().with("-policy"))?;
            chain::add_policy(&mut parameters, object).map_err(failed)?;
        }
        if let Some(host) = &self.host {
            parameters.set_host(host).map_err(failed)?;
        }
        if let Some(email) = &self.email {
            parameters.set_email(email).map_err(failed)?;
        }
        if let Some(address) = self.address {
            parameters.set_ip(address).map_err(failed)?;
        }
        Ok(parameters)
    }
}

/// The problem of a failed OpenSSL call.
fn failed(stack: &ErrorStack) -> Problem {
    let reasons = crate::error::reasons_text(&crate::ossl::error::entries(stack));
    Problem::new(format!("the trusted certificates can't be used: {reasons}"))
}

/// Whom to trust.
#[derive(Default)]
pub(crate) struct Anchors {
    /// Certificates.
    pub(crate) certificates: Vec<X509>,
    /// Revocation lists.
    pub(crate) lists: Vec<X509Crl>,
    /// Folders of certificates and lists, named by hash.
    pub(crate) folders: Vec<String>,
    /// Stores by URI.
    pub(crate) stores: Vec<CString>,
    /// Whether the library's default file is trusted as well.
    pub(crate) default_file: bool,
    /// Whether the library's default folder is.
    pub(crate) default_folder: bool,
    /// Whether the library's default store is, which is that folder once more.
    pub(crate) default_store: bool,
}

/// A store of those who are trusted, which checks chains in this way.
pub(crate) fn store(anchors: &Anchors, checks: &Checks) -> Result<X509Store, Problem> {
    let failed = |stack: ErrorStack| failed(&stack);
    let mut store = X509StoreBuilder::new().map_err(failed)?;
    for certificate in &anchors.certificates {
        store.add_cert(certificate.clone()).map_err(failed)?;
    }
    for list in &anchors.lists {
        x509_store::add_crl(&mut store, list).map_err(failed)?;
    }
    let own = |variable: &str, built_in: String| std::env::var(variable).unwrap_or(built_in);
    let places = x509_store::default_places();
    let file = own("SSL_CERT_FILE", places.file);
    let folder = own("SSL_CERT_DIR", places.folder);
    if anchors.default_file {
        let lookup = store.add_lookup(X509Lookup::file()).map_err(failed)?;
        // A system without trusted certificates is as good as one that trusts nobody.
        if lookup.load_cert_file(&file, SslFiletype::PEM).is_err() {
            drop(ErrorStack::get());
        }
    }
    let mut folders = anchors.folders.clone();
    if anchors.default_folder {
        folders.push(folder.clone());
    }
    if !folders.is_empty() {
        let lookup = store.add_lookup(X509Lookup::hash_dir()).map_err(failed)?;
        for folder in &folders {
            lookup.add_dir(folder, SslFiletype::PEM).map_err(failed)?;
        }
    }
    for uri in &anchors.stores {
        x509_store::load_store(&mut store, uri).map_err(|stack| failed(stack).with("-CAstore"))?;
    }
    if anchors.default_store
        && let Ok(uri) = CString::new(folder)
        && x509_store::load_store(&mut store, &uri).is_err()
    {
        drop(ErrorStack::get());
    }
    store.set_param(&*checks.parameters()?).map_err(failed)?;
    Ok(store.build())
}
