# later.tcl --
#       The script part of -command: copies channels to and from temporary files in the event loop.
#       Native is everything else: tls::LaterCopied goes on with an operation when its channel is
#       copied.

namespace eval ::tls {
    # How often it is looked whether a channel that is copied is still there, in milliseconds.
    variable laterPatience 1000
}

# tls::LaterSpool --
#       Copies the rest of a channel into a file.
#
# Arguments:
#       token           the operation
#       channel         where the bytes come from
#       path            where they go to
#
# Results:
#       None. tls::LaterCopied is called when all is there, or nothing more comes.
proc ::tls::LaterSpool {token channel path} {
    LaterCopy $token $channel $channel [open $path wb]
}

# tls::LaterDeliver --
#       Copies a file into a channel. The arguments and results are those of tls::LaterSpool.
proc ::tls::LaterDeliver {token channel path} {
    LaterCopy $token $channel [open $path rb] $channel
}

# tls::LaterCopy --
#       Copies in the event loop, with a channel's settings changed as long as it takes.
#
# Arguments:
#       token           the operation
#       channel         the channel of the two that is the caller's
#       from, to        the channels
#
# Results:
#       None.
proc ::tls::LaterCopy {token channel from to} {
    variable laterPatience
    set file [expr {$from eq $channel ? $to : $from}]
    set settings {}
    foreach name {-blocking -encoding -eofchar -translation} {
        lappend settings $name [fconfigure $channel $name]
    }
    fconfigure $channel -blocking 0 -translation binary -eofchar {}
    set timer [after $laterPatience [list ::tls::LaterWatch $token $channel $file]]
    if {
        [catch {
            fcopy $from $to -command [list ::tls::LaterCopyDone $token $channel $file $settings]
        } message]
    } {
        after cancel $timer
        close $file
        return -code error $message
    }
}

# tls::LaterCopyDone --
#       A copy has ended: the channel gets its settings back, and the operation goes on.
proc ::tls::LaterCopyDone {token channel file settings count {message {}}} {
    after cancel [list ::tls::LaterWatch $token $channel $file]
    if {
        [catch {
            close $file
            fconfigure $channel {*}$settings
        } failed] && $message eq {}
    } {
        set message $failed
    }
    LaterCopied $token {*}[expr {$message eq {} ? {} : [list $message]}]
}

# tls::LaterWatch --
#       Looks whether the channel is still there: nobody is told when one is closed that is copied.
proc ::tls::LaterWatch {token channel file} {
    variable laterPatience
    if {$channel in [chan names]} {
        after $laterPatience [list ::tls::LaterWatch $token $channel $file]
        return
    }
    catch {close $file}
    LaterCopied $token "channel \"$channel\" was closed"
}
