/* Macros of OpenSSL as functions, so that Rust can call them. Nothing else belongs here. */
#include "shim.h"

int tls_SSL_get_negotiated_group(SSL *ssl)
{
    return (int)SSL_get_negotiated_group(ssl);
}
