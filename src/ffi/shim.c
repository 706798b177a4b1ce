/* Macros of OpenSSL as functions, and calls that take arrays of its parameters, so that Rust can call them. Nothing
   else belongs here. */
#include "shim.h"

int tls_SSL_get_negotiated_group(SSL *ssl)
{
    return (int)SSL_get_negotiated_group(ssl);
}

int tls_SSL_CTX_clear_mode(SSL_CTX *ctx, long mode)
{
    return (int)SSL_CTX_clear_mode(ctx, mode);
}

int tls_SSL_CTX_set_dh_auto(SSL_CTX *ctx)
{
    return (int)SSL_CTX_set_dh_auto(ctx, 1);
}

int tls_SSL_set_retry_verify(SSL *ssl)
{
    return (int)SSL_set_retry_verify(ssl);
}

int tls_SSL_get_signature_nid(SSL *ssl, int *nid)
{
    return (int)SSL_get_signature_nid(ssl, nid);
}

int tls_SSL_get_peer_signature_nid(SSL *ssl, int *nid)
{
    return (int)SSL_get_peer_signature_nid(ssl, nid);
}

int tls_SSL_get_secure_renegotiation_support(SSL *ssl)
{
    return (int)SSL_get_secure_renegotiation_support(ssl);
}

int tls_SSL_CTX_get_session_cache_mode(SSL_CTX *ctx)
{
    return (int)SSL_CTX_get_session_cache_mode(ctx);
}

int tls_EVP_MAC_init_digest(EVP_MAC_CTX *ctx, const unsigned char *key, size_t size, const char *digest)
{
    OSSL_PARAM params[2];

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    return EVP_MAC_init(ctx, key, size, params);
}
