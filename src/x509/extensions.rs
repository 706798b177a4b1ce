//! Extensions from configuration text.
//!
//! What the well-known ones say in machine-readable form is [`super::extension_values`]' business.

use openssl::stack::Stack;
use openssl::x509::X509Extension;

use super::Problem;
use crate::error::reasons_text;
use crate::ossl::conf::Conf;
use crate::ossl::x509v3::{self, Context};

/// Reads a configuration; `name` is what a problem calls it.
pub(crate) fn configuration(content: &[u8], name: &str) -> Result<Conf, Problem> {
    Conf::load(content).map_err(|error| {
        let why = reasons_text(&error.entries);
        Problem::new(match error.line {
            Some(line) => format!("{name}, line {line}: {why}"),
            None => format!("{name}: {why}"),
        })
    })
}

/// Makes the extensions that a section of a configuration describes.
///
/// A section that is missing is a problem, one without entries gives no extensions.
pub(crate) fn from_section(
    conf: &Conf,
    section: &str,
    context: Context<'_>,
) -> Result<Stack<X509Extension>, Problem> {
    if conf.section(section).is_none() {
        return Err(Problem::new(format!("there is no section \"{section}\"")));
    }
    x509v3::from_section(conf, section, context).map_err(|entries| {
        let why = reasons_text(&entries);
        Problem::new(format!(
            "can't make the extensions of section \"{section}\": {why}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use openssl::hash::MessageDigest;
    use openssl::x509::{X509, X509Ref};

    /// A certificate like `subject` but with the extensions of the section `x`.
    fn extended(words: &str, subject: &X509Ref) -> Result<X509, Problem> {
        let conf = configuration(words.as_bytes(), "test").unwrap();
        let key = fixtures::key();
        let context = Context {
            subject: Some(subject),
            issuer: Some(subject),
            ..Context::default()
        };
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_pubkey(&key).unwrap();
        for extension in &from_section(&conf, "x", context)? {
            builder.append_extension2(extension).unwrap();
        }
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Ok(builder.build())
    }

    #[test]
    fn a_section_becomes_extensions_and_text() {
        let subject =
            fixtures::certificate("/CN=x/emailAddress=a@b.c", &fixtures::key(), None, true);
        let words = "[x]\nbasicConstraints=critical,CA:TRUE,pathlen:1\nsubjectKeyIdentifier=hash\n\
            subjectAltName=@names\n1.2.3.4=ASN1:UTF8String:hello\n[names]\nDNS.1=a.b\nDNS.2=c.d\nemail.1=copy\n";
        let made = extended(words, &subject).unwrap();
        let text = String::from_utf8(made.to_text().unwrap()).unwrap();
        for expected in [
            "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:1",
            "X509v3 Subject Key Identifier: \n",
            "DNS:a.b, DNS:c.d, email:a@b.c",
            "1.2.3.4: \n                ..hello",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let subject = fixtures::certificate("/CN=x", &fixtures::key(), None, true);
        let why = |words| extended(words, &subject).err().unwrap().to_string();
        assert_eq!(why("[y]\n"), "there is no section \"x\"");
        assert!(
            why("[x]\nkeyUsage=nonsense\n")
                .starts_with("can't make the extensions of section \"x\": ")
        );
        assert!(why("[x]\nnonsense=1\n").contains("nonsense"));
        assert!(extended("[x]\n", &subject).is_ok());
        // What isn't UTF-8 is quoted in OpenSSL's error all the same.
        let conf = configuration(b"[x]\nsubjectAltName=M\xfcll:x\n", "latin").unwrap();
        let error = from_section(&conf, "x", Context::default()).err().unwrap();
        assert!(error.to_string().contains("M\u{fffd}ll"), "{error}");
        let error = configuration(b"[x", "a.cnf").err().unwrap().to_string();
        assert!(error.starts_with("a.cnf, line 1: "), "{error}");
    }
}
