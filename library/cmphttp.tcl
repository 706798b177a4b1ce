# cmphttp.tcl --
#       HTTP for the servers of tls::cmp: connections in the event loop, requests taken apart, answers
#       written. What a message is answered is not decided here.

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
        catch {close $channel}
    }
    unset cmpJobs($token)
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
    dict set cmpJobs($token) clients $channel {input {} timer {}}
    CmpPatience $token $channel
    fileevent $channel readable [list ::tls::CmpServe $token $channel]
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
    set timer [after $cmpSilence [list ::tls::CmpPart $token $channel]]
    dict set cmpJobs($token) clients $channel timer $timer
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
    if {[catch {read $channel 65536} piece] || [eof $channel]} {
        CmpPart $token $channel
        return
    }
    set input [dict get $cmpJobs($token) clients $channel input]$piece
    while {1} {
        lassign [CmpRequest $input] what keep body input
        switch -- $what {
            more {
                dict set cmpJobs($token) clients $channel input $input
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
                fileevent $channel readable [list ::tls::CmpServe $token $channel]
            }
            default {
                set status $what
            }
        }
        if {![CmpRespond $token $channel $status $keep $body]} {
            return
        }
    }
}

# tls::CmpRequest --
#       Takes a request apart.
#
# Arguments:
#       input       What was read so far.
#
# Results:
#       A list: "more", 0, nothing and the input if it isn't complete; "answer", whether to keep the
#       connection, the body and the rest; or an HTTP status, 0 and a text for what can't be
#       answered.
proc ::tls::CmpRequest {input} {
    variable cmpLargestHead
    variable cmpLargestRequest
    set end [string first \r\n\r\n $input]
    if {$end < 0} {
        if {[string length $input] > $cmpLargestHead} {
            return {"431 Request Header Fields Too Large" 0 {} {}}
        }
        return [list more 0 {} $input]
    }
    set lines [split [string map [list \r\n \n] [string range $input 0 $end-1]] \n]
    if {![regexp {^(\S+) (\S+) HTTP/1\.(\d)$} [lindex $lines 0] -> method target minor]} {
        return {"400 Bad Request" 0 {} {}}
    }
    if {$method ne "POST"} {
        return {"405 Method Not Allowed" 0 {} {}}
    }
    regsub {^http://[^/]*} $target {} target
    if {![regexp {^/?$|^/pkix/?$|^/\.well-known/cmp(/|$)} $target]} {
        return {"404 Not Found" 0 "the path must be empty, pkix/ or .well-known/cmp\n" {}}
    }
    set fields [CmpFields [lrange $lines 1 end]]
    set type [string tolower [string trim [lindex [split [CmpField $fields content-type] ";"] 0]]]
    if {$type ne "application/pkixcmp"} {
        return {"415 Unsupported Media Type" 0 {} {}}
    }
    set length [CmpField $fields content-length]
    if {![regexp {^\d{1,9}$} $length]} {
        return {"411 Length Required" 0 {} {}}
    }
    scan $length %d length
    if {$length > $cmpLargestRequest} {
        return {"413 Content Too Large" 0 {} {}}
    }
    set start [expr {$end + 4}]
    if {[string length $input] < $start + $length} {
        return [list more 0 {} $input]
    }
    set connection [string tolower [CmpField $fields connection]]
    set keep [expr {$minor eq "0" ? $connection eq "keep-alive" : $connection ne "close"}]
    set body [string range $input $start [expr {$start + $length - 1}]]
    return [list answer $keep $body [string range $input $start+$length end]]
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
    set type [expr {[string match 2* $status] ? "application/pkixcmp" : "text/plain"}]
    set head "HTTP/1.1 $status\r\nContent-Type: $type\r\nContent-Length: [string length $body]\r\n"
    append head "Connection: [expr {$keep ? "keep-alive" : "close"}]\r\n\r\n"
    set failed [catch {puts -nonewline $channel $head$body; flush $channel}]
    if {[string match 2* $status]} {
        dict incr cmpJobs($token) answered
    }
    set most [dict get $cmpJobs($token) most]
    if {$most > 0 && [dict get $cmpJobs($token) answered] >= $most} {
        CmpDrop $token
        CmpEnd $token
        return 0
    }
    if {$failed || !$keep} {
        CmpPart $token $channel
        return 0
    }
    CmpPatience $token $channel
    return 1
}

# tls::CmpFields --
#       The fields of a head.
#
# Arguments:
#       lines       Its lines without the first one.
#
# Results:
#       A dict; names are in lower case.
proc ::tls::CmpFields {lines} {
    set fields {}
    foreach line $lines {
        if {[regexp {^([^:\s]+):(.*)$} $line -> name value]} {
            dict set fields [string tolower $name] [string trim $value]
        }
    }
    return $fields
}

# tls::CmpField --
#       A field of a head.
#
# Arguments:
#       fields      The fields.
#       name        The name in lower case.
#
# Results:
#       The value; empty if there is no such field.
proc ::tls::CmpField {fields name} {
    if {[dict exists $fields $name]} {
        return [dict get $fields $name]
    }
    return {}
}
