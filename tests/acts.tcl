# acts.tcl -- what scripts do in the middle of an operation, for the tests of callbacks; sourced after
# helpers.tcl.
#
# A worker is an interpreter that has one end of a connection, in a variable channel, and its scripts.
# It evaluates prelude first. It needs the procedures Done, Hear, DeleteMe, Other, ClosePeer and Note,
# by which it tells the test what happens to it.

# What a worker evaluates first.
set prelude {
    set log {}
    set seen 0

    # The script under test: notes the words, acts when its event has come often enough, and answers.
    proc Script {event nth action answers args} {
        if {[lindex $args 0] ne $event} {
            return [Usual {*}$args]
        }
        Note $args
        if {[incr ::seen] == $nth} {
            return [Act_$action [lindex $args 1]]
        }
        if {[dict exists $answers $event]} {
            return [dict get $answers $event]
        }
        return [Usual {*}$args]
    }

    # The password script, whose event has no name.
    proc Password {action args} {
        if {[incr ::seen] == 1} {
            Act_$action $::channel
        }
        return sesame
    }

    # What a script answers that has no wish of its own.
    proc Usual {args} {
        if {[lindex $args 0] eq "verify"} {
            return [lindex $args 4]
        }
        return 1
    }

    proc Act_none {channel} {
        return 1
    }
    proc Act_close {channel} {
        close $channel
        after idle {after 0 {Done closed}}
        return 1
    }
    proc Act_unimport {channel} {
        catch {tls::unimport $channel} message
        Hear $message
        return 1
    }
    proc Act_update {channel} {
        update
        return 1
    }
    proc Act_vwait {channel} {
        after 5 {set ::woken 1}
        vwait ::woken
        return 1
    }
    proc Act_handshake {channel} {
        catch {tls::handshake $channel} message
        Hear $message
        return 1
    }
    proc Act_read {channel} {
        catch {read $channel} message
        Hear $message
        return 1
    }
    proc Act_write {channel} {
        catch {puts $channel text; flush $channel} message
        Hear $message
        return 1
    }
    proc Act_import {channel} {
        Other
        return 1
    }
    proc Act_reimport {channel} {
        catch {tls::import $channel} message
        Hear $message
        return 1
    }
    proc Act_status {channel} {
        tls::status $channel
        tls::connection $channel
        fconfigure $channel
        return 1
    }
    proc Act_rebind {channel} {
        fconfigure $channel -command {} -validatecommand {}
        return 1
    }
    proc Act_peer {channel} {
        ClosePeer
        return 1
    }
    proc Act_interp {channel} {
        DeleteMe
        return 1
    }
    proc Act_error {channel} {
        error oops {} {MY CODE}
    }
    proc Act_big {channel} {
        return [string repeat "no answer at all " 600000]
    }
    proc Act_break {channel} {
        return -code break
    }
}

# How each event is brought about: the worker's end, its options and those of the other end, the
# option that takes the script, the event's word, and the how manieth time it acts. session12 and the like
# are further ways to the same event.
set events [string map [list OTHER [fixture other-ca.pem] CA [fixture ca.pem] \
    CLIENTKEY [fixture client.key] CLIENT [fixture client.pem] ENC [fixture encrypted.key]] {
    error {client {-cafile OTHER} {} -command error 1}
    info {client {} {} -command info 3}
    infosrv {server {} {} -command info 3}
    message {client {} {} -command message 2}
    session {client {} {} -command session 1}
    session12 {client {-tls1.3 0} {} -command session 1}
    verifycmd {client {} {} -command verify 1}
    verify {client {} {} -validatecommand verify 1}
    verifysrv {server {-request 1 -require 1 -cafile CA} {-certfile CLIENT -keyfile CLIENTKEY}
        -validatecommand verify 1}
    hello {server {} {} -validatecommand hello 1}
    sni {server {} {} -validatecommand sni 1}
    alpn {server {-alpn {b a}} {-alpn {a b}} -validatecommand alpn 1}
    password {server {-keyfile ENC} {} -password password 1}
}]

# The options that both ends have in common, by side.
set defaults(client) [list -cafile [fixture ca.pem] -servername localhost]
set defaults(server) [list -server 1 -certfile [fixture server.pem] -keyfile [fixture server.key]]

# Makes a connection beside the one that is in the middle of something.
proc OtherPair {} {
    # Other than a pair of the helpers, this one doesn't need the event loop.
    lassign [connected] one two
    fconfigure $one -blocking 0
    fconfigure $two -blocking 0
    tls::import $one -cafile [fixture ca.pem] -servername localhost
    tls::import $two -server 1 -certfile [fixture server.pem] -keyfile [fixture server.key]
    set deadline [expr {[clock milliseconds] + 5000}]
    while {!([tls::handshake $one] & [tls::handshake $two])} {
        if {[clock milliseconds] > $deadline} {
            error "no handshake beside the other"
        }
    }
    close $one
    close $two
}
