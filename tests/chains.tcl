# chains.tcl -- certificates and revocation lists for which options of verification make a difference, and how they do:
# what the tests of tls::cms and tls::cmp share.
#
# A test file sources it after helpers.tcl, calls {Make}, and deletes the folder in the end.

set folder [file join $helpers::root build chains-[pid]]
file mkdir $folder

proc Path {name} {
    return [file join $::folder $name]
}

proc Put {name text} {
    set file [open [Path $name] wb]
    puts -nonewline $file $text
    close $file
    return [Path $name]
}

proc Get {args} {
    set all {}
    foreach name $args {
        set file [open [Path $name] rb]
        append all [read $file]
        close $file
    }
    return $all
}

proc Openssl {args} {
    return [exec -ignorestderr openssl {*}$args 2>@1]
}

# Makes a certificate, its key beside it.
#
# Arguments:
#       name            its name
#       by              who certifies it; its own name for a root
#       extensions      lines of extensions
#       curve           the curve of its key
proc Certify {name by extensions {curve P-256}} {
    set digest [dict get {P-256 -sha256 P-384 -sha384} $curve]
    Openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out [Path $name.key]
    Openssl req -new -key [Path $name.key] -subj /CN=$name -out [Path $name.csr]
    Put $name.ext [join $extensions \n]
    set signer [list -CA [Path $by.pem] -CAkey [Path $by.key]]
    if {$by eq $name} {
        set signer [list -signkey [Path $name.key]]
    }
    Openssl x509 -req -in [Path $name.csr] {*}$signer -days 3 $digest -extfile [Path $name.ext] \
        -set_serial [incr ::serial] -out [Path $name.pem]
    Put $name-both.pem [Get $name.pem $name.key]
}

set serial 100
set today [clock format [expr {[clock seconds] - 3600}] -format %Y%m%d%H%M%SZ -gmt 1]
set soon [clock format [expr {[clock seconds] + 86400}] -format %Y%m%d%H%M%SZ -gmt 1]
set authority {"basicConstraints=critical,CA:true" "keyUsage=critical,keyCertSign,cRLSign"
    "subjectKeyIdentifier=hash"}
set mailer {"basicConstraints=critical,CA:false" "keyUsage=critical,digitalSignature"
    "extendedKeyUsage=emailProtection" "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid"}

# A list that an authority signs, with extensions of the list.
proc Revoke {name by extensions revoked} {
    set index {}
    foreach certificate $revoked {
        set number [lindex [split [Openssl x509 -in [Path $certificate.pem] -noout -serial] =] 1]
        append index "R\t400101000000Z\t200101000000Z\t$number\tunknown\t/CN=$certificate\n"
    }
    Put $name.index $index
    Put $name.number "[format %04X [incr ::serial]]\n"
    Put $name.cnf "\[ca\]\ndefault_ca=d\n\[d\]\ndatabase=[Path $name.index]\ncrlnumber=[Path $name.number]\
        \ndefault_md=sha256\ndefault_crl_days=3\ncrl_extensions=e\n\[e\]\n[join $extensions \n]\n"
    # All lists are of the same second: OpenSSL takes a delta for a whole list, if that is the newest.
    Openssl ca -gencrl -crl_lastupdate $::today -crl_nextupdate $::soon \
        -config [Path $name.cnf] -cert [Path $by.pem] -keyfile [Path $by.key] \
        -out [Path $name.crl]
}

proc Make {} {
    global authority mailer
    Certify root root $authority
    Certify middle root [concat $authority "authorityKeyIdentifier=keyid" \
        "certificatePolicies=2.5.29.32.0"]
    Certify plain root $mailer
    Certify deep middle [concat $mailer "certificatePolicies=1.2.3"]
    Certify strange root [concat $mailer "1.2.3.4=critical,ASN1:NULL"]
    Certify twice root [concat $mailer "certificatePolicies=1.2.3,1.2.3"]
    Certify mapper root [concat $authority "authorityKeyIdentifier=keyid" \
        "certificatePolicies=1.2.3" "policyMappings=ASN1:SEQUENCE:maps" "\[maps\]" "a=SEQUENCE:map" \
        "\[map\]" "a=OID:1.2.3" "b=OID:1.2.4"]
    Certify mapped mapper [concat $mailer "certificatePolicies=1.2.4"]
    Certify loose root {"basicConstraints=CA:true" "keyUsage=keyCertSign"}
    Certify careless loose {"basicConstraints=CA:false" "keyUsage=digitalSignature"}
    Certify named root [concat $mailer "subjectAltName=DNS:www.example.org,IP:10.1.2.3,email:a@example.org"]
    Certify server root [concat $mailer "extendedKeyUsage=serverAuth"]
    Certify gone root $mailer
    Certify root384 root384 $authority P-384
    Certify plain384 root384 $mailer P-384
    # A proxy certificate is one that a person gives.
    Openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out [Path proxy.key]
    Openssl req -new -key [Path proxy.key] -subj /CN=plain/CN=proxy -out [Path proxy.csr]
    Put proxy.ext "keyUsage=critical,digitalSignature\nproxyCertInfo=critical,language:id-ppl-anyLanguage"
    Openssl x509 -req -in [Path proxy.csr] -CA [Path plain.pem] -CAkey [Path plain.key] -days 3 -sha256 \
        -extfile [Path proxy.ext] -set_serial 7 -out [Path proxy.pem]
    Put proxy-both.pem [Get proxy.pem proxy.key]
    # A root whose own signature is wrong.
    set der [Openssl x509 -in [Path root.pem] -outform DER -out [Path root.der]][Get root.der]
    scan [string index $der end] %c last
    Put wrong.der [string replace $der end end [format %c [expr {$last ^ 1}]]]
    Openssl x509 -inform DER -in [Path wrong.der] -out [Path wrong.pem]
    # Revocation lists.
    set fresh "freshestCRL=URI:http://example.org/delta"
    Revoke middle middle "authorityKeyIdentifier=keyid" {}
    Revoke good root "authorityKeyIdentifier=keyid" {}
    Revoke bad root "authorityKeyIdentifier=keyid" gone
    Revoke indirect root [list "issuingDistributionPoint=critical,@i" "\[i\]" "indirectCRL=TRUE"] {}
    Revoke base root [list "authorityKeyIdentifier=keyid" $fresh] {}
    Revoke newer root [list "authorityKeyIdentifier=keyid" $fresh] gone
    Openssl crl -gendelta [Path newer.crl] -in [Path base.crl] -key [Path root.key] \
        -out [Path delta.crl]
    if {![string match *Delta* [Openssl crl -in [Path delta.crl] -noout -text]]} {
        # The program makes it of the older list and the newer one, in this order.
        Openssl crl -gendelta [Path base.crl] -in [Path newer.crl] -key [Path root.key] \
            -out [Path delta.crl]
    }
}

# For each option of verification a signer for whom it makes the difference: a number; the option; whose key signs;
# what is beside his certificate; what is trusted; options that are given anyhow; what comes of it without the option,
# "ok" or the certificate's error; what with it; and its value.
set differences {
    1 -ignore_critical strange {} root.pem {} UNHANDLED_CRITICAL_EXTENSION ok {}
    2 -crl_check gone {} {root.pem bad.crl} {} ok CERT_REVOKED {}
    3 -crl_check_all deep middle {root.pem middle.crl} -crl_check ok UNABLE_TO_GET_CRL {}
    4 -policy_check twice {} root.pem {} ok INVALID_POLICY_EXTENSION {}
    5 -explicit_policy deep middle root.pem {-policy 1.2.9} ok NO_EXPLICIT_POLICY {}
    6 -inhibit_any deep middle root.pem {-policy 1.2.3 -explicit_policy} ok NO_EXPLICIT_POLICY {}
    7 -inhibit_map mapped mapper root.pem {-policy 1.2.3 -explicit_policy} ok NO_EXPLICIT_POLICY {}
    8 -x509_strict careless loose root.pem {} ok *_* {}
    9 -extended_crl plain {} {root.pem indirect.crl} -crl_check UNABLE_TO_GET_CRL ok {}
    10 -use_deltas gone {} {root.pem base.crl delta.crl} {-crl_check} ok CERT_REVOKED {}
    11 -check_ss_sig plain {} wrong.pem {} ok CERT_SIGNATURE_FAILURE {}
    12 -partial_chain deep {} middle.pem {} UNABLE_TO_GET_ISSUER_CERT ok {}
    13 -allow_proxy_certs proxy plain root.pem {-purpose any} PROXY_CERTIFICATES_NOT_ALLOWED ok {}
    14 -suiteB_128_only plain384 {} root384.pem {} ok SUITE_B_LOS_NOT_ALLOWED {}
    15 -suiteB_192 plain {} root.pem {} ok SUITE_B_LOS_NOT_ALLOWED {}
    17 -policy deep middle root.pem -explicit_policy NO_EXPLICIT_POLICY ok 1.2.3
    18 -policy deep middle root.pem -explicit_policy NO_EXPLICIT_POLICY NO_EXPLICIT_POLICY 1.2.9
    27 -verify_depth deep middle root.pem {} ok CERT_CHAIN_TOO_LONG 0
    28 -auth_level plain {} root.pem {} ok *_* 5
    29 -attime plain {} root.pem {} ok CERT_NOT_YET_VALID 1000000000
    30 -attime plain {} root.pem {} ok CERT_HAS_EXPIRED 4000000000
}
