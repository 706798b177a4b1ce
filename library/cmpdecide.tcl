# cmpdecide.tcl --
#       Policy and authority of the real server of tls::cmp: who may have what, and the work of tls::ca
#       that follows.

namespace eval ::tls {
    # How long a revocation list serves, in seconds.
    variable cmpListAge 60

    # The reasons for revocations as tls::ca knows them, by number. The program couldn't read the records any more
    # if they had privilegeWithdrawn or AACompromise, so that no client may bring that about.
    variable cmpReasons {
        0 unspecified 1 keyCompromise 2 CACompromise 3 affiliationChanged 4 superseded
        5 cessationOfOperation 6 certificateHold 8 removeFromCRL
    }
}

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
    set verdict [CmpJudge $token $facts]
    if {![info exists cmpJobs($token)]} {
        # The script has ended the server.
        return {later 1}
    }
    lassign $verdict word first second
    switch $word {
        later {
            return [list later [expr {$first eq {} ? [dict get $cmpJobs($token) later] : $first}]]
        }
        no {
            return [list tell 2 [expr {$first eq {} ? "notAuthorized" : $first}] $second]
        }
    }
    return [CmpIssue $token $facts [lrange $verdict 1 end]]
}

# tls::CmpJudge --
#       Judges a request: by default, who knows a secret gets what the authority gives, a holder of a
#       certificate gets another one for the same names, and has his own revoked, and a registration
#       authority gets and revokes any. But nobody gets a certificate of an authority, or one by a profile,
#       which a script alone knows.
#
# Arguments:
#       token       The server.
#       facts       What is asked for.
#
# Results:
#       A list: yes, perhaps with words for tls::ca; no, perhaps with reasons and a text; or later, perhaps
#       with seconds.
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
    if {[dict exists $facts ca] && [dict get $facts ca]} {
        set default {no badCertTemplate "certificates of authorities aren't given"}
    } elseif {[dict get $facts profiles] ne {} && [dict get $facts kind] ne "rr"} {
        set default {no badRequest "the profile isn't known"}
    }
    set script [dict get $cmpJobs($token) approve]
    if {$script eq {}} {
        return $default
    }
    dict set facts default [lindex $default 0]
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
#       more        Further words for tls::ca.
#
# Results:
#       A decision for tls::CmpSay.
proc ::tls::CmpIssue {token facts more} {
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
        set certificate [CmpCa $token {*}$words {*}$more]
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
    set reason [dict get $facts reason]
    # With a certificate that is revoked or on hold its own revocation can be asked for, but not the end of the hold.
    if {[CmpIsRevoked $token $facts] && (![dict get $facts own] || $reason == 8)} {
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
    if {$reason >= 0 && ![dict exists $cmpReasons $reason]} {
        return {tell 2 badRequest "the authority doesn't revoke for this reason"}
    }
    if {[CmpCa $token -status $serial] eq "unknown"} {
        return {tell 2 badCertId "the authority has no such certificate"}
    }
    lassign [CmpJudge $token $facts] word first second
    if {![info exists cmpJobs($token)]} {
        return {tell 2 systemUnavail "the server ends"}
    }
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
    } trap {TLS CA DATABASE revoked} {} {
        # For good, that is: who is on hold can be revoked.
        return {tell 2 certRevoked "the certificate is revoked already"}
    } trap {TLS CA DATABASE hold} {} {
        return {tell 2 badRequest "the certificate isn't on hold"}
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
            certReqTemplate {
                lappend answers certReqTemplate [list [dict get $cmpJobs($token) issuer]]
            }
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
