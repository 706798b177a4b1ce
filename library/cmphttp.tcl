# cmphttp.tcl --
#       HTTP for the servers of tls::cmp: connections in the event loop, and how long they last. Requests
#       are taken apart in cmprequest.tcl; what a message is answered is not decided here.

# tls::CmpListen --
#       Begins to serve.
#
# Arguments:
#       plan        What tls::CmpStart says about the server.
#       answer      The words that give the answer to a message, which is appended: a list of an HTTP
#                   status and a body. An error is the server's own.
#
# Results:
#       The token and the port.
#
# Errors:
#       The port can't be listened at.
proc ::tls::CmpListen {plan answer} {
    variable cmpJobs
    set token [dict get $plan token]
    try {
        set listener [::socket -server [list ::tls::CmpAccept $token] [dict get $plan port]]
    } on error {message} {
        CmpDrop $token
        return -code error -errorcode {TLS CMP TRANSFER listen} \
            "can't listen at port [dict get $plan port]: $message"
    }
    lassign [fconfigure $listener -sockname] address host port
    set cmpJobs($token) [dict merge {secure 0 tls {}} $plan \
        [dict create listener $listener answer $answer answered 0 closing 0 clients {}]]
    if {[dict get $plan announce]} {
        puts stdout "ACCEPT $address:$port PID=[pid]"
        flush stdout
    }
    return [list $token $port]
}

# tls::CmpEnd --
#       Ends a server: no new connections, and those that there are get closed.
#
# Arguments:
#       token       The server.
#
# Results:
#       None.
proc ::tls::CmpEnd {token} {
    variable cmpJobs
    catch {close [dict get $cmpJobs($token) listener]}
    dict for {client state} [dict get $cmpJobs($token) clients] {
        after cancel [dict get $state timer]
        CmpLetGo $client [dict get $state channel]
    }
    unset cmpJobs($token)
    CmpForget $token
    return
}

# tls::CmpAccept --
#       Takes a connection. It gets a number: the name of a channel may be that of another one later.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#       args        The client's address and port.
#
# Results:
#       None.
proc ::tls::CmpAccept {token channel args} {
    variable cmpJobs
    variable cmpInputs
    variable cmpMost
    variable cmpLastClient
    if {[dict size [dict get $cmpJobs($token) clients]] >= $cmpMost} {
        close $channel
        return
    }
    fconfigure $channel -blocking 0 -translation binary -buffersize 131072
    if {[dict get $cmpJobs($token) secure]} {
        # The handshake comes with the first reading.
        if {
            [catch {
                import $channel {*}[dict get $cmpJobs($token) tls]
                fconfigure $channel -blocking 0 -translation binary -buffersize 131072
            } message]
        } {
            close $channel
            return -code error $message
        }
    }
    set client [incr cmpLastClient]
    dict set cmpJobs($token) clients $client \
        [dict create channel $channel timer {} head {} ended 0]
    set cmpInputs($client) {}
    CmpPatience $token $client
    CmpListenOn $token $client
    return
}

# tls::CmpPatience --
#       Gives a client some time for a complete request.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpPatience {token client} {
    variable cmpJobs
    variable cmpSilence
    after cancel [dict get $cmpJobs($token) clients $client timer]
    set left [chan pending output [dict get $cmpJobs($token) clients $client channel]]
    set timer [after $cmpSilence [list ::tls::CmpExpire $token $client $left]]
    dict set cmpJobs($token) clients $client timer $timer
    return
}

# tls::CmpExpire --
#       Closes the connection of a client whose time is over. Only who is reading a long answer, if not
#       too slowly, gets some more.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#       left        How much of the answer he had to read before.
#
# Results:
#       None.
proc ::tls::CmpExpire {token client left} {
    variable cmpJobs
    variable cmpSlowest
    set now [chan pending output [dict get $cmpJobs($token) clients $client channel]]
    if {$now > 0 && $now + $cmpSlowest <= $left} {
        CmpPatience $token $client
    } else {
        CmpPart $token $client
    }
    return
}

# tls::CmpPart --
#       Closes a connection of a server.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpPart {token client} {
    variable cmpJobs
    set state [dict get $cmpJobs($token) clients $client]
    after cancel [dict get $state timer]
    dict unset cmpJobs($token) clients $client
    CmpLetGo $client [dict get $state channel]
    if {[dict get $cmpJobs($token) closing] && [dict size [dict get $cmpJobs($token) clients]] == 0} {
        CmpDrop $token
        CmpEnd $token
    }
    return
}

# tls::CmpLetGo --
#       Closes a connection for good, also one whose client doesn't read what is on its way to him: Tcl
#       would keep that one open in the background.
#
# Arguments:
#       client      The number of the connection.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpLetGo {client channel} {
    variable cmpInputs
    variable cmpBodies
    unset -nocomplain cmpInputs($client) cmpBodies($client)
    catch {
        if {[chan pending output $channel] > 0} {
            CmpSever $channel
        }
    }
    catch {close $channel}
    return
}

# tls::CmpServe --
#       Reads what there is of requests, and answers those that are complete.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpServe {token client} {
    variable cmpJobs
    variable cmpInputs
    set channel [dict get $cmpJobs($token) clients $client channel]
    if {[catch {read $channel 65536} piece]} {
        CmpPart $token $client
        return
    }
    append cmpInputs($client) $piece
    if {[eof $channel]} {
        # He may have closed his side only, and still wait for answers.
        fileevent $channel readable {}
        dict set cmpJobs($token) clients $client ended 1
    }
    CmpTakeUp $token $client
    return
}

# tls::CmpTakeUp --
#       Answers the requests that are complete. A client that doesn't read his answers gets no others.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpTakeUp {token client} {
    variable cmpJobs
    set channel [dict get $cmpJobs($token) clients $client channel]
    while {1} {
        lassign [CmpTake $token $client] what keep body
        switch -- $what {
            more {
                if {[dict get $cmpJobs($token) clients $client ended]} {
                    CmpPart $token $client
                }
                return
            }
            answer {
                # The answer may run scripts, and so anything; meanwhile nothing more is read here.
                fileevent $channel readable {}
                try {
                    lassign [{*}[dict get $cmpJobs($token) answer] $body] status body
                } on error {message options} {
                    after 0 [list return -options $options $message]
                    set body "the server fails\n"
                    set status "500 Internal Server Error"
                }
                if {
                    ![info exists cmpJobs($token)]
                    || ![dict exists $cmpJobs($token) clients $client]
                } {
                    return
                }
            }
            default {
                set status $what
            }
        }
        set keep [CmpRespond $token $client $status $keep $body]
        if {$keep eq {}} {
            return
        }
        if {[chan pending output $channel] > 0} {
            fileevent $channel readable {}
            fileevent $channel writable [list ::tls::CmpDrained $token $client $keep]
            return
        }
        if {!$keep} {
            CmpSeeOff $token $client
            return
        }
        CmpListenOn $token $client
    }
}

# tls::CmpDrained --
#       Goes on with a client that has read his answer at last.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#       keep        Whether the connection is kept.
#
# Results:
#       None.
proc ::tls::CmpDrained {token client keep} {
    variable cmpJobs
    fileevent [dict get $cmpJobs($token) clients $client channel] writable {}
    if {!$keep || [dict get $cmpJobs($token) closing]} {
        CmpSeeOff $token $client
        return
    }
    CmpPatience $token $client
    CmpListenOn $token $client
    CmpTakeUp $token $client
    return
}

# tls::CmpListenOn --
#       Has further requests read, unless no more come.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpListenOn {token client} {
    variable cmpJobs
    if {![dict get $cmpJobs($token) clients $client ended]} {
        # A client that writes head and body one after the other waits in between for the head to be
        # acknowledged, which takes 40 ms where it isn't done at once.
        set channel [dict get $cmpJobs($token) clients $client channel]
        CmpHasten $channel
        fileevent $channel readable [list ::tls::CmpServe $token $client]
    }
    return
}

# tls::CmpRespond --
#       Writes an answer, head and body at once. Only after a good one is the connection kept.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#       status      The HTTP status.
#       keep        Whether the connection is kept.
#       body        The body.
#
# Results:
#       Whether the connection is kept; empty if it isn't there any more.
proc ::tls::CmpRespond {token client status keep body} {
    variable cmpJobs
    set answered [string match 2* $status]
    set type [expr {$answered ? "application/pkixcmp" : "text/plain"}]
    set head "HTTP/1.1 $status\r\nContent-Type: $type\r\nContent-Length: [string length $body]\r\n"
    if {[string match 405* $status]} {
        append head "Allow: POST\r\n"
    }
    if {$answered} {
        dict incr cmpJobs($token) answered
    }
    set most [dict get $cmpJobs($token) most]
    set last [expr {$most > 0 && [dict get $cmpJobs($token) answered] >= $most}]
    set keep [expr {$keep && $answered && !$last}]
    append head "Connection: [expr {$keep ? "keep-alive" : "close"}]\r\n\r\n"
    set channel [dict get $cmpJobs($token) clients $client channel]
    set failed [catch {puts -nonewline $channel $head$body; flush $channel}]
    if {$last} {
        CmpWindUp $token
        if {![info exists cmpJobs($token)] || ![dict exists $cmpJobs($token) clients $client]} {
            return {}
        }
    }
    if {$failed} {
        CmpPart $token $client
        return {}
    }
    CmpPatience $token $client
    return $keep
}

# tls::CmpWindUp --
#       Ends a server that has answered as much as it shall: at once, or when the answers that are still on
#       their way have left.
#
# Arguments:
#       token       The server.
#
# Results:
#       None.
proc ::tls::CmpWindUp {token} {
    variable cmpJobs
    close [dict get $cmpJobs($token) listener]
    dict set cmpJobs($token) closing 1
    dict for {client state} [dict get $cmpJobs($token) clients] {
        if {[chan pending output [dict get $state channel]] == 0} {
            CmpPart $token $client
        }
    }
    return
}

# tls::CmpSeeOff --
#       Ends a connection after its last answer. What the client still sends is read away for a
#       moment: closed over it, the connection would be reset, and the answer perhaps lost.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpSeeOff {token client} {
    variable cmpJobs
    variable cmpFarewell
    set channel [dict get $cmpJobs($token) clients $client channel]
    set secure [dict get $cmpJobs($token) secure]
    if {
        [dict get $cmpJobs($token) clients $client ended]
        || [catch {expr {$secure ? [closewrite $channel] : [close $channel write]}}]
    } {
        CmpPart $token $client
        return
    }
    after cancel [dict get $cmpJobs($token) clients $client timer]
    set timer [after $cmpFarewell [list ::tls::CmpPart $token $client]]
    dict set cmpJobs($token) clients $client timer $timer
    fileevent $channel readable [list ::tls::CmpDiscard $token $client]
    return
}

# tls::CmpDiscard --
#       Reads away what a client sends that won't be answered any more.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       None.
proc ::tls::CmpDiscard {token client} {
    variable cmpJobs
    set channel [dict get $cmpJobs($token) clients $client channel]
    if {[catch {read $channel 65536}] || [eof $channel]} {
        CmpPart $token $client
    }
    return
}
