//! The crate's one error type: what went wrong, as the words of Tcl's `errorCode` and as a sentence.
//!
//! Every error word that the package makes stands in this file, and `doc/tls_errors.man` explains each; a test
//! compares the two. Pure: std only, importable from every floor.

use std::borrow::Cow;
use std::fmt;

/// What most functions of the crate return.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Defines [`Reason`] with the errorCode words of each variant.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $words:literal;)+) => {
        /// The reasons that the package itself gives; [`Reason::words`] follow `TLS` in errorCode.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason there is, for the error listing.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The errorCode words after `TLS`, separated by single spaces.
            pub(crate) const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)+ }
            }

            /// When this error is raised, in a sentence.
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// The word given to tls::import isn't the name of a channel that can carry TLS.
    ImportChannel = "IMPORT CHANNEL INVALID";
    /// A protocol name for ALPN is empty or longer than 255 bytes, or the list exceeds 65535 bytes.
    ImportAlpn = "IMPORT ALPN FAILED";
    /// The server name is empty or longer than 255 bytes, or can't be sent.
    ImportSni = "IMPORT SNI FAILED";
    /// The name to verify the peer's certificate against can't be used.
    ImportHostname = "IMPORT HOSTNAME FAILED";
    /// A certificate given by option can't be read or used; the details are the option and the file.
    ImportCertificate = "IMPORT CERTIFICATE FAILED";
    /// A private key given by option can't be read or used, or doesn't fit its certificate.
    ImportKey = "IMPORT KEY FAILED";
    /// A file, folder or store of trusted certificates can't be read or holds none.
    ImportTrust = "IMPORT TRUST FAILED";
    /// A cipher list or cipher suite list has no cipher that the library knows.
    ImportCipher = "IMPORT CIPHER FAILED";
    /// No protocol version is left, or one was asked for that the library doesn't have.
    ImportProtocol = "IMPORT PROTOCOL FAILED";
    /// A combination of options that contradict each other or can't be carried out.
    ImportOption = "IMPORT OPTION INVALID";
    /// The channel given to tls::unimport has no TLS on top.
    UnimportChannel = "UNIMPORT CHANNEL INVALID";
    /// The channel given to tls::handshake has no TLS on top.
    HandshakeChannel = "HANDSHAKE CHANNEL INVALID";
    /// The handshake failed; the message says why.
    HandshakeFailed = "HANDSHAKE FAILED";
    /// The channel given to tls::status has no TLS on top.
    StatusChannel = "STATUS CHANNEL INVALID";
    /// The channel given to tls::connection has no TLS on top.
    ConnectionChannel = "CONNECTION CHANNEL INVALID";
    /// The peer closed the connection without saying so in TLS: data may be missing.
    ReadTruncated = "READ TRUNCATED";
    /// The peer ended an open connection with an alert; the details are its number and name.
    Alert = "CHANNEL ALERT";
    /// The channel is in the middle of an operation that a callback interrupted.
    ChannelBusy = "CHANNEL BUSY";
    /// A channel option of ours that can only be read was set.
    ChannelOption = "CHANNEL OPTION";
    /// A callback closed the channel in the middle of an operation.
    ChannelClosed = "CHANNEL CLOSED";
    /// chan pop took TLS off a channel that had output to send. It would go out unencrypted, so the connection was ended.
    ChannelUnsent = "CHANNEL UNSENT";
    /// A callback that has to decide is gone with its interpreter, or was left behind in another thread.
    CallbackGone = "CALLBACK GONE";
    /// tls::misc can't make the certificate.
    MiscRequest = "MISC REQUEST";
    /// The handshake took longer than -timeout allows.
    HandshakeTimeout = "HANDSHAKE TIMEOUT";
    /// A private key is encrypted and no password script gave the password.
    Password = "PASSWORD FAILED";
    /// Options of tls::ca contradict each other, or one has a value that can't be used.
    CaOption = "CA OPTION";
    /// A file of the authority can't be read or doesn't hold what it should; the detail is its name.
    CaRead = "CA READ";
    /// A certificate or a revocation list can't be made.
    CaCreate = "CA CREATE";
    /// A signature or a key doesn't verify: of a request, or of the authority's certificate against its key.
    CaVerify = "CA VERIFY";
    /// A result can't be written; nothing was changed.
    CaWrite = "CA WRITE";
    /// The authority's key is encrypted and there is no password for it, or a wrong one.
    CaPassword = "CA PASSWORD";
    /// The policy of the authority forbids the request; the details are the field and what was wanted of it.
    CaPolicy = "CA POLICY";
    /// The certificate database refuses, is locked, or is damaged; the details say where.
    CaDatabase = "CA DATABASE";
    /// The script of -confirm refused to sign.
    CaConfirm = "CA CONFIRM";
    /// The options of tls::cms contradict each other, or something that the operation needs isn't given.
    CmsOption = "CMS OPTION";
    /// A message, certificate, key or other input of tls::cms can't be read or isn't what it should be.
    CmsRead = "CMS READ";
    /// A message can't be made with these keys, ciphers and options.
    CmsCreate = "CMS CREATE";
    /// A signature or a digest is wrong, or a signer isn't trusted; the details say which check failed.
    CmsVerify = "CMS VERIFY";
    /// A message can't be decrypted: none of the keys given opens it, or it was tampered with.
    CmsDecrypt = "CMS DECRYPT";
    /// The message was verified, but the certificates of its signers can't be written.
    CmsSigners = "CMS SIGNERS";
    /// The result can't be written.
    CmsWrite = "CMS WRITE";
    /// A key of tls::cms is encrypted and no password was given, or the password is wrong.
    CmsPassword = "CMS PASSWORD";
    /// Options of tls::cmp contradict each other, or something that the command needs isn't given.
    CmpOption = "CMP OPTION";
    /// A certificate, key or other input of tls::cmp can't be read, or an answer isn't a fitting CMP message.
    CmpRead = "CMP READ";
    /// A request can't be made with these keys, certificates and options.
    CmpCreate = "CMP CREATE";
    /// A certificate doesn't verify: the own chain, or a new certificate against -out_trusted and the key asked for.
    CmpVerify = "CMP VERIFY";
    /// A result can't be written.
    CmpWrite = "CMP WRITE";
    /// A key of tls::cmp is encrypted and no password was given, or the password is wrong.
    CmpPassword = "CMP PASSWORD";
    /// The server can't be reached, or the way to it fails; the details say how.
    CmpTransfer = "CMP TRANSFER";
    /// The server refuses; the details are its status and the list of its reasons.
    CmpStatus = "CMP STATUS";
    /// An answer isn't protected as it must be, or isn't the expected server's.
    CmpProtection = "CMP PROTECTION";
    /// A fault of this package: a panic was caught, and the channel concerned can't be used any more.
    Panic = "INTERNAL PANIC";
}

/// One entry of OpenSSL's error queue, as text that can outlive the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenSslEntry {
    /// The library that raised it, e.g. `SSL routines`.
    pub(crate) library: String,
    /// The reason, e.g. `certificate verify failed`.
    pub(crate) reason: String,
    /// The reason's number within the library.
    pub(crate) code: i32,
    /// The additional data, e.g. a file name; often empty.
    pub(crate) data: String,
}

/// Everything that can go wrong, by origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The words of a command are wrong; the code is Tcl's own.
    Usage {
        /// The errorCode words, `TCL …`.
        code: Vec<String>,
        /// The sentence, in Tcl's wording.
        message: String,
    },
    /// One of the package's own reasons.
    Failed {
        /// Which.
        reason: Reason,
        /// Further errorCode words, data rather than prose.
        details: Vec<String>,
        /// The sentence.
        message: String,
    },
    /// OpenSSL refused; its queue, earliest entry first.
    OpenSsl {
        /// What was being done, e.g. `can't set the cipher list`; may be empty.
        doing: String,
        /// The error queue; never shown empty.
        entries: Vec<OpenSslEntry>,
    },
    /// The operating system refused.
    Io {
        /// The errno value.
        errno: i32,
        /// The name of the errno constant, e.g. `ENOENT`.
        name: Cow<'static, str>,
        /// The operating system's text for it.
        text: String,
        /// The sentence.
        message: String,
    },
    /// A script of the caller raised this; it goes on unchanged.
    Script {
        /// Its errorCode words.
        code: Vec<String>,
        /// Its message.
        message: String,
    },
}

impl Error {
    /// An error for one of the package's own reasons.
    pub(crate) fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self::Failed {
            reason,
            details: Vec::new(),
            message: message.into(),
        }
    }

    /// The same, with further errorCode words.
    pub(crate) fn failed_with<const N: usize>(
        reason: Reason,
        details: [&str; N],
        message: impl Into<String>,
    ) -> Self {
        let details = details.iter().map(|detail| (*detail).to_owned()).collect();
        Self::Failed {
            reason,
            details,
            message: message.into(),
        }
    }

    /// A wrong use of a command, with Tcl's own errorCode words.
    pub(crate) fn usage<const N: usize>(code: [&str; N], message: impl Into<String>) -> Self {
        let code = code.iter().map(|word| (*word).to_owned()).collect();
        Self::Usage {
            code,
            message: message.into(),
        }
    }

    /// `wrong # args: should be "…"`, as Tcl says it.
    pub(crate) fn wrong_args(syntax: &str) -> Self {
        Self::usage(
            ["TCL", "WRONGARGS"],
            format!("wrong # args: should be \"{syntax}\""),
        )
    }

    /// A panic was caught; `what` names the place, not the panic's text, which could hold anything.
    pub(crate) fn panic(what: &str) -> Self {
        Self::failed(
            Reason::Panic,
            format!("internal error in {what}; please report it"),
        )
    }

    /// The same error, about an option: the message ends with that.
    pub(crate) fn about_option(mut self, option: &str) -> Self {
        if let Self::Usage { message, .. }
        | Self::Failed { message, .. }
        | Self::Io { message, .. }
        | Self::Script { message, .. } = &mut self
        {
            message.push_str(" (option ");
            message.push_str(option);
            message.push(')');
        }
        self
    }

    /// The words of errorCode.
    pub(crate) fn code(&self) -> Vec<String> {
        match self {
            Self::Usage { code, .. } | Self::Script { code, .. } => code.clone(),
            Self::Failed {
                reason, details, ..
            } => {
                let own = reason.words().split(' ').map(str::to_owned);
                std::iter::once("TLS".to_owned())
                    .chain(own)
                    .chain(details.iter().cloned())
                    .collect()
            }
            Self::OpenSsl { entries, .. } => {
                let first = entries.first().cloned().unwrap_or_default();
                vec![
                    "TLS".to_owned(),
                    "OPENSSL".to_owned(),
                    first.library,
                    first.reason,
                ]
            }
            Self::Io { name, text, .. } => vec!["POSIX".to_owned(), name.to_string(), text.clone()],
        }
    }

    /// The sentence that becomes the command's result.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Usage { message, .. }
            | Self::Failed { message, .. }
            | Self::Io { message, .. }
            | Self::Script { message, .. } => message.clone(),
            Self::OpenSsl { doing, entries } => {
                let why = reasons_text(entries);
                if doing.is_empty() {
                    why
                } else {
                    format!("{doing}: {why}")
                }
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Error {}

/// The reasons of an OpenSSL error queue in one line, earliest first, each once.
pub(crate) fn reasons_text(entries: &[OpenSslEntry]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for entry in entries {
        let text = match entry.data.as_str() {
            "" => entry.reason.clone(),
            data => without_provider(data).unwrap_or_else(|| format!("{} ({data})", entry.reason)),
        };
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        "unknown reason".to_owned()
    } else {
        texts.join("; ")
    }
}

/// In clear words that no provider has an algorithm, if that is what the data of an entry says:
/// `... library context, Algorithm (CTR-DRBG : 0), Properties (<null>)`.
fn without_provider(data: &str) -> Option<String> {
    let (_, rest) = data.split_once("library context, Algorithm (")?;
    let (name, rest) = rest.split_once(" : ")?;
    let (_, properties) = rest.split_once("), Properties (")?;
    Some(match properties.strip_suffix(')')? {
        "" | "<null>" => format!("no provider that is loaded has {name}"),
        properties => format!("no provider that is loaded has {name} with {properties}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_words_follow_the_reason() {
        let error = Error::failed_with(Reason::ImportKey, ["-keyfile", "a b.pem"], "no");
        assert_eq!(
            error.code(),
            ["TLS", "IMPORT", "KEY", "FAILED", "-keyfile", "a b.pem"]
        );
    }

    #[test]
    fn openssl_reasons_are_told_once_and_in_order() {
        let entry = |reason: &str| OpenSslEntry {
            reason: reason.to_owned(),
            ..OpenSslEntry::default()
        };
        let entries = vec![entry("one"), entry("two"), entry("one")];
        let error = Error::OpenSsl {
            doing: "can't do it".to_owned(),
            entries,
        };
        assert_eq!(error.message(), "can't do it: one; two");
    }

    #[test]
    fn an_algorithm_that_no_provider_has_is_told_in_clear_words() {
        let told = |data: &str| {
            reasons_text(&[OpenSslEntry {
                reason: "unsupported".to_owned(),
                data: data.to_owned(),
                ..OpenSslEntry::default()
            }])
        };
        let data = "Global default library context, Algorithm (CTR-DRBG : 0), Properties (<null>)";
        assert_eq!(told(data), "no provider that is loaded has CTR-DRBG");
        let data =
            "Non-default library context, Algorithm (SHA256 : 93), Properties (provider=none)";
        assert_eq!(
            told(data),
            "no provider that is loaded has SHA256 with provider=none"
        );
        assert_eq!(told("No supported data"), "unsupported (No supported data)");
    }

    #[test]
    fn no_two_reasons_have_the_same_words() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert!(
                Reason::ALL[..index]
                    .iter()
                    .all(|other| other.words() != reason.words())
            );
        }
    }
}
