# ca-process.tcl -- how a process begins that works on an authority beside others: it loads the package, connects to the
# database, and goes to the folder.
#
# The command line is PACKAGE FOLDER NAME COUNT ?DRIVER CONNECT?, of which NAME and COUNT are its own. With a driver of
# TDBC and a command that makes the connection ::db, the authority is in that database; $database has the words for it.

lassign $argv package folder name count driver connect
lappend auto_path [file dirname $package] $package
package require tls
set database {}
if {$driver ne {}} {
    package require tdbc::$driver
    {*}$connect
    set database {-database ::db}
}
cd $folder
