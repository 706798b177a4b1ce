//! Groups of options that several commands share, each written once.

use super::options;

options! {
    /// Which protocol versions and ciphers may be negotiated, and how strict the library is.
    pub(crate) struct Protocols, PROTOCOLS {
        cipher: Text = "-cipher" | "-ciphers", Both, Import, "1.4", "the library's",
            "Cipher list for TLS 1.2 and earlier, in OpenSSL's list format";
        ciphersuites: Text = "-ciphersuites", Both, Import, "1.8", "the library's",
            "Cipher suites for TLS 1.3, separated by colons";
        security_level: Int = "-securitylevel" | "-security_level", Both, Import, "1.8", "the library's",
            "OpenSSL's security level, 0 to 5";
        tls1: Bool = "-tls1", Both, Import, "1.4", "false", "Allow TLS 1.0";
        tls1_1: Bool = "-tls1.1", Both, Import, "1.6", "false", "Allow TLS 1.1";
        tls1_2: Bool = "-tls1.2", Both, Import, "1.6", "true", "Allow TLS 1.2";
        tls1_3: Bool = "-tls1.3", Both, Import, "1.7", "true", "Allow TLS 1.3";
    }
}

options! {
    /// The own certificate and its private key.
    pub(crate) struct Identity, IDENTITY {
        cert: Bytes = "-cert", Both, Import, "1.7.12", "none",
            "Own certificate, and the chain behind it, as DER bytes or PEM text";
        certfile: File = "-certfile", Both, Import, "1.4", "none",
            "File with the own certificate and its chain, PEM or DER";
        key: Bytes secret = "-key", Both, Import, "1.7.12", "none",
            "Private key of the own certificate, as DER bytes or PEM text";
        keyfile: File = "-keyfile", Both, Import, "1.4", "the file of -certfile",
            "File with the private key, PEM or DER";
        password: Script = "-password", Both, Import, "1.4", "tls::password",
            "Command prefix that returns the password of an encrypted private key";
    }
}

options! {
    /// Whom to trust.
    pub(crate) struct Trust, TRUST {
        cadir: File = "-cadir", Both, Import, "1.4", "the system's trust store",
            "Folder of trusted CA certificates, named by hash";
        cafile: File = "-cafile", Both, Import, "1.4", "the system's trust store",
            "File of trusted CA certificates, PEM";
        castore: Text = "-castore", Both, Import, "1.8", "the system's trust store",
            "URI of a store of trusted CA certificates";
    }
}
