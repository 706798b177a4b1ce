# ocsp_responder.tcl -- answers OCSP requests over HTTP for the certificates of an authority.
#
# Usage: tclsh ocsp_responder.tcl CONFIGURATION ?PORT? ?option value ...?
#
# CONFIGURATION is the authority's, as for tls::ca -config. Further words are options of tls::ca, such as
# -nmin 60 or -rsigner FILE -rkey FILE. Without a PORT, or with an empty one, the responder is for this
# machine alone, and the system chooses a port, which is the first line of output. It runs until its
# standard input ends.

package require tls 3

# A request is a few hundred bytes; nobody gets more room, or more time, than these.
set limit 65536
set patience 10000

# Accept --
#       Welcomes a client.
#
# Arguments:
#       chan    the connection
#       host    the client's address
#       port    its port
#
# Results:
#       None.
proc Accept {chan host port} {
    fconfigure $chan -blocking 0 -translation binary
    set timer [after $::patience [list Finish $chan {} {}]]
    fileevent $chan readable [list Collect $chan $timer]
}

# Collect --
#       Reads what has come, and answers when the request is whole.
#
# Arguments:
#       chan    the connection
#       timer   what closes it when the client takes too long
#
# Results:
#       None.
proc Collect {chan timer} {
    if {[catch {read $chan} bytes]} {
        Finish $chan $timer {}
        return
    }
    append ::collected($chan) $bytes
    try {
        set request [Request $::collected($chan) [eof $chan]]
    } on error {message} {
        Finish $chan $timer [Page "400 Bad Request" text/plain $message]
        return
    }
    if {[llength $request]} {
        Finish $chan $timer [Page "200 OK" application/ocsp-response [Answer [lindex $request 0]]]
    }
}

# Request --
#       Takes an HTTP request apart.
#
# Arguments:
#       text    what has come so far
#       ended   whether nothing more will come
#
# Results:
#       A list with the OCSP request, an empty one if something is still to come.
#
# Errors:
#       The request isn't one, or is too large.
proc Request {text ended} {
    if {[string length $text] > $::limit} {
        error "too large"
    }
    set end [string first \r\n\r\n $text]
    if {$end < 0 && $ended} {
        error "cut off"
    }
    if {$end < 0} {
        return {}
    }
    set head [string range $text 0 $end-1]
    set body [string range $text $end+4 end]
    if {[regexp {^GET /*(\S+) HTTP/1} $head -> path]} {
        # The path is the base64 of the request, with % before what isn't for paths.
        return [list [binary decode base64 [Decode $path]]]
    }
    if {![regexp {^POST \S+ HTTP/1} $head]} {
        error "neither GET nor POST"
    }
    if {![regexp -line -nocase {^content-length: *(\d{1,7})\s*$} $head -> length]} {
        error "no Content-Length"
    }
    if {[string length $body] >= $length} {
        return [list [string range $body 0 $length-1]]
    }
    if {$ended} {
        error "cut off"
    }
    return {}
}

# Decode --
#       Gives the characters that %XX stand for.
#
# Arguments:
#       text    a part of a URL
#
# Results:
#       The text without them.
proc Decode {text} {
    set clear {}
    while {[regexp {^([^%]*)%([0-9A-Fa-f]{2})(.*)$} $text -> before digits text]} {
        append clear $before [binary decode hex $digits]
    }
    return $clear$text
}

# Answer --
#       Has an OCSP request answered.
#
# Arguments:
#       request the request
#
# Results:
#       The answer. When there is something wrong with the authority, that is internalError.
proc Answer {request} {
    try {
        return [tls::ca -ocsp -config $::config {*}$::options -data $request]
    } on error {message} {
        puts stderr "responder: $message"
        return [binary decode hex 30030A0102]
    }
}

# Page --
#       Makes an HTTP response.
#
# Arguments:
#       status  its status
#       type    the type of its content
#       content its content
#
# Results:
#       The response.
proc Page {status type content} {
    return [join [list "HTTP/1.0 $status" "Content-Type: $type" \
        "Content-Length: [string length $content]" "Connection: close" {} $content] \r\n]
}

# Finish --
#       Sends a response and closes the connection behind it.
#
# Arguments:
#       chan    the connection
#       timer   what would have closed it
#       page    the response
#
# Results:
#       None.
proc Finish {chan timer page} {
    after cancel $timer
    unset -nocomplain ::collected($chan)
    catch {puts -nonewline $chan $page}
    # What isn't sent yet is sent in the background.
    catch {close $chan}
}

set options [lassign $argv config port]
if {$port eq {}} {
    set listener [socket -server Accept -myaddr localhost 0]
} else {
    set listener [socket -server Accept $port]
}
puts [lindex [fconfigure $listener -sockname] 2]
flush stdout
fileevent stdin readable {if {[gets stdin] eq {} && [eof stdin]} {exit}}
vwait forever
