# cmpcases.tcl --
#       The memory of the real server of tls::cmp: transactions that are under way or just over, on the
#       disk too, and what is too late among them.

namespace eval ::tls {
    # The transactions that are under way, by server and number: a dict with
    #   phase        waiting for a decision, or issued and not confirmed
    #   request      the first message
    #   digest       that of the last message, whose repetition gets the same answer
    #   answer       the last answer
    #   nonce        its nonce
    #   reference    to whose secret the transaction belongs
    #   certificate  what was issued
    #   deadline     when it is too late, in seconds
    variable cmpCases
    array set cmpCases {}

    # The transactions that are over, by server: a dict with two dicts, new and old, and when old was new.
    # In cmpOver they have the digest of the last message and its answer, by number; in cmpUsed there
    # are numbers only, for as long as somebody could send the messages once more. On the disk those are
    # lines with the number and when the transaction ended, in two files: numbers and numbers.old.
    variable cmpOver
    array set cmpOver {}
    variable cmpUsed
    array set cmpUsed {}

    # How many transactions may be under way, and of how many the last answer is kept.
    variable cmpMostCases 10000
    variable cmpMostAnswers 10000

    # How long a request may wait for a decision, and for how long at least the last answer of a
    # transaction that is over is kept, in seconds.
    variable cmpLongestWait 2592000
    variable cmpMemory 60
}

# tls::CmpRecall --
#       Reads the transactions that an earlier server has left behind.
#
# Arguments:
#       token       The server.
#       folder      The folder; it is made if it isn't there. Empty for none.
#       span        For how many seconds numbers are kept.
#
# Results:
#       None.
#
# Errors:
#       The folder can't be made; a file isn't what was written.
proc ::tls::CmpRecall {token folder span} {
    variable cmpCases
    if {$folder eq {}} {
        return
    }
    file mkdir $folder
    catch {file attributes $folder -permissions go-rwx}
    set numbers [CmpRecallNumbers $token $folder $span]
    foreach name [glob -nocomplain -directory $folder -tails -types f -- *.case] {
        if {[dict exists $numbers [file rootname $name]]} {
            # The server died before it could remove the file.
            file delete [file join $folder $name]
            continue
        }
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

# tls::CmpRecallNumbers --
#       Reads the numbers of transactions that are over. Those that are kept longer are in one file then.
#
# Arguments:
#       token       The server.
#       folder      The folder.
#       span        For how many seconds numbers are kept.
#
# Results:
#       A dict with all numbers that were there.
#
# Errors:
#       A file can't be read or isn't what was written.
proc ::tls::CmpRecallNumbers {token folder span} {
    variable cmpUsed
    set numbers {}
    set kept {}
    set now [clock seconds]
    foreach name {numbers.old numbers} {
        if {![file exists [file join $folder $name]]} {
            continue
        }
        set file [open [file join $folder $name] rb]
        try {
            # Of the last line, if the server died over it, no client has heard.
            set lines [lrange [split [read $file] \n] 0 end-1]
        } finally {
            close $file
        }
        foreach line $lines {
            if {![regexp {^([0-9a-f]+) (\d+)$} $line -> id time]} {
                error "\"$name\" has a line that isn't a transaction's"
            }
            dict set numbers $id {}
            if {$time + $span > $now} {
                dict set cmpUsed($token) new $id {}
                append kept $line\n
            }
        }
    }
    if {$numbers ne {}} {
        CmpKeep $folder numbers $kept
        file delete [file join $folder numbers.old]
    }
    return $numbers
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
    if {$folder ne {}} {
        CmpKeep $folder $id.case [encoding convertto utf-8 $case]
    }
    set cmpCases($token,$id) $case
    return
}

# tls::CmpEndCase --
#       Ends a transaction. Its last answer is remembered, in case its client asks again, and its number, so
#       that nobody begins with it once more.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       digest      The digest of its last message.
#       answer      The last answer.
#
# Results:
#       None.
#
# Errors:
#       The number can't be written, or the transaction's file can't be removed.
proc ::tls::CmpEndCase {token id digest answer} {
    variable cmpJobs
    variable cmpCases
    variable cmpOver
    variable cmpUsed
    variable cmpMostAnswers
    set folder [dict get $cmpJobs($token) state]
    if {$folder ne {}} {
        # A transaction whose number is there is over, even if its file stays behind.
        CmpAppend $folder numbers "$id [clock seconds]\n"
        file delete [file join $folder $id.case]
    }
    unset -nocomplain cmpCases($token,$id)
    dict set cmpUsed($token) new $id {}
    if {[dict size [dict get $cmpOver($token) new]] >= $cmpMostAnswers} {
        CmpTurn cmpOver($token)
    }
    dict set cmpOver($token) new $id [list $digest $answer]
    return
}

# tls::CmpTurn --
#       Forgets what is old, and has grow old what is new.
#
# Arguments:
#       name        The name of the variable.
#
# Results:
#       None.
proc ::tls::CmpTurn {name} {
    upvar #0 ::tls::$name memory
    set memory [dict create new {} old [dict get $memory new] turned [clock seconds]]
    return
}

# tls::CmpTurnNumbers --
#       Forgets old numbers, on the disk too.
#
# Arguments:
#       token       The server.
#
# Results:
#       None.
#
# Errors:
#       A file can't be removed or renamed.
proc ::tls::CmpTurnNumbers {token} {
    variable cmpJobs
    CmpTurn cmpUsed($token)
    set folder [dict get $cmpJobs($token) state]
    if {$folder ne {}} {
        # This waits until the files of their transactions are gone for good.
        CmpKeep $folder numbers.old
        if {[file exists [file join $folder numbers]]} {
            file rename [file join $folder numbers] [file join $folder numbers.old]
        }
    }
    return
}

# tls::CmpSpan --
#       For how long somebody could send a message once more: it may be from ahead by the window, and is taken
#       until it is behind by as much.
#
# Arguments:
#       window      How many seconds the time of a message may be off.
#
# Results:
#       The seconds.
proc ::tls::CmpSpan {window} {
    variable cmpMemory
    return [expr {max($cmpMemory, 2 * $window + 1)}]
}

# tls::CmpLastAnswer --
#       The answer to the last message of a transaction that is over.
#
# Arguments:
#       token       The server.
#       id          The number of the transaction.
#       digest      The digest of the message.
#
# Results:
#       The answer; empty if there is no such transaction, or it ended with another message.
proc ::tls::CmpLastAnswer {token id digest} {
    variable cmpOver
    foreach age {new old} {
        if {[dict exists $cmpOver($token) $age $id]} {
            lassign [dict get $cmpOver($token) $age $id] last answer
            return [expr {$last eq $digest ? $answer : {}}]
        }
    }
    return {}
}

# tls::CmpIsUsed --
#       Whether a number is that of another transaction, perhaps one that is over.
#
# Arguments:
#       token       The server.
#       id          The number.
#
# Results:
#       A boolean.
proc ::tls::CmpIsUsed {token id} {
    variable cmpCases
    variable cmpUsed
    return [expr {
        [info exists cmpCases($token,$id)] || [dict exists $cmpUsed($token) new $id]
        || [dict exists $cmpUsed($token) old $id]
    }]
}

# tls::CmpForget --
#       Forgets all transactions of a server.
#
# Arguments:
#       token       The server.
#
# Results:
#       None.
proc ::tls::CmpForget {token} {
    variable cmpCases
    variable cmpOver
    variable cmpUsed
    array unset cmpCases $token,*
    unset -nocomplain cmpOver($token) cmpUsed($token)
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
    variable cmpOver
    variable cmpUsed
    variable cmpMemory
    if {![info exists cmpJobs($token)]} {
        return
    }
    after 1000 [list ::tls::CmpSweep $token]
    set now [clock seconds]
    if {[dict get $cmpOver($token) turned] + $cmpMemory <= $now} {
        CmpTurn cmpOver($token)
    }
    if {[dict get $cmpUsed($token) turned] + [CmpSpan [dict get $cmpJobs($token) window]] <= $now} {
        CmpTurnNumbers $token
    }
    foreach key [array names cmpCases $token,*] {
        if {![info exists cmpCases($key)] || [dict get $cmpCases($key) deadline] > $now} {
            continue
        }
        set id [string range $key [string length $token,] end]
        set case $cmpCases($key)
        # What fails is tried again.
        try {
            set event expired
            set facts [dict create transaction $id]
            if {[dict get $case phase] eq "issued"} {
                CmpTakeBack $token $id $case {}
                set event unconfirmed
                dict set facts certificate [dict get $case certificate]
            }
            CmpEndCase $token $id {} {}
            # In the end, since the script may end the server.
            CmpReport $token $event $facts
        } on error {message options} {
            dict set cmpCases($key) deadline [expr {$now + 10}]
            after 0 [list return -options $options $message]
        }
    }
    return
}
