# ends.tcl -- both ends of the benchmark in Tcl, with this package or with TclTLS.
#
# Usage: tclsh ends.tcl SIDE ..., with the words and the output of floor.rs. In the environment,
# BENCH_TLS is the version of package tls to take, or "none" to see what Tcl does without TLS. Both
# ends block, as the floor does, but in the works idle, storm and eventecho, where the server is one in
# the event loop, as servers in Tcl usually are.

if {$env(BENCH_TLS) ne "none"} {
    package require -exact tls $env(BENCH_TLS)
    # Whether this is the package of this project.
    set ours [package vsatisfies [package provide tls] 3]
} else {
    set ours 0
    namespace eval tls {}
    # Tcl's socket, which takes none of the options that are about TLS.
    proc tls::socket {args} {
        if {[lindex $args 0] eq "-server"} {
            return [::socket -server [lindex $args 1] -myaddr 127.0.0.1 0]
        }
        return [::socket -myaddr 0.0.0.0 {*}[lrange $args end-1 end]]
    }
    proc tls::handshake {chan} {
        return 1
    }
}

# How much is written and read at once where there is much.
set block 65536

# The size of an echo.
set echo 100

fconfigure stdout -buffering line

# Prints a word, and waits until whoever started us has taken note.
proc Marked {word} {
    puts $word
    gets stdin
}

# The server ---------------------------------------------------------------------------------------

# Listens for work until the process is ended.
proc Serve {work certificate key name} {
    set options [list -certfile $certificate -keyfile $key]
    if {$work eq "import"} {
        set listener [socket -server Keep -myaddr 127.0.0.1 0]
    } else {
        set listener [tls::socket -server [list Accept $work $name] {*}$options -myaddr 127.0.0.1 0]
    }
    puts [lindex [fconfigure $listener -sockname] 2]
    vwait forever
}

# A client has connected, and that's all.
proc Keep {args} {}

# A client has connected.
proc Accept {work name chan args} {
    fconfigure $chan -translation binary
    switch $work {
        handshake - resume {
            catch {
                puts -nonewline $chan x
                flush $chan
                read $chan 1
            }
            close $chan
        }
        echo {
            global echo
            fconfigure $chan -buffering none
            # The client ends in the middle of things.
            catch {
                while {[string length [set data [read $chan $echo]]] == $echo} {
                    puts -nonewline $chan $data
                }
            }
            close $chan
        }
        idle {
            fconfigure $chan -blocking 0
            fileevent $chan readable [list Greet $chan]
            Greet $chan
        }
        eventecho - storm {
            fconfigure $chan -blocking 0
            fconfigure $chan -buffering none
            fileevent $chan readable [list Echo $chan]
        }
        default {
            Move $work $name $chan
        }
    }
}

# Goes on with the handshake, and says when it is done.
proc Greet {chan} {
    if {[catch {tls::handshake $chan} done]} {
        close $chan
        return
    }
    if {$done} {
        puts -nonewline $chan x
        flush $chan
        fileevent $chan readable [list Drain $chan]
    }
}

# Waits for the client's end.
proc Drain {chan} {
    if {[catch {read $chan}] || [eof $chan]} {
        catch {close $chan}
    }
}

# Sends back what comes.
proc Echo {chan} {
    if {[catch {read $chan} data] || [eof $chan]} {
        catch {close $chan}
        return
    }
    puts -nonewline $chan $data
}

# Moves as many bytes as the client says.
proc Move {work name chan} {
    set amount [read $chan 10]
    switch $work {
        down {
            Send $chan [string trim $amount]
        }
        up {
            Receive $chan [string trim $amount]
            puts -nonewline $chan x
        }
        copydown {
            set source [open $name rb]
            fcopy $source $chan
            close $source
        }
        copyup {
            set target [open $name.received wb]
            fcopy $chan $target -size [string trim $amount]
            close $target
            puts -nonewline $chan x
        }
    }
    flush $chan
    catch {read $chan 1}
    close $chan
}

# Sends so many bytes.
proc Send {chan amount} {
    global block
    set bytes [string repeat b $block]
    for {} {$amount >= $block} {incr amount -$block} {
        puts -nonewline $chan $bytes
    }
    puts -nonewline $chan [string range $bytes 0 $amount-1]
    flush $chan
}

# Receives so many bytes.
proc Receive {chan amount} {
    global block
    while {$amount > 0} {
        incr amount -[string length [read $chan [expr {min($amount, $block)}]]]
    }
}

# The client ---------------------------------------------------------------------------------------

# Does the work and prints the outcome.
proc Client {work port trust version amount name} {
    global ours
    lappend options -servername localhost -request 1 -require 1
    if {$trust ne "default"} {
        lappend options -cafile $trust
    } elseif {!$ours} {
        # TclTLS 1.7 verifies nothing by the default store, though it reads it.
        lappend options -cafile $::env(SSL_CERT_FILE)
    }
    if {$version eq "1.2"} {
        lappend options -tls1.3 0
    }
    if {$ours && $work ne "resume" && [dict exists [tls::describe tls::import] -resume]} {
        lappend options -resume 0
    }
    switch $work {
        handshake {
            Once $options $port
            Timed $amount {Once $options $port}
        }
        resume {
            Once $options $port
            Resumed $options $port
            Timed $amount {Once $options $port}
            Resumed $options $port
        }
        echo - eventecho {
            global echo
            set chan [Connect $options $port]
            fconfigure $chan -buffering none
            set bytes [string repeat e $echo]
            Timed $amount {
                puts -nonewline $chan $bytes
                read $chan $echo
            }
        }
        down - up - copydown - copyup {
            Bulk $work [Connect $options $port] $amount $name
        }
        idle {
            Idle $options $port $amount
        }
        import {
            Import $options $port $amount
        }
        storm {
            Storm $options $port $amount
        }
    }
}

# Connects; the handshake is still to come.
proc Connect {options port} {
    set chan [tls::socket {*}$options 127.0.0.1 $port]
    fconfigure $chan -translation binary
    return $chan
}

# Connects, waits for the server's byte, and disconnects.
proc Once {options port} {
    set chan [Connect $options $port]
    read $chan 1
    close $chan
}

# Does the same once, and sees to it that the session is resumed.
proc Resumed {options port} {
    set chan [Connect $options $port]
    read $chan 1
    if {![dict get [tls::connection $chan] session_reused]} {
        error "no resumption"
    }
    close $chan
}

# Repeats a script for so many milliseconds, and prints how often a second it could be done.
proc Timed {amount script} {
    Marked ready
    set began [clock microseconds]
    set end [expr {$began + 1000 * $amount}]
    for {set count 0} {[clock microseconds] < $end} {incr count} {
        uplevel 1 $script
    }
    puts "done $count [expr {([clock microseconds] - $began) / 1e6}]"
}

# Moves so many bytes.
proc Bulk {work chan amount name} {
    tls::handshake $chan
    Marked ready
    set began [clock microseconds]
    puts -nonewline $chan [format %10d $amount]
    flush $chan
    switch $work {
        down {
            Receive $chan $amount
        }
        copydown {
            set target [open $name.received wb]
            fcopy $chan $target -size $amount
            close $target
        }
        up {
            Send $chan $amount
            read $chan 1
        }
        copyup {
            set source [open $name rb]
            fcopy $source $chan
            close $source
            flush $chan
            read $chan 1
        }
    }
    puts "done 1 [expr {([clock microseconds] - $began) / 1e6}]"
    close $chan
}

# Opens so many connections and keeps them.
proc Idle {options port amount} {
    for {set index -20} {$index < $amount} {incr index} {
        if {$index == 0} {
            Marked ready
            set began [clock microseconds]
        }
        set chan [Connect $options $port]
        read $chan 1
    }
    puts "done $amount [expr {([clock microseconds] - $began) / 1e6}]"
    gets stdin
}

# Imports so many channels.
proc Import {options port amount} {
    for {set index -20} {$index < $amount} {incr index} {
        lappend channels [socket 127.0.0.1 $port]
    }
    tls::import [lindex $channels 0] {*}$options
    Marked ready
    set began [clock microseconds]
    foreach chan [lrange $channels 20 end] {
        tls::import $chan {*}$options
    }
    puts "done $amount [expr {([clock microseconds] - $began) / 1e6}]"
}

# Opens so many connections at once, each of which waits for one echo.
proc Storm {options port amount} {
    global answers worst
    Marked ready
    set answers 0
    set worst 0
    set began [clock microseconds]
    for {set index 0} {$index < $amount} {incr index} {
        set own [clock microseconds]
        set chan [tls::socket -async {*}$options 127.0.0.1 $port]
        fconfigure $chan -blocking 0 -translation binary -buffering none
        fileevent $chan writable [list Stormy $chan $own]
    }
    while {$answers < $amount} {
        vwait answers
    }
    puts "done $amount [expr {([clock microseconds] - $began) / 1e6}] [expr {$worst / 1e6}]"
}

# One of them can be written to, if its handshake is done.
proc Stormy {chan own} {
    if {[tls::handshake $chan]} {
        fileevent $chan writable {}
        fileevent $chan readable [list Answered $chan $own]
        puts -nonewline $chan [string repeat e $::echo]
    }
}

# One of them has its answer.
proc Answered {chan own} {
    global answers worst
    if {[read $chan] ne ""} {
        set worst [expr {max($worst, [clock microseconds] - $own)}]
        incr answers
    }
}

set words [lassign $argv side]
if {$side eq "server"} {
    Serve {*}$words
} else {
    Client {*}$words
    gets stdin
}
