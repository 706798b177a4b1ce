/* What bindgen reads: the OpenSSL headers whose functions openssl-sys doesn't declare, and our shim. */
#include <openssl/cms.h>
#include <openssl/cmp.h>
#include <openssl/conf.h>
#include <openssl/crmf.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <openssl/x509v3.h>

/* Macros of OpenSSL as functions. */
int tls_SSL_get_negotiated_group(SSL *ssl);
