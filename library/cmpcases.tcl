# cmpcases.tcl --
#       The memory of the real server of tls::cmp: transactions that are under way or just over, on the
#       disk too, and what is too late among them.

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
