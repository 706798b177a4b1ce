# run.tcl -- the benchmark: the same work by the floor (floor.rs), this package, TclTLS and Python.
#
# Usage: tclsh run.tcl ?-quick? ?-rounds N? ?-only WORKS? ?-who NAMES? FLOOR PACKAGE
#
# FLOOR is the built example floor, PACKAGE the folder that tools/package.tcl made. In the environment,
# BENCH_TCLSH is another tclsh for the ends, and BENCH_ROOT a folder with another system that all ends
# run in (as root), such as that of tools/tcl9. Each measure starts a server and a client of the same
# make, each a process of its own:
#
#       PROGRAM server WORK CERTIFICATE KEY FILE
#               prints its port, and serves until it is ended
#       PROGRAM client WORK PORT TRUST VERSION AMOUNT FILE
#               prints "ready", waits for a line, does the work, prints "done COUNT SECONDS ?WORST?",
#               and waits for another line before it ends
#
# TRUST is "default" or a file, VERSION the latest protocol, AMOUNT milliseconds, bytes or
# connections. CPU and memory of both ends are read from /proc meanwhile. Contestants take turns, and
# what is printed is the median of the rounds. Nothing is left behind but the table.

namespace eval bench {
    # Where everything is put that is needed meanwhile.
    variable folder

    # Where this file and its ends are.
    variable here [file dirname [file normalize [info script]]]

    # What goes before the command line of an end that runs in another system.
    variable within {}

    # Whether the Tcl of the ends can't wait for many descriptors.
    variable selects 0

    # The contestants: name -> command line.
    variable contestants {}

    # What is measured: name -> dict of the keys work, trust, version, key, amount, quick, unit.
    variable measures {}

    # What came of it: measure, contestant -> the values of the rounds.
    variable results {}

    # Options.
    variable quick 0
    variable rounds 5
    variable only .
    variable who .
}

# Says what is to be measured.
proc bench::Measures {} {
    variable measures
    set mebibyte [expr {1024 * 1024}]
    foreach {name work trust version key amount quick unit} [subst {
        "full handshakes, P-256, -cafile"       handshake ca 1.3 p256 1000 300 1/s
        "full handshakes, P-256, default store" handshake default 1.3 p256 1000 300 1/s
        "full handshakes, RSA-2048, -cafile"    handshake ca 1.3 rsa 1000 300 1/s
        "full handshakes, RSA-2048, default store" handshake default 1.3 rsa 1000 300 1/s
        "resumed, TLS 1.3 tickets"              resume ca 1.3 p256 1000 300 1/s
        "resumed, TLS 1.2 ids"                  resume ca 1.2 p256 1000 300 1/s
        "bulk down, puts to read"               down ca 1.3 p256 [expr {256 * $mebibyte}] [expr {64 * $mebibyte}] MB/s
        "bulk up, puts to read"                 up ca 1.3 p256 [expr {256 * $mebibyte}] [expr {64 * $mebibyte}] MB/s
        "bulk down, fcopy from and to a file" copydown ca 1.3 p256 [expr {256 * $mebibyte}] [expr {64 * $mebibyte}] MB/s
        "bulk up, fcopy from and to a file"     copyup ca 1.3 p256 [expr {256 * $mebibyte}] [expr {64 * $mebibyte}] MB/s
        "echo of 100 bytes"                     echo ca 1.3 p256 1000 300 1/s
        "echo, Tcl's server in the event loop"  eventecho ca 1.3 p256 1000 300 1/s
        "1,000 idle connections"                idle ca 1.3 p256 900 200 idle
        "10,000 idle connections"               idle ca 1.3 p256 9900 0 idle
        "import of a channel"                   import ca 1.3 p256 500 200 us
        "accept storm of 500"                   storm ca 1.3 p256 500 100 storm
    }] {
        dict set measures $name [dict create work $work trust $trust version $version key $key \
            amount $amount quick $quick unit $unit]
    }
}

# Makes the folder for everything. Where the ends run in another system, it is theirs, and a link leads
# there, so that the same paths are right inside and outside.
proc bench::Folder {} {
    variable folder
    variable within
    close [file tempfile folder]
    file delete $folder
    set place $folder
    if {[info exists ::env(BENCH_ROOT)]} {
        set root [file normalize $::env(BENCH_ROOT)]
        set within [list chroot $root]
        set place $root$folder
        file mkdir [file dirname $place]
    }
    file mkdir $place
    if {$place ne $folder} {
        file link -symbolic $folder $place
    }
    cd $folder
}

# Deletes it.
proc bench::Forget {} {
    variable folder
    cd /
    if {[file type $folder] eq "link"} {
        file delete -force [file link $folder]
    }
    file delete -force $folder
}

# Finds the contestants, and takes them along; who is missing is told of.
proc bench::Contestants {floor package} {
    variable contestants
    variable folder
    variable selects
    variable who
    variable within
    variable here
    foreach {source name} [list $floor floor $package package \
        [file join $here ends.tcl] ends.tcl [file join $here ends.py] ends.py] {
        file copy $source [file join $folder $name]
    }
    set package [file join $folder package]
    set tclsh [info nameofexecutable]
    if {[info exists ::env(BENCH_TCLSH)]} {
        set tclsh $::env(BENCH_TCLSH)
    }
    set tclsh [list {*}$within $tclsh]
    set selects [exec {*}$tclsh << {puts [expr {![package vsatisfies [info tclversion] 9]}]}]
    set ends [file join $folder ends.tcl]
    dict set contestants floor [list {*}$within [file join $folder floor]]
    set provided [exec {*}$tclsh << "
        set auto_path \[linsert \$auto_path 0 [list $package]]
        puts \[package require tls 3-]
    "]
    set ours [list env TCLLIBPATH=$package BENCH_TLS=$provided {*}$tclsh $ends]
    dict set contestants "this package" $ours
    dict set contestants "Tcl without TLS" [list env BENCH_TLS=none {*}$tclsh $ends]
    set older [exec {*}$tclsh << {
        set versions {}
        catch {package require tls 3-}
        foreach version [package versions tls] {
            if {[package vcompare $version 1.8] < 0 && $version ne "1.99"} {lappend versions $version}
        }
        puts [lindex $versions 0]
    }]
    if {$older eq ""} {
        puts "TclTLS isn't here (package tcl-tls), so that it is left out"
    } else {
        dict set contestants "TclTLS $older" [list env BENCH_TLS=$older {*}$tclsh $ends]
    }
    set python [list {*}$within python3]
    if {[catch {exec {*}$python -c "import ssl"}]} {
        puts "Python isn't here, or has no module ssl, so that it is left out"
    } else {
        dict set contestants "Python's ssl" [list {*}$python [file join $folder ends.py]]
    }
    dict for {name command} $contestants {
        if {![regexp -- $who $name]} {
            dict unset contestants $name
        }
    }
}

# Makes certificates, and a trust store as large as the system's.
proc bench::Prepare {} {
    variable folder
    set extensions [open server.cnf w]
    puts $extensions "subjectAltName = DNS:localhost,IP:127.0.0.1"
    close $extensions
    set p256 {-newkey ec -pkeyopt ec_paramgen_curve:P-256}
    Openssl req -x509 {*}$p256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=bench \
        -addext "keyUsage = keyCertSign"
    foreach {name key} [list p256 $p256 rsa {-newkey rsa:2048}] {
        Openssl req {*}$key -nodes -keyout $name.key -out $name.csr -subj /CN=localhost
        Openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
            -extfile server.cnf -out $name.pem
    }
    set bundle [open bundle.pem wb]
    foreach file {/etc/ssl/certs/ca-certificates.crt ca.pem} {
        set source [open $file rb]
        fcopy $source $bundle
        close $source
    }
    close $bundle
    # Resumption by session ids needs servers and clients that do without tickets.
    set config [open ids.cnf w]
    puts $config "openssl_conf = init\n\[init]\nssl_conf = ssl\n\[ssl]\nsystem_default = tls\n"
    puts $config "\[tls]\nOptions = -SessionTicket"
    close $config
    set ::env(SSL_CERT_FILE) [file join $folder bundle.pem]
    # Files that have just been written are read for each connection, since they may still change unseen.
    after 3000
}

# Runs the openssl program.
proc bench::Openssl {args} {
    exec -ignorestderr openssl {*}$args 2>/dev/null
}

# The CPU time of a process in seconds, all threads together.
proc bench::Cpu {pid} {
    set used 0
    foreach file [glob -nocomplain /proc/$pid/task/*/schedstat] {
        if {![catch {Content $file} text]} {
            incr used [lindex $text 0]
        }
    }
    return [expr {$used / 1e9}]
}

# The memory of a process in KiB.
proc bench::Memory {pid} {
    regexp {VmRSS:\s+(\d+)} [Content /proc/$pid/status] -> size
    return $size
}

# The content of a file.
proc bench::Content {name} {
    set file [open $name]
    try {
        return [read $file]
    } finally {
        close $file
    }
}

# The next line of a process; an error when it takes too long, or when the process has ended.
proc bench::Line {chan} {
    set alarm [after 120000 [list set ::bench::line late]]
    fileevent $chan readable {set ::bench::line ready}
    vwait ::bench::line
    after cancel $alarm
    fileevent $chan readable {}
    if {$::bench::line eq "late"} {
        error "no answer for two minutes"
    }
    if {[gets $chan line] < 0} {
        fconfigure $chan -blocking 1
        close $chan
        error "ended without an answer"
    }
    return $line
}

# Measures once: a dict of count, seconds, worst, cpu, memory (KiB, both ends) and idle (CPU seconds
# in a second of doing nothing).
proc bench::Once {command measure} {
    variable folder
    variable quick
    dict with measure {}
    if {$quick} {
        set amount [dict get $measure quick]
    }
    set file [file join $folder data]
    if {[string match copy* $work] && (![file exists $file] || [file size $file] != $amount)} {
        set chan [open $file wb]
        set block [string repeat 0123456789abcdef 65536]
        for {set left $amount} {$left > 0} {incr left -[string length $block]} {
            puts -nonewline $chan $block
        }
        close $chan
    }
    unset -nocomplain ::env(OPENSSL_CONF)
    if {$version eq "1.2"} {
        set ::env(OPENSSL_CONF) [file join $folder ids.cnf]
    }
    set trust [expr {$trust eq "ca" ? [file join $folder ca.pem] : $trust}]
    set server [open "|[list {*}$command server $work [file join $folder $key.pem] \
    [file join $folder $key.key] $file] 2>@stderr" r+]
    set client {}
    try {
        set port [Line $server]
        set client [open "|[list {*}$command client $work $port $trust $version $amount $file] \
            2>@stderr" r+]
        fconfigure $client -buffering line
        Line $client
        set pids [list [pid $server] [pid $client]]
        set cpu [Sum Cpu $pids]
        set memory [Sum Memory $pids]
        puts $client go
        lassign [Line $client] - count seconds worst
        set outcome [dict create count $count seconds $seconds worst $worst amount $amount \
            cpu [expr {[Sum Cpu $pids] - $cpu}]]
        if {$work eq "idle"} {
            # What was said last may still be on its way.
            after 200
            dict set outcome memory [expr {([Sum Memory $pids] - $memory) / double($count)}]
            set cpu [Sum Cpu $pids]
            after 1000
            dict set outcome idle [expr {[Sum Cpu $pids] - $cpu}]
        }
        return $outcome
    } finally {
        foreach chan [list $client $server] {
            if {$chan in [chan names]} {
                catch {exec kill -9 {*}[pid $chan]}
                catch {close $chan}
            }
        }
        file delete $file.received
    }
}

# Adds up what a command says of some processes.
proc bench::Sum {command pids} {
    set sum 0
    foreach pid $pids {
        set sum [expr {$sum + [$command $pid]}]
    }
    return $sum
}

# What a measure's outcome is called, and its value: a list of dicts with the keys name, unit, value
# and better, which is "more" or "less".
proc bench::Values {name measure outcome} {
    dict with outcome {}
    set rate [expr {$count / $seconds}]
    switch [dict get $measure unit] {
        1/s {
            return [list [list $name 1/s more $rate] \
                [list "- CPU of both ends" us less [expr {$cpu / $count * 1e6}]]]
        }
        MB/s {
            return [list [list $name MB/s more [expr {$amount / $seconds / 1e6}]] \
                [list "- CPU of both ends" s/GiB less [expr {$cpu / $amount * (1 << 30)}]]]
        }
        us {
            return [list [list $name us less [expr {$seconds / $count * 1e6}]]]
        }
        idle {
            return [list [list $name "KiB each" less $memory] \
                [list "- CPU while idle" ms/s less [expr {$idle * 1e3}]]]
        }
        storm {
            return [list [list $name s less $seconds] \
                [list "- worst wait" s less $worst]]
        }
    }
}

# Runs all measures and notes the outcomes.
proc bench::Run {} {
    variable contestants
    variable measures
    variable results
    variable rounds
    variable quick
    variable only
    for {set round 1} {$round <= $rounds} {incr round} {
        dict for {name measure} $measures {
            if {![regexp -- $only $name] || ($quick && ![dict get $measure quick])} {
                continue
            }
            # The large one is measured once: it takes its time, and memory doesn't vary.
            if {$round > 1 && [dict get $measure unit] in {idle}} {
                continue
            }
            dict for {who command} $contestants {
                if {![Takes $who $measure]} {
                    continue
                }
                puts -nonewline stderr "\r\x1b\[Kround $round of $rounds: $name, $who"
                if {[catch {Once $command [Sized $who $measure]} outcome options]} {
                    puts stderr "\n$outcome"
                    continue
                }
                foreach value [Values $name $measure $outcome] {
                    lassign $value label unit better number
                    set key [list $name $label $unit $better]
                    set known {}
                    if {[dict exists $results $key $who]} {
                        set known [dict get $results $key $who]
                    }
                    dict set results $key $who [list {*}$known $number]
                }
            }
        }
    }
    puts stderr "\r\x1b\[K"
}

# Whether a contestant can do this: TclTLS resumes no sessions. Without TLS, only what Tcl has its share
# in is of interest.
proc bench::Takes {who measure} {
    variable selects
    set work [dict get $measure work]
    if {$who eq "Tcl without TLS"} {
        return [expr {$work in {down up copydown copyup echo eventecho}}]
    }
    # Tcl 8.6 waits by select, which knows 1,024 descriptors.
    set many [expr {$work eq "idle" && [dict get $measure amount] > 1000}]
    if {$many && $selects && $who eq "this package"} {
        puts "10,000 connections need Tcl 9 (make bench-tcl9), so that they are left out"
        return 0
    }
    return [expr {![string match TclTLS* $who] || !($work eq "resume" || $many)}]
}

# The measure, smaller for who would take minutes: TclTLS reads all trusted certificates again for
# each connection.
proc bench::Sized {who measure} {
    if {[string match TclTLS* $who]} {
        switch [dict get $measure work] {
            idle - storm - import {
                dict set measure amount 50
                dict set measure quick 20
            }
        }
    }
    return $measure
}

# The median of some numbers.
proc bench::Median {numbers} {
    set sorted [lsort -real $numbers]
    return [lindex $sorted [expr {[llength $sorted] / 2}]]
}

# Prints the table, in Markdown.
proc bench::Print {} {
    variable contestants
    variable results
    set names [dict keys $contestants]
    set head "| | unit | [join $names { | }] |"
    puts $head
    puts "| --- | --- |[string repeat { ---: |} [llength $names]]"
    dict for {key values} $results {
        lassign $key - label unit better
        set line "| $label | $unit |"
        set floor {}
        foreach who $names {
            if {![dict exists $values $who]} {
                append line " – |"
                continue
            }
            set value [Median [dict get $values $who]]
            append line " [Number $value]"
            if {$who eq "floor"} {
                set floor $value
            } elseif {$floor ne "" && $floor > 0 && $value > 0} {
                append line " ([format %.2f [expr {$value / $floor}]])"
            }
            append line " |"
        }
        puts $line
    }
}

# A number with about three digits.
proc bench::Number {value} {
    if {$value >= 100} {
        return [format %.0f $value]
    } elseif {$value >= 10} {
        return [format %.1f $value]
    } elseif {$value >= 1} {
        return [format %.2f $value]
    }
    return [format %.3f $value]
}

# Reads the command line and does it all.
proc bench::Main {words} {
    variable quick
    variable rounds
    variable only
    variable who
    while {[string match -* [lindex $words 0]]} {
        set words [lassign $words option]
        switch -- $option {
            -quick {
                set quick 1
                set rounds 1
            }
            -rounds - -only - -who {
                set words [lassign $words [string range $option 1 end]]
            }
            default {
                error "bad option \"$option\""
            }
        }
    }
    lassign $words floor package
    set floor [file normalize $floor]
    set package [file normalize $package]
    Folder
    try {
        Contestants $floor $package
        Measures
        Prepare
        Run
        Print
    } finally {
        Forget
    }
}

bench::Main $argv
