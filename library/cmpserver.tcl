# cmpserver.tcl --
#       What the real server of tls::cmp answers. Native are the messages: tls::CmpFacts tells what one
#       asks for, and tls::CmpSay answers it by a decision, after doing the first message of its
#       transaction over. cmpcases.tcl remembers transactions, and cmpdecide.tcl decides.

# tls::CmpOpen --
#       Opens a real server: takes up what it was doing, and listens.
#
# Arguments:
#       plan        What tls::CmpStart says about it.
#
# Results:
#       The token and the port.
#
# Errors:
#       The folder of the state can't be read; the port can't be listened at.
proc ::tls::CmpOpen {plan} {
    variable cmpJobs
    variable cmpOver
    variable cmpUsed
    set token [dict get $plan token]
    set plan [dict merge $plan {list {} listed 0}]
    set cmpOver($token) [dict create new {} old {} turned [clock seconds]]
    set cmpUsed($token) $cmpOver($token)
    try {
        CmpRecall $token [dict get $plan state] [CmpSpan [dict get $plan window]]
    } on error {message} {
        CmpDrop $token
        CmpForget $token
        return -code error -errorcode [list TLS CMP READ -state] \
            "can't read the state in \"[dict get $plan state]\": $message"
    }
    try {
        set result [CmpListen $plan [list ::tls::CmpServeMessage $token]]
    } on error {message options} {
        CmpForget $token
        return -options $options $message
    }
    CmpSweep $token
    return $result
}

# tls::CmpReport --
#       Tells the script of -report what happened.
#
# Arguments:
#       token       The server.
#       event       A word.
#       facts       A dict.
#
# Results:
#       None.
proc ::tls::CmpReport {token event facts} {
    variable cmpJobs
    if {![info exists cmpJobs($token)]} {
        return
    }
    set script [dict get $cmpJobs($token) report]
    if {$script ne {}} {
        try {
            uplevel #0 [list {*}$script $event $facts]
        } on error {message options} {
            after 0 [list return -options $options $message]
        }
    }
    return
}

# tls::CmpServeMessage --
#       Answers what a client has sent.
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
proc ::tls::CmpServeMessage {token message} {
    # Of all that fails, only this is the client's fault.
    try {
        set heard [CmpHear $message]
    } on error {text} {
        return [list "400 Bad Request" $text\n]
    }
    return [list "200 OK" [CmpReact $token $message $heard]]
}

# tls::CmpReact --
#       Answers a message.
#
# Arguments:
#       token       The server.
#       message     The message.
#       heard       What is known of it.
#
# Results:
#       The answer.
#
# Errors:
#       The server fails.
proc ::tls::CmpReact {token message heard} {
    variable cmpJobs
    variable cmpCases
    set id [dict get $heard transaction]
    set kind [dict get $heard kind]
    set answer [CmpLastAnswer $token $id [dict get $heard digest]]
    if {$answer ne {}} {
        return $answer
    }
    if {[info exists cmpCases($token,$id)]} {
        if {[dict get $cmpCases($token,$id) digest] eq [dict get $heard digest]} {
            return [dict get $cmpCases($token,$id) answer]
        }
        if {$kind in {certConf pollReq error}} {
            return [CmpGoOn $token $id $message $heard]
        }
    }
    set secret [CmpSecret $token $heard]
    if {![info exists cmpJobs($token)]} {
        # The script has ended the server, and nobody waits for the answer any more.
        return {}
    }
    set later [list later [dict get $cmpJobs($token) later]]
    # Nothing is decided before the message is known to be in order.
    set said [CmpSay $token $message $secret $later]
    if {![dict get $said counted]} {
        CmpReport $token refused [dict remove $heard digest nonce]
        return [dict get $said answer]
    }
    set facts [CmpFacts $token $message $secret]
    if {$kind ne "genm"} {
        set decision [CmpIsFresh $token $id $heard]
        if {$decision ne {}} {
            # Before the report, whose script may end the server.
            set said [CmpSay $token $message $secret $decision]
            CmpReport $token refused [dict remove $facts request]
            return [dict get $said answer]
        }
    }
    switch $kind {
        genm {
            set decision [CmpTell $token [dict get $facts questions]]
            CmpReport $token asked $facts
        }
        rr {set decision [CmpRevoke $token $facts]}
        default {
            return [CmpBegin $token $id $message $heard $facts $secret $said]
        }
    }
    if {![info exists cmpJobs($token)]} {
        return [dict get $said answer]
    }
    set said [CmpSay $token $message $secret $decision]
    # To ask twice does no harm, and the number may be that of somebody's transaction.
    if {$kind ne "genm"} {
        CmpEndCase $token $id [dict get $heard digest] [dict get $said answer]
    }
    return [dict get $said answer]
}

# tls::CmpIsFresh --
#       Whether a transaction may begin: under a number of its own, and with a message that isn't an old one.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       heard       What is known of the message.
#
# Results:
#       Nothing, or the decision by which the message is refused.
proc ::tls::CmpIsFresh {token id heard} {
    variable cmpJobs
    variable cmpCases
    variable cmpMostCases
    if {$id eq {} || [string length $id] > 128} {
        return {tell 2 badRequest "the transaction needs a number of at most 64 bytes"}
    }
    if {[CmpIsUsed $token $id]} {
        return {tell 2 transactionIdInUse "the transaction's number is in use"}
    }
    set window [dict get $cmpJobs($token) window]
    set time [dict get $heard time]
    if {$window > 0 && $time ne {} && abs([clock seconds] - $time) > $window} {
        return {tell 2 badTime "the time of the message isn't near that of the server"}
    }
    if {[array size cmpCases] >= $cmpMostCases} {
        return {tell 2 systemUnavail "too many transactions are under way"}
    }
    return {}
}

# tls::CmpSecret --
#       Asks the script of -secrets.
#
# Arguments:
#       token       The server.
#       heard       What is known of the message.
#
# Results:
#       The secret; empty where there is none.
#
# Errors:
#       Those of the script.
proc ::tls::CmpSecret {token heard} {
    variable cmpJobs
    set script [dict get $cmpJobs($token) secrets]
    if {[dict get $heard protection] ne "secret" || $script eq {}} {
        return {}
    }
    return [encoding convertto utf-8 [uplevel #0 [list {*}$script [dict get $heard reference]]]]
}

# tls::CmpBegin --
#       Answers a request for a certificate.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       message     The request.
#       heard       What is known of it.
#       facts       What it asks for.
#       secret      The secret of its sender.
#       said        The answer that makes the client wait.
#
# Results:
#       The answer.
#
# Errors:
#       The server fails.
proc ::tls::CmpBegin {token id message heard facts secret said} {
    variable cmpJobs
    variable cmpCases
    variable cmpLongestWait
    set case [dict create phase waiting request $message digest [dict get $heard digest] \
        answer [dict get $said answer] nonce [dict get $said nonce] certificate {} \
        reference [dict get $heard reference] protection [dict get $heard protection] \
        kind [dict get $facts kind] deadline [expr {[clock seconds] + $cmpLongestWait}]]
    # The place is taken while scripts decide.
    set cmpCases($token,$id) $case
    try {
        set decision [CmpDecide $token $facts]
    } finally {
        unset -nocomplain cmpCases($token,$id)
    }
    if {![info exists cmpJobs($token)]} {
        return [dict get $said answer]
    }
    if {[lindex $decision 0] eq "later"} {
        if {[lindex $decision 1] != [dict get $cmpJobs($token) later]} {
            set said [CmpSay $token $message $secret $decision]
            dict set case answer [dict get $said answer]
            dict set case nonce [dict get $said nonce]
        }
        CmpKeepCase $token $id $case
        CmpReport $token waiting [dict remove $facts request]
        return [dict get $said answer]
    }
    return [CmpConclude $token $id $case $message $secret $decision $facts {}]
}

# tls::CmpConclude --
#       Answers by a decision that is final.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       case        The transaction.
#       message     The message to answer.
#       secret      The secret of its sender.
#       decision    The decision.
#       facts       What is asked for.
#       earlier     What comes before; empty for nothing.
#
# Results:
#       The answer.
#
# Errors:
#       The server fails; a certificate that was issued is revoked.
proc ::tls::CmpConclude {token id case message secret decision facts earlier} {
    variable cmpJobs
    set words [list $token $message $secret $decision]
    if {$earlier ne {}} {
        lappend words $earlier
    }
    try {
        set said [CmpSay {*}$words]
        dict set case answer [dict get $said answer]
        dict set case nonce [dict get $said nonce]
        dict set case digest [dict get [CmpHear $message] digest]
        if {
            [lindex $decision 0] eq "issue" && [dict get $said counted]
            && ![CmpIsFinal [dict get $said answer]]
        } {
            dict set case certificate [lindex $decision 1]
            dict set case phase issued
            dict set case deadline [expr {[clock seconds] + [dict get $cmpJobs($token) patience]}]
            CmpKeepCase $token $id $case
        } else {
            CmpEndCase $token $id [dict get $case digest] [dict get $case answer]
        }
    } on error {message options} {
        # What the client won't hear of mustn't stay.
        if {[lindex $decision 0] eq "issue"} {
            dict set case certificate [lindex $decision 1]
            catch {CmpTakeBack $token $id $case undelivered}
        }
        return -options $options $message
    }
    if {[lindex $decision 0] eq "issue"} {
        CmpReport $token issued [dict replace [dict remove $facts request] \
            certificate [lindex $decision 1]]
    }
    return [dict get $case answer]
}

# tls::CmpIsFinal --
#       Whether a response spares the client the confirmation.
#
# Arguments:
#       answer      The response.
#
# Results:
#       A boolean.
proc ::tls::CmpIsFinal {answer} {
    return [dict get [CmpHear $answer] implicit]
}

# tls::CmpGoOn --
#       Answers a message of a transaction that is under way.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       message     The message.
#       heard       What is known of it.
#
# Results:
#       The answer.
#
# Errors:
#       The server fails.
proc ::tls::CmpGoOn {token id message heard} {
    variable cmpJobs
    variable cmpCases
    set case $cmpCases($token,$id)
    set earlier [dict create request [dict get $case request] nonce [dict get $case nonce] \
        certificate [dict get $case certificate]]
    set secret [CmpSecret $token $case]
    if {![info exists cmpJobs($token)]} {
        return {}
    }
    if {![info exists cmpCases($token,$id)] || $cmpCases($token,$id) ne $case} {
        # Something else has happened to it while the script ran.
        return [CmpReact $token $message $heard]
    }
    set later [list later [dict get $cmpJobs($token) later]]
    set said [CmpSay $token $message $secret $later $earlier]
    if {[dict get $heard kind] eq "pollReq"} {
        if {![dict get $said counted] || [dict get $case phase] ne "waiting"} {
            CmpReport $token refused [dict remove $heard digest nonce]
            return [dict get $said answer]
        }
        set facts [CmpFacts $token [dict get $case request] $secret]
        set decision [CmpDecide $token $facts]
        if {
            ![info exists cmpJobs($token)] || ![info exists cmpCases($token,$id)]
            || $cmpCases($token,$id) ne $case
        } {
            # Something else has happened to it meanwhile.
            if {[lindex $decision 0] eq "issue"} {
                dict set case certificate [lindex $decision 1]
                CmpTakeBack $token $id $case undelivered
            }
            return [dict get $said answer]
        }
        if {[lindex $decision 0] ne "later"} {
            return [CmpConclude $token $id $case $message $secret $decision $facts $earlier]
        }
        if {[lindex $decision 1] != [dict get $cmpJobs($token) later]} {
            set said [CmpSay $token $message $secret $decision $earlier]
        }
        dict set case digest [dict get $heard digest]
        dict set case answer [dict get $said answer]
        dict set case nonce [dict get $said nonce]
        CmpKeepCase $token $id $case
        return [dict get $said answer]
    }
    if {[dict get $said confirmed] eq {}} {
        # It isn't in order: anybody could have sent it.
        CmpReport $token refused [dict remove $heard digest nonce]
        return [dict get $said answer]
    }
    set fate confirmed
    if {![dict get $said confirmed]} {
        set fate rejected
        if {[dict get $case phase] eq "issued"} {
            CmpTakeBack $token $id $case {}
        }
    }
    # Before the client hears of it: otherwise a death in between would have it revoked after all.
    CmpEndCase $token $id [dict get $heard digest] [dict get $said answer]
    CmpReport $token $fate [dict create transaction $id certificate [dict get $case certificate]]
    return [dict get $said answer]
}
