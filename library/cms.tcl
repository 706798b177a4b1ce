# cms.tcl --
#       The script part of tls::cms -command: copies channels to and from temporary files in the
#       event loop. Native is everything else: tls::CmsCopied goes on with an operation when its
#       channel is copied.

namespace eval ::tls {
    # How often it is looked whether a channel that is copied is still there, in milliseconds.
    variable cmsPatience 1000
}

# tls::CmsSpool --
#       Copies the rest of a channel into a file.
#
# Arguments:
#       token           the operation
#       channel         where the bytes come from
#       path            where they go to
#
# Results:
#       None. tls::CmsCopied is called when all is there, or nothing more comes.
proc ::tls::CmsSpool {token channel path} {
    CmsCopy $token $channel $channel [open $path wb]
}

# tls::CmsDeliver --
#       Copies a file into a channel. The arguments and results are those of tls::CmsSpool.
proc ::tls::CmsDeliver {token channel path} {
    CmsCopy $token $channel [open $path rb] $channel
}

# tls::CmsCopy --
#       Copies in the event loop, with a channel's settings changed as long as it takes.
#
# Arguments:
#       token           the operation
#       channel         the channel of the two that is the caller's
#       from, to        the channels
#
# Results:
#       None.
proc ::tls::CmsCopy {token channel from to} {
    variable cmsPatience
    set file [expr {$from eq $channel ? $to : $from}]
    set settings {}
    foreach name {-blocking -encoding -eofchar -translation} {
        lappend settings $name [fconfigure $channel $name]
    }
    fconfigure $channel -blocking 0 -translation binary -eofchar {}
    set timer [after $cmsPatience [list ::tls::CmsWatch $token $channel $file]]
    if {
        [catch {
            fcopy $from $to -command [list ::tls::CmsCopyDone $token $channel $file $settings]
        } message]
    } {
        after cancel $timer
        close $file
        return -code error $message
    }
}

# tls::CmsCopyDone --
#       A copy has ended: the channel gets its settings back, and the operation goes on.
proc ::tls::CmsCopyDone {token channel file settings count {message {}}} {
    after cancel [list ::tls::CmsWatch $token $channel $file]
    if {
        [catch {
            close $file
            fconfigure $channel {*}$settings
        } failed] && $message eq {}
    } {
        set message $failed
    }
    CmsCopied $token {*}[expr {$message eq {} ? {} : [list $message]}]
}

# tls::CmsWatch --
#       Looks whether the channel is still there: nobody is told when one is closed that is copied.
proc ::tls::CmsWatch {token channel file} {
    variable cmsPatience
    if {$channel in [chan names]} {
        after $cmsPatience [list ::tls::CmsWatch $token $channel $file]
        return
    }
    catch {close $file}
    CmsCopied $token "channel \"$channel\" was closed"
}
