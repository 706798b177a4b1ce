//! The options of `tls::cmp`, in the words of `openssl cmp`.

use crate::opts::groups::{HELP, LIBRARY, PASSWORD_SCRIPT, RANDOM, VERIFICATION};
use crate::opts::{Missing, Table, options};

options! {
    /// What is done, and how the caller hears of it.
    pub(in crate::cmd) struct Generic, GENERIC {
        config: File = "-config", Both, Command, "3.0", "OPENSSL_CONF, or OpenSSL's own",
            "Configuration file; empty for none";
        section: Text = "-section", Both, Command, "3.0", "cmp",
            "Sections of the configuration with options; later ones count more";
        verbosity: Int = "-verbosity", Both, Command, "3.0", "6",
            "How much the log holds: 3 errors, 4 warnings, 6 information, 7 and 8 more";
        cmd: Text = "-cmd", Client, Command, "3.0", "none", "What is asked: ir, cr, kur, p10cr, rr or genm";
        infotype: Text = "-infotype", Client, Command, "3.0", "none", "What a genm asks about";
        geninfo: Text = "-geninfo", Client, Command, "3.0", "none",
            "Information for the header: OID:int:NUMBER or OID:str:TEXT, several with commas between";
        profile: Text = "-profile", Client, Command, "3.0", "none",
            "Name of a certificate profile, for the header";
        template: File = "-template", Client, Command, "3.0", "none", "File for the template that a genm brings, DER";
        keyspec: File = "-keyspec", Client, Command, "3.0", "none",
            "File for what keys must be like, which comes with it, DER";
        command: Script = "-command", Client, Command, "3.0", "none",
            "Go on in the background, and call this with token, result and options in the end";
        info: Text = "-info", Client, Command, "3.0", "none",
            "Variable that gets the facts, also those of a failure";
    }
}

options! {
    /// What is so in any case.
    table ANYHOW {
        Flag = "-batch", Both, Command, "3.0", "on", "Ask nobody, which is always so";
    }
}

options! {
    /// What is asked for.
    pub(in crate::cmd) struct Enrollment, ENROLLMENT {
        newkey: File = "-newkey", Client, Command, "3.0", "the key of -csr, or -key",
            "Private or public key to be certified";
        newkeypass: Text secret = "-newkeypass", Client, Command, "3.0", "none", "Source of the password of -newkey";
        centralkeygen: Flag = "-centralkeygen", Client, Command, "3.0", "off",
            "Have the server make the key; needs OpenSSL 3.5";
        newkeyout: File = "-newkeyout", Client, Command, "3.0", "none",
            "File for the key that the server made, PEM; encrypted if -newkeypass is given";
        subject: Text = "-subject", Client, Command, "3.0", "that of -csr or of the reference certificate",
            "Subject of the certificate, as /TYPE=VALUE/TYPE=VALUE";
        issuer: Text = "-issuer", Client, Command, "3.0", "that of the reference certificate",
            "Issuer of the certificate, as /TYPE=VALUE/TYPE=VALUE";
        days: Int = "-days", Client, Command, "3.0", "the server's choice", "Days that the certificate is to be valid";
        reqexts: Text = "-reqexts", Client, Command, "3.0", "none",
            "Section of the configuration with extensions to ask for";
        sans: Text = "-sans", Client, Command, "3.0", "those of the reference certificate",
            "Alternative names: hosts, IP addresses, URIs, mail addresses, and the word critical";
        san_nodefault: Flag = "-san_nodefault", Client, Command, "3.0", "off",
            "Take no alternative names from the reference certificate";
        policies: Text = "-policies", Client, Command, "3.0", "none",
            "Section of the configuration with policies to ask for";
        policy_oids: Text = "-policy_oids", Client, Command, "3.0", "none", "Policies to ask for, by object identifier";
        policy_oids_critical: Flag = "-policy_oids_critical", Client, Command, "3.0", "off",
            "Mark the policies as critical";
        popo: Int = "-popo", Client, Command, "3.0", "1",
            "Proof of possession: -1 none, 0 by an authority's word, 1 signature, 2 encryption";
        csr: File = "-csr", Client, Command, "3.0", "none", "PKCS#10 request";
        out_trusted: Text = "-out_trusted", Client, Command, "3.0", "none",
            "Trusted certificates that new ones are checked with";
        implicit_confirm: Flag = "-implicit_confirm", Client, Command, "3.0", "off", "Ask to be spared the confirmation";
        disable_confirm: Flag = "-disable_confirm", Client, Command, "3.0", "off",
            "Don't confirm, without asking; against the standard";
        certout: File = "-certout", Client, Command, "3.0", "none", "File for the new certificate";
        chainout: File = "-chainout", Client, Command, "3.0", "none", "File for the chain of the new certificate";
        oldcert: File = "-oldcert", Client, Command, "3.0", "-cert for kur",
            "Certificate to update or revoke, or to take defaults from";
        serial: Text = "-serial", Client, Command, "3.0", "that of -oldcert",
            "Serial number of the certificate to revoke, with -issuer; 0x for hexadecimal digits";
        revreason: Int = "-revreason", Client, Command, "3.0", "-1", "Reason for the revocation: 0 to 6, 8 to 10, or -1 for none";
    }
}

options! {
    /// The way to the server.
    pub(in crate::cmd) struct Transfer, TRANSFER {
        server: Text = "-server", Client, Command, "3.0", "none",
            "Address of the server: HOST:PORT/PATH, with http:// or https:// in front or not";
        proxy: Text = "-proxy", Client, Command, "3.0", "http_proxy or https_proxy of the environment",
            "Address of a proxy";
        no_proxy: Text = "-no_proxy", Client, Command, "3.0", "no_proxy of the environment",
            "Servers to reach without the proxy";
        recipient: Text = "-recipient", Client, Command, "3.0", "told by certificates",
            "Name of the authority that requests are for, as /TYPE=VALUE/TYPE=VALUE";
        path: Text = "-path", Client, Command, "3.0", "that of -server", "Path on the server";
        keep_alive: Int = "-keep_alive", Client, Command, "3.0", "1",
            "Connections: 0 one for each message, 1 kept if the server likes, 2 must be kept";
        msg_timeout: Int = "-msg_timeout", Client, Command, "3.0", "-total_timeout",
            "Seconds that a message and its answer may take, 0 for any";
        total_timeout: Int = "-total_timeout", Client, Command, "3.0", "0",
            "Seconds that a transaction may take, 0 for any";
    }
}

options! {
    /// How the server is known.
    pub(in crate::cmd) struct Checking, CHECKING {
        trusted: Text = "-trusted", Client, Command, "3.0", "none", "Trusted certificates for signed answers";
        untrusted: Text = "-untrusted", Client, Command, "3.0", "none", "Certificates for building chains";
        srvcert: File = "-srvcert", Client, Command, "3.0", "none", "Certificate of the server, trusted directly";
        expect_sender: Text = "-expect_sender", Client, Command, "3.0", "the subject of -srvcert",
            "Who must send answers, as /TYPE=VALUE/TYPE=VALUE";
        ignore_keyusage: Flag = "-ignore_keyusage", Both, Command, "3.0", "off",
            "Take signatures of certificates that aren't meant for them";
        unprotected_errors: Flag = "-unprotected_errors", Client, Command, "3.0", "off",
            "Take negative answers without protection";
        no_cache_extracerts: Flag = "-no_cache_extracerts", Client, Command, "3.0", "off",
            "Forget the certificates that come along with an answer; needs OpenSSL 3.3";
        srvcertout: File = "-srvcertout", Client, Command, "3.0", "none",
            "File for the certificate that vouches for the last answer; there is none with a secret";
        extracertsout: File = "-extracertsout", Client, Command, "3.0", "none", "File for further certificates of the answer";
        cacertsout: File = "-cacertsout", Client, Command, "3.0", "none", "File for certificates of authorities";
        oldwithold: File = "-oldwithold", Client, Command, "3.0", "none",
            "Old root, whose update a genm of type rootCaCert asks for";
        newwithnew: File = "-newwithnew", Client, Command, "3.0", "none", "File for the new root";
        newwithold: File = "-newwithold", Client, Command, "3.0", "none", "File for the new root by the old one's key";
        oldwithnew: File = "-oldwithnew", Client, Command, "3.0", "none", "File for the old root by the new one's key";
        crlcert: File = "-crlcert", Client, Command, "3.0", "none",
            "Certificate whose revocation list a genm of type crlStatusList asks for";
        oldcrl: File = "-oldcrl", Client, Command, "3.0", "none",
            "Revocation list that a newer one is asked for";
        crlout: File = "-crlout", Client, Command, "3.0", "none", "File for the revocation list";
    }
}

options! {
    /// How the client is known.
    pub(in crate::cmd) struct Own, OWN {
        reference: Text = "-ref", Client, Command, "3.0", "none", "Reference that goes with -secret";
        secret: Text secret = "-secret", Client, Command, "3.0", "none", "Source of a shared secret";
        cert: File = "-cert", Client, Command, "3.0", "none", "Own certificate, and perhaps its chain";
        own_trusted: Text = "-own_trusted", Client, Command, "3.0", "none",
            "Trusted certificates that the own chain is checked with";
        key: File secret = "-key", Client, Command, "3.0", "none", "Private key of the own certificate";
        keypass: Text secret = "-keypass", Client, Command, "3.0", "none",
            "Source of the password of -key, -cert and -oldcert";
        digest: Text = "-digest", Both, Command, "3.0", "sha256", "Digest for protection and proof of possession";
        mac: Text = "-mac", Both, Command, "3.0", "hmac-sha1", "Message authentication code for protection by a secret";
        extracerts: Text = "-extracerts", Client, Command, "3.0", "none", "Certificates to send along";
        unprotected_requests: Flag = "-unprotected_requests", Client, Command, "3.0", "off",
            "Send requests without protection";
        certform: Text = "-certform", Client, Command, "3.0", "PEM", "Form of written certificates: PEM or DER";
        crlform: Text = "-crlform", Client, Command, "3.0", "DER", "Form of written revocation lists: PEM or DER";
        otherpass: Text secret = "-otherpass", Both, Command, "3.0", "none",
            "Source of the password of certificates of others";
    }
}

options! {
    /// TLS on the way to the server.
    pub(in crate::cmd) struct Tls, TLS {
        tls_used: Flag = "-tls_used", Client, Command, "3.0", "off", "Use TLS";
        tls_cert: File = "-tls_cert", Client, Command, "3.0", "none", "Own certificate for TLS, and perhaps its chain";
        tls_key: File secret = "-tls_key", Client, Command, "3.0", "none", "Private key of -tls_cert";
        tls_keypass: Text secret = "-tls_keypass", Client, Command, "3.0", "none", "Source of the password of -tls_key";
        tls_extra: Text = "-tls_extra", Client, Command, "3.0", "none", "Certificates to send along in TLS";
        tls_trusted: Text = "-tls_trusted", Client, Command, "3.0", "none",
            "Trusted certificates for the server's TLS certificate, whose name is checked then";
        tls_host: Text = "-tls_host", Client, Command, "3.0", "the host of -server", "Name that the certificate must have";
    }
}

options! {
    /// For trying out.
    pub(in crate::cmd) struct Trial, TRIAL {
        repeat: Int = "-repeat", Client, Command, "3.0", "1", "How many transactions there are";
        reqin: Text = "-reqin", Client, Command, "3.0", "none", "Files with requests to send";
        reqin_new_tid: Flag = "-reqin_new_tid", Client, Command, "3.0", "off",
            "Give the requests of -reqin a new transaction id";
        reqout: Text = "-reqout", Client, Command, "3.0", "none", "Files for the requests that were made";
        reqout_only: File = "-reqout_only", Client, Command, "3.0", "none",
            "File for the first request, after which nothing more is done";
        rspin: Text = "-rspin", Client, Command, "3.0", "none", "Files with answers to take";
        rspout: Text = "-rspout", Client, Command, "3.0", "none", "Files for the answers that were taken";
        use_mock_srv: Flag = "-use_mock_srv", Client, Command, "3.0", "off", "Talk to a test server within the process";
    }
}

options! {
    /// The test server.
    pub(in crate::cmd) struct Mock, MOCK {
        port: Int = "-port", Server, Command, "3.0", "none", "Be a test server at this port; 0 picks one";
        max_msgs: Int = "-max_msgs", Server, Command, "3.0", "0", "How many messages are answered, 0 for any";
        srv_ref: Text = "-srv_ref", Server, Command, "3.0", "none", "Reference of the server";
        srv_secret: Text secret = "-srv_secret", Server, Command, "3.0", "none", "Source of the server's shared secret";
        srv_cert: File = "-srv_cert", Server, Command, "3.0", "none", "Certificate of the server";
        srv_key: File secret = "-srv_key", Server, Command, "3.0", "none", "Private key of the server";
        srv_keypass: Text secret = "-srv_keypass", Server, Command, "3.0", "none", "Source of the password of -srv_key";
        srv_trusted: Text = "-srv_trusted", Server, Command, "3.0", "none", "Trusted certificates for clients";
        srv_untrusted: Text = "-srv_untrusted", Server, Command, "3.0", "none", "Certificates for building chains of clients";
        ref_cert: File = "-ref_cert", Server, Command, "3.0", "-rsp_cert",
            "Certificate that may be updated or revoked";
        rsp_cert: File = "-rsp_cert", Server, Command, "3.0", "none", "Certificate to hand out";
        rsp_key: File secret = "-rsp_key", Server, Command, "3.0", "none",
            "Private key to hand out where a client wants it made";
        rsp_keypass: Text secret = "-rsp_keypass", Server, Command, "3.0", "none",
            "Source of the password of -rsp_key";
        rsp_extracerts: Text = "-rsp_extracerts", Server, Command, "3.0", "none", "Certificates to send along";
        rsp_capubs: Text = "-rsp_capubs", Server, Command, "3.0", "none", "Certificates of authorities to send in ip";
        poll_count: Int = "-poll_count", Server, Command, "3.0", "0", "How often a client has to ask";
        check_after: Int = "-check_after", Server, Command, "3.0", "1", "Seconds between";
        grant_implicitconf: Flag = "-grant_implicitconf", Server, Command, "3.0", "off", "Grant implicit confirmation";
        pkistatus: Int = "-pkistatus", Server, Command, "3.0", "0", "Status to send, 0 to 6";
        failure: Int = "-failure", Server, Command, "3.0", "none", "Bit of the failure information to send, 0 to 26";
        failurebits: Int = "-failurebits", Server, Command, "3.0", "0", "Bits of the failure information to send";
        statusstring: Text = "-statusstring", Server, Command, "3.0", "none", "Text to send with the status";
        send_error: Flag = "-send_error", Server, Command, "3.0", "off", "Answer everything with an error";
        send_unprotected: Flag = "-send_unprotected", Server, Command, "3.0", "off", "Send answers without protection";
        send_unprot_err: Flag = "-send_unprot_err", Server, Command, "3.0", "off",
            "Send negative answers without protection";
        accept_unprotected: Flag = "-accept_unprotected", Server, Command, "3.0", "off",
            "Take requests without protection, or with a wrong one";
        accept_unprot_err: Flag = "-accept_unprot_err", Server, Command, "3.0", "off",
            "Take errors of the client without protection";
        accept_raverified: Flag = "-accept_raverified", Server, Command, "3.0", "off",
            "Take an authority's word for the possession of keys";
    }
}

options! {
    /// The real server.
    pub(in crate::cmd) struct Serving, SERVING {
        ca: File = "-ca", Server, Command, "3.0", "none",
            "Configuration of the authority that serve issues from, as for tls::ca";
        ca_options: List = "-ca_options", Server, Command, "3.0", "none",
            "Further words for tls::ca: -name, -passin, -database and the like";
        secrets: Script = "-secrets", Server, Command, "3.0", "none",
            "Script that gets a reference and returns its secret, or nothing";
        approve: Script = "-approve", Server, Command, "3.0", "who may have what",
            "Script that gets a request, a dict, and returns yes, no, or later";
        report: Script = "-report", Server, Command, "3.0", "none",
            "Script that is told what happens: a word and a dict";
        state: File = "-state", Server, Command, "3.0", "none",
            "Folder for requests that wait, certificates that aren't confirmed, and numbers of transactions";
        confirm_timeout: Int = "-confirm_timeout", Server, Command, "3.0", "60",
            "Seconds after which a certificate that isn't confirmed is revoked";
        time_window: Int = "-time_window", Server, Command, "3.0", "300",
            "Seconds that the time of a request may be off, 0 for any";
        ra_trusted: Text = "-ra_trusted", Server, Command, "3.0", "none",
            "Trusted certificates for registration authorities";
        rsp_crl: File = "-rsp_crl", Server, Command, "3.0", "made by the authority",
            "Revocation list to answer genm with";
        rsp_newwithnew: File = "-rsp_newwithnew", Server, Command, "3.0", "none",
            "Certificate of the authority's new root, to answer genm with";
        rsp_newwithold: File = "-rsp_newwithold", Server, Command, "3.0", "none",
            "Certificate of the new root by the old one";
        rsp_oldwithnew: File = "-rsp_oldwithnew", Server, Command, "3.0", "none",
            "Certificate of the old root by the new one";
    }
}

/// The options of `tls::cmp`.
pub(in crate::cmd) static TABLE: Table = Table {
    command: "tls::cmp",
    groups: &[
        HELP,
        GENERIC,
        ANYHOW,
        PASSWORD_SCRIPT,
        ENROLLMENT,
        TRANSFER,
        CHECKING,
        OWN,
        TLS,
        TRIAL,
        MOCK,
        SERVING,
        LIBRARY,
        RANDOM,
        VERIFICATION,
    ],
    missing: Missing::NoArgument,
};
