# ignored.tcl -- finds the options of a command that no test would miss.
#
# Usage: tclsh tools/ignored.tcl COMMAND PACKAGE FILE ...
#
# Runs test files, each in a process of its own, and each of their tests once more for every option that it gives to
# the command and that no test has missed yet, with the command ignoring that option. Who makes a test fail by that is
# tested; the others are told in the end. A test that runs the command in another process isn't counted.

namespace eval ignored {
    variable script [file normalize [info script]]

    # The command, and its options: each name, aliases too, with the kind of its value.
    variable command {}
    variable kinds [dict create]

    # The option that is ignored, the ones that a test has given, and those that were missed, with the test.
    variable option {}
    variable given [dict create]
    variable missed [dict create]
}

# ignored::main --
#       Runs the files.
#
# Arguments:
#       words   the command line
#
# Results:
#       The exit status: 1 if there are options that no test misses.
proc ignored::main {words} {
    variable script
    set files [lassign $words command package]
    set missed {}
    set options {}
    foreach file $files {
        set said [exec [info nameofexecutable] $script -file $file $command $package $missed 2>@stderr]
        lassign [lindex [split $said \n] end] options missed
    }
    set rest [lmap option $options {expr {[dict exists $missed $option] ? [continue] : $option}}]
    puts "[llength $options] options, [dict size $missed] missed; the others: $rest"
    return [expr {[llength $rest] > 0}]
}

# ignored::File --
#       Runs one file, and prints all options and those that were missed.
#
# Arguments:
#       file            the test file
#       commandName     the command
#       package         the folder of the package
#       before          the options that tests of other files have missed
#
# Results:
#       None.
proc ignored::File {file commandName package before} {
    variable command $commandName
    variable kinds
    variable missed $before
    set ::env(TLS_PACKAGE) [file normalize $package]
    set scratch [file join [file dirname [file dirname [file normalize $file]]] build ignored-[pid]]
    file mkdir $scratch
    set ::argv [list -tmpdir $scratch -outfile /dev/null -errfile /dev/null]
    set ::argv0 $file
    info script $file
    package require tcltest
    rename ::tcltest::test ::tcltest::once
    interp alias {} ::tcltest::test {} ::ignored::Test
    interp alias {} ::tcltest::cleanupTests {} ::ignored::Nothing
    uplevel #0 [list source [file join [file dirname $file] helpers.tcl]]
    dict for {option description} [tls::describe $command] {
        foreach name [list $option {*}[dict get $description aliases]] {
            dict set kinds $name [dict get $description kind]
        }
    }
    # A procedure has to stay in its namespace.
    variable original ::${command}Original
    rename ::$command $original
    proc ::$command {args} {
        tailcall $::ignored::original {*}[::ignored::Without $args]
    }
    try {
        uplevel #0 [list source $file]
    } finally {
        file delete -force $scratch
    }
    puts [list [lsort [dict keys $kinds]] $missed]
}

# Takes the place of what would end the process.
proc ignored::Nothing {args} {

}

# The words of a call without the option that is ignored.
proc ignored::Without {words} {
    variable kinds
    variable option
    variable given
    set kept {}
    while {[llength $words] > 0} {
        set words [lassign $words word]
        set part [list $word]
        if {[dict exists $kinds $word]} {
            dict set given $word 1
            if {[dict get $kinds $word] ne "flag" && [llength $words] > 0} {
                set words [lassign $words value]
                lappend part $value
            }
        }
        if {$word ne $option} {
            lappend kept {*}$part
        }
    }
    return $kept
}

# Runs a test, and once more for each of its options that no test has missed so far.
proc ignored::Test {name args} {
    variable option {}
    variable given [dict create]
    variable missed
    if {[Fails $name $args]} {
        puts stderr "$name fails as it is"
        return
    }
    foreach option [dict keys $given] {
        if {![dict exists $missed $option] && [Fails $name $args]} {
            dict set missed $option $name
        }
    }
    set option {}
}

# Whether a test fails.
proc ignored::Fails {name words} {
    set before $::tcltest::numTests(Failed)
    # One that can't even be carried out fails as well.
    if {[catch {uplevel #0 [list ::tcltest::once $name {*}$words]}]} {
        return 1
    }
    return [expr {$::tcltest::numTests(Failed) > $before}]
}

if {[lindex $argv 0] eq "-file"} {
    ignored::File {*}[lrange $argv 1 end]
    exit
}
exit [ignored::main $argv]
