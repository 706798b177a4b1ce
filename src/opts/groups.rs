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
        ssl2: Bool = "-ssl2", Both, Import, "1.4", "false", "Allow SSL 2.0, if the library has it, which none has";
        ssl3: Bool = "-ssl3", Both, Import, "1.4", "false", "Allow SSL 3.0, if the library has it";
        tls1: Bool = "-tls1", Both, Import, "1.4", "false", "Allow TLS 1.0";
        tls1_1: Bool = "-tls1.1", Both, Import, "1.6", "false", "Allow TLS 1.1";
        tls1_2: Bool = "-tls1.2", Both, Import, "1.6", "true", "Allow TLS 1.2";
        tls1_3: Bool = "-tls1.3", Both, Import, "1.7", "true", "Allow TLS 1.3";
    }
}

options! {
    /// The own certificate and its private key.
    pub(crate) struct Identity, IDENTITY {
        cert: Material = "-cert", Both, Import, "1.7.12", "none",
            "Own certificate, and the chain behind it: PEM text, DER bytes or a file name";
        certfile: Material = "-certfile", Both, Import, "1.4", "none",
            "The same; where both are given -cert counts";
        dhparams: Material = "-dhparams", Server, Import, "1.7", "the library's choice",
            "Diffie-Hellman parameters for TLS 1.2: PEM text, DER bytes or a file name";
        key: Material secret = "-key", Both, Import, "1.7.12", "none",
            "Private key of the own certificate: PEM text, DER bytes or a file name";
        keyfile: Material secret = "-keyfile", Both, Import, "1.4", "the value of -certfile",
            "The same; where both are given -key counts";
        password: Script = "-password", Both, Import, "1.4", "tls::password",
            "Command prefix that returns the password of an encrypted private key";
    }
}

options! {
    /// Whom to trust.
    pub(crate) struct Trust, TRUST {
        cadir: File = "-cadir", Both, Import, "1.4", "the system's trust store",
            "Folder of trusted CA certificates, named by hash";
        cafile: Material = "-cafile", Both, Import, "1.4", "the system's trust store",
            "Trusted CA certificates: PEM text, DER bytes or a file name";
        castore: Text = "-castore", Both, Import, "1.8", "the system's trust store",
            "URI of a store of trusted CA certificates";
    }
}
