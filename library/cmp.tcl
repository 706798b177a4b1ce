# cmp.tcl --
#       tls::cmp, and what its transactions want. Native are the messages themselves: tls::CmpStart
#       begins a transaction in a thread of its own, which wakes tls::CmpWake when it wants something.
#       cmpclient.tcl carries messages to a server, cmphttp.tcl serves them, and cmpserver.tcl says
#       what the real server answers.

namespace eval ::tls {
    # What is under way, a dict for each token.
    variable cmpJobs
    array set cmpJobs {}

    # How the transactions ended that somebody waits for.
    variable cmpDone
    array set cmpDone {}

    # The largest answer, and the largest request, in bytes; the largest head of either.
    variable cmpLargest 10485760
    variable cmpLargestRequest 1048576
    variable cmpLargestHead 16384

    # How long a client of a server may take for a request or an answer, and how long his last bytes are
    # waited for, in milliseconds; how many bytes of a long answer are enough for more time; and how
    # many clients may be connected.
    variable cmpSilence 30000
    variable cmpSlowest 65536
    variable cmpFarewell 2000
    variable cmpMost 1000

    # The number of the last connection to a server.
    variable cmpLastClient 0

    # What has come that isn't dealt with yet, and bodies that come in chunks: from the clients of servers, by
    # the number of the connection, and from servers, by the transaction.
    variable cmpInputs
    array set cmpInputs {}
    variable cmpBodies
    array set cmpBodies {}

    namespace export cmp
}

# tls::cmp --
#       Gets, updates and revokes certificates by the certificate management protocol, with the
#       words of the program "openssl cmp"; or is a server, for tests or a real one.
#
# Arguments:
#       args        Options, perhaps with the command or serve in front; or cancel and a token.
#
# Results:
#       The facts of the transaction, a dict; with -command a token; of a server a token and the
#       port.
#
# Errors:
#       TLS CMP KIND, where KIND is one of OPTION, READ, CREATE, VERIFY, WRITE, PASSWORD, TRANSFER,
#       STATUS and PROTECTION.
proc ::tls::cmp {args} {
    variable cmpJobs
    variable cmpDone
    if {[lindex $args 0] eq "cancel"} {
        if {[llength $args] != 2} {
            return -code error -errorcode {TCL WRONGARGS} \
                "wrong # args: should be \"tls::cmp cancel token\""
        }
        return [CmpCancel [lindex $args 1]]
    }
    set plan [CmpStart $args]
    switch [dict get $plan kind] {
        result {
            return [dict get $plan value]
        }
        server {
            return [CmpListen $plan [list ::tls::CmpServeTest [dict get $plan token]]]
        }
        office {
            return [CmpOpen $plan]
        }
    }
    set token [dict get $plan token]
    set cmpJobs($token) [dict merge $plan {channel {} timer {} request {} head {} kept 0 heard 0}]
    if {[dict get $plan command] ne {}} {
        return $token
    }
    vwait ::tls::cmpDone($token)
    lassign $cmpDone($token) facts code message
    unset cmpDone($token)
    if {[dict get $plan info] ne {}} {
        uplevel 1 [list ::set [dict get $plan info] $facts]
    }
    if {$code ne {}} {
        return -code error -errorcode $code $message
    }
    return $facts
}

# tls::CmpCancel --
#       Ends a transaction or a server. Who waits for the transaction gets an error; the script of
#       -command isn't called.
#
# Arguments:
#       token       The transaction or the server.
#
# Results:
#       None.
#
# Errors:
#       There is no such transaction or server.
proc ::tls::CmpCancel {token} {
    variable cmpJobs
    variable cmpDone
    CmpDrop $token
    if {[dict get $cmpJobs($token) kind] ne "client"} {
        CmpEnd $token
        return
    }
    set waited [expr {[dict get $cmpJobs($token) command] eq {}}]
    CmpHangUp $token
    unset cmpJobs($token)
    if {$waited} {
        set cmpDone($token) {{} {TLS CMP TRANSFER cancelled} "the transaction was cancelled"}
    }
    return
}

# tls::CmpServeTest --
#       Answers what a client has sent to a test server.
#
# Arguments:
#       token       The server.
#       message     What should be a message.
#
# Results:
#       A list of an HTTP status and a body.
#
# Errors:
#       The server fails.
proc ::tls::CmpServeTest {token message} {
    try {
        return [list "200 OK" [CmpAnswer $token $message]]
    } trap {TLS CMP READ} {text} {
        return [list "400 Bad Request" $text\n]
    }
}

# ---- A client's transactions --------------------------------------------------------------------

# tls::CmpWake --
#       Does what a transaction wants. Its thread has this called.
#
# Arguments:
#       token       The transaction.
#
# Results:
#       None.
proc ::tls::CmpWake {token} {
    variable cmpJobs
    while {[info exists cmpJobs($token)]} {
        lassign [CmpNext $token] what value time
        switch -- $what {
            send {CmpSend $token $value $time}
            wait {
                dict set cmpJobs($token) timer [after $value [list ::tls::CmpGo $token]]
            }
            done {CmpDone $token}
            default {break}
        }
    }
    return
}

# tls::CmpGo --
#       Tells a transaction that it has waited long enough.
#
# Arguments:
#       token       The transaction.
#
# Results:
#       None.
proc ::tls::CmpGo {token} {
    variable cmpJobs
    dict set cmpJobs($token) timer {}
    CmpReply $token go
    return
}

# tls::CmpDone --
#       Ends a transaction that is over, and tells whoever waits for it.
#
# Arguments:
#       token       The transaction.
#
# Results:
#       None.
proc ::tls::CmpDone {token} {
    variable cmpJobs
    variable cmpDone
    set command [dict get $cmpJobs($token) command]
    CmpHangUp $token
    unset cmpJobs($token)
    set outcome [CmpFinish $token]
    if {$command eq {}} {
        set cmpDone($token) $outcome
        return
    }
    lassign $outcome facts code message
    if {$code eq {}} {
        set words [list $token $facts {-code 0}]
    } else {
        set words [list $token $message [dict create -code 1 -errorcode $code -facts $facts]]
    }
    uplevel #0 [list {*}$command {*}$words]
    return
}
