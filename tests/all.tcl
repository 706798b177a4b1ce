# all.tcl -- runs the test files and says how many tests passed, failed and were skipped.
#
# Usage: tclsh tests/all.tcl ?OPTION VALUE ...?
#
#   -package FOLDER    the package to test; by default the one that make built
#   -file PATTERNS     only test files whose name matches one of these
#   -without PATTERNS  no test files whose name matches one of these
#   -deadline SECONDS  how long one file may take, by default 300
#   -through PREFIX    a command to run each test file under, such as valgrind
#
# Any other option goes to tcltest in each file: -match "socket-*", -constraints long, -verbose p.
#
# Every file runs in a process of its own, so that a crash or a hang takes one file with it, and is
# counted as a failure. The exit status is 0 if tests ran and none failed.

namespace eval all {
    variable folder [file dirname [file normalize [info script]]]
    variable options [dict create -package {} -file * -without {} -deadline 300 -through {}]
    variable passed 0
    variable failed 0
    variable skipped 0

    # How many tests each constraint skipped.
    variable because [dict create]
}

# all::main --
#       Runs the files.
#
# Arguments:
#       words   the command line
#
# Results:
#       The exit status.
proc all::main {words} {
    variable folder
    variable options
    variable passed
    variable failed
    variable skipped
    set forwarded {}
    foreach {option value} $words {
        if {[dict exists $options $option]} {
            dict set options $option $value
        } else {
            lappend forwarded $option $value
        }
    }
    if {[dict get $options -package] ne {}} {
        set ::env(TLS_PACKAGE) [file normalize [dict get $options -package]]
    }
    if {[dict get $options -through] ne {}} {
        set ::env(TLS_THROUGH) 1
    }
    # Tests give other programs names with letters beyond ASCII, which a bare system's locale has not.
    set ::env(LC_ALL) C.UTF-8
    # What a test makes is put where nobody takes it for a part of the project.
    set scratch [file join [file dirname $folder] build tests-[pid]]
    file mkdir $scratch
    try {
        foreach file [lsort [glob -directory $folder *.test]] {
            if {[Wanted [file tail $file]]} {
                RunFile $file [list -tmpdir $scratch {*}$forwarded]
            }
        }
    } finally {
        file delete -force $scratch
    }
    ReportSkipped
    puts "$passed passed, $failed failed, $skipped skipped"
    return [expr {$failed > 0 || $passed == 0}]
}

# Whether a file's name matches one of the patterns asked for, and none of those to leave out.
proc all::Wanted {name} {
    variable options
    foreach pattern [dict get $options -without] {
        if {[string match $pattern $name]} {
            puts "$name:\tleft out"
            return 0
        }
    }
    foreach pattern [dict get $options -file] {
        if {[string match $pattern $name]} {
            return 1
        }
    }
    return 0
}

# all::RunFile --
#       Runs one file, shows what it says and adds its numbers to the totals.
#
# Arguments:
#       file        the test file
#       forwarded   options for tcltest
#
# Results:
#       None.
proc all::RunFile {file forwarded} {
    variable options
    variable output {}
    variable ended {}
    variable failed
    set name [file tail $file]
    set command [list {*}[dict get $options -through] [info nameofexecutable] $file {*}$forwarded]
    set pipe [open |[list {*}$command </dev/null 2>@1]]
    fconfigure $pipe -blocking 0
    fileevent $pipe readable [list all::Collect $pipe]
    set timer [after [expr {[dict get $options -deadline] * 1000}] {set all::ended deadline}]
    vwait all::ended
    after cancel $timer
    if {$ended eq "deadline"} {
        foreach pid [pid $pipe] {
            exec sh -c "kill -KILL $pid"
        }
    }
    fconfigure $pipe -blocking 1
    set status [catch {close $pipe} message]
    if {![Count $name] || $status || $ended eq "deadline"} {
        # tcltest's own numbers can't be relied on: it was stopped before its end.
        incr failed
        puts "==== $name FAILED: [expr {$ended eq "deadline" ? "deadline exceeded" : $message}]"
    }
}

# Takes and shows what a test file says.
proc all::Collect {pipe} {
    variable output
    while {[gets $pipe line] >= 0} {
        append output $line \n
        puts $line
    }
    if {[eof $pipe]} {
        variable ended eof
    }
}

# all::Count --
#       Adds the numbers in a file's output to the totals.
#
# Arguments:
#       name    the file's name
#
# Results:
#       Whether tcltest came to its end and printed numbers.
proc all::Count {name} {
    variable output
    variable passed
    variable failed
    variable skipped
    variable because
    set numbers {:\tTotal\t(\d+)\tPassed\t(\d+)\tSkipped\t(\d+)\tFailed\t(\d+)}
    if {![regexp $numbers $output -> total ok not bad]} {
        return 0
    }
    incr passed $ok
    incr skipped $not
    incr failed $bad
    set list [regexp -inline {Number of tests skipped for each constraint:\n((?:\t[^\n]*\n)+)} $output]
    foreach line [split [string trim [lindex $list 1]] \n] {
        lassign [split [string trim $line] \t] count constraint
        dict incr because $constraint $count
    }
    return 1
}

# Says what the skipped tests lacked.
proc all::ReportSkipped {} {
    variable because
    dict for {constraint count} [lsort -stride 2 $because] {
        puts "skipped for want of $constraint: $count"
    }
}

set argv0 all.tcl
exit [all::main $argv]
