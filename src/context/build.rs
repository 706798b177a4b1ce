//! Building a context: every default that this package has stands here.
//!
//! Safe OpenSSL only.

use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslVerifyMode};
use openssl::x509::store::{X509Store, X509StoreRef};
use openssl::x509::verify::X509VerifyFlags;

use super::cache::{self, COUNTERS};
use super::files::Files;
use super::fingerprint::Mixer;
use super::identity::{AskPassword, Loaded};
use super::inputs::Inputs;
use super::source::DH;
use super::{Settings, callbacks, ciphers, keylog, pem, session, trust};
use crate::error::{Error, Reason, Result, reasons_text};
use crate::ossl::error::{entries, failed};
use crate::ossl::ssl::set_dh_auto;
use crate::ossl::ticket::set_ticket_keys;
use crate::ossl::x509_store;

/// What was built.
pub(super) struct Built {
    /// The context.
    pub(super) context: SslContext,
    /// Whether a password had to be asked for.
    pub(super) locked: bool,
}

/// Builds a context out of settings and the contents of the files that they name.
pub(super) fn context(
    settings: &Settings,
    inputs: &Inputs<'_>,
    files: &dyn Files,
    password: &mut AskPassword<'_>,
) -> Result<Built> {
    let method = match settings.server {
        true => SslMethod::tls_server(),
        false => SslMethod::tls_client(),
    };
    // OpenSSL's configuration file has its say here, before the settings have theirs.
    let mut context =
        SslContext::builder(method).map_err(|stack| failed("can't make a TLS context", &stack))?;
    set_modes(&mut context);
    let protocols = settings.protocols.usable()?;
    if !settings.server {
        protocols.without_hole()?;
    }
    protocols.apply(&mut context)?;
    set_strength(settings, &mut context)?;

    let store = set_trust(settings, inputs, files, &mut context)?;
    let mut locked = false;
    if let Some(identity) = &settings.identity {
        let mut loaded = Loaded::read(identity, inputs.certificate(), inputs.key(), password)?;
        locked = loaded.locked;
        if let (Some(store), false) = (&store, settings.trust.is_system()) {
            loaded.complete(store);
        }
        loaded.install(identity, &mut context)?;
    }
    session::configure(&mut context, settings.server, &inputs.session_name())?;
    match settings.server {
        true => {
            callbacks::install_server(&mut context);
            if !settings.ticket_keys.is_empty() {
                set_ticket_keys(&mut context, settings.ticket_keys.clone())
                    .map_err(|stack| failed("can't set the keys of session tickets", &stack))?;
            }
            set_dh(settings, inputs, &mut context)?;
        }
        false => callbacks::install_client(&mut context),
    }
    if keylog::target().is_some() {
        callbacks::install_keylog(&mut context);
    }

    let context = context.build();
    if protocols.outdated() && context.security_level() > 0 {
        let message = "no valid protocol selected: TLS 1.1 and earlier need security level 0";
        return Err(Error::failed(Reason::ImportProtocol, message).about_option("-securitylevel"));
    }
    COUNTERS.contexts.add();
    Ok(Built { context, locked })
}

/// Modes and options that every context has.
fn set_modes(context: &mut SslContextBuilder) {
    // Tcl may move its buffers between two attempts to write the same data, and takes part of it as written. An idle
    // connection shouldn't hold 34 KiB of buffers. A chain that has to be completed is completed once, here, and not
    // with each handshake.
    context.set_mode(
        SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::NO_AUTO_CHAIN
            | SslMode::RELEASE_BUFFERS
            // A read goes on after a record without data, such as a session ticket: whether it may wait for the
            // next one is the stream's business.
            | SslMode::AUTO_RETRY,
    );
    context.set_options(SslOptions::NO_COMPRESSION);
}

/// Security level and ciphers. A cipher list can set the level too; the option for the level is the stronger word.
fn set_strength(settings: &Settings, context: &mut SslContextBuilder) -> Result<()> {
    let set_level = |context: &mut SslContextBuilder| {
        if let Some(level) = settings.security_level {
            context.set_security_level(u32::from(level.0));
        }
    };
    set_level(context);
    if let Some(list) = &settings.cipher {
        ciphers::set_list(context, list)?;
    }
    if let Some(suites) = &settings.ciphersuites {
        ciphers::set_suites(context, suites)?;
    }
    set_level(context);
    Ok(())
}

/// Whom to trust, and how the peer is verified; the store of trusted certificates, where there is one.
fn set_trust(
    settings: &Settings,
    inputs: &Inputs<'_>,
    files: &dyn Files,
    context: &mut SslContextBuilder,
) -> Result<Option<X509Store>> {
    let mut mode = SslVerifyMode::NONE;
    if settings.verifies() {
        mode |= SslVerifyMode::PEER;
    }
    if settings.require {
        mode |= SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    }
    context.set_verify_callback(mode, callbacks::verify);

    let named = !settings.trust.is_system();
    // The system's store is large: a server that asks nobody for a certificate does without.
    let mut used = None;
    if named || !settings.server || settings.verifies() {
        let store = store(settings, inputs, files)?;
        context.set_cert_store(share(&store)?);
        used = Some(store);
    }
    if named && settings.checks.is_none() {
        // Who names a certificate trusts it, be it a root or not.
        context
            .verify_param_mut()
            .set_flags(X509VerifyFlags::PARTIAL_CHAIN)
            .map_err(|stack| failed("can't set how certificates are verified", &stack))?;
    }
    if let (true, Some(content)) = (settings.server, inputs.cafile()) {
        context.set_client_ca_list(trust::names(content)?);
    }
    Ok(used)
}

/// Another handle of a store.
fn share(store: &X509StoreRef) -> Result<X509Store> {
    x509_store::share(store).map_err(|stack| failed("can't share a certificate store", &stack))
}

/// The store of trusted certificates, shared by all contexts that trust the same.
fn store(settings: &Settings, inputs: &Inputs<'_>, files: &dyn Files) -> Result<X509Store> {
    let mut mixer = Mixer::new("trust");
    settings.mix_trust(&mut mixer);
    let shape = mixer.finish();
    let contents = inputs.trust();
    if let Some(found) = cache::store(&shape, &contents, |store| share(store)) {
        return found;
    }
    let trust = &settings.trust;
    let store = trust.build(inputs.cafile(), files, settings.checks.as_ref())?;
    COUNTERS.stores.add();
    let shared = share(&store)?;
    cache::keep_store(shape, contents, store);
    Ok(shared)
}

/// Diffie-Hellman parameters: those of the caller, else as strong as the certificate's key.
fn set_dh(settings: &Settings, inputs: &Inputs<'_>, context: &mut SslContextBuilder) -> Result<()> {
    let (Some(source), Some(content)) = (&settings.dhparams, inputs.dhparams()) else {
        return set_dh_auto(context)
            .map_err(|stack| failed("can't choose Diffie-Hellman parameters", &stack));
    };
    let refuse = |why: &str| source.refuse(Reason::ImportOption, &DH, why);
    let text = |stack: ErrorStack| refuse(&reasons_text(&entries(&stack)));
    let params = match pem::looks_like(content) {
        true => {
            if !pem::blocks(content).any(|block| block.label.ends_with("DH PARAMETERS")) {
                return Err(refuse(&pem::holds_instead(content, "DH parameters")));
            }
            Dh::params_from_pem(content)
        }
        false if content.is_empty() => return Err(refuse("it is empty")),
        false if pem::der_pieces(content).is_none() => {
            return Err(refuse("it is neither PEM nor DER"));
        }
        false => Dh::params_from_der(content),
    };
    let params = params.map_err(text)?;
    context.set_tmp_dh(&params).map_err(text)
}
