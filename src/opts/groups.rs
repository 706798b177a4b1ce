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
        verification: List = "-verification", Both, Import, "3.0", "none",
            "How certificates are checked, in the words of the openssl program: a list such as -crl_check -attime 0";
    }
}

options! {
    /// A configuration of the library.
    pub(crate) table CONFIGURATION {
        File = "-config", Both, Command, "3.0", "none",
            "Configuration file of the library to carry out; it may load modules";
    }
}

options! {
    /// What every PKI command tells of itself.
    pub(crate) struct Help, HELP {
        help: Flag = "-help", Both, Command, "3.0", "off", "Return a summary of the options";
    }
}

options! {
    /// Where a result goes.
    pub(crate) struct Output, OUTPUT {
        out: File = "-out", Both, Command, "3.0", "the command's result", "Output file; - is the command's result";
        outchan: Channel = "-outchan", Both, Command, "3.0", "none", "Channel to write the output to";
    }
}

options! {
    /// Where the password of a private key comes from.
    pub(crate) struct KeyPassword, KEY_PASSWORD {
        passin: Text secret = "-passin", Both, Command, "3.0", "none",
            "Source of a private key's password: pass:, env:, file:, fd: or stdin";
    }
}

options! {
    /// Who is asked for the password of a private key.
    pub(crate) struct PasswordScript, PASSWORD_SCRIPT {
        password: Script = "-password", Both, Command, "3.0", "none",
            "Command prefix that returns the password of a private key";
    }
}

options! {
    /// What concerns the library as a whole, in the words of the `openssl` program.
    pub(crate) table LIBRARY {
        Text = "-provider", Both, Command, "3.0", "none",
            "Provider of algorithms to load for this call; may be given several times";
        File = "-provider-path", Both, Command, "3.0", "the library's",
            "Folder of the providers behind it";
        Text = "-provparam", Both, Command, "3.0", "none",
            "Parameter of the providers loaded so far as name=value, or of one as provider:name=value";
        Text = "-engine", Both, Command, "3.0", "none",
            "Engine to start, by its name or its file, in the whole process; OpenSSL 4.0 has none any more";
        Text = "-keyform", Both, Command, "3.0", "told by the content",
            "Form of a private key: PEM, DER, P12, or ENGINE for one that -engine keeps";
        Text = "-propquery", Both, Command, "3.0", "none",
            "Properties that algorithms must have";
    }
}

options! {
    /// Random numbers.
    pub(crate) table RANDOM {
        Text = "-rand", Both, Command, "3.0", "none",
            "Files to add to what random numbers are made of, separated by colons";
        File = "-writerand", Both, Command, "3.0", "none",
            "File to write random bytes to";
    }
}

options! {
    /// How a certificate's chain is checked, in the words of the `openssl` program.
    #[expect(dead_code, reason = "switches are taken from the words one by one")]
    pub(crate) struct Verification, VERIFICATION {
        policy: Text = "-policy", Both, Command, "3.0", "none",
            "Accept this policy, an object identifier; may be given several times";
        purpose: Text = "-purpose", Both, Command, "3.0", "smimesign",
            "What the certificate must be good for";
        verify_name: Text = "-verify_name", Both, Command, "3.0", "none",
            "Name of a set of verification parameters to start from";
        verify_depth: Int = "-verify_depth", Both, Command, "3.0", "100",
            "How many certificates may stand between the first and the trusted one";
        auth_level: Int = "-auth_level", Both, Command, "3.0", "the library's",
            "How strong keys and digests of the chain must be, 0 to 5";
        attime: Int = "-attime", Both, Command, "3.0", "now",
            "Time at which everything must be valid, in seconds since 1970";
        verify_hostname: Text = "-verify_hostname", Both, Command, "3.0", "none",
            "Name of a host that the certificate must have";
        verify_email: Text = "-verify_email", Both, Command, "3.0", "none",
            "Mail address that the certificate must have";
        verify_ip: Text = "-verify_ip", Both, Command, "3.0", "none",
            "IP address that the certificate must have";
        ignore_critical: Flag = "-ignore_critical", Both, Command, "3.0", "off",
            "Tolerate critical extensions that nobody knows";
        issuer_checks: Flag = "-issuer_checks", Both, Command, "3.0", "off",
            "Without effect, as in the program for a long time";
        crl_check: Flag = "-crl_check", Both, Command, "3.0", "off",
            "Check whether the certificate is revoked";
        crl_check_all: Flag = "-crl_check_all", Both, Command, "3.0", "off",
            "Check whether any certificate of the chain is revoked";
        policy_check: Flag = "-policy_check", Both, Command, "3.0", "off", "Check policies";
        explicit_policy: Flag = "-explicit_policy", Both, Command, "3.0", "off",
            "Require an acceptable policy";
        inhibit_any: Flag = "-inhibit_any", Both, Command, "3.0", "off",
            "Don't let anyPolicy stand for every policy";
        inhibit_map: Flag = "-inhibit_map", Both, Command, "3.0", "off",
            "Don't let one policy stand for another";
        x509_strict: Flag = "-x509_strict", Both, Command, "3.0", "off",
            "Tolerate no certificate that breaks the rules";
        extended_crl: Flag = "-extended_crl", Both, Command, "3.0", "off",
            "Take indirect revocation lists and those signed with other keys";
        use_deltas: Flag = "-use_deltas", Both, Command, "3.0", "off",
            "Use delta revocation lists";
        policy_print: Flag = "-policy_print", Both, Command, "3.0", "off",
            "Have the library report on policies";
        check_ss_sig: Flag = "-check_ss_sig", Both, Command, "3.0", "off",
            "Check the root's signature of itself";
        trusted_first: Flag = "-trusted_first", Both, Command, "3.0", "on",
            "Look for issuers among the trusted certificates first";
        suiteb_128_only: Flag = "-suiteB_128_only", Both, Command, "3.0", "off",
            "Allow Suite B with 128 bits only";
        suiteb_128: Flag = "-suiteB_128", Both, Command, "3.0", "off",
            "Allow Suite B with 128 or 192 bits";
        suiteb_192: Flag = "-suiteB_192", Both, Command, "3.0", "off",
            "Allow Suite B with 192 bits only";
        partial_chain: Flag = "-partial_chain", Both, Command, "3.0", "off",
            "Let any trusted certificate end the chain";
        no_alt_chains: Flag = "-no_alt_chains", Both, Command, "3.0", "off",
            "Don't look for other chains";
        no_check_time: Flag = "-no_check_time", Both, Command, "3.0", "off",
            "Ignore when certificates are valid";
        allow_proxy_certs: Flag = "-allow_proxy_certs", Both, Command, "3.0", "off",
            "Allow proxy certificates";
    }
}
