# echo_server.tcl -- sends every line back to who sent it, over TLS.
#
# Usage: tclsh echo_server.tcl CERTIFICATE KEY PORT
#
# CERTIFICATE and KEY are files. Talk to it with
#
#       openssl s_client -quiet -connect localhost:PORT

package require tls 3
fconfigure stdout -buffering line

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
    puts "$host:$port has come"
    fconfigure $chan -blocking 0 -buffering line
    fileevent $chan readable [list Echo $chan $host:$port]
}

# Echo --
#       Sends a line back.
#
# Arguments:
#       chan    the connection
#       who     a name for the client
#
# Results:
#       None.
proc Echo {chan who} {
    try {
        if {[gets $chan line] >= 0} {
            puts $chan $line
        } elseif {[eof $chan]} {
            puts "$who has gone"
            close $chan
        }
    } on error {message} {
        puts "$who: $message"
        close $chan
    }
}

lassign $argv certificate key port
tls::socket -server Accept -certfile $certificate -keyfile $key $port
puts "listening on port $port"
vwait forever
