# servers.tcl -- small servers that the modules in compat.test talk to; they run in a child:
#
#       set server [child [list source [file join $helpers::root tests servers.tcl]]]
#       set port [ask $server {servers::dialogue {...}}]
#
# All show server.pem.

namespace eval servers {
    # What clients have said, line by line.
    variable heard {}
}

# servers::listen --
#       Starts a server.
#
# Arguments:
#       serve       the command prefix that gets a connection; it has TLS if the server is to start
#                   with it
#       args        options of tls::import
#
# Results:
#       Its port.
proc servers::listen {serve args} {
    set accept [list servers::Accept $serve]
    set listener [tls::socket -server $accept -myaddr 127.0.0.1 {*}[Identity] {*}$args 0]
    return [lindex [fconfigure $listener -sockname] 2]
}

# servers::listenPlain --
#       Starts a server without TLS; arguments and results as from listen.
proc servers::listenPlain {serve} {
    set listener [socket -server [list servers::Accept $serve] -myaddr 127.0.0.1 0]
    return [lindex [fconfigure $listener -sockname] 2]
}

# servers::dialogue --
#       Starts a server that answers line by line.
#
# Arguments:
#       tls         whether it starts with TLS
#       greeting    what it says at first, if anything
#       rules       pairs of a regular expression and an answer, in which \1 is what the first
#                   parentheses matched. The first pair that matches a line counts. An answer that
#                   ends with STARTTLS is sent without this word, then TLS begins; one that ends
#                   with CLOSE ends the connection.
#
# Results:
#       Its port.
proc servers::dialogue {tls greeting rules} {
    set serve [list servers::Converse $greeting $rules]
    return [expr {$tls ? [listen $serve] : [listenPlain $serve]}]
}

# What the servers are.
proc servers::Identity {} {
    return [list -certfile [fixture server.pem] -keyfile [fixture server.key]]
}

# Takes a connection.
proc servers::Accept {serve chan args} {
    fconfigure $chan -blocking 0 -translation binary -buffering none
    {*}$serve $chan
}

# ---- Lines --------------------------------------------------------------------------------------

# Begins with a connection of a dialogue.
proc servers::Converse {greeting rules chan} {
    puts -nonewline $chan $greeting
    fileevent $chan readable [list servers::Line $rules $chan]
}

# Answers what has come.
proc servers::Line {rules chan} {
    variable heard
    if {[catch {gets $chan line} length] || [eof $chan]} {
        catch {close $chan}
        return
    }
    if {$length < 0} {
        return
    }
    set line [string trimright $line \r]
    lappend heard $line
    foreach {pattern answer} $rules {
        if {[regexp $pattern $line -> first]} {
            Reply $chan [string map [list \\1 $first] $answer]
            return
        }
    }
    Reply $chan "? $line\r\n"
}

# Sends an answer and does what it ends with.
proc servers::Reply {chan answer} {
    regexp {^(.*?)(STARTTLS|CLOSE)?$} $answer -> text action
    puts -nonewline $chan $text
    switch -- $action {
        STARTTLS {tls::import $chan -server 1 {*}[Identity]}
        CLOSE {close $chan}
    }
}

# ---- LDAP ---------------------------------------------------------------------------------------

# Begins with a connection of an LDAP server: it says yes to everything.
proc servers::Ldap {chan} {
    fileevent $chan readable [list servers::LdapMessage $chan]
}

# Answers LDAP messages. The ones of the tests are short, so that each length is a single byte.
proc servers::LdapMessage {chan} {
    if {[catch {read $chan} data] || [eof $chan]} {
        catch {close $chan}
        return
    }
    while {[binary scan $data @1cux2cucu length number operation] == 3} {
        set data [string range $data [expr {$length + 2}] end]
        # BindRequest, SearchRequest and ExtendedRequest have an answer, UnbindRequest has none.
        foreach {request answer} {0x60 0x61 0x77 0x78} {
            if {$operation == $request} {
                puts -nonewline $chan [LdapDone $number $answer]
            }
        }
        if {$operation == 0x63} {
            puts -nonewline $chan [LdapEntry $number][LdapDone $number 0x65]
        }
        if {$operation == 0x77} {
            tls::import $chan -server 1 {*}[Identity]
        }
    }
}

# An answer that says success.
proc servers::LdapDone {number operation} {
    set result [Ber 0x0a \0][Ber 0x04 {}][Ber 0x04 {}]
    return [Ber 0x30 [Ber 0x02 [binary format c $number]][Ber $operation $result]]
}

# The one entry of the directory: the root, which tells that there is StartTLS.
proc servers::LdapEntry {number} {
    set oid 1.3.6.1.4.1.1466.20037
    set values [Ber 0x31 [Ber 0x04 $oid]]
    set attribute [Ber 0x30 [Ber 0x04 supportedExtension]$values]
    set entry [Ber 0x64 [Ber 0x04 {}][Ber 0x30 $attribute]]
    return [Ber 0x30 [Ber 0x02 [binary format c $number]]$entry]
}

# A short BER value.
proc servers::Ber {tag content} {
    return [binary format cca* $tag [string length $content] $content]
}

# ---- DNS ----------------------------------------------------------------------------------------

# Begins with a connection of a DNS server.
proc servers::Dns {chan} {
    fileevent $chan readable [list servers::DnsMessage $chan]
}

# Answers a question with the address 192.0.2.7.
proc servers::DnsMessage {chan} {
    if {[catch {read $chan} data] || [eof $chan]} {
        catch {close $chan}
        return
    }
    if {[binary scan $data Sua2x2x2x2x2x2a* length id question] != 3} {
        return
    }
    # The name ends with an empty label; type and class follow.
    set question [string range $question 0 [expr {[string first \0 $question] + 4}]]
    set answer [binary format SSSISc4 0xc00c 1 1 60 4 {192 0 2 7}]
    set message $id[binary format SSSSS 0x8180 1 1 0 0]$question$answer
    puts -nonewline $chan [binary format S [string length $message]]$message
}

# ---- Web sockets --------------------------------------------------------------------------------

# Starts a server of web sockets that sends back every text, by tcllib's own server side.
proc servers::websockets {} {
    package require websocket
    set accept [list servers::WebsocketAccept]
    set listener [tls::socket -server $accept -myaddr 127.0.0.1 {*}[Identity] 0]
    websocket::server $listener
    websocket::live $listener /echo servers::WebsocketEcho
    variable sockets $listener
    return [lindex [fconfigure $listener -sockname] 2]
}

# Takes a connection.
proc servers::WebsocketAccept {chan args} {
    fconfigure $chan -blocking 0 -translation crlf -buffering full
    fileevent $chan readable [list servers::WebsocketRequest $chan]
    variable request
    set request($chan) {}
}

# Reads the request line by line, and hands the connection over.
proc servers::WebsocketRequest {chan} {
    variable request
    variable sockets
    while {[gets $chan line] >= 0} {
        if {$line ne {}} {
            lappend request($chan) $line
            continue
        }
        fileevent $chan readable {}
        set headers {}
        foreach header [lrange $request($chan) 1 end] {
            regexp {^([^:]+):\s*(.*)$} $header -> name value
            lappend headers $name $value
        }
        if {[websocket::test $sockets $chan [lindex $request($chan) 0 1] $headers]} {
            websocket::upgrade $chan
        }
        return
    }
}

# Sends a text back.
proc servers::WebsocketEcho {chan type text} {
    if {$type eq "text"} {
        websocket::send $chan text "back: $text"
    }
}
