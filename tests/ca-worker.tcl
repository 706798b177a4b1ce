# ca-worker.tcl -- issues certificates in an authority's folder; a process of its own for ca-turns.test
# and ca-db.test.
#
# Usage: tclsh ca-worker.tcl PACKAGE FOLDER NAME COUNT ?DRIVER CONNECT?
#
# With a count below zero, every second certificate is revoked, and every fourth time a list is made.

source [file join [file dirname [info script]] ca-process.tcl]

set mixed [expr {$count < 0}]
set count [expr {abs($count)}]
puts ready
flush stdout
for {set number 0} {$number < $count} {incr number} {
    if {$number % 10 == 9} {
        # A sign of life: who waits for the end has patience as long as there are any.
        puts $number
        flush stdout
    }
    set pem [tls::ca -config ca.cnf {*}$database -in plain.req -subj "/CN=$name $number" -notext]
    if {$mixed && $number % 2} {
        tls::ca -config ca.cnf {*}$database -revoke $pem
    }
    if {$mixed && $number % 4 == 3} {
        tls::ca -config ca.cnf {*}$database -gencrl
    }
}
