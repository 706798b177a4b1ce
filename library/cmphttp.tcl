# cmphttp.tcl --
#       HTTP for the servers of tls::cmp: connections in the event loop, and how long they last. Requests
#       are taken apart in cmprequest.tcl; what a message is answered is not decided here.

# tls::CmpListen --
#       Begins to serve.
#
# Arguments:
#       plan        What tls::CmpStart says about the server.
#       answer      The words that give the answer to a message, which is appended.
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
        [dict create listener $listener answer $answer answered 0 clients {}]]
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
    dict for {channel state} [dict get $cmpJobs($token) clients] {
        after cancel [dict get $state timer]
        CmpLetGo $channel
    }
    unset cmpJobs($token)
    CmpForget $token
    return
}

# tls::CmpAccept --
#       Takes a connection.
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
    dict set cmpJobs($token) clients $channel {timer {} head {} ended 0}
    set cmpInputs($channel) {}
    CmpPatience $token $channel
    CmpListenOn $token $channel
    return
}

# tls::CmpPatience --
#       Gives a client some time for a complete request.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpPatience {token channel} {
    variable cmpJobs
    variable cmpSilence
    after cancel [dict get $cmpJobs($token) clients $channel timer]
    set left [chan pending output $channel]
    set timer [after $cmpSilence [list ::tls::CmpExpire $token $channel $left]]
    dict set cmpJobs($token) clients $channel timer $timer
    return
}

# tls::CmpExpire --
#       Closes the connection of a client whose time is over. Only who is reading a long answer, if not
#       too slowly, gets some more.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#       left        How much of the answer he had to read before.
#
# Results:
#       None.
proc ::tls::CmpExpire {token channel left} {
    variable cmpSlowest
    set now [chan pending output $channel]
    if {$now > 0 && $now + $cmpSlowest <= $left} {
        CmpPatience $token $channel
    } else {
        CmpPart $token $channel
    }
    return
}

# tls::CmpPart --
#       Closes a connection of a server.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpPart {token channel} {
    variable cmpJobs
    after cancel [dict get $cmpJobs($token) clients $channel timer]
    dict unset cmpJobs($token) clients $channel
    CmpLetGo $channel
    return
}

# tls::CmpLetGo --
#       Closes a connection for good, also one whose client doesn't read what is on its way to him: Tcl
#       would keep that one open in the background.
#
# Arguments:
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpLetGo {channel} {
    variable cmpInputs
    variable cmpBodies
    unset -nocomplain cmpInputs($channel) cmpBodies($channel)
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
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpServe {token channel} {
    variable cmpJobs
    variable cmpInputs
    if {[catch {read $channel 65536} piece]} {
        CmpPart $token $channel
        return
    }
    append cmpInputs($channel) $piece
    if {[eof $channel]} {
        # He may have closed his side only, and still wait for answers.
        fileevent $channel readable {}
        dict set cmpJobs($token) clients $channel ended 1
    }
    CmpTakeUp $token $channel
    return
}

# tls::CmpTakeUp --
#       Answers the requests that are complete. A client that doesn't read his answers gets no others.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpTakeUp {token channel} {
    variable cmpJobs
    while {1} {
        lassign [CmpTake $token $channel] what keep body
        switch -- $what {
            more {
                if {[dict get $cmpJobs($token) clients $channel ended]} {
                    CmpPart $token $channel
                }
                return
            }
            answer {
                # The answer may run scripts, and so anything; meanwhile nothing more is read here.
                fileevent $channel readable {}
                try {
                    set body [{*}[dict get $cmpJobs($token) answer] $body]
                    set status "200 OK"
                } trap {TLS CMP READ} {message} {
                    set body $message\n
                    set status "400 Bad Request"
                    set keep 0
                } on error {message options} {
                    after 0 [list return -options $options $message]
                    set body "the server fails\n"
                    set status "500 Internal Server Error"
                    set keep 0
                }
                if {
                    ![info exists cmpJobs($token)]
                    || ![dict exists $cmpJobs($token) clients $channel]
                } {
                    return
                }
            }
            default {
                set status $what
            }
        }
        if {![CmpRespond $token $channel $status $keep $body]} {
            return
        }
        if {[chan pending output $channel] > 0} {
            fileevent $channel readable {}
            fileevent $channel writable [list ::tls::CmpDrained $token $channel $keep]
            return
        }
        if {!$keep} {
            CmpSeeOff $token $channel
            return
        }
        CmpListenOn $token $channel
    }
}

# tls::CmpDrained --
#       Goes on with a client that has read his answer at last.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#       keep        Whether the connection is kept.
#
# Results:
#       None.
proc ::tls::CmpDrained {token channel keep} {
    fileevent $channel writable {}
    if {!$keep} {
        CmpSeeOff $token $channel
        return
    }
    CmpPatience $token $channel
    CmpListenOn $token $channel
    CmpTakeUp $token $channel
    return
}

# tls::CmpListenOn --
#       Has further requests read, unless no more come.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpListenOn {token channel} {
    variable cmpJobs
    if {![dict get $cmpJobs($token) clients $channel ended]} {
        # A client that writes head and body one after the other waits in between for the head to be
        # acknowledged, which takes 40 ms where it isn't done at once.
        CmpHasten $channel
        fileevent $channel readable [list ::tls::CmpServe $token $channel]
    }
    return
}

# tls::CmpRespond --
#       Writes an answer, head and body at once.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#       status      The HTTP status.
#       keep        Whether the connection is kept.
#       body        The body.
#
# Results:
#       Whether the connection is there any more.
proc ::tls::CmpRespond {token channel status keep body} {
    variable cmpJobs
    set answered [string match 2* $status]
    set type [expr {$answered ? "application/pkixcmp" : "text/plain"}]
    set head "HTTP/1.1 $status\r\nContent-Type: $type\r\nContent-Length: [string length $body]\r\n"
    if {[string match 405* $status]} {
        append head "Allow: POST\r\n"
    }
    append head "Connection: [expr {$keep ? "keep-alive" : "close"}]\r\n\r\n"
    set failed [catch {puts -nonewline $channel $head$body; flush $channel}]
    if {$answered} {
        dict incr cmpJobs($token) answered
    }
    set most [dict get $cmpJobs($token) most]
    if {$most > 0 && [dict get $cmpJobs($token) answered] >= $most} {
        CmpDrop $token
        CmpEnd $token
        return 0
    }
    if {$failed} {
        CmpPart $token $channel
        return 0
    }
    CmpPatience $token $channel
    return 1
}

# tls::CmpSeeOff --
#       Ends a connection after its last answer. What the client still sends is read away for a
#       moment: closed over it, the connection would be reset, and the answer perhaps lost.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpSeeOff {token channel} {
    variable cmpJobs
    variable cmpFarewell
    set secure [dict get $cmpJobs($token) secure]
    if {
        [dict get $cmpJobs($token) clients $channel ended]
        || [catch {expr {$secure ? [closewrite $channel] : [close $channel write]}}]
    } {
        CmpPart $token $channel
        return
    }
    after cancel [dict get $cmpJobs($token) clients $channel timer]
    set timer [after $cmpFarewell [list ::tls::CmpPart $token $channel]]
    dict set cmpJobs($token) clients $channel timer $timer
    fileevent $channel readable [list ::tls::CmpDiscard $token $channel]
    return
}

# tls::CmpDiscard --
#       Reads away what a client sends that won't be answered any more.
#
# Arguments:
#       token       The server.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpDiscard {token channel} {
    if {[catch {read $channel 65536}] || [eof $channel]} {
        CmpPart $token $channel
    }
    return
}
