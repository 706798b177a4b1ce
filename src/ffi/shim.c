/* Macros of OpenSSL as functions, and calls that take its lists and parameters, so that Rust can call them. Nothing else
   belongs here. */
#include "shim.h"
#include <openssl/asn1t.h>

#include <limits.h>

int tls_SSL_get_negotiated_group(SSL *ssl)
{
    return (int)SSL_get_negotiated_group(ssl);
}

void tls_clear_free(void *memory, size_t length)
{
    OPENSSL_clear_free(memory, length);
}

int tls_X509_ALGOR_nid(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    return OBJ_obj2nid(object);
}

GENERAL_NAMES *tls_email_names(const char *address, size_t length)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    if (names == NULL || name == NULL || text == NULL || length > INT_MAX
        || !ASN1_STRING_set(text, address, (int)length)) {
        ASN1_IA5STRING_free(text);
        goto fail;
    }
    GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return names;
fail:
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return NULL;
}

int tls_verify(const unsigned char *algorithm, size_t algorithm_length, const unsigned char *data, size_t length,
               const unsigned char *signature, size_t signature_length, EVP_PKEY *key)
{
    X509_ALGOR *kind = NULL;
    ASN1_STRING *content = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    int result = 0;

    if (algorithm_length <= INT_MAX && length <= INT_MAX && signature_length <= INT_MAX && content != NULL
        && bits != NULL && (kind = d2i_X509_ALGOR(NULL, &algorithm, (long)algorithm_length)) != NULL
        && ASN1_STRING_set(content, data, (int)length)
        && ASN1_BIT_STRING_set(bits, (unsigned char *)signature, (int)signature_length)) {
        /* A sequence as it stands is encoded as it stands. */
        bits->flags = ASN1_STRING_FLAG_BITS_LEFT;
        result = ASN1_item_verify(ASN1_ITEM_rptr(ASN1_SEQUENCE), kind, bits, content, key);
    }
    X509_ALGOR_free(kind);
    ASN1_STRING_free(content);
    ASN1_BIT_STRING_free(bits);
    return result == 1;
}

/* Decodes the only value of a signed attribute; NULL where there is none. */
static void *signed_value(CMS_SignerInfo *signer, int nid, const ASN1_ITEM *item)
{
    ASN1_STRING *value = CMS_signed_get0_data_by_OBJ(signer, OBJ_nid2obj(nid), -3, V_ASN1_SEQUENCE);

    return value == NULL ? NULL : ASN1_item_unpack(value, item);
}

int tls_CMS_check_signing_certs(CMS_SignerInfo *signer, STACK_OF(X509) *chain)
{
    ESS_SIGNING_CERT *old = signed_value(signer, NID_id_smime_aa_signingCertificate,
                                         ASN1_ITEM_rptr(ESS_SIGNING_CERT));
    ESS_SIGNING_CERT_V2 *new = signed_value(signer, NID_id_smime_aa_signingCertificateV2,
                                            ASN1_ITEM_rptr(ESS_SIGNING_CERT_V2));
    int result = OSSL_ESS_check_signing_certs(old, new, chain, 1);

    ESS_SIGNING_CERT_free(old);
    ESS_SIGNING_CERT_V2_free(new);
    return result;
}

int tls_CMS_add_capabilities(CMS_SignerInfo *signer, const int *ciphers, size_t count)
{
    STACK_OF(X509_ALGOR) *list = NULL;
    int result = 1;

    for (size_t i = 0; i < count && result > 0; i++)
        result = CMS_add_simple_smimecap(&list, ciphers[i], -1);
    if (result > 0)
        result = CMS_add_smimecap(signer, list);
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    return result;
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

size_t tls_EVP_PKEY_CTX_algorithm_id(EVP_PKEY_CTX *ctx, unsigned char *room, size_t size)
{
    OSSL_PARAM params[2];

    params[0] = OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, room, size);
    params[1] = OSSL_PARAM_construct_end();
    if (EVP_PKEY_CTX_get_params(ctx, params) <= 0 || !OSSL_PARAM_modified(&params[0]))
        return 0;
    return params[0].return_size;
}

int tls_EVP_MAC_init_digest(EVP_MAC_CTX *ctx, const unsigned char *key, size_t size, const char *digest)
{
    OSSL_PARAM params[2];

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    return EVP_MAC_init(ctx, key, size, params);
}

int tls_X509_copy_key(X509 *to, X509_REQ *from)
{
    X509_PUBKEY *old = X509_REQ_get_X509_PUBKEY(from), *new = X509_get_X509_PUBKEY(to);
    X509_ALGOR *old_algorithm, *new_algorithm;
    ASN1_OBJECT *object;
    const unsigned char *bytes;
    unsigned char *copy;
    int length;

    if (old == NULL || new == NULL
        || !X509_PUBKEY_get0_param(&object, &bytes, &length, &old_algorithm, old)
        || !X509_PUBKEY_get0_param(NULL, NULL, NULL, &new_algorithm, new))
        return 0;
    object = OBJ_dup(object);
    copy = OPENSSL_memdup(bytes, length);
    if (object == NULL || copy == NULL
        || !X509_PUBKEY_set0_param(new, object, V_ASN1_UNDEF, NULL, copy, length)) {
        ASN1_OBJECT_free(object);
        OPENSSL_free(copy);
        return 0;
    }
    return X509_ALGOR_copy(new_algorithm, old_algorithm);
}

X509 *tls_d2i_X509_in(OSSL_LIB_CTX *context, const unsigned char *der, size_t length)
{
    if (length > LONG_MAX)
        return NULL;
    return (X509 *)ASN1_item_d2i_ex(NULL, &der, (long)length, ASN1_ITEM_rptr(X509), context, NULL);
}

X509_REQ *tls_d2i_X509_REQ_in(OSSL_LIB_CTX *context, const unsigned char *der, size_t length)
{
    if (length > LONG_MAX)
        return NULL;
    return (X509_REQ *)ASN1_item_d2i_ex(NULL, &der, (long)length, ASN1_ITEM_rptr(X509_REQ), context, NULL);
}

/* Makes a key of a kind from some of its parameters. */
static EVP_PKEY *key_of(const char *kind, int selection, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;

    if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) > 0)
        EVP_PKEY_fromdata(ctx, &key, selection, params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

EVP_PKEY *tls_ec_curve(const char *name)
{
    OSSL_PARAM params[2];

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)name, 0);
    params[1] = OSSL_PARAM_construct_end();
    return key_of("EC", EVP_PKEY_KEY_PARAMETERS, params);
}

EVP_PKEY *tls_ec_key(EVP_PKEY *curve, const unsigned char *point, size_t length)
{
    EVP_PKEY *key = EVP_PKEY_dup(curve);

    if (key != NULL && EVP_PKEY_set1_encoded_public_key(key, point, length) <= 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

EVP_PKEY *tls_rsa_key(const unsigned char *modulus, size_t modulus_length, const unsigned char *exponent,
                      size_t exponent_length)
{
    BIGNUM *n = modulus_length > INT_MAX ? NULL : BN_bin2bn(modulus, (int)modulus_length, NULL);
    BIGNUM *e = exponent_length > INT_MAX ? NULL : BN_bin2bn(exponent, (int)exponent_length, NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (n != NULL && e != NULL && parts != NULL && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n)
        && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(parts);
    key = key_of("RSA", EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(parts);
    BN_free(n);
    BN_free(e);
    return key;
}
