# starttls.tcl -- begins in plain text and goes on in TLS, as mail servers do.
#
# Usage: tclsh starttls.tcl HOST ?PORT?
#
# Asks the mail server on HOST for TLS and prints whom it has talked to.

package require tls 3

# Expect --
#       Reads a reply of the mail server.
#
# Arguments:
#       chan    the connection
#       code    the number that the reply must begin with
#
# Results:
#       None.
#
# Errors:
#       When the server says something else.
proc Expect {chan code} {
    while {[gets $chan line] >= 0} {
        if {![string match $code* $line]} {
            error "the server says: $line"
        }
        # All lines of a reply but its last have a dash behind the number.
        if {[string index $line 3] ne "-"} {
            return
        }
    }
    error "the server has gone"
}

lassign $argv host port
set chan [socket $host [expr {$port eq {} ? 25 : $port}]]
fconfigure $chan -translation crlf -buffering line
Expect $chan 220
puts $chan "EHLO [info hostname]"
Expect $chan 250
puts $chan STARTTLS
Expect $chan 220

# What follows is encrypted, and the server has to prove its name.
tls::import $chan -servername $host
tls::handshake $chan
puts "talking [dict get [tls::status $chan] protocol] to [dict get [tls::status $chan] subject]"

puts $chan "EHLO [info hostname]"
Expect $chan 250
puts $chan QUIT
close $chan
