/* What bindgen reads: the OpenSSL headers whose functions openssl-sys doesn't declare, and our shim. */
#include <openssl/cms.h>
#include <openssl/cmp.h>
#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/crmf.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>

/* Macros of OpenSSL as functions. */
int tls_SSL_get_negotiated_group(SSL *ssl);
int tls_SSL_CTX_set_dh_auto(SSL_CTX *ctx);
int tls_SSL_set_retry_verify(SSL *ssl);
int tls_SSL_get_signature_nid(SSL *ssl, int *nid);
int tls_SSL_get_peer_signature_nid(SSL *ssl, int *nid);
int tls_SSL_get_secure_renegotiation_support(SSL *ssl);
int tls_SSL_CTX_get_session_cache_mode(SSL_CTX *ctx);
void tls_clear_free(void *memory, size_t length);
int tls_X509_ALGOR_nid(const X509_ALGOR *algorithm);

/* Gives a new certificate the key of a request as that has it encoded, without the decoded form. */
int tls_X509_copy_key(X509 *to, X509_REQ *from);

/* A certificate or a request, whose public key is decoded by what the context has for it. */
X509 *tls_d2i_X509_in(OSSL_LIB_CTX *context, const unsigned char *der, size_t length);
X509_REQ *tls_d2i_X509_REQ_in(OSSL_LIB_CTX *context, const unsigned char *der, size_t length);

/* A key without its parts, which only knows its curve by a name; and the public key at a point of such a curve. */
EVP_PKEY *tls_ec_curve(const char *name);
EVP_PKEY *tls_ec_key(EVP_PKEY *curve, const unsigned char *point, size_t length);

/* The public key of a modulus and an exponent. */
EVP_PKEY *tls_rsa_key(const unsigned char *modulus, size_t modulus_length, const unsigned char *exponent,
                      size_t exponent_length);

/* Whether a signature over some DER is a key's: 1 where it is. The algorithm is DER, the signature bare. */
int tls_verify(const unsigned char *algorithm, size_t algorithm_length, const unsigned char *data, size_t length,
               const unsigned char *signature, size_t signature_length, EVP_PKEY *key);

/* A list that holds one e-mail address. */
GENERAL_NAMES *tls_email_names(const char *address, size_t length);

/* The signed attributes that name the signer's certificate, held against a chain: 1 where they fit. */
int tls_CMS_check_signing_certs(CMS_SignerInfo *signer, STACK_OF(X509) *chain);

/* Adds the ciphers, by their numbers, that the signer can read. */
int tls_CMS_add_capabilities(CMS_SignerInfo *signer, const int *ciphers, size_t count);

/* The DER of the algorithm that a signature will have; gives its length, 0 where the kind of key doesn't tell. */
size_t tls_EVP_PKEY_CTX_algorithm_id(EVP_PKEY_CTX *ctx, unsigned char *room, size_t size);

/* A call with an array of OpenSSL's parameters, which Rust doesn't see into. */
int tls_EVP_MAC_init_digest(EVP_MAC_CTX *ctx, const unsigned char *key, size_t size, const char *digest);
