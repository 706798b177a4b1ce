//! The options of `tls::ca` in the words of `openssl ca`, but for those that have their meaning in one file alone.

use crate::opts::options;

options! {
    /// What is done, and what it is done with.
    pub(super) struct Operations, OPERATIONS {
        input: File = "-in", Both, Command, "3.0", "none", "Certificate request to sign; - is standard input";
        data: Bytes = "-data", Both, Command, "3.0", "none", "Certificate request itself";
        inchan: Channel = "-inchan", Both, Command, "3.0", "none", "Channel to read a certificate request from";
        inform: Text = "-inform", Both, Command, "3.0", "told by the content", "Form of requests: PEM or DER";
        proven: Flag = "-proven", Both, Command, "3.0", "off",
            "Somebody else has checked that applicants have their keys: don't look at signatures of requests";
        infiles: Flag = "-infiles", Both, Command, "3.0", "off",
            "All further words are certificate requests to sign";
        ss_cert: File = "-ss_cert", Both, Command, "3.0", "none", "Self-signed certificate to sign anew";
        spkac: File = "-spkac", Both, Command, "3.0", "none",
            "File with a signed public key and the fields of a subject";
        gencrl: Flag = "-gencrl", Both, Command, "3.0", "off", "Make a revocation list";
        revoke: File = "-revoke", Both, Command, "3.0", "none", "Certificate to revoke";
        valid: File = "-valid", Both, Command, "3.0", "none",
            "Certificate to enter into the database as valid";
        status: Text = "-status", Both, Command, "3.0", "none",
            "Serial number to look up: valid, revoked, expired, suspended or unknown";
        check: Flag = "-check", Both, Command, "3.0", "off",
            "Look for everything in the authority's folder that doesn't fit together";
        rebuild: Flag = "-rebuild", Both, Command, "3.0", "off",
            "Make the database again from the issued certificates and -crlfile";
        crlfile: File = "-crlfile", Both, Command, "3.0", "none",
            "Revocation list that tells -rebuild what was revoked";
        newca: File = "-newca", Both, Command, "3.0", "none",
            "Folder in which to make a new authority, with a key and a configuration";
        import: Flag = "-import", Both, Command, "3.0", "off",
            "Make a database behind -database of the authority's files";
        export: Flag = "-export", Both, Command, "3.0", "off",
            "Make the authority's files of the database behind -database";
        updatedb: Flag = "-updatedb", Both, Command, "3.0", "off", "Mark certificates that have ended";
    }
}

options! {
    /// What accompanies the output.
    #[expect(dead_code, reason = "some options are read as words, for their order or because they are the default")]
    pub(super) struct Reporting, REPORTING {
        outdir: File = "-outdir", Both, Command, "3.0", "new_certs_dir of the configuration",
            "Folder for a copy of every new certificate";
        notext: Flag = "-notext", Both, Command, "3.0", "off", "Leave out the text form of certificates";
        dateopt: Text = "-dateopt", Both, Command, "3.0", "rfc_822",
            "Form of dates in what -info tells: rfc_822 or iso_8601";
        info: Text = "-info", Both, Command, "3.0", "none", "Variable that gets what was done, a dict";
        confirm: Script = "-confirm", Both, Command, "3.0", "none",
            "Script that is told what is about to be signed, and decides";
        command: Script = "-command", Both, Command, "3.0", "none",
            "Command prefix that gets the outcome; the call returns a token at once";
        progress: Script = "-progress", Both, Command, "3.0", "none",
            "Command prefix that is called with the certificates or records done and in total";
        batch: Flag = "-batch", Both, Command, "3.0", "on", "Ask nobody, which is so without -confirm";
    }
}

options! {
    /// Where everything is.
    pub(super) struct Place, PLACE {
        config: File = "-config", Both, Command, "3.0", "OPENSSL_CONF, or OpenSSL's own", "Configuration file";
        name: Text = "-name" | "-section", Both, Command, "3.0", "default_ca of the configuration",
            "Section of the configuration that describes the authority";
        policy: Text = "-policy", Both, Command, "3.0", "policy of the configuration",
            "Section with the policy";
        cert: File = "-cert", Both, Command, "3.0", "certificate of the configuration",
            "Certificate of the authority";
        certform: Text = "-certform", Both, Command, "3.0", "told by the content",
            "Form of the authority's certificate: PEM, DER or P12; checked, and told by the content";
        keyfile: File = "-keyfile", Both, Command, "3.0", "private_key of the configuration",
            "Private key of the authority";
        key: Text secret = "-key", Both, Command, "3.0", "none", "Password of the private key";
        locktimeout: Int = "-locktimeout", Both, Command, "3.0", "60000",
            "How many milliseconds to wait for another command to finish";
        database: Text = "-database", Both, Command, "3.0", "database of the configuration",
            "Certificate database: a file, or the command of a TDBC connection";
        force: Flag = "-force", Both, Command, "3.0", "off",
            "Revoke or enter a certificate that another authority issued";
    }
}

options! {
    /// What certificates become.
    #[expect(dead_code, reason = "some options are read as words, for their order or because they are the default")]
    pub(super) struct Making, MAKING {
        subj: Text = "-subj", Both, Command, "3.0", "the request's",
            "Subject in the stead of the request's, as /type=value/type=value";
        utf8: Flag = "-utf8", Both, Command, "3.0", "utf8 of the configuration",
            "Take names beyond Latin-1";
        multivalue: Flag = "-multivalue-rdn", Both, Command, "3.0", "on",
            "Let + join the parts of a name, which is always so";
        startdate: Text = "-startdate" | "-not_before", Both, Command, "3.0", "now",
            "When certificates begin, (CC)YYMMDDHHMMSSZ or today";
        enddate: Text = "-enddate" | "-not_after", Both, Command, "3.0", "by -days",
            "When certificates end, (CC)YYMMDDHHMMSSZ";
        days: Int = "-days", Both, Command, "3.0", "default_days of the configuration",
            "How many days after their start certificates end";
        extensions: Text = "-extensions", Both, Command, "3.0", "x509_extensions of the configuration",
            "Section with the extensions of certificates";
        extfile: File = "-extfile", Both, Command, "3.0", "the configuration",
            "File that has the section with the extensions";
        preserve: Flag = "-preserveDN", Both, Command, "3.0", "off",
            "Keep the order and all fields of the request's subject";
        no_email: Flag = "-noemailDN", Both, Command, "3.0", "off", "Leave the email address out of the subject";
        msie_hack: Flag = "-msie_hack", Both, Command, "3.0", "off", "Mend the string types of an old browser";
        selfsign: Flag = "-selfsign", Both, Command, "3.0", "off",
            "Sign requests with the key that they were signed with";
        rand_serial: Flag = "-rand_serial", Both, Command, "3.0", "off", "Give random serial numbers";
        create_serial: Flag = "-create_serial", Both, Command, "3.0", "off",
            "Begin with a random serial number if the serial file can't be read";
        strict: Flag = "-strict", Both, Command, "3.0", "off",
            "Refuse a request with fields that the policy doesn't speak of";
        partial: Flag = "-partial", Both, Command, "3.0", "off",
            "Issue what can be issued: requests that are refused keep no others from their certificates";
        md: Text = "-md", Both, Command, "3.0", "default_md of the configuration", "Digest to sign with";
        sigopt: Text = "-sigopt", Both, Command, "3.0", "none",
            "Parameter of signatures, name:value; may be repeated";
        vfyopt: Text = "-vfyopt", Both, Command, "3.0", "none",
            "Parameter for checking a request's signature, name:value; may be repeated";
    }
}

options! {
    /// Revocation, and lists of it.
    #[expect(dead_code, reason = "some options are read as words, for their order or because they are the default")]
    pub(super) struct Revoking, REVOKING {
        crlexts: Text = "-crlexts", Both, Command, "3.0", "crl_extensions of the configuration",
            "Section with the extensions of the revocation list";
        delta: File = "-delta", Both, Command, "3.0", "none",
            "Complete revocation list made before, against which -gencrl makes a delta list";
        crl_reason: Text = "-crl_reason", Both, Command, "3.0", "none",
            "Why a certificate is revoked; removeFromCRL lifts a hold";
        crl_hold: Text = "-crl_hold", Both, Command, "3.0", "none",
            "Put a certificate on hold, with this instruction, an object identifier";
        crl_compromise: Text = "-crl_compromise", Both, Command, "3.0", "none",
            "The key is compromised since this time, YYYYMMDDHHMMSSZ";
        crl_ca_compromise: Text = "-crl_CA_compromise", Both, Command, "3.0", "none",
            "The authority's key is compromised since this time, YYYYMMDDHHMMSSZ";
        crl_lastupdate: Text = "-crl_lastupdate", Both, Command, "3.0", "now",
            "When the list is made, (CC)YYMMDDHHMMSSZ";
        crl_nextupdate: Text = "-crl_nextupdate", Both, Command, "3.0", "by -crldays and the like",
            "When the next list comes, (CC)YYMMDDHHMMSSZ";
        crldays: Int = "-crldays", Both, Command, "3.0", "default_crl_days of the configuration",
            "Days until the next list";
        crlhours: Int = "-crlhours", Both, Command, "3.0", "default_crl_hours of the configuration",
            "Hours until the next list, in addition";
        crlsec: Int = "-crlsec", Both, Command, "3.0", "0", "Seconds until the next list, in addition";
    }
}
