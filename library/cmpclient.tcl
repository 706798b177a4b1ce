# cmpclient.tcl --
#       The way of tls::cmp's requests to a server: HTTP over Tcl's channels, through a proxy and over
#       TLS where that is wanted, all of it in the event loop.

# tls::CmpHangUp --
#       Closes a transaction's connection and stops its timer.
#
# Arguments:
#       token       The transaction.
#
# Results:
#       None.
proc ::tls::CmpHangUp {token} {
    variable cmpJobs
    variable cmpInputs
    variable cmpBodies
    set channel [dict get $cmpJobs($token) channel]
    unset -nocomplain cmpInputs($token) cmpBodies($token)
    after cancel [dict get $cmpJobs($token) timer]
    dict set cmpJobs($token) timer {}
    dict set cmpJobs($token) channel {}
    if {$channel ne {}} {
        catch {close $channel}
    }
    return
}

# tls::CmpFail --
#       Tells a transaction that its message doesn't get through.
#
# Arguments:
#       token       The transaction.
#       detail      The detail of errorCode.
#       message     The message.
#
# Results:
#       None.
proc ::tls::CmpFail {token detail message} {
    CmpHangUp $token
    CmpReply $token fail $detail $message
    return
}

# tls::CmpSend --
#       Sends a request: over the connection that is there, or over a new one.
#
# Arguments:
#       token       The transaction.
#       request     The request.
#       time        How many milliseconds that may take; -1 for any.
#
# Results:
#       None.
proc ::tls::CmpSend {token request time} {
    variable cmpJobs
    variable cmpInputs
    variable cmpBodies
    dict set cmpJobs($token) request $request
    set cmpInputs($token) {}
    set cmpBodies($token) {}
    dict set cmpJobs($token) head {}
    dict set cmpJobs($token) heard 0
    if {$time >= 0} {
        set late [list ::tls::CmpFail $token timeout "the server doesn't answer in time"]
        dict set cmpJobs($token) timer [after $time $late]
    }
    set channel [dict get $cmpJobs($token) channel]
    if {$channel ne {}} {
        dict set cmpJobs($token) kept 1
        CmpWrite $token $channel
    } else {
        CmpConnect $token
    }
    return
}

# tls::CmpConnect --
#       Connects to the server or to the proxy.
#
# Arguments:
#       token       The transaction.
#
# Results:
#       None.
proc ::tls::CmpConnect {token} {
    variable cmpJobs
    dict set cmpJobs($token) kept 0
    set way [dict get $cmpJobs($token) way]
    set address [dict get $way [expr {[dict get $way proxy] eq {} ? "server" : "proxy"}]]
    lassign $address host port
    try {
        set channel [::socket -async $host $port]
    } on error {message} {
        CmpFail $token connect "can't connect to $host, port $port: $message"
        return
    }
    dict set cmpJobs($token) channel $channel
    fconfigure $channel -blocking 0 -translation binary -buffersize 131072
    fileevent $channel writable [list ::tls::CmpConnected $token $channel $host $port]
    return
}

# tls::CmpConnected --
#       Goes on when a connection is there: through the proxy, to TLS, or to the request.
#
# Arguments:
#       token       The transaction.
#       channel     The connection.
#       host        The host.
#       port        The port.
#
# Results:
#       None.
proc ::tls::CmpConnected {token channel host port} {
    variable cmpJobs
    fileevent $channel writable {}
    set problem [fconfigure $channel -error]
    if {$problem ne {}} {
        CmpFail $token connect "can't connect to $host, port $port: $problem"
        return
    }
    set way [dict get $cmpJobs($token) way]
    if {![dict get $way secure]} {
        CmpWrite $token $channel
    } elseif {[dict get $way proxy] eq {}} {
        CmpSecure $token $channel
    } else {
        set target [CmpAuthority [dict get $way server]]
        try {
            puts -nonewline $channel "CONNECT $target HTTP/1.1\r\nHost: $target\r\n\r\n"
            flush $channel
        } on error {message} {
            CmpFail $token proxy "the proxy can't be asked: $message"
            return
        }
        fileevent $channel readable [list ::tls::CmpTunnel $token $channel]
    }
    return
}

# tls::CmpAuthority --
#       A host and a port as they stand in a request.
#
# Arguments:
#       address     A list of both.
#
# Results:
#       HOST:PORT.
proc ::tls::CmpAuthority {address} {
    lassign $address host port
    if {[string first : $host] >= 0} {
        return "\[$host\]:$port"
    }
    return $host:$port
}

# tls::CmpTunnel --
#       Reads the proxy's answer to CONNECT.
#
# Arguments:
#       token       The transaction.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpTunnel {token channel} {
    variable cmpInputs
    variable cmpLargestHead
    # Byte by byte, since what follows the head is TLS.
    while {[catch {read $channel 1} byte] == 0 && $byte ne {}} {
        set input [append cmpInputs($token) $byte]
        if {[string range $input end-3 end] eq "\r\n\r\n"} {
            fileevent $channel readable {}
            set cmpInputs($token) {}
            if {[regexp {^HTTP/1\.\d 2\d\d} $input]} {
                CmpSecure $token $channel
            } else {
                set line [lindex [split $input \r] 0]
                CmpFail $token proxy "the proxy answers \"$line\""
            }
            return
        }
        if {[string length $input] > $cmpLargestHead} {
            CmpFail $token proxy "the proxy's answer is too long"
            return
        }
    }
    if {[catch {eof $channel} ended] || $ended} {
        CmpFail $token proxy "the proxy closes the connection"
    }
    return
}

# tls::CmpSecure --
#       Puts TLS on a connection.
#
# Arguments:
#       token       The transaction.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpSecure {token channel} {
    variable cmpJobs
    try {
        import $channel {*}[dict get $cmpJobs($token) way tls]
        fconfigure $channel -blocking 0 -translation binary -buffersize 131072
    } on error {message} {
        CmpFail $token tls $message
        return
    }
    fileevent $channel readable [list ::tls::CmpShake $token $channel]
    CmpShake $token $channel
    return
}

# tls::CmpShake --
#       Goes on with a handshake.
#
# Arguments:
#       token       The transaction.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpShake {token channel} {
    try {
        set done [handshake $channel]
    } on error {message} {
        CmpFail $token tls "the TLS handshake fails: $message"
        return
    }
    if {$done} {
        fileevent $channel readable {}
        CmpWrite $token $channel
    }
    return
}

# tls::CmpWrite --
#       Writes a request, head and body at once.
#
# Arguments:
#       token       The transaction.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpWrite {token channel} {
    variable cmpJobs
    set way [dict get $cmpJobs($token) way]
    set request [dict get $cmpJobs($token) request]
    set authority [CmpAuthority [dict get $way server]]
    set target [dict get $way path]
    if {[dict get $way proxy] ne {} && ![dict get $way secure]} {
        set target http://$authority$target
    }
    set head "POST $target HTTP/1.1\r\nHost: $authority\r\n"
    append head "Content-Type: application/pkixcmp\r\n"
    append head "Accept: application/pkixcmp\r\n"
    append head "Connection: [expr {[dict get $way keep] ? "keep-alive" : "close"}]\r\n"
    append head "Content-Length: [string length $request]\r\n\r\n"
    # The server may have closed a connection that was kept: that shows here or when reading.
    if {[catch {puts -nonewline $channel $head$request; flush $channel} message]} {
        CmpCut $token "the request can't be sent: $message"
        return
    }
    fileevent $channel readable [list ::tls::CmpRead $token $channel]
    return
}

# tls::CmpCut --
#       Deals with a connection that ends too early: one that was kept gives way to a new one.
#
# Arguments:
#       token       The transaction.
#       message     The message for the case that there is no further try.
#
# Results:
#       None.
proc ::tls::CmpCut {token message} {
    variable cmpJobs
    if {[dict get $cmpJobs($token) kept] && ![dict get $cmpJobs($token) heard]} {
        catch {close [dict get $cmpJobs($token) channel]}
        dict set cmpJobs($token) channel {}
        CmpConnect $token
        return
    }
    CmpFail $token closed $message
    return
}

# tls::CmpRead --
#       Reads what there is of an answer, and hands it on when it is complete.
#
# Arguments:
#       token       The transaction.
#       channel     The connection.
#
# Results:
#       None.
proc ::tls::CmpRead {token channel} {
    variable cmpJobs
    variable cmpInputs
    variable cmpBodies
    variable cmpLargest
    if {[catch {read $channel 65536} piece]} {
        CmpCut $token "the answer can't be read: $piece"
        return
    }
    set ended [eof $channel]
    if {$piece ne {}} {
        dict set cmpJobs($token) heard 1
        append cmpInputs($token) $piece
    }
    if {[string length $cmpInputs($token)] + [string length $cmpBodies($token)] > $cmpLargest} {
        CmpFail $token size "the answer is longer than $cmpLargest bytes"
        return
    }
    try {
        set answer [CmpTakeAnswer $token $ended]
    } trap {TLS CMP HTTP} {message options} {
        CmpFail $token [lindex [dict get $options -errorcode] 3] $message
        return
    }
    if {$answer eq {}} {
        if {$ended} {
            CmpCut $token "the server closes the connection before its answer is complete"
        }
        return
    }
    fileevent $channel readable {}
    after cancel [dict get $cmpJobs($token) timer]
    dict set cmpJobs($token) timer {}
    set keep [dict get $cmpJobs($token) way keep]
    set kept [expr {$keep && [dict get $answer keep] && !$ended}]
    if {$keep == 2 && !$kept} {
        CmpFail $token closed "the server doesn't keep the connection, as -keep_alive 2 requires"
        return
    }
    if {!$kept} {
        CmpHangUp $token
    }
    CmpReply $token answer [dict get $answer body]
    return
}

# tls::CmpTakeAnswer --
#       Takes an answer from what was read.
#
# Arguments:
#       token       The transaction.
#       ended       Whether nothing more can come.
#
# Results:
#       A dict with the body, and whether the connection may be kept; empty if more is to come.
#
# Errors:
#       TLS CMP HTTP with a word: the answer isn't what it must be.
proc ::tls::CmpTakeAnswer {token ended} {
    variable cmpJobs
    variable cmpInputs
    variable cmpBodies
    set head [dict get $cmpJobs($token) head]
    if {$head eq {}} {
        set head [CmpAnswerHead cmpInputs($token)]
        if {$head eq {}} {
            return {}
        }
        dict set cmpJobs($token) head $head
    }
    set keep [dict get $head keep]
    set length [dict get $head length]
    if {$length eq "chunks"} {
        switch [CmpChunks cmpInputs($token) cmpBodies($token)] {
            bad {CmpRefuse http "the answer's chunks are malformed"}
            done {return [list keep $keep body $cmpBodies($token)]}
        }
        return {}
    }
    if {$length eq "end"} {
        return [expr {$ended ? [list keep 0 body $cmpInputs($token)] : {}}]
    }
    if {[string length $cmpInputs($token)] > $length} {
        CmpRefuse http "the answer is longer than its content length says"
    }
    if {[string length $cmpInputs($token)] < $length} {
        return {}
    }
    return [list keep $keep body $cmpInputs($token)]
}

# tls::CmpAnswerHead --
#       Takes the head of an answer from what was read. One that only says to go on is no answer.
#
# Arguments:
#       inputVar    The variable with what was read; what follows the head stays in it.
#
# Results:
#       A dict: the length of the body, or chunks, or end where it goes on to the end of the connection; and
#       whether the connection may be kept. Empty if more is to come.
#
# Errors:
#       As of CmpTakeAnswer.
proc ::tls::CmpAnswerHead {inputVar} {
    variable cmpLargest
    variable cmpLargestHead
    upvar 1 $inputVar input
    set code 100
    while {$code eq "100"} {
        set end [string first \r\n\r\n $input]
        if {$end > $cmpLargestHead} {
            CmpRefuse http "the head of the answer is longer than $cmpLargestHead bytes"
        }
        if {$end < 0} {
            set begun [regexp {^(H(T(T(P(/.*)?)?)?)?)?$} $input]
            if {!$begun || [string length $input] > $cmpLargestHead} {
                CmpRefuse http "the answer isn't HTTP"
            }
            return {}
        }
        set lines [split [string map [list \r\n \n] [string range $input 0 $end-1]] \n]
        if {![regexp {^HTTP/1\.(\d) (\d\d\d)(?: (.*))?$} [lindex $lines 0] -> minor code reason]} {
            CmpRefuse http "the answer isn't HTTP"
        }
        set input [string range $input $end+4 end]
    }
    set fields [CmpFields [lrange $lines 1 end]]
    if {[string match 3?? $code] && [dict exists $fields location]} {
        CmpRefuse $code "the server sends elsewhere, to [dict get $fields location]"
    }
    if {$code ne "200"} {
        CmpRefuse $code "the server answers with HTTP status $code $reason"
    }
    if {[CmpIsTwice [lrange $lines 1 end] {content-type content-length transfer-encoding}]} {
        CmpRefuse http "the answer has a field twice"
    }
    set type [string tolower [string trim [lindex [split [CmpField $fields content-type] ";"] 0]]]
    if {$type ne "application/pkixcmp"} {
        CmpRefuse type "the answer's content type is \"$type\", not application/pkixcmp"
    }
    set connection [string tolower [CmpField $fields connection]]
    set keep [expr {$minor eq "0" ? $connection eq "keep-alive" : $connection ne "close"}]
    set length end
    if {[string tolower [CmpField $fields transfer-encoding]] eq "chunked"} {
        set length chunks
    } elseif {[dict exists $fields content-length]} {
        set length [dict get $fields content-length]
        if {![regexp {^\d{1,15}$} $length]} {
            CmpRefuse http "the answer's content length is \"$length\""
        }
        scan $length %lld length
        if {$length > $cmpLargest} {
            CmpRefuse size "the answer is longer than $cmpLargest bytes"
        }
    }
    return [dict create keep $keep length $length]
}

# tls::CmpRefuse --
#       Raises the error for an answer that can't be taken.
#
# Arguments:
#       word        The detail of errorCode.
#       message     The message.
#
# Results:
#       None.
proc ::tls::CmpRefuse {word message} {
    return -level 2 -code error -errorcode [list TLS CMP HTTP $word] $message
}
