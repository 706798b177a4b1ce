//! A new authority: key, certificate, folders, files and a configuration, in one go.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private};
use openssl::x509::X509;

use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl;

use super::disk;
use super::request::same_key;

/// Refuses a folder that has something in it.
pub(crate) fn check(folder: &Path) -> Result<()> {
    match folder.exists() && !disk::is_empty_folder(folder) {
        true => {
            let folder = folder.display().to_string();
            let message = format!("\"{folder}\" is there already");
            Err(Error::failed_with(Reason::CaWrite, [&folder], message))
        }
        false => Ok(()),
    }
}

/// Refuses a certificate that isn't an authority's, or has another key.
pub(crate) fn check_pair(certificate: &X509, key: &PKeyRef<Private>, source: &str) -> Result<()> {
    let why = if !ossl::x509::is_authority(certificate) {
        "isn't the certificate of an authority"
    } else if !certificate
        .public_key()
        .is_ok_and(|own| same_key(&own, key))
    {
        "and the private key don't belong together"
    } else {
        return Ok(());
    };
    let message = format!("\"{source}\" {why}");
    Err(Error::failed_with(Reason::CaVerify, [source], message))
}

/// Makes the authority of a key, in PEM, and its certificate. The folder appears whole or not at all.
pub(crate) fn create(folder: &Path, key: &[u8], certificate: &X509) -> Result<()> {
    let folder = disk::absolute(folder);
    let draft = disk::beside(&folder, ".new");
    disk::remove_folder(&draft)?;
    let built =
        fill(&draft, &folder, key, certificate).and_then(|()| disk::rename_folder(&draft, &folder));
    if built.is_err() {
        disk::remove_folder(&draft).ok();
    }
    built
}

/// Fills the folder, under its provisional name; `folder` is the one it will have.
fn fill(draft: &Path, folder: &Path, key: &[u8], certificate: &X509) -> Result<()> {
    for name in ["certs", "crl", "newcerts"] {
        disk::make_folder(&draft.join(name))?;
    }
    disk::make_private_folder(&draft.join("private"))?;
    disk::make_private_file(&draft.join("private/cakey.pem"), key)?;
    let pem = certificate.to_pem().map_err(|stack| failed(&stack))?;
    let configuration = CONFIGURATION.replace("@dir@", &folder.display().to_string());
    let files: [(&str, &[u8]); 6] = [
        ("cacert.pem", &pem),
        ("index.txt", b""),
        ("index.txt.attr", b"unique_subject = no\n"),
        ("serial", b"01\n"),
        ("crlnumber", b"01\n"),
        ("openssl.cnf", configuration.as_bytes()),
    ];
    for (name, bytes) in files {
        let path: PathBuf = draft.join(name);
        disk::stage(&path, bytes)?.finish(false)?;
    }
    for name in ["certs", "crl", "newcerts", "private", ""] {
        disk::sync_folder(&draft.join(name))?;
    }
    Ok(())
}

/// The configuration of a new authority. Serial numbers are random, names are kept as the policy says, and requests may
/// bring nothing but their alternative names, since all else is set.
const CONFIGURATION: &str = "\
[ca]
default_ca = CA_default

[CA_default]
dir = @dir@
database = $dir/index.txt
new_certs_dir = $dir/newcerts
certificate = $dir/cacert.pem
private_key = $dir/private/cakey.pem
serial = $dir/serial
crlnumber = $dir/crlnumber
crl = $dir/crl.pem
rand_serial = yes
unique_subject = no
default_md = default
default_days = 397
default_crl_days = 7
policy = policy_anything
x509_extensions = server_and_client
crl_extensions = crl
copy_extensions = copy

[policy_anything]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
emailAddress = optional

[policy_match]
countryName = match
stateOrProvinceName = match
organizationName = match
organizationalUnitName = optional
commonName = supplied
emailAddress = optional

[server_and_client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[v3_ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[ocsp]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[crl]
authorityKeyIdentifier = keyid
";

/// The error for a failure of OpenSSL that no input explains.
fn failed(stack: &ErrorStack) -> Error {
    let why = reasons_text(&ossl::error::entries(stack));
    Error::failed(Reason::CaCreate, format!("can't make the authority: {why}"))
}
