//! What the library offers: `tls::ciphers`, `tls::protocols`, `tls::version`.

use crate::context::ciphers;
use crate::context::protocols::{self, Protocol};
use crate::error::{Error, Result};
use crate::opts::alternatives;
use crate::tcl::{Interp, Obj};

/// `tls::ciphers ?protocol? ?verbose? ?supported?`: the names of ciphers, or with `verbose` a description of each.
pub(super) fn ciphers(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    if words.len() > 3 {
        return Err(Error::wrong_args(
            "tls::ciphers ?protocol? ?verbose? ?supported?",
        ));
    }
    let protocol = words.first().map(protocol).transpose()?;
    let verbose = words.get(1).map_or(Ok(false), truth)?;
    let supported = words.get(2).map_or(Ok(false), truth)?;
    let ciphers = ciphers::list(protocol, supported)?;
    Ok(match verbose {
        true => Obj::text(
            &ciphers
                .iter()
                .map(|cipher| cipher.description.as_str())
                .collect::<String>(),
        ),
        false => Obj::list(ciphers.iter().map(|cipher| Obj::text(cipher.name))),
    })
}

/// `tls::protocols`: the protocol versions that can be used, oldest first.
pub(super) fn protocols(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    if !words.is_empty() {
        return Err(Error::wrong_args("tls::protocols"));
    }
    Ok(Obj::list(
        protocols::offered()?
            .into_iter()
            .map(|protocol| Obj::text(protocol.name())),
    ))
}

/// `tls::version`: the version of the OpenSSL that is loaded.
pub(super) fn version(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    if !words.is_empty() {
        return Err(Error::wrong_args("tls::version"));
    }
    Ok(Obj::text(openssl::version::version()))
}

/// `tls::build-info ?field?`: how this package was built, in the form of Tcl 9's `tcl::build-info`: everything in one
/// word, or one of `version`, `patchlevel`, `commit`, `compiler`; of another field, whether it is there.
pub(super) fn build_info(_interp: Interp<'_>, words: &[Obj]) -> Result<Obj> {
    let version = env!("CARGO_PKG_VERSION");
    let commit = option_env!("TLS_COMMIT").unwrap_or("unknown");
    let compiler = concat!("rustc-", env!("CARGO_PKG_RUST_VERSION"));
    let debug = cfg!(debug_assertions);
    let [field] = words else {
        let parts = [compiler].into_iter().chain(debug.then_some("debug"));
        let parts: Vec<&str> = parts.collect();
        return match words {
            [] => Ok(Obj::text(&format!(
                "{version}+{commit}.{}",
                parts.join(".")
            ))),
            _ => Err(Error::wrong_args("tls::build-info ?field?")),
        };
    };
    Ok(match &*field.as_text() {
        "version" => Obj::text(version.rsplit_once('.').map_or(version, |(most, _)| most)),
        "patchlevel" => Obj::text(version),
        "commit" => Obj::text(commit),
        "compiler" => Obj::text(compiler),
        "debug" => Obj::bool(debug),
        _ => Obj::bool(false),
    })
}

/// The protocol version that a word names, perhaps shortened.
fn protocol(word: &Obj) -> Result<Protocol> {
    let text = word.as_text();
    let exact = Protocol::ALL
        .into_iter()
        .find(|protocol| protocol.name() == text);
    let mut meant = Protocol::ALL
        .into_iter()
        .filter(|protocol| !text.is_empty() && protocol.name().starts_with(&*text));
    match (exact, meant.next(), meant.next()) {
        (Some(protocol), _, _) | (None, Some(protocol), None) => Ok(protocol),
        (None, first, _) => {
            let names = Protocol::ALL.map(Protocol::name);
            let kind = if first.is_some() { "ambiguous" } else { "bad" };
            let message = format!(
                "{kind} protocol \"{text}\": must be {}",
                alternatives(&names)
            );
            Err(Error::usage(
                ["TCL", "LOOKUP", "INDEX", "protocol", &text],
                message,
            ))
        }
    }
}

/// A boolean argument.
fn truth(word: &Obj) -> Result<bool> {
    word.as_bool().ok_or_else(|| {
        let message = format!("expected boolean value but got \"{}\"", word.as_text());
        Error::usage(["TCL", "VALUE", "BOOLEAN"], message)
    })
}
