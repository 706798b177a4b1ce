# cmpserver.tcl --
#       What the real server of tls::cmp answers: policy, the authority's work by tls::ca, and the
#       memory of transactions. Native are the messages: tls::CmpFacts tells what one asks for, and
#       tls::CmpSay answers it by a decision, after doing the first message of its transaction over.

namespace eval ::tls {
    # The transactions, by server and number: a dict with
    #   phase        waiting for a decision, issued and not confirmed, or done
    #   request      the first message
    #   digest       that of the last message, whose repetition gets the same answer
    #   answer       the last answer
    #   nonce        its nonce
    #   reference    to whose secret the transaction belongs
    #   certificate  what was issued
    #   deadline     when it is too late, in seconds
    variable cmpCases
    array set cmpCases {}

    # How many transactions may be under way.
    variable cmpMostCases 10000

    # How long a request may wait for a decision, and how long a transaction that is over is
    # remembered, in seconds.
    variable cmpLongestWait 2592000
    variable cmpMemory 60

    # How long a revocation list serves, in seconds.
    variable cmpListAge 60

    # The reasons for revocations as tls::ca knows them, by number.
    variable cmpReasons {
        0 unspecified 1 keyCompromise 2 CACompromise 3 affiliationChanged 4 superseded
        5 cessationOfOperation 6 certificateHold 8 removeFromCRL
    }
}

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
    variable cmpCases
    set token [dict get $plan token]
    set plan [dict merge $plan {list {} listed 0 sweeper {}}]
    try {
        CmpRecall $token [dict get $plan state]
    } on error {message} {
        CmpDrop $token
        array unset cmpCases $token,*
        return -code error -errorcode [list TLS CMP READ -state] \
            "can't read the state in \"[dict get $plan state]\": $message"
    }
    try {
        set result [CmpListen $plan [list ::tls::CmpServeMessage $token]]
    } on error {message options} {
        array unset cmpCases $token,*
        return -options $options $message
    }
    CmpSweep $token
    return $result
}

# tls::CmpRecall --
#       Reads the transactions that an earlier server has left behind.
#
# Arguments:
#       token       The server.
#       folder      The folder; it is made if it isn't there. Empty for none.
#
# Results:
#       None.
#
# Errors:
#       The folder can't be made; a file isn't what was written.
proc ::tls::CmpRecall {token folder} {
    variable cmpCases
    if {$folder eq {}} {
        return
    }
    file mkdir $folder
    catch {file attributes $folder -permissions go-rwx}
    foreach name [glob -nocomplain -directory $folder -tails -types f -- *.case] {
        set file [open [file join $folder $name] rb]
        try {
            set case [encoding convertfrom utf-8 [read $file]]
        } finally {
            close $file
        }
        # Reading a key shows whether it is a dict.
        dict get $case phase
        set cmpCases($token,[file rootname $name]) $case
    }
    return
}

# tls::CmpKeepCase --
#       Remembers a transaction, also on the disk if there is a folder for that.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       case        The transaction.
#
# Results:
#       None.
#
# Errors:
#       The file can't be written.
proc ::tls::CmpKeepCase {token id case} {
    variable cmpJobs
    variable cmpCases
    set folder [dict get $cmpJobs($token) state]
    set open [expr {[dict get $case phase] ne "done"}]
    if {$folder ne {}} {
        if {$open} {
            CmpKeep $folder $id.case [encoding convertto utf-8 $case]
        } elseif {[file exists [file join $folder $id.case]]} {
            CmpKeep $folder $id.case
        }
    }
    set cmpCases($token,$id) $case
    return
}

# tls::CmpSweep --
#       Ends what is too late: certificates that nobody confirms are revoked. Does so every second.
#
# Arguments:
#       token       The server.
#
# Results:
#       None.
proc ::tls::CmpSweep {token} {
    variable cmpJobs
    variable cmpCases
    if {![info exists cmpJobs($token)]} {
        array unset cmpCases $token,*
        return
    }
    after 1000 [list ::tls::CmpSweep $token]
    set now [clock seconds]
    foreach key [array names cmpCases $token,*] {
        if {![info exists cmpCases($key)] || [dict get $cmpCases($key) deadline] > $now} {
            continue
        }
        set id [string range $key [string length $token,] end]
        set case $cmpCases($key)
        if {[dict get $case phase] eq "done"} {
            unset cmpCases($key)
            continue
        }
        # What fails is tried again.
        try {
            if {[dict get $case phase] eq "issued"} {
                CmpTakeBack $token $id $case unconfirmed
            } else {
                CmpReport $token expired [dict create transaction $id]
            }
            dict set case phase done
            CmpKeepCase $token $id $case
            unset -nocomplain cmpCases($key)
        } on error {message options} {
            dict set cmpCases($key) deadline [expr {$now + 10}]
            after 0 [list return -options $options $message]
        }
    }
    return
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

# ---- Messages -----------------------------------------------------------------------------------

# tls::CmpServeMessage --
#       Answers a message.
#
# Arguments:
#       token       The server.
#       message     The message.
#
# Results:
#       The answer.
#
# Errors:
#       TLS CMP READ: it isn't a message; others: the server fails.
proc ::tls::CmpServeMessage {token message} {
    variable cmpJobs
    variable cmpCases
    set heard [CmpHear $message]
    set id [dict get $heard transaction]
    set kind [dict get $heard kind]
    set known [info exists cmpCases($token,$id)]
    if {$known && [dict get $cmpCases($token,$id) digest] eq [dict get $heard digest]} {
        return [dict get $cmpCases($token,$id) answer]
    }
    if {
        $kind in {certConf pollReq error} && $known
        && [dict get $cmpCases($token,$id) phase] ne "done"
    } {
        return [CmpGoOn $token $id $message $heard]
    }
    set secret [CmpSecret $token $heard]
    set later [list later [dict get $cmpJobs($token) later]]
    # Nothing is decided before the message is known to be in order.
    set said [CmpSay $token $message $secret $later]
    if {![dict get $said counted]} {
        CmpReport $token refused [dict remove $heard digest nonce]
        return [dict get $said answer]
    }
    set facts [CmpFacts $token $message $secret]
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
    CmpRemember $token $id $heard [dict get $said answer]
    return [dict get $said answer]
}

# tls::CmpRemember --
#       Remembers the answer to a transaction that is over, in case its client asks again.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       heard       What is known of the message.
#       answer      The answer.
#
# Results:
#       None.
proc ::tls::CmpRemember {token id heard answer} {
    variable cmpMemory
    variable cmpCases
    variable cmpMostCases
    if {$id ne {} && [array size cmpCases] < $cmpMostCases} {
        CmpKeepCase $token $id [dict create phase done digest [dict get $heard digest] \
            answer $answer deadline [expr {[clock seconds] + $cmpMemory}]]
    }
    return
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
    variable cmpMostCases
    if {$id eq {} || [string length $id] > 128} {
        set decision {tell 2 badRequest "the transaction needs a number of at most 64 bytes"}
    } elseif {[info exists cmpCases($token,$id)]} {
        # Not remembered, for the number is another transaction's.
        return [dict get [CmpSay $token $message $secret \
            {tell 2 transactionIdInUse "the transaction's number is in use"}] answer]
    } elseif {[array size cmpCases] >= $cmpMostCases} {
        set decision {tell 2 systemUnavail "too many transactions are under way"}
    } else {
        set case [dict create phase waiting request $message digest [dict get $heard digest] \
            answer [dict get $said answer] nonce [dict get $said nonce] certificate {} \
            reference [dict get $heard reference] protection [dict get $heard protection] \
            kind [dict get $facts kind] deadline 0]
        # The place is taken while scripts decide.
        dict set case deadline [expr {[clock seconds] + $::tls::cmpLongestWait}]
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
        return [CmpConclude $token $id $case $message $secret $decision {}]
    }
    set said [CmpSay $token $message $secret $decision]
    CmpReport $token refused [dict remove $facts request]
    return [dict get $said answer]
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
#       earlier     What comes before; empty for nothing.
#
# Results:
#       The answer.
#
# Errors:
#       The server fails; a certificate that was issued is revoked.
proc ::tls::CmpConclude {token id case message secret decision earlier} {
    variable cmpJobs
    variable cmpMemory
    set words [list $token $message $secret $decision]
    if {$earlier ne {}} {
        lappend words $earlier
    }
    try {
        set said [CmpSay {*}$words]
        dict set case answer [dict get $said answer]
        dict set case nonce [dict get $said nonce]
        dict set case digest [dict get [CmpHear $message] digest]
        if {[lindex $decision 0] eq "issue" && [dict get $said counted]} {
            dict set case certificate [lindex $decision 1]
            dict set case phase [expr {[CmpIsFinal [dict get $said answer]] ? "done" : "issued"}]
        } else {
            dict set case phase done
        }
        set issued [expr {[dict get $case phase] eq "issued"}]
        set time [expr {$issued ? [dict get $cmpJobs($token) patience] : $cmpMemory}]
        dict set case deadline [expr {[clock seconds] + $time}]
        CmpKeepCase $token $id $case
    } on error {message options} {
        # What the client won't hear of mustn't stay.
        if {[lindex $decision 0] eq "issue"} {
            dict set case certificate [lindex $decision 1]
            catch {CmpTakeBack $token $id $case undelivered}
        }
        return -options $options $message
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
            return [CmpConclude $token $id $case $message $secret $decision $earlier]
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
    dict set case phase done
    dict set case digest [dict get $heard digest]
    dict set case answer [dict get $said answer]
    dict set case deadline [expr {[clock seconds] + $::tls::cmpMemory}]
    CmpKeepCase $token $id $case
    CmpReport $token $fate [dict create transaction $id certificate [dict get $case certificate]]
    return [dict get $said answer]
}

# ---- Policy -------------------------------------------------------------------------------------

# tls::CmpDecide --
#       Decides on a request for a certificate, and has it issued.
#
# Arguments:
#       token       The server.
#       facts       What is asked for.
#
# Results:
#       A decision for tls::CmpSay.
#
# Errors:
#       Those of the script of -approve.
proc ::tls::CmpDecide {token facts} {
    variable cmpJobs
    if {[CmpIsRevoked $token $facts]} {
        return {tell 2 certRevoked "the certificate of the request's signer is revoked"}
    }
    lassign [CmpJudge $token $facts] word first second
    switch $word {
        later {
            return [list later [expr {$first eq {} ? [dict get $cmpJobs($token) later] : $first}]]
        }
        no {
            return [list tell 2 [expr {$first eq {} ? "notAuthorized" : $first}] $second]
        }
    }
    return [CmpIssue $token $facts]
}

# tls::CmpJudge --
#       Judges a request: by default, who knows a secret gets what the authority gives, a holder of a
#       certificate gets another one for the same names, and has his own revoked, and a registration
#       authority gets and revokes any.
#
# Arguments:
#       token       The server.
#       facts       What is asked for.
#
# Results:
#       A list: yes; no, perhaps with reasons and a text; or later, perhaps with seconds.
#
# Errors:
#       Those of the script of -approve.
proc ::tls::CmpJudge {token facts} {
    variable cmpJobs
    set authority [expr {[dict exists $facts authority] && [dict get $facts authority]}]
    set first [expr {
        [dict get $facts protection] eq "secret"
        && [dict get $facts kind] in {ir cr p10cr}
    }]
    set default [expr {$authority || $first || [dict get $facts own] ? "yes" : "no"}]
    set script [dict get $cmpJobs($token) approve]
    if {$script eq {}} {
        return $default
    }
    dict set facts default $default
    set verdict [uplevel #0 [list {*}$script $facts]]
    set word [lindex $verdict 0]
    if {$word ne "later" && ![string is boolean -strict $word]} {
        return -code error -errorcode {TLS CMP OPTION -approve} \
            "-approve returned \"$verdict\": must be yes, no, or later"
    }
    if {$word ne "later"} {
        set word [expr {$word ? "yes" : "no"}]
    }
    return [lreplace $verdict 0 0 $word]
}

# ---- The authority ------------------------------------------------------------------------------

# tls::CmpCa --
#       Has the authority do something.
#
# Arguments:
#       token       The server.
#       args        Words for tls::ca.
#
# Results:
#       Those of tls::ca.
#
# Errors:
#       Those of tls::ca.
proc ::tls::CmpCa {token args} {
    variable cmpJobs
    return [ca -config [dict get $cmpJobs($token) config] {*}[dict get $cmpJobs($token) words] \
        {*}$args]
}

# tls::CmpIssue --
#       Has a certificate issued.
#
# Arguments:
#       token       The server.
#       facts       What is asked for.
#
# Results:
#       A decision for tls::CmpSay.
proc ::tls::CmpIssue {token facts} {
    variable cmpJobs
    set words [list -notext -proven -inform DER -data [dict get $facts request]]
    # A client may want less time than the authority gives, and a later start.
    set now [clock seconds]
    set days [dict get $cmpJobs($token) days]
    set stamp {-gmt 1 -format %Y%m%d%H%M%SZ}
    set begin [dict get $facts notBefore]
    set end [dict get $facts notAfter]
    if {$begin ne {} && $begin > $now + 300} {
        lappend words -startdate [clock format $begin {*}$stamp]
    } else {
        set begin $now
    }
    if {$end ne {} && $end > $begin && $end < $begin + 86400 * $days} {
        lappend words -enddate [clock format $end {*}$stamp]
    }
    try {
        set certificate [CmpCa $token {*}$words]
    } trap {TLS CA POLICY} {message} {
        return [list tell 2 badCertTemplate $message]
    } trap {TLS CA VERIFY} {message} {
        return [list tell 2 badPOP $message]
    } trap {TLS CA CONFIRM} {} {
        return {tell 2 notAuthorized {}}
    } on error {message options} {
        after 0 [list return -options $options $message]
        return {tell 2 systemFailure "the authority fails"}
    }
    CmpReport $token issued [dict replace [dict remove $facts request] certificate $certificate]
    return [list issue $certificate]
}

# tls::CmpIsRevoked --
#       Whether the signer's certificate is one that the authority has revoked.
#
# Arguments:
#       token       The server.
#       facts       What is known of the signer.
#
# Results:
#       A boolean.
proc ::tls::CmpIsRevoked {token facts} {
    variable cmpJobs
    if {
        ![dict exists $facts signerIssuer]
        || [dict get $facts signerIssuer] ne [dict get $cmpJobs($token) authority]
    } {
        return 0
    }
    return [expr {[CmpCa $token -status [dict get $facts signerSerial]] in {revoked suspended}}]
}

# tls::CmpRevoke --
#       Decides on a request for a revocation, and has it carried out.
#
# Arguments:
#       token       The server.
#       facts       What is asked for.
#
# Results:
#       A decision for tls::CmpSay.
#
# Errors:
#       Those of the script of -approve.
proc ::tls::CmpRevoke {token facts} {
    variable cmpJobs
    variable cmpReasons
    if {[CmpIsRevoked $token $facts] && ![dict get $facts own]} {
        return {tell 2 certRevoked "the certificate of the request's signer is revoked"}
    }
    set serial [dict get $facts serial]
    set issuer [dict get $facts issuer]
    if {[dict get $facts own]} {
        set serial [dict get $facts signerSerial]
        set issuer [dict get $facts signerIssuer]
    }
    if {$serial eq {} || $issuer ne [dict get $cmpJobs($token) authority]} {
        return {tell 2 badCertId "the authority has no such certificate"}
    }
    set reason [dict get $facts reason]
    if {$reason >= 0 && ![dict exists $cmpReasons $reason]} {
        return {tell 2 badRequest "the authority doesn't revoke for this reason"}
    }
    switch [CmpCa $token -status $serial] {
        unknown {return {tell 2 badCertId "the authority has no such certificate"}}
        revoked {return {tell 2 certRevoked "the certificate is revoked already"}}
    }
    lassign [CmpJudge $token $facts] word first second
    if {$word ne "yes"} {
        return [list tell 2 [expr {$word eq "no" && $first ne {} ? $first : "notAuthorized"}] $second]
    }
    set certificate [file join [dict get $cmpJobs($token) folder] $serial.pem]
    if {[dict get $facts own]} {
        set certificate [dict get $facts signer]
    }
    set words [list -revoke $certificate]
    if {$reason >= 0} {
        lappend words -crl_reason [dict get $cmpReasons $reason]
    }
    try {
        CmpCa $token {*}$words
    } on error {message options} {
        after 0 [list return -options $options $message]
        return {tell 2 systemFailure "the authority fails"}
    }
    dict set cmpJobs($token) listed 0
    CmpReport $token revoked $facts
    return {tell 0 {} {}}
}

# tls::CmpTakeBack --
#       Revokes a certificate that nobody wants.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       case        The transaction.
#       why         A word for the report; empty for none.
#
# Results:
#       None.
#
# Errors:
#       Those of tls::ca.
proc ::tls::CmpTakeBack {token id case why} {
    variable cmpJobs
    set certificate [dict get $case certificate]
    try {
        CmpCa $token -revoke $certificate -crl_reason cessationOfOperation
    } trap {TLS CA DATABASE revoked} {} {
        # A server that died before it could write that down has done it.
    }
    dict set cmpJobs($token) listed 0
    if {$why ne {}} {
        CmpReport $token $why [dict create transaction $id certificate $certificate]
    }
    return
}

# tls::CmpTell --
#       Answers questions.
#
# Arguments:
#       token       The server.
#       questions   The names of their types; none stands for all.
#
# Results:
#       A decision for tls::CmpSay.
proc ::tls::CmpTell {token questions} {
    variable cmpJobs
    if {$questions eq {}} {
        set questions {caCerts currentCRL}
    }
    set answers {}
    foreach question $questions {
        switch $question {
            caCerts {lappend answers caCerts [dict get $cmpJobs($token) authorities]}
            rootCaCert {lappend answers rootCaKeyUpdate [dict get $cmpJobs($token) update]}
            currentCRL {lappend answers currentCRL [list [CmpList $token]]}
            crlStatusList {lappend answers crls [list [CmpList $token]]}
        }
    }
    return [list answers {*}$answers]
}

# tls::CmpList --
#       The revocation list: that of -rsp_crl, or one that the authority makes from time to time.
#
# Arguments:
#       token       The server.
#
# Results:
#       PEM text.
#
# Errors:
#       The file can't be read; those of tls::ca.
proc ::tls::CmpList {token} {
    variable cmpJobs
    variable cmpListAge
    set name [dict get $cmpJobs($token) crl]
    if {[string match "-----BEGIN *" $name]} {
        return $name
    }
    if {$name ne {}} {
        set file [open $name]
        try {
            return [read $file]
        } finally {
            close $file
        }
    }
    set now [clock seconds]
    if {[dict get $cmpJobs($token) listed] + $cmpListAge <= $now} {
        dict set cmpJobs($token) list [CmpCa $token -gencrl]
        dict set cmpJobs($token) listed $now
    }
    return [dict get $cmpJobs($token) list]
}
