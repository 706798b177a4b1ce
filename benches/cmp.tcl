# cmp.tcl -- enrolments a second by the certificate management protocol: this package's client and
# servers beside the openssl program and its test server.
#
# Usage: tclsh cmp.tcl ?-quick? PACKAGE
#
# PACKAGE is the folder of the built package. -quick tries it out with few rounds. Prints a table;
# a row is a client and a server, and a column is one client or eight, with and without connections
# that are kept. What fails is counted. The exit status is 1 if anything of the package's fails.

namespace eval bench {
    # How many enrolments a client has; eight clients at once have twice as many each.
    variable rounds 50
    # In how many turns they do it, with connections that are kept and with new ones.
    variable turns 5
    variable folder
    variable failures 0
}

# bench::main --
#       Measures everything.
#
# Arguments:
#       words   the command line
#
# Results:
#       The exit status.
proc bench::main {words} {
    variable rounds
    variable turns
    variable folder
    variable failures
    if {[lindex $words 0] eq "-quick"} {
        set rounds 3
        set turns 1
        set words [lrange $words 1 end]
    }
    set package [file normalize [lindex $words 0]]
    lappend ::auto_path [file dirname $package]
    set ::env(TCLLIBPATH) [list [file dirname $package]]
    package require tls
    set folder [file join [pwd] build benchcmp-[pid]]
    file mkdir $folder
    set here [pwd]
    cd $folder
    try {
        Prepare
        puts "[Machine]\n"
        puts "within the process: [InProcess]\n"
        puts "$rounds enrolments with confirmation by one client, [expr {16 * $rounds}] by eight; P-256, MAC;\
            enrolments/s (failures)\n"
        puts "| client, server | one, kept | one, new | eight, kept | eight, new |"
        puts "|---|---|---|---|---|"
        foreach client {program package} {
            foreach server {program test real} {
                Row $client $server
            }
        }
        puts "\ntwenty in flight in one event loop, test server: [Twenty] ms"
    } finally {
        cd $here
        file delete -force $folder
    }
    return [expr {$failures > 0}]
}

# bench::Machine --
#       What this runs on.
#
# Results:
#       A line.
proc bench::Machine {} {
    set model unknown
    set cores 0
    set file [open /proc/cpuinfo]
    while {[gets $file line] >= 0} {
        if {[regexp {^model name\s*: (.*)} $line -> model]} {
            incr cores
        }
    }
    close $file
    return "$cores x $model, Tcl [info patchlevel], [join [lrange [exec openssl version] 0 1]]"
}

# bench::InProcess --
#       Measures enrolments with the test server in the same process: each by a call, or many in one.
#
# Results:
#       A line.
proc bench::InProcess {} {
    variable rounds
    set words [list -config {} -cmd ir -use_mock_srv -srv_ref server -srv_secret pass:shared \
        -rsp_cert new.pem -ref client -secret pass:shared -newkey new.key -subject /CN=new \
        -certout out.pem]
    set lines {}
    foreach {title calls repeat} [list "a call each" [expr {2 * $rounds}] 1 "in one call" 1 \
        [expr {10 * $rounds}]] {
        foreach name {program package} {
            set start [clock microseconds]
            for {set call 0} {$call < $calls} {incr call} {
                if {$name eq "program"} {
                    exec openssl cmp {*}$words -repeat $repeat 2>@1
                } else {
                    tls::cmp {*}$words -repeat $repeat
                }
            }
            set $name [expr {1e6 * $calls * $repeat / ([clock microseconds] - $start)}]
        }
        lappend lines [format "%s: program %.0f enrolments/s, package %.0f, which is %.2f times as many" \
            $title $program $package [expr {$package / $program}]]
    }
    return [join $lines "; "]
}

# bench::Prepare --
#       Makes a key and a certificate.
#
# Results:
#       None.
proc bench::Prepare {} {
    exec openssl ecparam -name prime256v1 -genkey -noout -out new.key
    exec openssl req -x509 -new -key new.key -subj /CN=new -days 9 -out new.pem
}

# bench::Server --
#       Starts a server in a process of its own; a real one gets an authority of its own.
#
# Arguments:
#       kind    program, test or real
#
# Results:
#       The pipe and the port.
proc bench::Server {kind} {
    set mock {-srv_ref server -srv_secret pass:shared -rsp_cert new.pem}
    if {$kind eq "program"} {
        set words [list openssl cmp -config {} -port 0 {*}$mock]
    } else {
        if {$kind eq "real"} {
            # One without records each time, which would count against those who come later.
            file delete -force authority
            tls::ca -newca authority
        }
        set options [expr {
            $kind eq "test" ? "-port 0 $mock"
            : "serve -port 0 -ca authority/openssl.cnf -srv_ref client -srv_secret pass:shared"
        }]
        set file [open server.tcl w]
        puts $file [format {
            package require tls
            lassign [tls::cmp {*}%s -config {}] token port
            puts "ACCEPT *:$port"
            flush stdout
            vwait forever
        } [list $options]]
        close $file
        set words [list [info nameofexecutable] server.tcl]
    }
    set pipe [open |[list {*}$words 2>@1] r]
    while {[gets $pipe line] >= 0} {
        if {[regexp {^ACCEPT .*:(\d+)} $line -> port]} {
            fconfigure $pipe -blocking 0
            fileevent $pipe readable [list read $pipe]
            return [list $pipe $port]
        }
    }
    error "a server of kind $kind doesn't begin"
}

# bench::Row --
#       Measures a client with a server, and prints the row.
#
# Arguments:
#       client  program or package
#       server  program, test or real
#
# Results:
#       None.
proc bench::Row {client server} {
    variable rounds
    variable failures
    variable turns
    set cells {}
    foreach count {1 8} {
        lassign [Server $server] pipe port
        set each [expr {($count > 1 ? 2 * $rounds : $rounds) / $turns}]
        set failed {}
        set took {}
        # By turns, so that what else the machine does, and what the server has done already, hits both.
        for {set turn 0} {$turn < $turns} {incr turn} {
            foreach keep {1 0} {
                set start [clock microseconds]
                dict incr failed $keep [Clients $client $count $each $port $keep]
                dict incr took $keep [expr {[clock microseconds] - $start}]
            }
        }
        exec sh -c "kill [pid $pipe]"
        catch {close $pipe}
        foreach keep {1 0} {
            lappend cells [format "%.0f (%d)" \
                [expr {1e6 * $turns * $count * $each / [dict get $took $keep]}] [dict get $failed $keep]]
            if {$server ne "program"} {
                incr failures [dict get $failed $keep]
            }
        }
    }
    puts "| $client, $server | [join $cells { | }] |"
    flush stdout
}

# bench::Clients --
#       Runs clients at once.
#
# Arguments:
#       client  program or package
#       count   how many
#       each    how many enrolments each has
#       port    where the server is
#       keep    the value of -keep_alive
#
# Results:
#       How many enrolments failed; a client that fails has failed with all that it hadn't done.
proc bench::Clients {client count each port keep} {
    variable ended {}
    for {set index 0} {$index < $count} {incr index} {
        set words [list -config {} -cmd ir -server 127.0.0.1:$port -ref client \
            -secret pass:shared -newkey new.key -subject /CN=new -keep_alive $keep \
            -certout $index.pem -repeat $each]
        if {$client eq "package"} {
            tls::cmp {*}$words -command bench::Done
        } else {
            set pipe [open |[list openssl cmp {*}$words 2>@1] r]
            fconfigure $pipe -blocking 0
            fileevent $pipe readable [list bench::Read $pipe {}]
        }
    }
    while {[llength $ended] < $count} {
        vwait ::bench::ended
    }
    set failed 0
    foreach code $ended {
        incr failed [expr {$code ? $each : 0}]
    }
    return $failed
}

# bench::Done --
#       A client of the package has ended.
#
# Arguments:
#       token, result, options  as tls::cmp tells them
#
# Results:
#       None.
proc bench::Done {token result options} {
    lappend ::bench::ended [dict get $options -code]
}

# bench::Read --
#       The program says something, or has ended.
#
# Arguments:
#       pipe    the program
#       -       nothing
#
# Results:
#       None.
proc bench::Read {pipe -} {
    read $pipe
    if {[eof $pipe]} {
        fconfigure $pipe -blocking 1
        lappend ::bench::ended [catch {close $pipe}]
    }
}

# bench::Twenty --
#       Has twenty clients of the package enrol at once, once each.
#
# Results:
#       How many milliseconds that takes.
proc bench::Twenty {} {
    variable failures
    lassign [Server test] pipe port
    set start [clock milliseconds]
    incr failures [Clients package 20 1 $port 1]
    set took [expr {[clock milliseconds] - $start}]
    exec sh -c "kill [pid $pipe]"
    catch {close $pipe}
    return $took
}

exit [bench::main $argv]
