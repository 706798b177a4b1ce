# helpers.tcl -- what the test files share: the package under test, peers, waiting, tidying up.
#
# A test file starts with
#
#       source [file join [file dirname [info script]] helpers.tcl]
#
# and gives its tests a cleanup of {tidy}. Everything here waits in the event loop and has a
# deadline: a test that waits for something that never comes fails, it doesn't hang. Ports are
# always chosen by the system.

package require tcltest 2.5

namespace eval helpers {
    namespace export ask backgroundErrors bytes child collect connected ended fixture freePort \
        handshake idle line outcome pair port program receive relay relayed run said say start \
        stop tidy until wait

    variable root [file dirname [file dirname [file normalize [info script]]]]

    # How long anything may take, in milliseconds, unless the caller says otherwise. Programs such as
    # valgrind make everything slower.
    variable patience [expr {[info exists ::env(TLS_THROUGH)] ? 300000 : 20000}]

    # What the programs that run have said, by handle; and the exit status of those that have ended.
    variable output
    array set output {}
    variable status
    array set status {}

    # Errors that nobody was there to catch.
    variable background {}

    # The channels that were open before the first test.
    variable standing {}

    # The folder of the package under test.
    variable folder {}
}

# ---- Waiting ------------------------------------------------------------------------------------

# wait --
#       Waits in the event loop until a variable exists, then takes its value and unsets it, so that
#       the same variable can be waited for again.
#
# Arguments:
#       name    the variable, a global or fully qualified name
#       ms      the deadline
#
# Results:
#       The value.
#
# Errors:
#       When the deadline is over.
proc helpers::wait {name {ms {}}} {
    variable patience
    upvar #0 $name value
    if {![info exists value]} {
        set ms [expr {$ms eq {} ? $patience : $ms}]
        set timer [after $ms [list set ::$name "deadline exceeded"]]
        vwait $name
        after cancel $timer
    }
    set result $value
    unset value
    if {$result eq "deadline exceeded"} {
        error "nothing came into $name within $ms ms"
    }
    return $result
}

# line, receive, collect --
#       Read a line, a number of characters, or everything up to the end of file. The channel is
#       left non-blocking.
#
# Arguments:
#       chan    the channel
#       count   how many characters
#
# Results:
#       What was read.
#
# Errors:
#       What reading raises; a deadline without news; an end of file that comes too early.
proc helpers::line {chan} {
    fconfigure $chan -blocking 0
    while {[gets $chan text] < 0} {
        Unended $chan
        Readable $chan
    }
    return $text
}

proc helpers::receive {chan count} {
    fconfigure $chan -blocking 0
    set data {}
    while {[set missing [expr {$count - [string length $data]}]] > 0} {
        set piece [read $chan $missing]
        append data $piece
        if {$piece eq {}} {
            Unended $chan
            Readable $chan
        }
    }
    return $data
}

proc helpers::collect {chan} {
    fconfigure $chan -blocking 0
    set data [read $chan]
    while {![eof $chan]} {
        Readable $chan
        append data [read $chan]
    }
    return $data
}

# Waits for one readable event of a channel.
proc helpers::Readable {chan} {
    set before [fileevent $chan readable]
    fileevent $chan readable [list set ::helpers::readable($chan) 1]
    try {
        wait ::helpers::readable($chan)
    } finally {
        fileevent $chan readable $before
    }
}

# Raises an error if a channel is at its end.
proc helpers::Unended {chan} {
    if {[eof $chan]} {
        error "unexpected end of file on $chan"
    }
}

# ---- Connections inside this process ------------------------------------------------------------

# connected --
#       Makes a plain connection of this process to itself.
#
# Results:
#       A list of its two ends, the connecting one first.
proc helpers::connected {} {
    set accept [list apply {{chan args} {set ::helpers::accepted $chan}}]
    set listener [socket -server $accept -myaddr 127.0.0.1 0]
    try {
        set client [socket 127.0.0.1 [port $listener]]
        return [list $client [wait ::helpers::accepted]]
    } finally {
        close $listener
    }
}

# pair --
#       Makes a TLS connection of this process to itself, with the handshake done.
#
# Arguments:
#       clientOptions   options of tls::import for the connecting end; by default it trusts ca.pem
#                       and expects the name localhost
#       serverOptions   options for the other end, which by default is server.pem
#
# Results:
#       A list of the two ends, both non-blocking, the connecting one first.
#
# Errors:
#       What tls::import raises, or the failure of the handshake at either end.
proc helpers::pair {{clientOptions {}} {serverOptions {}}} {
    lassign [connected] client server
    fconfigure $client -blocking 0
    fconfigure $server -blocking 0
    tls::import $client -cafile [fixture ca.pem] -servername localhost {*}$clientOptions
    tls::import $server -server 1 -certfile [fixture server.pem] -keyfile [fixture server.key] \
        {*}$serverOptions
    set outcomes [handshake $client $server]
    if {$outcomes ne {done done}} {
        error "handshake of a pair failed: $outcomes"
    }
    return [list $client $server]
}

# relayed --
#       Makes a TLS connection whose bytes pass through the hands of the test, with the handshake done.
#
# Arguments:
#       clientOptions   as for pair
#       serverOptions   as for pair
#
# Results:
#       A list: the client, the server, and the two plain ends in between, the client's first. What
#       comes out of one is for the other; once this has returned, relay carries it there.
proc helpers::relayed {{clientOptions {}} {serverOptions {}}} {
    lassign [connected] client near
    lassign [connected] server far
    foreach chan [list $client $server $near $far] {
        fconfigure $chan -blocking 0
    }
    foreach {from to} [list $near $far $far $near] {
        fconfigure $from -translation binary -buffering none
        fileevent $from readable [list helpers::relay $from $to]
    }
    tls::import $client -cafile [fixture ca.pem] -servername localhost {*}$clientOptions
    tls::import $server -server 1 -certfile [fixture server.pem] -keyfile [fixture server.key] \
        {*}$serverOptions
    set outcomes [handshake $client $server]
    if {$outcomes ne {done done}} {
        error "handshake of a relayed pair failed: $outcomes"
    }
    # What the server sends at the end of a handshake must not turn up later.
    idle
    fileevent $near readable {}
    fileevent $far readable {}
    return [list $client $server $near $far]
}

# relay --
#       Carries what has come out of one plain channel into another.
#
# Arguments:
#       from    the one
#       to      the other
#       count   how many characters, by default all that are there
#
# Results:
#       How many they were.
proc helpers::relay {from to {count {}}} {
    set data [read $from {*}$count]
    puts -nonewline $to $data
    return [string length $data]
}

# bytes --
#       What is in a file.
#
# Arguments:
#       name    the name of the file
#
# Results:
#       The bytes.
proc helpers::bytes {name} {
    set file [open $name rb]
    try {
        return [read $file]
    } finally {
        close $file
    }
}

# until --
#       Runs the event loop until a script is true.
#
# Arguments:
#       script  the script
#
# Results:
#       None.
#
# Errors:
#       When the deadline is over.
proc helpers::until {script} {
    variable patience
    set deadline [expr {[clock milliseconds] + $patience}]
    while {![uplevel 1 $script]} {
        if {[clock milliseconds] > $deadline} {
            error "this never came true: $script"
        }
        idle 1
    }
}

# idle --
#       Runs the event loop until nothing has come for a while.
#
# Arguments:
#       ms      how long to wait for further events
#
# Results:
#       None.
proc helpers::idle {{ms 50}} {
    after $ms {set ::helpers::idled 1}
    wait ::helpers::idled
    return
}

# outcome --
#       Evaluates a script and tells how that ended.
#
# Arguments:
#       script  the script
#
# Results:
#       A list of ok and the result; or of error, the message and errorCode.
proc helpers::outcome {script} {
    try {
        return [list ok [uplevel 1 $script]]
    } on error {message options} {
        return [list error $message [dict get $options -errorcode]]
    }
}

# handshake --
#       Carries out the handshake on several non-blocking channels at once.
#
# Arguments:
#       args    the channels
#
# Results:
#       A list with an element for each channel: done, or a list of error, message and errorCode.
proc helpers::handshake {args} {
    variable shaken
    array unset shaken
    foreach chan $args {
        fileevent $chan readable [list helpers::Shake $chan]
        fileevent $chan writable [list helpers::Shake $chan]
    }
    set outcomes {}
    foreach chan $args {
        lappend outcomes [wait ::helpers::shaken($chan)]
    }
    return $outcomes
}

# Takes a channel's handshake one step on.
proc helpers::Shake {chan} {
    variable shaken
    try {
        if {[tls::handshake $chan]} {
            set shaken($chan) done
        }
    } on error {message options} {
        set shaken($chan) [list error $message [dict get $options -errorcode]]
    }
    if {[info exists shaken($chan)]} {
        fileevent $chan readable {}
        fileevent $chan writable {}
    }
}

# port --
#       Tells the port of a listening socket.
#
# Arguments:
#       listener    the socket
#
# Results:
#       The port.
proc helpers::port {listener} {
    return [lindex [fconfigure $listener -sockname] 2]
}

# freePort --
#       Finds a port that nobody listens on, for a program that can't choose one itself.
#
# Results:
#       The port.
proc helpers::freePort {} {
    set listener [socket -server list -myaddr 127.0.0.1 0]
    try {
        return [port $listener]
    } finally {
        close $listener
    }
}

# ---- Programs -----------------------------------------------------------------------------------

# program --
#       Finds a program that the tests use if it is there.
#
# Arguments:
#       name    its name
#
# Results:
#       Its path, or nothing.
proc helpers::program {name} {
    variable root
    foreach folder [list /usr/sbin [file join $root build debian usr sbin]] {
        if {[file executable [file join $folder $name]]} {
            return [file join $folder $name]
        }
    }
    return [lindex [auto_execok $name] 0]
}

# alone --
#       Keeps what is loaded along with tclsh, such as a sanitizer, from another program: some would wait
#       for ever.
#
# Arguments:
#       args    the program and its arguments
#
# Results:
#       The words to run it with.
proc helpers::alone {args} {
    return [list env -u LD_PRELOAD {*}$args]
}

# start --
#       Starts a program. What it says on its standard output and standard error is collected in the
#       event loop.
#
# Arguments:
#       args    the program and its arguments
#
# Results:
#       A handle for the procedures below.
proc helpers::start {args} {
    variable output
    variable status
    if {[lindex $args 0] ne [info nameofexecutable]} {
        set args [alone {*}$args]
    }
    set handle [open |[list {*}$args 2>@1] r+]
    fconfigure $handle -blocking 0 -buffering none -translation binary
    set output($handle) {}
    # An earlier program's channel may have had the same name.
    unset -nocomplain status($handle)
    fileevent $handle readable [list helpers::Hear $handle]
    return $handle
}

# said --
#       Waits until a program has said something.
#
# Arguments:
#       handle      the program
#       pattern     a regular expression
#
# Results:
#       What the pattern matched, and its submatches, as regexp -inline gives them.
#
# Errors:
#       When the program ends without saying it; when the deadline is over.
proc helpers::said {handle pattern} {
    variable output
    variable status
    while {![llength [set match [regexp -inline $pattern $output($handle)]]]} {
        if {[info exists status($handle)]} {
            error "the program ended without saying \"$pattern\": $output($handle)"
        }
        wait ::helpers::news($handle)
    }
    return $match
}

# say --
#       Sends a program a text on its standard input.
#
# Arguments:
#       handle  the program
#       text    the text, sent as it is
#
# Results:
#       None.
proc helpers::say {handle text} {
    puts -nonewline $handle $text
}

# ended --
#       Waits until a program has ended.
#
# Arguments:
#       handle  the program
#
# Results:
#       A list of its exit status, or the name of the signal that killed it, and all that it said.
proc helpers::ended {handle} {
    variable output
    variable status
    while {![info exists status($handle)]} {
        wait ::helpers::news($handle)
    }
    return [list $status($handle) $output($handle)]
}

# run --
#       Runs a program to its end, without any input.
#
# Arguments:
#       args    the program and its arguments
#
# Results:
#       As from ended.
proc helpers::run {args} {
    set handle [start {*}$args]
    close $handle write
    return [ended $handle]
}

# stop --
#       Ends a program that may still run.
#
# Arguments:
#       handle  the program
#
# Results:
#       As from ended.
proc helpers::stop {handle} {
    variable status
    if {![info exists status($handle)]} {
        foreach pid [pid $handle] {
            # It may end by itself right now.
            catch {exec sh -c "kill -KILL $pid"}
        }
    }
    return [ended $handle]
}

# Takes what a program says, and its exit status when it has ended.
proc helpers::Hear {handle} {
    variable output
    variable status
    variable news
    append output($handle) [read $handle]
    if {[eof $handle]} {
        fconfigure $handle -blocking 1
        try {
            close $handle
            set status($handle) 0
        } trap {CHILDSTATUS} {- options} {
            set status($handle) [lindex [dict get $options -errorcode] 2]
        } trap {CHILDKILLED} {- options} {
            set status($handle) [lindex [dict get $options -errorcode] 2]
        }
    }
    set news($handle) 1
}

# child --
#       Starts a second Tcl process with these helpers and the package in it. It runs its event loop
#       until the test tidies up.
#
# Arguments:
#       script  what it evaluates first
#
# Results:
#       A handle, for ask and for the procedures above.
#
# Errors:
#       What the script raises.
proc helpers::child {script} {
    variable root
    set handle [start [info nameofexecutable] [file join $root tests child.tcl]]
    ask $handle $script
    return $handle
}

# ask --
#       Has a child evaluate a script at its top level.
#
# Arguments:
#       handle  the child
#       script  the script
#
# Results:
#       The script's result.
#
# Errors:
#       What the script raises.
proc helpers::ask {handle script} {
    variable output
    say $handle [binary encode hex [encoding convertto utf-8 $script]]\n
    set pattern "\x01(\[0-9a-f]*)\n"
    lassign [said $handle $pattern] - answer
    regsub $pattern $output($handle) {} output($handle)
    lassign [encoding convertfrom utf-8 [binary decode hex $answer]] result options
    return -options $options $result
}

# ---- Surroundings -------------------------------------------------------------------------------

# fixture --
#       Finds a key, certificate or broken file; tests/certs/README.md lists them.
#
# Arguments:
#       name    its name
#
# Results:
#       Its path.
#
# Errors:
#       When there is no such file.
proc helpers::fixture {name} {
    variable root
    set path [file join $root build certs $name]
    if {![file exists $path]} {
        error "no fixture \"$name\""
    }
    return $path
}

# backgroundErrors --
#       Takes the errors that were raised in the event loop and that nobody caught.
#
# Results:
#       A list with a pair of message and errorCode for each.
proc helpers::backgroundErrors {} {
    variable background
    # Tcl tells them when it is idle, which a busy event loop isn't for long.
    update idletasks
    set errors $background
    set background {}
    return $errors
}

# tidy --
#       Ends every program and closes every channel that a test has left.
#
# Results:
#       None.
#
# Errors:
#       When there were background errors that the test hasn't taken.
proc helpers::tidy {} {
    variable output
    variable status
    variable standing
    foreach handle [array names output] {
        stop $handle
    }
    array unset output
    array unset status
    foreach chan [chan names] {
        if {$chan ni $standing} {
            # A failed connection says so again when it is closed.
            catch {close $chan}
        }
    }
    set errors [backgroundErrors]
    if {[llength $errors]} {
        error "background errors: $errors"
    }
}

# Makes what tests look up: the fixtures, and what this machine has.
proc helpers::Prepare {} {
    variable root
    variable standing
    exec [info nameofexecutable] [file join $root tests certs make.tcl]
    interp bgerror {} [list apply {{message options} {
        lappend ::helpers::background [list $message [dict get $options -errorcode]]
    }}]
    foreach name {curl nginx openssl python3} {
        tcltest::testConstraint $name [expr {[program $name] ne {}}]
    }
    tcltest::testConstraint root [expr {![catch {exec id -u} user] && $user == 0}]
    tcltest::testConstraint tcl9 [package vsatisfies [package provide Tcl] 9-]
    tcltest::testConstraint thread [expr {![catch {package require Thread}]}]
    tcltest::testConstraint procfs [file isdirectory /proc/self/fd]
    # What a process takes tells about its tests unless they run through another program.
    tcltest::testConstraint memory [expr {
        [tcltest::testConstraint procfs] && ![info exists ::env(TLS_THROUGH)]
    }]
    tcltest::testConstraint ipv6 [expr {![catch {close [socket -server list -myaddr ::1 0]}]}]
    set standing [chan names]
}

# Loads the package under test: the folder that TLS_PACKAGE names, or the last that make built.
proc helpers::Load {} {
    variable root
    variable folder
    if {[info exists ::env(TLS_PACKAGE)]} {
        set folder $::env(TLS_PACKAGE)
    } else {
        set folder [lindex [lsort -dictionary [glob -directory [file join $root build] tls*]] end]
    }
    set dir $folder
    source [file join $dir pkgIndex.tcl]
    package require tls 3

    # Tests of features that came with a version of OpenSSL carry a constraint such as openssl3.2.
    regexp {OpenSSL (\d+\.\d+)} [tls::version] -> version
    foreach since {3.1 3.2 3.3 3.4 3.5} {
        tcltest::testConstraint openssl$since [package vsatisfies $version $since-]
    }
}

helpers::Prepare
helpers::Load
namespace import helpers::* tcltest::test tcltest::testConstraint tcltest::cleanupTests
tcltest::configure {*}$argv
