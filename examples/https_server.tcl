# https_server.tcl -- serves one page over HTTPS.
#
# Usage: tclsh https_server.tcl CERTIFICATE KEY ?PORT?
#
# CERTIFICATE and KEY are files. Without a PORT the server is for this machine alone, and the system
# chooses a port, which is the first line of output. The server runs until its standard input ends.

package require tls 3

# Accept --
#       Welcomes a client. The handshake goes on in the event loop, with the first read.
#
# Arguments:
#       chan    the connection
#       host    the client's address
#       port    its port
#
# Results:
#       None.
proc Accept {chan host port} {
    fconfigure $chan -blocking 0 -translation crlf
    fileevent $chan readable [list Serve $chan]
}

# Serve --
#       Reads a line of the request, and answers when it is the last.
#
# Arguments:
#       chan    the connection
#
# Results:
#       None.
proc Serve {chan} {
    try {
        set length [gets $chan line]
    } on error {message} {
        # The client has refused this server, or gone away.
        puts stderr "server: $message"
        close $chan
        return
    }
    if {$length == 0} {
        set page "Hello from a Tcl server, over [dict get [tls::status $chan] protocol]."
        puts $chan "HTTP/1.1 200 OK"
        puts $chan "Content-Type: text/plain; charset=utf-8"
        puts $chan "Content-Length: [string length $page]"
        puts $chan "Connection: close"
        puts $chan ""
        puts -nonewline $chan $page
    }
    if {$length == 0 || [eof $chan]} {
        close $chan
    }
}

lassign $argv certificate key port
set options [list -certfile $certificate -keyfile $key]
if {$port eq {}} {
    lappend options -myaddr localhost
    set port 0
}
set listener [tls::socket -server Accept {*}$options $port]
puts [lindex [fconfigure $listener -sockname] 2]
flush stdout
fileevent stdin readable {if {[gets stdin] eq {} && [eof stdin]} {exit}}
vwait forever
