# ca-databases.tcl -- the benchmark of tls::ca on databases behind TDBC connections: what one command costs
# by the size of the database, what a call does with many requests, and what many processes do at
# once.
#
# Usage: tclsh ca-databases.tcl ?-quick? ?-kinds KINDS? ?-rows SIZES? ?-only WORKS?
#        SIGNING PACKAGE
#
# SIGNING is the built example signing, PACKAGE the folder that tools/package.tcl made. KINDS are any of files,
# sqlite3, postgres and mysql; the servers are those of the tests, and end with this. SIZES is a list of
# numbers of records, WORKS a regular expression. Each work runs in a process of its own, which tells its
# median time and the most memory that it ever had; a server's memory isn't counted.
#
#       tclsh ca-databases.tcl -worker PACKAGE FOLDER WORK COUNT ?DRIVER CONNECT?
#
# is one such process.

namespace eval bench {
    # The words that connect to the database, with @ where the connection's name goes; nothing for files.
    variable connect {}
}

# ---- One process ----------------------------------------------------------------------------------

# The words of a work's command.
proc bench::Words {work number} {
    set subject "/CN=$work $number [pid]"
    switch $work {
        status {return {-status 0F}}
        issue - processes {return [list -in leaf.req -subj $subject -notext]}
        bulk {return [list -notext -out out.pem -infiles {*}[glob requests/*]]}
        gencrl {return {-gencrl -out out.crl}}
        default {return -$work}
    }
}

# Does a work so many times; gives its times in seconds.
proc bench::Times {work count database} {
    set times {}
    for {set number 1} {$number <= $count} {incr number} {
        set words [Words $work $number]
        if {$work eq "revoke"} {
            set issued [tls::ca -config ca.cnf {*}$database {*}[Words issue $number]]
            set words [list -revoke $issued]
        }
        set begin [clock microseconds]
        tls::ca -config ca.cnf {*}$database {*}$words
        lappend times [expr {([clock microseconds] - $begin) / 1e6}]
    }
    return $times
}

# The process's side of a measurement.
proc bench::DatabaseWorker {package path work count {driver {}} {connect {}}} {
    lappend ::auto_path [file dirname [file normalize $package]] [file normalize $package]
    package require tls
    cd $path
    set database {}
    if {$driver ne {}} {
        package require tdbc::$driver
        {*}[string map {@ ::db} $connect]
        set database {-database ::db}
    }
    if {$work in {status issue revoke processes}} {
        # The first call makes what the others find.
        tls::ca -config ca.cnf {*}$database -status 01
    }
    if {$work eq "processes"} {
        puts ready
        flush stdout
        gets stdin
    }
    set before [Processor]
    set times [lsort -real [Times $work $count $database]]
    set processor [expr {[Processor] - $before}]
    set status [open /proc/self/status]
    regexp {VmHWM:\s+(\d+)} [read $status] -> peak
    close $status
    puts "[lindex $times [expr {[llength $times] / 2}]] $peak $processor"
}

# ---- The measurements -----------------------------------------------------------------------------

# The words that start a process.
proc bench::Process {package path kind work count} {
    variable connect
    set words [list [info nameofexecutable] [file normalize [info script]] -worker $package $path $work $count]
    if {$kind ne "files"} {
        lappend words $kind $connect
    }
    return $words
}

# Measures a work in a process and prints a line.
proc bench::Measure {package path kind work count title} {
    lassign [exec {*}[Process $package $path $kind $work $count]] seconds peak
    puts [format "%-9s %-32s %s" $kind $title [Shown [list $seconds $peak]]]
    flush stdout
    return $seconds
}

# An authority with so many records of a kind, in a database of its own.
proc bench::Imported {package name rows records kind} {
    variable connect
    set path [Authority $name $rows $records]
    if {$kind ne "files"} {
        set connect [databases::make $kind]
        return [list $path [exec {*}[Process $package $path $kind import 1]]]
    }
    return [list $path {}]
}

# Single commands, by the number of records.
proc bench::Sized {package kind rows only} {
    lassign [Imported $package valid $rows V $kind] path import
    if {$import ne {} && [regexp -- $only import]} {
        puts [format "%-9s %-32s %s" $kind "import, $rows records" [Shown $import]]
    }
    foreach work {status issue revoke} {
        if {[regexp -- $only $work]} {
            Measure $package $path $kind $work 101 "$work, $rows records"
        }
    }
    if {$kind ne "files" && [regexp -- $only export]} {
        file rename [file join $path index.txt] [file join $path kept.txt]
        Measure $package $path $kind export 1 "export, $rows records"
    }
    foreach {work records} {updatedb E gencrl R} {
        if {[regexp -- $only $work]} {
            lassign [Imported $package $work $rows $records $kind] path
            Measure $package $path $kind $work 1 "$work, $rows records"
        }
    }
}

# Many requests in one call, beside what the key alone can sign.
proc bench::Requests {signing package kind count} {
    variable folder
    lassign [Imported $package bulk 1 V $kind] path
    if {![file exists [file join $folder requests]]} {
        file mkdir [file join $folder requests]
        for {set number 0} {$number < $count} {incr number} {
            Openssl req -new -config [file join $folder req.cnf] -key [file join $folder leaf.key] \
                -subj "/CN=bulk $number" -out [file join $folder requests [format %06d.req $number]]
        }
    }
    file link [file join $path requests] [file join $folder requests]
    Settle
    Rate [format "%-9s %s" $kind "$count requests in one call"] $count \
        [exec {*}[Process $package $path $kind bulk 1]] [exec $signing [file join $path ca.key] 2]
}

# So many certificates by one process, and by many at once.
proc bench::Crowd {package kind count} {
    foreach processes {1 2 8} {
        # A database of its own each time: records that are there already would count against those who come later.
        lassign [Imported $package crowd 1 V $kind] path
        set each [expr {$count / $processes}]
        set running {}
        for {set number 0} {$number < $processes} {incr number} {
            set process [open |[Process $package $path $kind processes $each] r+]
            lappend running $process
        }
        foreach process $running {
            gets $process
        }
        Settle
        set begin [clock microseconds]
        foreach process $running {
            puts $process go
            flush $process
        }
        foreach process $running {
            gets $process
        }
        set seconds [expr {([clock microseconds] - $begin) / 1e6}]
        foreach process $running {
            close $process
        }
        puts [format "%-9s %-32s %10.0f /s" $kind "$processes processes" \
            [expr {$processes * $each / $seconds}]]
        flush stdout
    }
}

# Everything.
proc bench::Databases {words} {
    variable folder
    set sizes {1000 100000 1000000}
    set kinds {files sqlite3 postgres mysql}
    set count 1000
    set only .
    while {[string match -* [lindex $words 0]]} {
        set words [lassign $words option]
        switch -- $option {
            -quick {
                set sizes {1000 10000}
                set count 200
            }
            -kinds {set words [lassign $words kinds]}
            -rows {set words [lassign $words sizes]}
            -only {set words [lassign $words only]}
            default {error "bad option \"$option\": must be -kinds, -only, -quick, or -rows"}
        }
    }
    lassign [lmap word $words {file normalize $word}] signing package
    set ::env(TLS_PACKAGE) $package
    set ::argv {}
    set tests [file join [file dirname [file dirname [file normalize [info script]]]] tests]
    uplevel #0 [list source [file join $tests helpers.tcl]]
    uplevel #0 [list source [file join $tests ca-databases.tcl]]
    set there [databases::open 1]
    Folder
    try {
        foreach kind $kinds {
            if {$kind ni $there && $kind ne "files"} {
                puts "$kind: not there"
                continue
            }
            foreach rows $sizes {
                Sized $package $kind $rows $only
            }
            if {[regexp -- $only bulk]} {
                Requests $signing $package $kind $count
            }
            if {[regexp -- $only processes]} {
                Crowd $package $kind $count
            }
        }
    } finally {
        databases::end
        file delete -force $folder
    }
}

source [file join [file dirname [info script]] ca.tcl]
if {[lindex $argv 0] eq "-worker"} {
    bench::DatabaseWorker {*}[lrange $argv 1 end]
} else {
    bench::Databases $argv
}
