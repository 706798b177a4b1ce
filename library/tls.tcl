# tls.tcl --
#       The script part of package tls: tls::init and tls::socket, and the reference callbacks.
#       Native are tls::import, tls::unimport, tls::handshake, tls::status, tls::connection,
#       tls::ciphers, tls::protocols, tls::version and tls::describe.

namespace eval ::tls {
    # The options that tls::init was given.
    variable defaults {}

    # What makes a plain socket. Some packages put a replacement of their own here; http does so if
    # this is exactly "::socket".
    variable socketCmd ::socket

    # How talkative the reference callbacks are: 0 is silent. Other than in older packages it never
    # makes them accept a certificate.
    variable debug 0

    # What the reference callbacks tell things to: a command prefix, a line is appended.
    variable logcmd tclLog

    # The option tables of tls::socket and tls::init, taken from tls::describe when they are first
    # needed.
    variable tables {}

    namespace export authenticate ciphers closewrite connection describe handshake import init \
        protocols socket starttls status unimport version
}

# tls::init --
#       Sets the default options of tls::socket; those of an earlier call are forgotten.
#
# Arguments:
#       args        Options of tls::socket; -server means the role in the handshake, as for
#                   tls::import.
#
# Results:
#       None.
#
# Errors:
#       An option that tls::socket doesn't know, one without its value, or with one of another kind:
#       nothing is changed. Whether a file is there is found out by tls::socket.
proc ::tls::init {args} {
    variable defaults
    lassign [Sort tls::init $args] transport layer own
    CheckValues {*}$layer
    set defaults $args
    return
}

# tls::socket --
#       Connects to a TLS server, or listens as one, as Tcl's socket does without TLS. The options
#       of tls::init come first, then those given here; the last of two counts. Bad options, and
#       files that can't be used, are refused before anything is connected.
#
# Arguments:
#       args        ?options? host port, or -server command ?options? port
#
# Results:
#       The channel. Its handshake takes place when it is first used, or in tls::handshake.
#
# Errors:
#       Those of tls::import and of Tcl's socket. No channel is left behind.
proc ::tls::socket {args} {
    variable defaults
    variable socketCmd
    set role [FindRole $args]
    set isServer [expr {$role >= 0}]
    set last [expr {$isServer ? 1 : 2}]
    # Behind -server come the command and, in the end, the port.
    if {[llength $args] < ($isServer ? $role + 3 : 2)} {
        set syntax [expr {$isServer ? "-server command ?options? port" : "?options? host port"}]
        return -code error -errorcode {TCL WRONGARGS} \
            "wrong # args: should be \"tls::socket $syntax\""
    }
    lassign [Sort tls::init $defaults] transport layer own
    lassign [Sort tls::socket [lrange $args 0 end-$last] $transport $layer $own] transport layer own

    if {$isServer} {
        dict set layer -server 1
        Prepare {*}$layer
        set accept [list ::tls::Accept $layer [dict get $own -server]]
        return [{*}$socketCmd -server $accept {*}$transport [lindex $args end]]
    }

    lassign [lrange $args end-1 end] host port
    set auto 1
    if {[dict exists $own -autoservername]} {
        set auto [dict get $own -autoservername]
    }
    if {$auto && ![dict exists $layer -servername]} {
        dict set layer -servername $host
    }
    set ticket [Prepare {*}$layer]
    if {$socketCmd eq "::socket" && "-myaddr" ni $transport} {
        lappend transport {*}[AnyAddress $host]
    }
    set channel [{*}$socketCmd {*}$transport $host $port]
    Secure $channel $layer $host $port $ticket
    return $channel
}

# tls::AnyAddress --
#       Says what "any local address" means for a host: without a word about it, Tcl has the system
#       look that up for each connection, for which it asks the kernel about its interfaces and tries
#       what it finds. That takes longer than to connect to a neighbour.
#
# Arguments:
#       host        The host to connect to.
#
# Results:
#       Options for Tcl's socket; none where the host is a name, so that either family may be meant.
proc ::tls::AnyAddress {host} {
    switch -regexp -- $host {
        {^\d+\.\d+\.\d+\.\d+$} {return {-myaddr 0.0.0.0}}
        {^[[:xdigit:]:]*:[[:xdigit:]:]*$} {return {-myaddr ::}}
    }
}

# tls::Accept --
#       Takes a connection of a listening socket: puts TLS on it and calls the server's command.
#
# Arguments:
#       layer       Options of tls::import.
#       command     The command prefix; channel, address and port are appended.
#       channel     The new connection.
#       address     The client's address.
#       port        The client's port.
#
# Results:
#       None.
#
# Errors:
#       Those of tls::import and of the command. The connection is closed then.
proc ::tls::Accept {layer command channel address port} {
    Secure $channel $layer
    try {
        uplevel #0 [list {*}$command $channel $address $port]
    } on error {message options} {
        catch {close $channel}
        return -options $options $message
    }
    return
}

# tls::Secure --
#       Puts TLS on a new connection, which is closed if that fails.
#
# Arguments:
#       channel     The connection.
#       layer       Options of tls::import.
#       host, port  Where the server is, where this is a client that may not be connected yet.
#       ticket      What Prepare made of the options, if it was called for this connection.
#
# Results:
#       None.
#
# Errors:
#       Those of tls::import.
proc ::tls::Secure {channel layer {host {}} {port {}} {ticket {}}} {
    try {
        Import $channel $host $port $ticket {*}$layer
    } on error {message options} {
        catch {close $channel}
        return -options $options $message
    }
    return
}

# tls::FindRole --
#       Finds out whether words of tls::socket are those of a server: whether -server stands where
#       an option stands.
#
# Arguments:
#       words       The words.
#
# Results:
#       Where it stands, or -1.
proc ::tls::FindRole {words} {
    set table [Table tls::socket]
    for {set index 0} {$index < [llength $words]} {incr index} {
        set word [lindex $words $index]
        if {$word eq "-server"} {
            return $index
        }
        if {![dict exists $table $word]} {
            break
        }
        incr index [lindex [dict get $table $word] 2]
    }
    return -1
}

# tls::Sort --
#       Sorts options by who carries them out.
#
# Arguments:
#       command     The command whose options they are.
#       words       The options.
#       transport   Options for Tcl's socket, to which some are added.
#       layer       Options for tls::import, to which some are added; a dict.
#       own         Options for tls::socket itself, to which some are added; a dict.
#
# Results:
#       A list of the last three.
#
# Errors:
#       An unknown option, or one without its value.
proc ::tls::Sort {command words {transport {}} {layer {}} {own {}}} {
    set table [Table $command]
    for {set index 0} {$index < [llength $words]} {incr index} {
        set word [lindex $words $index]
        if {![dict exists $table $word]} {
            set names [lsort [dict keys $table]]
            lset names end "or [lindex $names end]"
            return -code error -errorcode [list TCL LOOKUP INDEX option $word] \
                "bad option \"$word\": must be [join $names ", "]"
        }
        lassign [dict get $table $word] name place takesValue kind
        if {!$takesValue} {
            lappend transport $name
            continue
        }
        if {[incr index] >= [llength $words]} {
            return -code error -errorcode {TCL WRONGARGS} \
                "\"$word\" option must be followed by value"
        }
        set value [lindex $words $index]
        switch -- $place {
            socket {lappend transport $name $value}
            import {dict set layer $name $value}
            command {
                Check $name $kind $value
                dict set own $name $value
            }
        }
    }
    return [list $transport $layer $own]
}

# tls::Check --
#       Checks a value that tls::socket uses itself, as the native commands check theirs.
#
# Arguments:
#       name        The option.
#       kind        What kind of value it takes.
#       value       The value.
#
# Results:
#       None.
#
# Errors:
#       A value of another kind.
proc ::tls::Check {name kind value} {
    switch $kind {
        boolean {
            if {![string is boolean -strict $value]} {
                return -code error -errorcode {TCL VALUE BOOLEAN} \
                    "expected boolean value but got \"$value\" for option \"$name\""
            }
        }
        script {
            if {![string is list $value]} {
                return -code error -errorcode {TCL VALUE LIST} \
                    "expected command prefix but got \"$value\" for option \"$name\""
            }
        }
    }
}

# tls::Table --
#       An option table of tls::describe in the form that Sort needs.
#
# Arguments:
#       command     The command whose table it is.
#
# Results:
#       A dict: each spelling of each option -> a list of its main spelling, its place, 1 if a value
#       follows, and the kind of value.
proc ::tls::Table {command} {
    variable tables
    if {![dict exists $tables $command]} {
        set table {}
        dict for {name facts} [describe $command] {
            foreach spelling [list $name {*}[dict get $facts aliases]] {
                set sorting [lmap fact {place value kind} {dict get $facts $fact}]
                dict set table $spelling [list $name {*}$sorting]
            }
        }
        dict set tables $command $table
    }
    return [dict get $tables $command]
}

# tls::callback --
#       The reference for -command: logs what happens.
#
# Arguments:
#       option      The event: error, info, message, session, verify, ….
#       args        What belongs to the event.
#
# Results:
#       For verify, OpenSSL's own verdict; else nothing.
proc ::tls::callback {option args} {
    variable debug
    switch -- $option {
        verify {
            lassign $args channel depth cert status error
            if {!$status || $debug > 1} {
                log 0 "TLS/$channel: verify/$depth: [dict get $cert subject]: $error"
            }
            return $status
        }
        error {
            lassign $args channel message
            log 0 "TLS/$channel: error: $message"
        }
        info {
            lassign $args channel major minor message
            log 2 "TLS/$channel: $major/$minor: $message"
        }
        default {
            log 2 "TLS: $option: $args"
        }
    }
    return
}

# tls::validate_command --
#       The reference for -validatecommand: logs what is to be decided and leaves it at OpenSSL's
#       verdict.
#
# Arguments:
#       option      What is to be decided: alpn, hello, sni or verify.
#       channel     The channel.
#       args        What belongs to it.
#
# Results:
#       1 or 0.
proc ::tls::validate_command {option channel args} {
    if {$option eq "verify"} {
        return [callback verify $channel {*}$args]
    }
    log 1 "TLS/$channel: $option: $args"
    return 1
}

# tls::log --
#       Logs a line of the reference callbacks.
#
# Arguments:
#       level       How talkative tls::debug must be for it.
#       message     The line.
#
# Results:
#       None.
proc ::tls::log {level message} {
    variable debug
    variable logcmd
    if {$level <= $debug && $logcmd ne ""} {
        uplevel #0 [list {*}$logcmd $message]
    }
    return
}

# tls::xhandshake --
#       Waits in the event loop until the handshake of a channel is done.
#
# Arguments:
#       channel     The channel.
#
# Results:
#       1.
#
# Errors:
#       Those of tls::handshake. The channel's mode and its event handler are those from before,
#       either way.
proc ::tls::xhandshake {channel} {
    variable waiting
    set blocking [fconfigure $channel -blocking]
    set handler [fileevent $channel readable]
    try {
        fconfigure $channel -blocking 0
        while {![handshake $channel]} {
            fileevent $channel readable [list set ::tls::waiting($channel) 1]
            set alarm [after 50 [list set ::tls::waiting($channel) 1]]
            vwait ::tls::waiting($channel)
            after cancel $alarm
        }
    } finally {
        catch {
            fileevent $channel readable $handler
            fconfigure $channel -blocking $blocking
        }
        unset -nocomplain waiting($channel)
    }
    return 1
}

# tls::password --
#       The reference password command, used where -password isn't given. Keys worth protecting have
#       another password.
#
# Arguments:
#       args        Whether a key is read (0) or written (1), and the longest password allowed.
#
# Results:
#       The password.
proc ::tls::password {args} {
    return secret
}
