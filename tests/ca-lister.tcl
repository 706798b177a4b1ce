# ca-lister.tcl -- makes revocation lists in an authority's folder, each into a file of its own, and tells
# their numbers; a process of its own for ca-turns.test.
#
# Usage: tclsh ca-lister.tcl PACKAGE FOLDER NAME COUNT

lassign $argv package folder name count
lappend auto_path [file dirname $package] $package
package require tls
cd $folder
for {set number 0} {$number < $count} {incr number} {
    tls::ca -config ca.cnf -gencrl -out $name.$number.crl -info info
    puts "list [dict get $info crl number]"
    flush stdout
}
