# child.tcl -- the second process of a test: evaluates the scripts that come on its standard input.
#
# Usage: by helpers::child. A script comes as a line of hexadecimal digits, and so goes the answer,
# a list of result and options, behind a control character that tells it from other output. The
# process ends with its standard input, so none is left behind by a test that was cut off.

source [file join [file dirname [info script]] helpers.tcl]

# Evaluates the script in the next line of standard input.
proc helpers::Answer {} {
    if {[gets stdin line] < 0} {
        if {[eof stdin]} {
            exit
        }
        return
    }
    set script [encoding convertfrom utf-8 [binary decode hex $line]]
    catch {uplevel #0 $script} result options
    puts \x01[binary encode hex [encoding convertto utf-8 [list $result $options]]]
}

fconfigure stdin -blocking 0
fconfigure stdout -buffering line
interp bgerror {} [list apply {{message options} {puts "background error: $message"}}]
fileevent stdin readable helpers::Answer
vwait forever
