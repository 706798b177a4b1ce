# ca-lister.tcl -- makes revocation lists in an authority's folder, each into a file of its own, and tells
# their numbers; a process of its own for ca-turns.test and ca-db.test.
#
# Usage: tclsh ca-lister.tcl PACKAGE FOLDER NAME COUNT ?DRIVER CONNECT?

source [file join [file dirname [info script]] ca-process.tcl]

for {set number 0} {$number < $count} {incr number} {
    tls::ca -config ca.cnf {*}$database -gencrl -out $name.$number.crl -info info
    puts "list [dict get $info crl number]"
    flush stdout
}
