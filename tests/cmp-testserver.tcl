# cmp-testserver.tcl -- what the tests of tls::cmp's client share: a test server of ours, and TLS in front of one.
#
# A test file sources it after helpers.tcl.

# Runs code while a test server of ours has a port.
proc Serving {words portVar code} {
    upvar 1 $portVar port
    lassign [tls::cmp -config {} -port 0 {*}$words] token port
    try {
        uplevel 1 $code
    } finally {
        tls::cmp cancel $token
    }
}

# Passes on what there is to read, and ends both connections when one ends.
proc Pipe {from to} {
    if {[catch {puts -nonewline $to [read $from]; eof $from} ended] || $ended} {
        catch {close $from}
        catch {close $to}
    }
}

# Runs code while a TLS server in front of a test server that knows the client's secret has a port. It asks for
# certificates where its options, which are those of tls::socket, have it do so.
proc Securely {options portVar code} {
    upvar 1 $portVar port
    lassign [tls::cmp -config {} -port 0 {*}$::secret] token behind
    set listener [tls::socket -server [list apply {{behind chan args} {
        set plain [socket localhost $behind]
        foreach {from to} [list $chan $plain $plain $chan] {
            fconfigure $from -blocking 0 -translation binary -buffering none
            fileevent $from readable [list Pipe $from $to]
        }
    }} $behind] -certfile [fixture server.pem] -keyfile [fixture server.key] {*}$options 0]
    set port [lindex [fconfigure $listener -sockname] 2]
    try {
        uplevel 1 $code
    } finally {
        close $listener
        tls::cmp cancel $token
    }
}
