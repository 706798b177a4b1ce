# make.tcl -- makes the keys, certificates and broken files that the tests use.
#
# Usage: tclsh tests/certs/make.tcl ?FOLDER?
#
# FOLDER is build/certs unless given. Everything is made by the openssl program, and made again when
# this script has changed or the files are a week old, so that nothing expires in the repository.
# README.md in this folder says what each file is for.

namespace eval certs {
    variable script [file normalize [info script]]
    variable folder [file join [file dirname $script] .. .. build certs]

    # Files are made anew after this many seconds. The certificates themselves last longer, so that
    # a long run of tests can't see them expire.
    variable age [expr {7 * 86400}]
    variable days 30

    # The password of every encrypted file.
    variable password sesame

    # The names under which a test reaches this machine.
    variable loopback DNS:localhost,IP:127.0.0.1,IP:::1

    # The configuration of the openssl program; Register adds a section for each authority.
    variable settings {
        [req]
        distinguished_name = anything
        [anything]
        organizationName = optional
        commonName = optional
    }
}

# certs::make --
#       Makes all files, unless they are there and fresh.
#
# Arguments:
#       path    the folder
#
# Results:
#       None.
proc certs::make {path} {
    variable folder [file normalize $path]
    variable script
    set stamp [file join $folder stamp]
    set recipe [Read $script]
    if {[Fresh $stamp $recipe]} {
        return
    }
    file delete -force $folder
    file mkdir [file join $folder work]
    Authorities
    Servers
    Clients
    Mail
    Forms
    Broken
    Revocation
    Write stamp $recipe
}

# The certificate authorities: a root with an intermediate below it, one with an elliptic-curve key,
# and one that nobody is told to trust.
proc certs::Authorities {} {
    foreach {name subject algorithm} {
        ca "Test Root CA" rsa
        other-ca "Unrelated CA" ec
        ec-ca "Test EC CA" ec
    } {
        Key $name $algorithm
        Register $name
        Issue $name -subject "/O=tls tests/CN=$subject" -selfsigned 1 -extensions [Authority]
    }
    Key intermediate rsa
    Register intermediate
    Issue intermediate -subject "/O=tls tests/CN=Test Intermediate CA" -extensions [Authority]
}

# Servers: good ones of every key type, and one for each way in which a name or a date can be wrong.
proc certs::Servers {} {
    variable loopback
    foreach {name algorithm by} {
        server rsa ca
        server-ec ec ca
        server-ed25519 ed25519 ca
        ec-server ec ec-ca
        chained ec intermediate
        other-server ec other-ca
        revoked ec ca
    } {
        Key $name $algorithm
        Issue $name -by $by -extensions [Server $loopback]
    }
    Write chained-leaf.pem [Read chained.pem]
    Write chained.pem [Read chained-leaf.pem][Read intermediate.pem]

    foreach {name names} {
        wrong-host DNS:wrong.example
        wildcard DNS:*.wild.example
        manual DNS:www.tcl.tk
        no-san {}
    } {
        Key $name ec
        Issue $name -subject "/O=tls tests/CN=localhost" -extensions [Server $names]
    }
    foreach {name from to} {
        expired 20200101000000Z 20200201000000Z
        future 20480101000000Z 20490101000000Z
    } {
        Key $name ec
        Issue $name -from $from -to $to -extensions [Server $loopback]
    }
}

# Clients: one that the server's CA has certified, one that it hasn't.
proc certs::Clients {} {
    foreach {name by} {
        client ca
        other-client other-ca
    } {
        Key $name ec
        Issue $name -by $by -subject "/O=tls tests/CN=$name" -extensions {
            basicConstraints critical,CA:false
            keyUsage critical,digitalSignature
            extendedKeyUsage clientAuth
            subjectAltName email:client@example.org
        }
    }
}

# People who sign and read mail: one for every kind of key, one for each way not to be trusted.
proc certs::Mail {} {
    foreach {name algorithm by} {
        mail-rsa rsa ca
        mail-rsa2 rsa ca
        mail-ec ec ca
        mail-other ec other-ca
        mail-revoked rsa ca
        mail-ed25519 ed25519 ca
        mail-ed448 ed448 ca
    } {
        Key $name $algorithm
        Issue $name -by $by -subject "/O=tls tests/CN=$name" -extensions [Mailer $name]
    }
    foreach {name from to} {
        mail-expired 20200101000000Z 20200201000000Z
        mail-future 20480101000000Z 20490101000000Z
    } {
        Key $name ec
        Issue $name -from $from -to $to -extensions [Mailer $name]
    }
    # Somebody with one key to sign and another to decrypt with.
    foreach {name use} {
        mail-signing digitalSignature
        mail-sealing keyEncipherment
    } {
        Key $name rsa
        Issue $name -subject "/O=tls tests/CN=$name" \
            -extensions [dict replace [Mailer mail-pair] keyUsage critical,$use]
    }
    # These keys can't sign, so their owner can't ask for a certificate in the usual way.
    Write work/mail.ext "subjectKeyIdentifier = hash\nbasicConstraints = CA:false\n"
    Key mail-dh dh
    Key mail-x25519 x25519
    Key mail-x448 x448
    foreach name {mail-dh mail-x25519 mail-x448} {
        Openssl pkey -in $name.key -pubout -out work/$name.pub
        Openssl x509 -req -in work/mail-rsa.csr -force_pubkey work/$name.pub -CA ca.pem \
            -CAkey ca.key -days 30 -extfile work/mail.ext -out $name.pem
    }
    foreach name {
        mail-rsa mail-rsa2 mail-ec mail-other mail-dh mail-x25519 mail-x448 mail-ed25519 mail-ed448
        mail-signing mail-sealing
    } {
        Write $name-both.pem [Read $name.pem][Read $name.key]
    }
}

# The extensions of a certificate for mail.
proc certs::Mailer {name} {
    return [list basicConstraints critical,CA:false subjectKeyIdentifier hash \
        keyUsage critical,digitalSignature,keyEncipherment,keyAgreement \
        extendedKeyUsage emailProtection subjectAltName email:$name@example.org]
}

# The same key and certificate in the other forms in which they come.
proc certs::Forms {} {
    variable folder
    variable password
    Openssl pkcs8 -topk8 -in server.key -v2 aes-256-cbc -passout pass:$password -out encrypted.key
    Openssl rsa -in server.key -traditional -aes128 -passout pass:$password -out traditional.key
    Openssl x509 -in server.pem -outform DER -out server.der
    Openssl pkey -in server.key -outform DER -out server-key.der
    Openssl pkcs12 -export -in chained.pem -inkey chained.key -passout pass:$password \
        -out chained.p12
    Write server-both.pem [Read server.pem][Read server.key]

    file mkdir [file join $folder cadir]
    file copy [file join $folder ca.pem] [file join $folder cadir]
    Openssl rehash cadir
}

# Files that can't be used, each for another reason.
proc certs::Broken {} {
    Write empty.pem ""
    Write garbage.pem "This is no certificate.\n"
    Write truncated.pem [string range [Read server.pem] 0 600]
    Openssl pkey -in server.key -pubout -out wrong-type.pem
    Openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out dhparams.pem
}

# The list of what the root has revoked.
proc certs::Revocation {} {
    variable days
    Openssl ca -config openssl.cnf -name ca -revoke revoked.pem
    Openssl ca -config openssl.cnf -name ca -revoke mail-revoked.pem
    Openssl ca -config openssl.cnf -name ca -gencrl -crldays $days -out crl.pem
}

# certs::Key --
#       Makes a private key, NAME.key.
#
# Arguments:
#       name        the name
#       algorithm   rsa, ec, ed25519, dh or x25519
#
# Results:
#       None.
proc certs::Key {name algorithm} {
    set parameters [dict get {
        rsa {RSA -pkeyopt rsa_keygen_bits:2048}
        ec {EC -pkeyopt ec_paramgen_curve:P-256}
        ed25519 {ED25519}
        ed448 {ED448}
        dh {DHX -pkeyopt dh_rfc5114:2}
        x25519 {X25519}
        x448 {X448}
    } $algorithm]
    Openssl genpkey -algorithm {*}$parameters -out $name.key
}

# certs::Register --
#       Makes the records that the openssl program keeps for an authority.
#
# Arguments:
#       name    its name
#
# Results:
#       None.
proc certs::Register {name} {
    variable folder
    variable settings
    Write work/$name.index ""
    append settings [string map [list NAME $name FOLDER $folder] {
        [NAME]
        database = FOLDER/work/NAME.index
        new_certs_dir = FOLDER/work
        certificate = FOLDER/NAME.pem
        private_key = FOLDER/NAME.key
        default_md = sha256
        policy = anything
        unique_subject = no
        rand_serial = yes
    }]
    Write openssl.cnf $settings
}

# certs::Issue --
#       Makes the certificate NAME.pem for NAME.key.
#
# Arguments:
#       name    the name
#       args    -subject NAME, -by AUTHORITY, -selfsigned BOOLEAN, -from TIME, -to TIME,
#               -extensions PAIRS
#
# Results:
#       None.
proc certs::Issue {name args} {
    variable days
    set now [clock seconds]
    set format {-format %Y%m%d%H%M%SZ -gmt 1}
    set defaults [dict create -subject "/O=tls tests/CN=$name" -by ca -selfsigned 0 -extensions {} \
        -from [clock format [expr {$now - 86400}] {*}$format] \
        -to [clock format [expr {$now + $days * 86400}] {*}$format]]
    set given [dict merge $defaults $args]
    set signer [list -name [dict get $given -by]]
    if {[dict get $given -selfsigned]} {
        set signer [list -name $name -selfsign]
    }
    set extensions {}
    foreach {key value} [dict get $given -extensions] {
        append extensions "$key = $value\n"
    }
    Write work/$name.ext $extensions
    Openssl req -new -config openssl.cnf -key $name.key -subj [dict get $given -subject] \
        -out work/$name.csr
    Openssl ca -batch -notext -config openssl.cnf {*}$signer -extfile work/$name.ext \
        -startdate [dict get $given -from] -enddate [dict get $given -to] \
        -in work/$name.csr -out $name.pem
}

# The extensions of an authority's certificate.
proc certs::Authority {} {
    return {
        basicConstraints critical,CA:true
        keyUsage critical,keyCertSign,cRLSign
        subjectKeyIdentifier hash
    }
}

# The extensions of a server's certificate with the names given, which may be none.
proc certs::Server {names} {
    set extensions {
        basicConstraints critical,CA:false
        keyUsage critical,digitalSignature
        extendedKeyUsage serverAuth
    }
    if {$names ne {}} {
        lappend extensions subjectAltName $names
    }
    return $extensions
}

# certs::Fresh --
#       Tells whether the files that belong to a stamp can be used as they are.
#
# Arguments:
#       stamp   the file that was written last
#       recipe  the text of this script, which must have made them
#
# Results:
#       A boolean.
proc certs::Fresh {stamp recipe} {
    variable age
    return [expr {
        [file exists $stamp] && [clock seconds] - [file mtime $stamp] < $age
        && [Read $stamp] eq $recipe
    }]
}

# Runs the openssl program in the folder; what it says is only shown when it fails.
proc certs::Openssl {args} {
    variable folder
    set before [pwd]
    cd $folder
    try {
        exec -ignorestderr openssl {*}$args 2>@1
    } finally {
        cd $before
    }
}

# The text of a file in the folder.
proc certs::Read {name} {
    variable folder
    set file [open [file join $folder $name]]
    try {
        return [read $file]
    } finally {
        close $file
    }
}

# Writes a text to a file in the folder.
proc certs::Write {name text} {
    variable folder
    set file [open [file join $folder $name] w]
    try {
        puts -nonewline $file $text
    } finally {
        close $file
    }
}

certs::make [expr {[llength $argv] ? [lindex $argv 0] : $certs::folder}]
