# cmp-serving.tcl -- what the tests of the real server of tls::cmp share: an authority in a folder of its own,
# keys, servers, clients, and messages that no client makes.
#
# A test file sources it after helpers.tcl, and ends with {EndServing}.

tcltest::testConstraint openssl [expr {[program openssl] ne {}}]

# ---- An authority, keys, servers ----------------------------------------------------------------

set folder [file join $helpers::root build cmpserving-[pid]]
file mkdir $folder
set here [pwd]
cd $folder
tls::ca -newca authority -subj "/O=Test/CN=Authority"
tls::ca -newca stranger -subj "/O=Test/CN=Stranger"

# A certificate by an authority, and its key, as files; more options go to tls::ca.
proc Certify {authority name subject args} {
    exec [program openssl] req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout $name.key -subj $subject -out $name.csr 2>@1
    tls::ca -config $authority/openssl.cnf -in $name.csr -notext -out $name.pem {*}$args
}

proc Key {name} {
    exec [program openssl] ecparam -name prime256v1 -genkey -noout -out $name
}

if {[tcltest::testConstraint openssl]} {
    Certify authority server /CN=cmp.example
    Certify authority other /CN=other
    Certify stranger foreign /CN=foreign
    Certify stranger officer /CN=officer
    foreach name {one.key two.key three.key} {
        Key $name
    }
}

# A root's next certificate, and what binds the two: files newroot.pem, newbyold.pem, oldbynew.pem.
proc NextRoot {} {
    Key newroot.key
    exec [program openssl] req -x509 -new -key newroot.key -subj /O=Test/CN=Authority -days 9 \
        -out newroot.pem
    foreach {name key cert signer} {
        newbyold newroot.key authority/cacert.pem authority/private/cakey.pem
        oldbynew authority/private/cakey.pem newroot.pem newroot.key
    } {
        exec [program openssl] req -new -key $key -subj /O=Test/CN=Authority -out $name.csr
        exec [program openssl] x509 -req -in $name.csr -CA $cert -CAkey $signer -days 9 \
            -set_serial 77 -out $name.pem 2>@1
    }
}

# An authority between the stranger's and a certificate: files middle.pem, deep.pem, deep.key.
proc Between {} {
    tls::ca -newca middle -subj "/O=Test/CN=Middle"
    exec [program openssl] req -new -key middle/private/cakey.pem -subj "/O=Test/CN=Middle" -out middle.csr
    tls::ca -config stranger/openssl.cnf -in middle.csr -extensions intermediate -notext -out middle.pem
    Certify middle deep /CN=deep
}

# What servers report: events, and their facts.
set events {}
proc Report {event facts} {
    lappend ::events $event
    set ::facts($event) $facts
}
proc Secret {reference} {
    return [expr {$reference eq "joe" ? "joe's secret" : ""}]
}

# A server; gives token and port.
proc Serve {args} {
    set ::events {}
    return [tls::cmp serve -config {} -port 0 -ca authority/openssl.cnf -srv_cert server.pem \
        -srv_key server.key -secrets Secret -report Report {*}$args]
}

# Runs code while a server has a port.
proc Serving {options portVar code} {
    upvar 1 $portVar port
    lassign [Serve {*}$options] token port
    try {
        uplevel 1 $code
    } finally {
        tls::cmp cancel $token
    }
}

# A client of ours: the outcome in a word.
proc Kind {args} {
    set ::result {failInfo {}}
    if {[catch {tls::cmp {*}$args -config {} -info ::result} result options]} {
        return [concat [lindex [dict get $options -errorcode] 2] [dict get $::result failInfo]]
    }
    return [dict get $result status]
}

# Has a client begin, ours or the program; its exit status will be in ::ended.
proc Ours {args} {
    tls::cmp {*}$args -config {} -command {apply {{token result options} {
        set ::ended [expr {[dict get $options -code] ? $result : 0}]
    }}}
}

proc Program {args} {
    set pipe [open |[list [program openssl] cmp -config {} {*}$args 2>@ $::sink] r]
    fconfigure $pipe -blocking 0
    fileevent $pipe readable [list apply {{pipe} {
        read $pipe
        if {[eof $pipe]} {
            fconfigure $pipe -blocking 1
            set ::ended [catch {close $pipe}]
        }
    }} $pipe]
}

# What becomes of a client, while the event loop runs.
proc Run {args} {
    {*}$args
    return [wait ::ended]
}
set sink [open [file join $folder said] w]

# Where the authority's records are: options of tls::ca.
set where {}

# The serial number of a certificate.
proc Number {name} {
    return [lindex [split [exec [program openssl] x509 -in $name -noout -serial] =] 1]
}

proc Status {name} {
    return [tls::ca -config authority/openssl.cnf {*}$::where -status [Number $name]]
}

proc Subject {name} {
    return [exec [program openssl] x509 -in $name -noout -subject -nameopt RFC2253]
}

# Whether a certificate is for a key.
proc Fits {name key} {
    return [expr {
        [exec [program openssl] x509 -in $name -noout -pubkey]
        eq [exec [program openssl] pkey -in $key -pubout]
    }]
}

# A DER element.
proc Der {tag content} {
    set length [string length $content]
    if {$length < 128} {
        return [binary format H2ca* $tag $length $content]
    }
    return [binary format H2cSa* $tag 0x82 $length $content]
}

# The answer to a message.
proc Post {port bytes} {
    set chan [socket localhost $port]
    fconfigure $chan -translation binary -blocking 0
    puts -nonewline $chan "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkixcmp\r\nConnection:\
        close\r\nContent-Length: [string length $bytes]\r\n\r\n$bytes"
    flush $chan
    set answer [collect $chan]
    close $chan
    return [string range $answer [string first \r\n\r\n $answer]+4 end]
}

set joe {-ref joe -secret "pass:joe's secret"}
set trust {-trusted authority/cacert.pem}

# ---- Messages that no client makes --------------------------------------------------------------

# The elements of DER: pairs of tag and content, in a list.
proc Elements {der} {
    set elements {}
    set at 0
    while {$at < [string length $der]} {
        binary scan $der @${at}cucu tag length
        incr at 2
        if {$length > 128} {
            set count [expr {$length & 127}]
            binary scan [string range $der $at [expr {$at + $count - 1}]] H* digits
            scan $digits %x length
            incr at $count
        }
        lappend elements [list $tag [string range $der $at [expr {$at + $length - 1}]]]
        incr at $length
    }
    return $elements
}

# What an encoded answer is: the name of its body, and the reasons of a refusal; what isn't one stays as it is.
proc Told {der} {
    set names {1 ip 3 cp 8 kup 12 rp 19 pkiConf 22 genp 23 error 26 pollRep}
    set reasons {badAlg badMessageCheck badRequest badTime badCertId badDataFormat wrongAuthority
        incorrectData missingTimeStamp badPOP certRevoked certConfirmed wrongIntegrity
        badRecipientNonce timeNotAvailable unacceptedPolicy unacceptedExtension addInfoNotAvailable
        badSenderNonce badCertTemplate signerNotTrusted transactionIdInUse unsupportedVersion
        notAuthorized systemUnavail systemFailure duplicateCertReq}
    if {
        [catch {
            lassign [lindex [Elements [lindex [Elements $der] 0 1]] 1] tag body
            set name [dict get $names [expr {$tag & 31}]]
        }]
    } {
        return [string trim $der]
    }
    set content [Elements [lindex [Elements $body] 0 1]]
    switch $name {
        error {set status [Elements [lindex $content 0 1]]}
        ip - cp - kup {
            # The first response: number, status.
            set response [lindex [Elements [lindex $content end 1]] 0 1]
            set status [Elements [lindex [Elements $response] 1 1]]
        }
        default {return $name}
    }
    set bits {}
    foreach element $status {
        if {[lindex $element 0] == 3} {
            binary scan [string range [lindex $element 1] 1 end] B* bits
        }
    }
    set told {}
    foreach bit [split $bits {}] reason $reasons {
        if {$bit eq "1"} {
            lappend told $reason
        }
    }
    return [concat $name $told]
}

# A message without protection of a version, with a body; id is in hexadecimal digits, and empty for none. The
# nonce is that of the message that it answers to.
proc Message {version id kind body {nonce {}}} {
    set name [binary format H* a4023000]
    set fields [Der 02 [binary format c $version]]$name$name
    if {$id ne {}} {
        append fields [Der a4 [Der 04 [binary format H* $id]]]
    }
    append fields [Der a5 [Der 04 [binary format H* 000102030405060708090a0b0c0d0e0f]]]
    if {$nonce ne {}} {
        append fields [Der a6 [Der 04 $nonce]]
    }
    return [Der 30 [Der 30 $fields][Der [format %x [expr {0xa0 + $kind}]] $body]]
}

# The head of a request to an HTTP server, with more fields, and its body.
proc Request {body args} {
    set lines [list "POST / HTTP/1.1" "Host: x" "Content-Type: application/pkixcmp" {*}$args \
        "Content-Length: [string length $body]"]
    return [join $lines \r\n]\r\n\r\n$body
}

# Sends bytes; gives what comes until the server closes the connection.
proc Talk {port bytes} {
    set chan [socket localhost $port]
    fconfigure $chan -translation binary -blocking 0
    # The server may close before it has everything.
    catch {
        puts -nonewline $chan $bytes
        flush $chan
    }
    try {
        return [collect $chan]
    } finally {
        catch {close $chan}
    }
}

# What an answer of -rspout says about itself, and the certificates or lists in a file.
proc Heard {name key} {
    return [dict get [tls::CmpHear [bytes $name]] $key]
}
proc Same {one other} {
    return [expr {[file exists $one] && [string equal [bytes $one] [bytes $other]]}]
}

# The last number in an answer that has the client wait: after how many seconds it shall ask again.
proc After {name} {
    set body [lindex [Elements [lindex [Elements [bytes $name]] 0 1]] 1 1]
    set reply [lindex [Elements [lindex [Elements [lindex [Elements $body] 0 1]] 0 1]] 1 1]
    binary scan $reply c seconds
    return $seconds
}

# Tidies up.
proc EndServing {} {
    cd $::here
    close $::sink
    file delete -force $::folder
}
