//! What the transport of `library/cmpclient.tcl` has to know: the server, the proxy, and the options for TLS.

use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::symm::Cipher;
use openssl::x509::X509;

use super::client::Options;
use super::inputs::{Loader, check_pair, filled, option_error, within};
use super::table::Tls;
use crate::cmd::verification;
use crate::cmp::outcome::pem;
use crate::cmp::url::{Url, is_listed};
use crate::error::{Error, Result};
use crate::opts::Given;
use crate::ossl::secret::Secret;
use crate::ossl::store::file_path;
use crate::tcl::Obj;
use crate::x509::der::hex;

/// Where messages go.
pub(super) enum Way {
    /// To a server.
    Server(Box<Server>),
    /// To a test server within the process.
    Mock,
    /// Nowhere: the answers are prepared.
    Prepared,
}

/// A server.
pub(super) struct Server {
    /// Its address.
    url: Url,
    /// The path there.
    path: String,
    /// The proxy.
    proxy: Option<Url>,
    /// How long connections are kept.
    keep_alive: i64,
    /// What TLS wants.
    tls: Option<Security>,
}

/// What `tls::import` is given.
pub(super) struct Security {
    /// Its options but for `-password`.
    words: Vec<(&'static str, String)>,
    /// The password of the key; empty where it has none.
    pub(super) password: Secret,
}

impl Security {
    /// The options. The password comes through a command, that of a token.
    pub(super) fn describe(&self, token: &str) -> Obj {
        let words = self.words.iter();
        let mut all: Vec<Obj> = words
            .flat_map(|(option, value)| [Obj::text(option), Obj::text(value)])
            .collect();
        if !self.password.is_empty() {
            let prefix = ["::tls::CmpPassword", token].map(Obj::text);
            all.extend([Obj::text("-password"), Obj::list(prefix)]);
        }
        Obj::list(all)
    }
}

impl Way {
    /// The way that options describe.
    pub(super) fn new(
        options: &Options,
        tls: &Tls<Obj>,
        given: &Given<Obj>,
        loader: &Loader<'_>,
    ) -> Result<Self> {
        let (transfer, trial) = (&options.transfer, &options.trial);
        let server = filled(transfer.server.as_ref());
        let prepared = filled(trial.rspin.as_ref()).is_some();
        let keep_alive = within("-keep_alive", transfer.keep_alive, 0, 2)?.unwrap_or(1);
        if trial.use_mock_srv.is_some() {
            for (option, given) in [("-server", server.is_some()), ("-rspin", prepared)] {
                if given {
                    let message = format!("-use_mock_srv and {option} can't be given together");
                    return Err(option_error("-use_mock_srv", message));
                }
            }
            return Ok(Self::Mock);
        }
        let Some(server) = server else {
            return match prepared {
                true => Ok(Self::Prepared),
                false => Err(option_error(
                    "-server",
                    "no server: give -server, -use_mock_srv, -rspin, or -port",
                )),
            };
        };
        let used = tls.tls_used.is_some();
        let url = Url::parse(server, used)
            .map_err(|problem| option_error("-server", problem.to_string()))?;
        if url.tls && !used {
            let message = "-server says https, which needs -tls_used";
            return Err(option_error("-server", message));
        }
        let path = match filled(transfer.path.as_ref()) {
            Some(path) => path.strip_prefix('/').unwrap_or(path).to_owned(),
            None => url.path.clone(),
        };
        if path.contains(|c: char| c.is_ascii_control() || c == ' ') {
            let message = "-path has blanks or control characters";
            return Err(option_error("-path", message));
        }
        Ok(Self::Server(Box::new(Server {
            proxy: proxy(options, &url, used)?,
            tls: match used {
                true => Some(security(tls, &url, options, given, loader)?),
                false => None,
            },
            url,
            path,
            keep_alive,
        })))
    }

    /// As a dict; empty where the transport has nothing to do.
    pub(super) fn describe(&self, token: &str) -> Obj {
        let Self::Server(server) = self else {
            return Obj::empty();
        };
        let address = |url: &Url| Obj::list([Obj::text(&url.host), Obj::int(i64::from(url.port))]);
        let tls = server.tls.as_ref();
        Obj::dict([
            ("server", address(&server.url)),
            ("path", Obj::text(&format!("/{}", server.path))),
            (
                "proxy",
                server.proxy.as_ref().map_or_else(Obj::empty, address),
            ),
            ("keep", Obj::int(server.keep_alive)),
            ("secure", Obj::bool(tls.is_some())),
            (
                "tls",
                tls.map_or_else(Obj::empty, |tls| tls.describe(token)),
            ),
        ])
    }

    /// The password of the key for TLS; empty where there is none.
    pub(super) fn password(&self) -> Secret {
        match self {
            Self::Server(server) => server.tls.as_ref().map(|tls| tls.password.clone()),
            _ => None,
        }
        .unwrap_or_default()
    }
}

/// The proxy, unless the server needs none.
fn proxy(options: &Options, server: &Url, tls: bool) -> Result<Option<Url>> {
    let transfer = &options.transfer;
    let variable = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok());
    let given = match filled(transfer.proxy.as_ref()) {
        Some(proxy) => Some(proxy.to_owned()),
        None if tls => variable(["https_proxy", "HTTPS_PROXY"]),
        None => variable(["http_proxy", "HTTP_PROXY"]),
    };
    let Some(proxy) = given.filter(|proxy| !proxy.is_empty()) else {
        return Ok(None);
    };
    let without = match filled(transfer.no_proxy.as_ref()) {
        Some(list) => list.to_owned(),
        None => variable(["no_proxy", "NO_PROXY"]).unwrap_or_default(),
    };
    if is_listed(&server.host, &without) {
        return Ok(None);
    }
    let proxy = Url::parse(&proxy, false);
    proxy
        .map(Some)
        .map_err(|problem| option_error("-proxy", problem.to_string()))
}

/// What TLS wants of a client.
fn security(
    tls: &Tls<Obj>,
    server: &Url,
    options: &Options,
    given: &Given<Obj>,
    loader: &Loader<'_>,
) -> Result<Security> {
    let mut words: Vec<(&'static str, String)> = Vec::new();
    let host = filled(tls.tls_host.as_ref()).unwrap_or(&server.host);
    words.push(("-servername", host.to_owned()));
    match loader.list("-tls_trusted", tls.tls_trusted.as_ref())? {
        // As with the program, nobody vouches for the server then.
        trusted if trusted.is_empty() => {
            words.extend([("-request", "0".to_owned()), ("-require", "0".to_owned())]);
        }
        trusted => {
            words.extend([("-require", "1".to_owned())]);
            words.extend(trust(trusted, tls, given, loader)?);
        }
    }
    let untrusted = loader.list("-untrusted", options.checking.untrusted.as_ref())?;
    let own = identity(tls, untrusted, loader)?;
    words.extend(own.words);
    Ok(Security {
        words,
        password: own.password,
    })
}

/// Certificate and key; nothing where there is no certificate. What is wrong with them shows here, before anybody is
/// connected.
fn identity(tls: &Tls<Obj>, untrusted: Vec<X509>, loader: &Loader<'_>) -> Result<Security> {
    let mut words = Vec::new();
    let (cert, key) = (filled(tls.tls_cert.as_ref()), filled(tls.tls_key.as_ref()));
    let (Some(_), Some(name)) = (cert, key) else {
        return match cert.is_some() || key.is_some() {
            true => Err(option_error(
                "-tls_key",
                "-tls_cert and -tls_key must be given together",
            )),
            false => Ok(Security {
                words,
                password: Secret::default(),
            }),
        };
    };
    let source = Loader::pass("-tls_keypass", tls.tls_keypass.as_ref());
    let found = loader.certificate("-tls_cert", tls.tls_cert.as_ref(), source)?;
    let key = loader.key("-tls_key", tls.tls_key.as_ref(), source)?;
    if let (Some((own, chain)), Some(key)) = (found, &key) {
        check_pair(("-tls_key", key), ("-tls_cert", &own))?;
        let extra = loader.list("-tls_extra", tls.tls_extra.as_ref())?;
        let all = std::iter::once(own).chain(chain).chain(extra);
        words.push(("-cert", pems(all.chain(untrusted))));
    }
    let mut password = Secret::default();
    words.push(match key {
        // However it was opened, it is handed on under another password.
        Some(key) if loader.is_locked("-tls_key", name)? => {
            let (text, made) = sealed(&key)?;
            password = made;
            ("-key", text)
        }
        _ if name.starts_with("-----BEGIN ") => ("-key", name.to_owned()),
        _ => ("-keyfile", file_path(name).unwrap_or(name).to_owned()),
    });
    Ok(Security { words, password })
}

/// A private key as PEM text that is encrypted, and the password, which is made for it.
fn sealed(key: &PKey<Private>) -> Result<(String, Secret)> {
    let lost = |_| Error::panic("tls::cmp");
    let mut random = [0; 32];
    rand_bytes(&mut random).map_err(lost)?;
    let password = Secret::from(hex(&random).into_bytes());
    let text = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), &password);
    let text = String::from_utf8(text.map_err(lost)?).unwrap_or_default();
    Ok((text, password))
}

/// Whom to trust and how, as options of `tls::import`.
fn trust(
    trusted: Vec<X509>,
    tls: &Tls<Obj>,
    given: &Given<Obj>,
    loader: &Loader<'_>,
) -> Result<Vec<(&'static str, String)>> {
    let mut content = pems(trusted);
    for list in loader.lists("-tls_trusted", tls.tls_trusted.as_ref())? {
        let text = list.to_pem().unwrap_or_default();
        content.push_str(&String::from_utf8_lossy(&text));
    }
    let checks = Obj::list(verification::words(given)).as_text().into_owned();
    Ok(vec![("-cafile", content), ("-verification", checks)])
}

/// The PEM texts of certificates.
fn pems(certificates: impl IntoIterator<Item = X509>) -> String {
    certificates.into_iter().map(|one| pem(&one)).collect()
}

/// What TLS wants of a server.
pub(super) fn server_security(
    tls: &Tls<Obj>,
    given: &Given<Obj>,
    loader: &Loader<'_>,
) -> Result<Security> {
    let mut security = identity(tls, Vec::new(), loader)?;
    let words = &mut security.words;
    if words.is_empty() {
        let message = "a server with -tls_used needs -tls_cert and -tls_key";
        return Err(option_error("-tls_cert", message));
    }
    match loader.list("-tls_trusted", tls.tls_trusted.as_ref())? {
        trusted if trusted.is_empty() => words.push(("-request", "0".to_owned())),
        trusted => {
            words.extend([("-request", "1".to_owned()), ("-require", "1".to_owned())]);
            words.extend(trust(trusted, tls, given, loader)?);
        }
    }
    words.push(("-server", "1".to_owned()));
    Ok(security)
}
