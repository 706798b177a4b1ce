//! The addresses of servers and proxies, and which servers need no proxy (pure).

use crate::x509::Problem;

/// An address: `[http[s]://][userinfo@]host[:port][/path][?query][#fragment]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// Whether it says `https`.
    pub(crate) tls: bool,
    /// The host, an IPv6 address without its brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// The path with the query, without the slash that begins it.
    pub(crate) path: String,
}

impl Url {
    /// Reads an address; `tls` makes 443 the default port where no scheme says anything.
    pub(crate) fn parse(text: &str, tls: bool) -> Result<Self, Problem> {
        let bad = |why: &str| Problem::new(format!("bad address \"{text}\": {why}"));
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let secure = match scheme.as_deref() {
            None => false,
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(bad("only http and https are known")),
        };
        if rest.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err(bad("it has blanks or control characters"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, port) = inner.split_once(']').ok_or_else(|| bad("] is missing"))?;
                match (port, port.strip_prefix(':')) {
                    ("", _) => (host, None),
                    (_, Some(port)) => (host, Some(port)),
                    _ => return Err(bad("only a port can follow ]")),
                }
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(bad("there is no host"));
        }
        let port = match port {
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(bad("the port isn't a number from 1 to 65535")),
                Ok(port) => port,
            },
            None if secure || (scheme.is_none() && tls) => 443,
            None => 80,
        };
        Ok(Self {
            tls: secure,
            host: host.to_owned(),
            port,
            path: path.strip_prefix('/').unwrap_or(path).to_owned(),
        })
    }
}

/// Whether a host is in a list of those that are reached without a proxy. An item also stands for what is below it.
pub(crate) fn is_listed(host: &str, list: &str) -> bool {
    super::names::items(list).any(|item| {
        let item = item.trim_start_matches('[').trim_end_matches(']');
        let (item, host) = (item.to_ascii_lowercase(), host.to_ascii_lowercase());
        let name = item.trim_start_matches('.');
        host == name || item == "*" || host.ends_with(&format!(".{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_form() {
        let parts = |text: &str, tls| {
            let url = Url::parse(text, tls).unwrap();
            (url.tls, url.host, url.port, url.path)
        };
        let expect =
            |tls, host: &str, port, path: &str| (tls, host.to_owned(), port, path.to_owned());
        assert_eq!(parts("host", false), expect(false, "host", 80, ""));
        assert_eq!(parts("host", true), expect(false, "host", 443, ""));
        assert_eq!(
            parts("host:8080/pkix/", false),
            expect(false, "host", 8080, "pkix/")
        );
        assert_eq!(
            parts("HTTPS://u:p@h/a?b#c", true),
            expect(true, "h", 443, "a?b")
        );
        assert_eq!(parts("[::1]:829", false), expect(false, "::1", 829, ""));
        assert_eq!(
            parts("http://[::1]?x", true),
            expect(false, "::1", 80, "?x")
        );
        for bad in [
            "", ":80", "h:0", "h:x", "h:65536", "ftp://h", "[::1", "[::1]x", "h /", "h\n",
        ] {
            assert!(Url::parse(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_without_a_proxy() {
        assert!(is_listed("localhost", "a, localhost"));
        assert!(is_listed("::1", "[::1]"));
        assert!(is_listed("a.example", ".example"));
        assert!(is_listed("a.example", "EXAMPLE"));
        assert!(!is_listed("anexample", "example"));
        assert!(!is_listed("a", ""));
    }
}
