//! Generates the OpenSSL declarations that openssl-sys lacks, compiles the shim, and tells versions as `cfg`s.

use std::env;
use std::path::PathBuf;

/// What to declare: families by prefix, and a few names one by one.
const FUNCTIONS: &[&str] = &[
    "ASN1_PCTX_(new|free|set_flags|set_nm_flags|set_str_flags)",
    "BIO_(find_type|s_null)",
    "CMS_.*",
    "CONF_modules_load_file",
    "ASN1_STRING_((get|set)_default_mask|set_default_mask_asc)",
    "OPENSSL_cleanse",
    "ERR_(set_mark|pop_to_mark)",
    "EVP_(DigestSignInit_ex|MD_CTX_get_pkey_ctx)",
    "EVP_PKEY_(CTX_ctrl_str|get_default_digest_name)",
    "NCONF_(free|get_section|get_string|load_bio|new)",
    "NETSCAPE_SPKI_(b64_decode|free|get_pubkey|verify)",
    "OSSL_CMP_.*",
    "OSSL_CRMF_(CERTID_get0_issuer|CERTID_get0_serialNumber|MSG_get0_regCtrl_oldCertID)",
    "(d2i_(OSSL_CMP_MSG|POLICYINFO)|i2d_OSSL_CMP_MSG)",
    "POLICYINFO_free",
    "X509_digest_sig",
    "X509_ATTRIBUTE_free",
    "OPENSSL_sk_deep_copy",
    "OSSL_ESS_check_signing_certs",
    "EVP_CIPHER_get_flags",
    "EVP_PKEY_CTX_ctrl_str",
    "OSSL_PROVIDER_(available|do_all|get0_name)",
    "OSSL_STORE_(INFO_(free|get0_NAME|get1_(CERT|CRL|PKEY)|get_type)|close|eof|load|open)",
    "X509_STORE_(CTX_(set_default|set0_crls|get1_chain)|add_crl)",
    "X509_VERIFY_PARAM_(lookup|add0_policy|inherit)",
    "SSL_(CIPHER_(get_(auth|digest|kx)_nid|get_id|is_aead)|COMP_get_name|SESSION_(get0|get|is)_.*)",
    "SSL_(ct_is_enabled|get0_(dane_authority|peer_CA_list|peername)|get_(current_(compression|expansion)|default_timeout))",
    "SSL_(get_(client_CA_list|verify_depth)|get_(peer_)?signature_type_nid|group_to_name|is_dtls|waiting_for_async)",
    "UI_null",
    "SSL_(CTX_get_ciphers|CTX_set_tlsext_ticket_key_evp_cb|get0_peer_CA_list|get1_supported_ciphers|set_info_callback|set_msg_callback)",
    "SSL_(set_post_handshake_auth|verify_client_post_handshake)",
    "X509_STORE_(add_crl|load_store|up_ref)",
    "X509V3_(EXT_((CRL_)?add_nconf|add_nconf_sk|nconf|print)|set_(ctx|issuer_pkey|nconf))",
    "X509_CRL_((add|delete)_ext|get_ext_by_OBJ|new|set1_(last|next)Update|set_(issuer_name|version)|sign_ctx)",
    "X509_(REQ_)?(set0_distinguishing_id|sign_ctx)",
    "X509_NAME_(add_entry_by_OBJ|oneline|print_ex)",
    "X509_PURPOSE_(cleanup|get0|get0_name|get_count|get_id)",
    "X509_(check_ca|check_purpose|get_proxy_pathlen|get_signature_info|keyid_get0|print_ex|self_signed)",
    "X509_REQ_print_ex",
    "(d2i|i2d)_CMS_ContentInfo",
    "(d2i_(GENERAL_NAME|X509_AUX)|PEM_read_bio_X509_AUX|i2d_(CMS_ReceiptRequest|X509_ATTRIBUTE))",
    "SSL_(alert_type_string_long|up_ref)",
    "tls_.*",
];

/// Types that no function has in its signature: what stacks hold.
const TYPES: &[&str] = &["CONF_VALUE"];

/// Constants that go with them.
const CONSTANTS: &[&str] = &[
    "CMP_R_.*",
    "CMS_.*",
    "OSSL_CMP_.*",
    "OSSL_STORE_.*",
    "X509V3_.*",
    "SSL_(CB|ST)_.*",
    "SSL_R_CERTIFICATE_VERIFY_FAILED",
    "SSL_R_UNEXPECTED_EOF_WHILE_READING",
];

/// Types that openssl-sys has: they must be the same Rust types on both sides.
const SHARED_TYPES: &str = "(ACCESS_DESCRIPTION|ASN1_(BIT_STRING|BMPSTRING|BOOLEAN|ENCODING|ENUMERATED\
    |GENERALIZEDTIME|GENERALSTRING|IA5STRING|INTEGER|NULL|OBJECT|OCTET_STRING|PRINTABLESTRING|STRING|T61STRING|TIME\
    |TYPE|UNIVERSALSTRING|UTCTIME|UTF8STRING|VALUE|VISIBLESTRING)|AUTHORITY_KEYID|BASIC_CONSTRAINTS|BIGNUM|BIO|BIO_METHOD\
    |DIST_POINT|DIST_POINT_NAME|ENGINE|EVP_CIPHER|EVP_CIPHER_CTX|EVP_MD|EVP_MD_CTX|EVP_PKEY|EVP_PKEY_CTX|GENERAL_NAME\
    |OPENSSL_STACK|OSSL_LIB_CTX|OSSL_PARAM|OSSL_PROVIDER|PKCS12|PKCS7|PKCS8_PRIV_KEY_INFO|RSA|DSA|DH|EC_KEY\
    |SSL|SSL_CTX|SSL_CIPHER|SSL_METHOD|SSL_SESSION|X509|X509_ALGOR|X509_ATTRIBUTE|X509_CRL|X509_EXTENSION\
    |X509_LOOKUP|X509_LOOKUP_METHOD|X509_NAME|X509_NAME_ENTRY|X509_OBJECT|X509_PURPOSE|X509_REQ\
    |X509_REVOKED|X509_STORE|X509_STORE_CTX|X509_VERIFY_PARAM|X509V3_CTX|tm\
    |stack_st_(ACCESS_DESCRIPTION|ASN1_OBJECT|DIST_POINT|GENERAL_NAME|X509|X509_ALGOR|X509_ATTRIBUTE|X509_CRL\
    |X509_EXTENSION|X509_NAME|X509_OBJECT|X509_REVOKED|SSL_CIPHER|OPENSSL_STRING|void))";

fn main() {
    println!("cargo:rerun-if-changed=src/ffi/shim.h");
    println!("cargo:rerun-if-changed=src/ffi/shim.c");

    let openssl = pkg_config::Config::new()
        .atleast_version("3.0.0")
        .cargo_metadata(false)
        .probe("openssl")
        .expect("OpenSSL 3.0 or newer, with its headers, is found through pkg-config (Debian: libssl-dev)");
    let include: Vec<String> = openssl
        .include_paths
        .iter()
        .map(|path| format!("-I{}", path.display()))
        .collect();

    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut builder = bindgen::Builder::default()
        .header("src/ffi/shim.h")
        .clang_args(&include)
        .rust_target(bindgen::RustTarget::stable(85, 0).expect("bindgen knows this Rust"))
        .rust_edition(bindgen::RustEdition::Edition2024)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .blocklist_type(SHARED_TYPES)
        .layout_tests(false)
        .derive_debug(false)
        .generate_comments(false);
    for pattern in FUNCTIONS {
        builder = builder.allowlist_function(pattern);
    }
    for pattern in TYPES {
        builder = builder.allowlist_type(pattern);
    }
    for pattern in CONSTANTS {
        builder = builder.allowlist_var(pattern);
    }
    builder
        .generate()
        .expect("bindgen reads OpenSSL's headers (Debian: libclang-dev)")
        .write_to_file(out.join("openssl.rs"))
        .expect("the generated declarations can be written");

    cc::Build::new()
        .file("src/ffi/shim.c")
        .includes(&openssl.include_paths)
        .warnings_into_errors(true)
        .compile("tls_shim");
}
