# https_get.tcl -- fetches a page over verified TLS with Tcl's own http package.
#
# Usage: tclsh https_get.tcl ?URL?
#
# With a URL it fetches that page, trusting the authorities that the system trusts. Without one it
# makes an authority of its own, has https_server.tcl serve a page in a second process, fetches it,
# and then shows that a wrong host name and an unknown authority are refused.

package require http
package require tls 3

# Fetch --
#       Fetches a page and prints it, together with what is known about the connection.
#
# Arguments:
#       url     the address
#       args    options for tls::socket; by default the system's authorities are trusted
#
# Results:
#       None.
#
# Errors:
#       When the server can't be reached or isn't the one that the address names.
proc Fetch {url args} {
    set ::page {}
    http::register https 443 [list tls::socket {*}$args]
    set token [http::geturl $url -timeout 30000 -handler Receive]
    try {
        if {[http::status $token] ne "ok"} {
            error "[http::status $token] [http::error $token]"
        }
        puts [http::code $token]
    } finally {
        http::cleanup $token
    }
    puts [string trim [encoding convertfrom utf-8 $::page]]
    puts ""
    foreach {title key} {
        Protocol protocol
        Cipher cipher
        Subject subject
        Issuer issuer
        Verified verifyResult
    } {
        puts [format "%-10s%s" $title [dict get $::status $key]]
    }
}

# Receive --
#       Takes a part of a page. The http package calls it while the connection is open, which is
#       when tls::status can tell about it.
#
# Arguments:
#       chan    the connection
#       token   the http package's name for the request
#
# Results:
#       The number of bytes taken.
proc Receive {chan token} {
    set ::status [tls::status $chan]
    set data [read $chan]
    append ::page $data
    return [string length $data]
}

# Refused --
#       Shows that a page can't be fetched.
#
# Arguments:
#       url     the address
#       args    options for tls::socket
#
# Results:
#       None.
#
# Errors:
#       When the page can be fetched.
proc Refused {url args} {
    try {
        Fetch $url {*}$args
    } on error {message} {
        puts "refused: $message"
        return
    }
    error "$url should have been refused"
}

# MakeCertificates --
#       Makes an authority, a certificate that it gives to a server named localhost, and an
#       authority that nobody has heard of.
#
# Arguments:
#       folder      where they go
#
# Results:
#       None.
proc MakeCertificates {folder} {
    set common {-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1}
    foreach {name subject} {ca "/CN=Authority of this demo" stranger "/CN=Somebody else"} {
        exec -ignorestderr openssl req {*}$common -subj $subject \
            -keyout $folder/$name.key -out $folder/$name.pem 2>@1
    }
    exec -ignorestderr openssl req {*}$common -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:false \
        -CA $folder/ca.pem -CAkey $folder/ca.key \
        -keyout $folder/server.key -out $folder/server.pem 2>@1
}

# Demonstrate --
#       Shows what is accepted and what is refused, with a server in a second process.
#
# Arguments:
#       folder      a folder for its files
#
# Results:
#       None.
proc Demonstrate {folder} {
    MakeCertificates $folder
    set program [file join [file dirname [info script]] https_server.tcl]
    set command [list [info nameofexecutable] $program $folder/server.pem $folder/server.key]
    set server [open |[list {*}$command 2>@1] r+]
    try {
        set port [gets $server]
        if {![string is integer -strict $port]} {
            error "the server can't be started: $port[read $server]"
        }
        puts "---- https://localhost:$port/, trusting the authority of the demo"
        Fetch https://localhost:$port/ -cafile $folder/ca.pem
        puts "\n---- https://127.0.0.1:$port/, a name that the certificate doesn't have"
        Refused https://127.0.0.1:$port/ -cafile $folder/ca.pem
        puts "\n---- https://localhost:$port/, trusting only an authority that has nothing to do with it"
        Refused https://localhost:$port/ -cafile $folder/stranger.pem
        puts "\n---- https://localhost:$port/, trusting the authorities that the system trusts"
        Refused https://localhost:$port/
    } finally {
        # The server ends with its standard input. Its exit status must not hide a better error.
        catch {close $server}
    }
}

if {[llength $argv]} {
    Fetch [lindex $argv 0]
} else {
    set folder [exec mktemp -d]
    try {
        Demonstrate $folder
    } finally {
        file delete -force $folder
    }
}
