# ca-worker.tcl -- issues certificates in an authority's folder; a process of its own for ca-turns.test.
#
# Usage: tclsh ca-worker.tcl PACKAGE FOLDER NAME COUNT

lassign $argv package folder name count
lappend auto_path [file dirname $package] $package
package require tls
cd $folder
puts ready
flush stdout
for {set number 0} {$number < $count} {incr number} {
    tls::ca -config ca.cnf -in plain.req -subj "/CN=$name $number" -notext
}
