//! The options of `tls::cms`, in the words of `openssl cms`.

use crate::opts::groups::{
    CONFIGURATION, HELP, KEY_PASSWORD, LIBRARY, OUTPUT, PASSWORD_SCRIPT, RANDOM, VERIFICATION,
};
use crate::opts::{Missing, Table, options};

options! {
    /// What is done.
    #[expect(dead_code, reason = "some options are taken from the words in their order")]
    pub(super) struct Operations, OPERATIONS {
        encrypt: Flag = "-encrypt", Both, Command, "3.0", "off", "Encrypt a content for recipients";
        decrypt: Flag = "-decrypt", Both, Command, "3.0", "off", "Decrypt a message";
        sign: Flag = "-sign", Both, Command, "3.0", "off", "Sign a content";
        verify: Flag = "-verify", Both, Command, "3.0", "off", "Verify a signed message";
        resign: Flag = "-resign", Both, Command, "3.0", "off", "Add signers to a signed message";
        sign_receipt: Flag = "-sign_receipt", Both, Command, "3.0", "off",
            "Make a signed receipt for a message";
        verify_receipt: File = "-verify_receipt" | "-receipt_verify", Both, Command, "3.0", "none",
            "File with a receipt to verify against the message";
        digest_create: Flag = "-digest_create", Both, Command, "3.0", "off",
            "Make a DigestedData";
        digest_verify: Flag = "-digest_verify", Both, Command, "3.0", "off",
            "Verify a DigestedData and give its content";
        compress: Flag = "-compress", Both, Command, "3.0", "off", "Make a CompressedData";
        uncompress: Flag = "-uncompress", Both, Command, "3.0", "off",
            "Give the content of a CompressedData";
        encrypted_data_encrypt: Flag = "-EncryptedData_encrypt" | "-EncryptedData_create", Both, Command,
            "3.0", "off", "Make an EncryptedData with a secret key";
        encrypted_data_decrypt: Flag = "-EncryptedData_decrypt", Both, Command, "3.0", "off",
            "Decrypt an EncryptedData with a secret key";
        data_create: Flag = "-data_create", Both, Command, "3.0", "off", "Make a Data";
        data_out: Flag = "-data_out", Both, Command, "3.0", "off", "Give the content of a Data";
        cmsout: Flag = "-cmsout", Both, Command, "3.0", "off",
            "Write a message again, or print its structure";
    }
}

options! {
    /// Where everything comes from and goes to, and in which form.
    #[expect(dead_code, reason = "some options are taken from the words in their order")]
    pub(super) struct Streams, STREAMS {
        r#in: File = "-in", Both, Command, "3.0", "standard input", "Input file; - is standard input";
        data: Bytes = "-data", Both, Command, "3.0", "none", "Input itself";
        inchan: Channel = "-inchan", Both, Command, "3.0", "none", "Channel to read the input from";
        release: Text = "-release", Both, Command, "3.0", "verified",
            "When a channel gets content: verified or early";
        content: File = "-content", Both, Command, "3.0", "none",
            "File with the content that isn't in the message";
        inform: Text = "-inform", Both, Command, "3.0", "SMIME", "Form of the input: SMIME, PEM or DER";
        outform: Text = "-outform", Both, Command, "3.0", "SMIME",
            "Form of the output: SMIME, PEM or DER";
        rctform: Text = "-rctform", Both, Command, "3.0", "SMIME",
            "Form of a receipt: SMIME, PEM or DER";
        stream: Flag = "-stream" | "-indef", Both, Command, "3.0", "off",
            "Write indefinite lengths, in one pass";
        noindef: Flag = "-noindef", Both, Command, "3.0", "off", "Write definite lengths";
        binary: Flag = "-binary", Both, Command, "3.0", "off", "Take the content byte for byte";
        crlfeol: Flag = "-crlfeol", Both, Command, "3.0", "off", "End a mail's lines with CR LF";
        asciicrlf: Flag = "-asciicrlf", Both, Command, "3.0", "off",
            "Sign text without blanks at line ends or empty lines at its end";
        text: Flag = "-text", Both, Command, "3.0", "off", "Add or take off the headers of plain text";
        to: Text = "-to", Both, Command, "3.0", "none", "The mail's To header";
        from: Text = "-from", Both, Command, "3.0", "none", "The mail's From header";
        subject: Text = "-subject", Both, Command, "3.0", "none", "The mail's Subject header";
        info: Text = "-info", Both, Command, "3.0", "none",
            "Variable that gets a dict of facts about the message";
        command: Script = "-command", Both, Command, "3.0", "none",
            "Command prefix that gets the outcome; the call returns a token at once";
        progress: Script = "-progress", Both, Command, "3.0", "none",
            "Command prefix that is called with the bytes done and in total";
    }
}

options! {
    /// Keys, certificates and passwords.
    #[expect(dead_code, reason = "some options are taken from the words in their order")]
    pub(super) struct Keys, KEYS {
        signer: File = "-signer", Both, Command, "3.0", "none",
            "File with a signer's certificate; with -verify, file to write the signers' certificates to";
        inkey: File = "-inkey", Both, Command, "3.0", "the file of the certificate",
            "File with the private key of the signer or recipient";
        recip: File = "-recip", Both, Command, "3.0", "none", "File with a recipient's certificate";
        originator: File = "-originator", Both, Command, "3.0", "none",
            "File with the sender's certificate for a key agreement";
        keyopt: Text = "-keyopt", Both, Command, "3.0", "none",
            "Parameter of the signer's or recipient's key before it, as name:value";
        certfile: File = "-certfile", Both, Command, "3.0", "none",
            "File with further certificates";
        certsout: File = "-certsout", Both, Command, "3.0", "none",
            "File to write the message's certificates to";
        pwri_password: Text secret = "-pwri_password", Both, Command, "3.0", "none",
            "Password of a recipient";
        secretkey: Text secret = "-secretkey", Both, Command, "3.0", "none",
            "Key that both sides have, in hexadecimal digits";
        secretkeyid: Text = "-secretkeyid", Both, Command, "3.0", "none",
            "Name of that key, in hexadecimal digits";
    }
}

options! {
    /// How messages are made.
    #[expect(dead_code, reason = "some options are taken from the words in their order")]
    pub(super) struct Making, MAKING {
        md: Text = "-md", Both, Command, "3.0", "the key's, or sha256", "Digest";
        wrap: Text = "-wrap", Both, Command, "3.0", "fitting the cipher",
            "Cipher that wraps the key after a key agreement";
        aes128_wrap: Flag = "-aes128-wrap", Both, Command, "3.0", "off", "Wrap the key with AES-128";
        aes192_wrap: Flag = "-aes192-wrap", Both, Command, "3.0", "off", "Wrap the key with AES-192";
        aes256_wrap: Flag = "-aes256-wrap", Both, Command, "3.0", "off", "Wrap the key with AES-256";
        des3_wrap: Flag = "-des3-wrap", Both, Command, "3.0", "off", "Wrap the key with triple DES";
        keyid: Flag = "-keyid", Both, Command, "3.0", "off",
            "Name certificates by key identifier";
        econtent_type: Text = "-econtent_type", Both, Command, "3.0", "data",
            "Type of the content, an object identifier";
        nodetach: Flag = "-nodetach", Both, Command, "3.0", "off", "Put the content into the message";
        nocerts: Flag = "-nocerts", Both, Command, "3.0", "off", "Leave the signer's certificate out";
        noattr: Flag = "-noattr", Both, Command, "3.0", "off", "Leave signed attributes out";
        nosmimecap: Flag = "-nosmimecap", Both, Command, "3.0", "off",
            "Leave the list of ciphers out of the attributes";
        cades: Flag = "-cades", Both, Command, "3.0", "off",
            "Sign, or check, which certificate was used";
        digest: Text = "-digest", Both, Command, "3.0", "none",
            "Digest of the content to sign, in hexadecimal digits, in place of the content";
        no_signing_time: Flag = "-no_signing_time", Both, Command, "3.0", "off",
            "Leave the time out of the attributes";
        receipt_request_all: Flag = "-receipt_request_all", Both, Command, "3.0", "off",
            "Ask all recipients for a receipt";
        receipt_request_first: Flag = "-receipt_request_first", Both, Command, "3.0", "off",
            "Ask those for a receipt who get the message directly";
        receipt_request_from: Text = "-receipt_request_from", Both, Command, "3.0", "none",
            "Ask this address for a receipt; may be given several times";
        receipt_request_to: Text = "-receipt_request_to", Both, Command, "3.0", "none",
            "Address that receipts go to; may be given several times";
    }
}

options! {
    /// How messages are checked and shown.
    pub(super) struct Checking, CHECKING {
        debug_decrypt: Flag = "-debug_decrypt", Both, Command, "3.0", "off",
            "Tell if no recipient fits, which helps who probes the key";
        nointern: Flag = "-nointern", Both, Command, "3.0", "off",
            "Look for signers only among the certificates of -certfile";
        noverify: Flag = "-noverify" | "-no_signer_cert_verify", Both, Command, "3.0", "off",
            "Don't check the signers' certificates";
        nosigs: Flag = "-nosigs", Both, Command, "3.0", "off", "Check neither attributes nor content";
        no_attr_verify: Flag = "-no_attr_verify", Both, Command, "3.0", "off",
            "Don't check the signatures over attributes";
        no_content_verify: Flag = "-no_content_verify", Both, Command, "3.0", "off",
            "Don't check the content";
        verify_retcode: Flag = "-verify_retcode", Both, Command, "3.0", "off",
            "Add the program's exit status for the certificate's error to errorCode";
        ca_file: File = "-CAfile", Both, Command, "3.0", "the library's",
            "File of trusted certificates, and of revocation lists";
        ca_path: File = "-CApath", Both, Command, "3.0", "the library's",
            "Folder of trusted certificates and revocation lists, named by hash";
        ca_store: Text = "-CAstore", Both, Command, "3.0", "the library's",
            "URI of a store of trusted certificates";
        no_ca_file: Flag = "-no-CAfile", Both, Command, "3.0", "off",
            "Don't trust the library's default file";
        no_ca_path: Flag = "-no-CApath", Both, Command, "3.0", "off",
            "Don't trust the library's default folder";
        no_ca_store: Flag = "-no-CAstore", Both, Command, "3.0", "off",
            "Don't trust the library's default store";
        smimestore: File = "-smimestore", Both, Command, "3.0", "none",
            "File of addresses, certificates and ciphers: -verify learns them, -encrypt -to uses them";
        noout: Flag = "-noout", Both, Command, "3.0", "off", "Write no message";
        print: Flag = "-print", Both, Command, "3.0", "off", "Print the message's structure";
        nameopt: Text = "-nameopt", Both, Command, "3.0", "oneline", "How names are printed";
        receipt_request_print: Flag = "-receipt_request_print", Both, Command, "3.0", "off",
            "Print the requests for receipts";
    }
}

/// The options of `tls::cms`.
pub(in crate::cmd) static TABLE: Table = Table {
    command: "tls::cms",
    groups: &[
        HELP,
        OPERATIONS,
        STREAMS,
        OUTPUT,
        KEYS,
        KEY_PASSWORD,
        PASSWORD_SCRIPT,
        MAKING,
        CHECKING,
        VERIFICATION,
        CONFIGURATION,
        LIBRARY,
        RANDOM,
    ],
    missing: Missing::NoArgument,
};
