# cmp_server.tcl -- gives certificates to those who know a secret, by the certificate management
# protocol.
#
# Usage: tclsh cmp_server.tcl AUTHORITY SECRETS ?PORT?
#
# AUTHORITY is the folder of an authority; it is made if it isn't there. SECRETS is a file with a
# reference and its secret on each line. Without a PORT the system chooses one, which is the first
# line of output. Then there is a line for everything that happens. A client:
#
#   openssl cmp -cmd ir -server localhost:PORT -ref REFERENCE -secret pass:SECRET \
#       -newkey key.pem -subject "/CN=some.host" -certout certificate.pem
#
# The server runs until its standard input ends. What it was doing then it goes on with next time.

package require tls 3

# Secret --
#       Looks up whose secret is whose. The file is read each time, so it can change.
#
# Arguments:
#       file       the file
#       reference  the reference of a client
#
# Results:
#       The secret; empty if there is none.
proc Secret {file reference} {
    set chan [open $file]
    try {
        while {[gets $chan line] >= 0} {
            if {[regexp {^(\S+)\s+(.+)$} $line -> name secret] && $name eq $reference} {
                return $secret
            }
        }
    } finally {
        close $chan
    }
    return {}
}

# Report --
#       Tells what happens.
#
# Arguments:
#       event   a word
#       facts   a dict
#
# Results:
#       None.
proc Report {event facts} {
    set line $event
    foreach key {kind reference subject serial} {
        if {[dict exists $facts $key]} {
            append line " $key=[dict get $facts $key]"
        }
    }
    puts $line
    flush stdout
}

lassign $argv authority secrets port
if {![file exists $authority]} {
    tls::ca -newca $authority
}
if {$port eq {}} {
    set port 0
}

# The server signs with a certificate of its own, so that clients with certificates know it.
set key [file join $authority private cmp.key]
set certificate [file join $authority cmp.pem]
if {![file exists $certificate]} {
    set own [file join $authority private cmp.pem]
    tls::misc req 2048 $key $own {CN {CMP server}}
    tls::ca -config [file join $authority openssl.cnf] -ss_cert $own -notext -out $certificate
}
lassign [tls::cmp serve -port $port -ca [file join $authority openssl.cnf] \
    -srv_cert $certificate -srv_key $key -secrets [list Secret $secrets] -report Report \
    -state [file join $authority cmp]] token port
puts $port
flush stdout
fileevent stdin readable {if {[gets stdin] eq {} && [eof stdin]} {exit}}
vwait forever
