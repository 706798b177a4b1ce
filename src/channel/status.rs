//! tmp
use crate::value::Record;
use crate::x509::describe;
use openssl::ssl::SslRef;
/// s
pub(crate) fn status(ssl: &SslRef, local: bool) -> Record {
    if !ssl.is_init_finished() {
        return Record::new();
    }
    let c = if local {
        ssl.certificate().map(|c| c.to_owned())
    } else {
        ssl.peer_certificate()
    };
    let mut r = c.map(|c| describe::certificate(&c)).unwrap_or_default();
    r.put("protocol", ssl.version_str());
    r.put("verifyResult", ssl.verify_result().error_string());
    if let Some(c) = ssl.current_cipher() {
        r.put("cipher", c.name());
        r.put("sbits", c.bits().secret);
    }
    r
}
/// c
pub(crate) fn connection(ssl: &SslRef) -> Record {
    let mut r = Record::new();
    r.put("init_finished", ssl.is_init_finished());
    r.put("session_reused", ssl.session_reused());
    r
}
